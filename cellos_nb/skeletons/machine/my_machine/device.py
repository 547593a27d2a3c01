"""The device: the only module that talks to it. What stands here plays its part until yours is connected."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from cellos_nb.domain.step import Step, TransferList
from cellos_nb.hardware.contents import WellContents

EC50_UM = 0.3
"""Of every compound, in µM: a made-up dye whose light fades with the dose."""


class Device:
    """Replace each method by your vendor's calls. A call returns when the device has finished, and raises if it failed.

    Raises:
        OSError: or whatever your vendor's library raises; the step then counts as failed.
    """

    def connect(self) -> None:
        """Opens the connection; called once, before anything moves."""

    def move(self, transfers: TransferList) -> None:
        """Carries out a transfer list, in its order."""

    def wait(self, hours: float) -> None:
        """Keeps the plate at its temperature; a stand-in has no need to wait."""

    def read(self, step: Step, channel: str, wells: Sequence[str], held: Mapping[str, WellContents]) -> list[float]:
        """The signal of each well. Your reader measures it; the stand-in makes it up from what each well holds."""
        values = []
        for well in wells:
            # One number for each well of each step, whatever was read before: the same seed, the same reading.
            noise = random.Random(f"{step.seed}/{step.uid}/{channel}/{well}").gauss(0, 0.03)  # noqa: S311
            fading = sum(dose / EC50_UM for dose in held[well].dose_um.values())
            values.append(100_000 / (1 + fading) * (1 + noise))
        return values

    def disconnect(self) -> None:
        """Ends any motion and closes the connection; may be called twice."""
