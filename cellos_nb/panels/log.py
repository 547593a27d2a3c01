"""The errors of one panel, shown inside it: what a callback raises is seen nowhere else."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from markupsafe import Markup

from cellos_nb.errors import CellosError
from cellos_nb.panels.text import join, markup

MAX_LINES = 5
"""Errors kept, the latest last."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One error, and how often it came in a row."""

    message: str
    traceback: str = ""
    """For what no person can act on."""
    n: int = 1


class ErrorLog:
    """The last errors of a panel."""

    def __init__(self) -> None:
        self.lines: tuple[Line, ...] = ()

    def add(self, error: BaseException) -> None:
        """Notes an error; the same one again is counted."""
        if isinstance(error, CellosError):
            line = Line(str(error))
        else:
            log.error("a panel failed", exc_info=error)
            line = Line(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))
        if self.lines and self.lines[-1].message == line.message:
            self.lines = (*self.lines[:-1], replace(self.lines[-1], n=self.lines[-1].n + 1))
        else:
            self.lines = (*self.lines, line)[-MAX_LINES:]

    def clear(self) -> None:
        """Forgets all errors."""
        self.lines = ()

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Notes whatever the block raises, in place of raising it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - Jupyter shows nothing of a callback's exception
            self.add(error)

    def html(self) -> Markup:
        """The errors for the panel; empty without any."""
        if not self.lines:
            return Markup()
        return markup('<div class="cellos-log" role="alert">{}</div>', join(_line(line) for line in self.lines))


def _line(line: Line) -> Markup:
    times = f" (×{line.n})" if line.n > 1 else ""
    detail = markup("<details><summary>traceback</summary><pre>{}</pre></details>", line.traceback)
    return markup("<p>{}{}</p>{}", line.message, times, detail if line.traceback else "")
