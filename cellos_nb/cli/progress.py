"""A progress bar for each iteration, drawn from what the executor reports."""

from __future__ import annotations

import sys
from typing import Any, Self

from tqdm import tqdm

from cellos_nb.execution.events import Event, ResultsStored, RunDone, RunStarted, StepDone


class IterationBars:
    """Follows a campaign: one bar for each iteration, one tick for each step of a plate.

    Nothing but plain text is drawn, on standard error, so that standard output holds results alone.
    """

    def __init__(self, n_iterations: int | None = None) -> None:
        self._n_iterations = n_iterations
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        """Draws one event."""
        if isinstance(event, RunStarted):
            self._open(event.plate_id, event.n_steps).update(event.n_done)
        elif isinstance(event, StepDone) and self._bar is not None:
            self._bar.set_postfix_str(event.name, refresh=False)
            self._bar.update()
        elif isinstance(event, RunDone) and event.status != "succeeded":
            tqdm.write(f"plate {event.plate_id}: {event.status}: {event.error}", file=sys.stderr)
        elif isinstance(event, ResultsStored) and self._bar is not None:
            self._bar.set_postfix_str(f"{event.n_experiments} experiments", refresh=True)
            self._close()

    def _open(self, plate_id: str, n_steps: int) -> tqdm[Any]:
        if self._bar is not None:
            self._bar.total = (self._bar.total or 0) + n_steps
        else:
            lap = plate_id.rpartition("/")[2].partition("-")[0].lstrip("i").lstrip("0") or "1"
            of = f"/{self._n_iterations}" if self._n_iterations else ""
            self._bar = tqdm(desc=f"iteration {lap}{of}", total=n_steps, unit="step", file=sys.stderr, ncols=100)
        return self._bar

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
