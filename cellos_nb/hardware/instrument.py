"""What answers a reading on a simulated machine: the seam between moving liquid and knowing biology."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.reading import Channel
from cellos_nb.domain.step import Readout, Step
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.timeline import Timeline


class Instrument(Protocol):
    """Looks at what the wells of a plate really hold, and at what happened to them."""

    @property
    def is_normalised(self) -> bool:
        """Whether it answers in fractions of its own vehicle control."""
        ...

    def describe(self, machine: Capabilities) -> Capabilities:
        """The capabilities of a liquid-moving machine, narrowed to what this instrument knows."""
        ...

    def check_contents(self, step: Step, contents: Contents) -> None:
        """Refuses a plate that it could not read later; called before the liquid moves.

        Raises:
            MachineRefusedError: says which well holds what, and what is possible.
        """
        ...

    def check_readout(self, step: Step, readout: Readout, timeline: Timeline) -> None:
        """Refuses a reading that it cannot give.

        Raises:
            MachineRefusedError: says what is possible.
        """
        ...

    def measure(self, step: Step, readout: Readout, timeline: Timeline) -> tuple[Channel, ...]:
        """The signals of the wells asked for, after `check_readout`."""
        ...


class VolumeGauge:
    """The instrument of a machine without biology: it weighs wells.

    The signals that were asked for are answered with no number, because there is none; beside them stands what is
    known, the volume of each well as a channel `volume` in µL.
    """

    is_normalised = False

    def describe(self, machine: Capabilities) -> Capabilities:
        """As the machine is: any cell line and compound will do."""
        return machine

    def check_contents(self, step: Step, contents: Contents) -> None:
        """Accepts everything."""

    def check_readout(self, step: Step, readout: Readout, timeline: Timeline) -> None:
        """Accepts every signal."""

    def measure(self, step: Step, readout: Readout, timeline: Timeline) -> tuple[Channel, ...]:
        """No number for each signal asked for, and the volumes."""
        contents = timeline.contents
        if contents is None:
            raise AssertionError(f"{step.uid}: an empty plate is refused in preflight")
        volumes = dict(zip(contents.wells, contents.volume_ul.tolist(), strict=True))
        nothing = (None,) * len(readout.wells)
        asked = (Channel(name, "", nothing, site) for name in readout.channels for site in sites_of(readout))
        return (*asked, Channel("volume", "µL", tuple(volumes[well] for well in readout.wells)))


def sites_of(readout: Readout) -> Iterator[int | None]:
    """The sites of an image, counted from 1; None alone for a whole-well signal."""
    return iter(range(1, readout.n_sites + 1)) if readout.mode == "imaging" else iter((None,))
