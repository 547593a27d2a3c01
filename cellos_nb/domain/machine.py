"""What a machine can do, and what it says about a step after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import StepKind


@dataclass(frozen=True, slots=True)
class Device:
    """A part of a machine that does one thing at a time."""

    name: str
    """Within its machine: `liquid_handler`."""
    step_kinds: tuple[StepKind, ...]
    """What needs it. A kind that needs several devices stands under each; one that needs none, under none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plate must be for some kinds of step."""

    name: str
    """Within its machine: `reader`."""
    step_kinds: tuple[StepKind, ...]


STANDARD_DEVICES = (
    Device("liquid_handler", tuple(kind for kind in StepKind if kind.moves_liquid)),
    Device("reader", (StepKind.READ, StepKind.IMAGE)),
)
"""A plate that incubates holds no device, so that others are dosed meanwhile."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A machine as the planner, the compiler and the executor see it."""

    machine: str
    """Its name, e.g. `biology` or `ot2-left`."""
    is_simulated: bool
    """Whether it touches nothing real; such a machine runs in PROOF and REAL alike."""
    can_reconcile: bool
    """Whether it can always say what became of a step, even after a crash of either side."""
    step_kinds: tuple[StepKind, ...]
    plate_formats: tuple[int, ...]
    assays: tuple[str, ...]
    min_volume_ul: float
    """The smallest volume one transfer delivers."""
    max_volume_ul: float
    """The largest volume one transfer delivers; more is split."""
    cell_lines: tuple[str, ...] | None = None
    """Known cell lines; None when any will do."""
    compounds: tuple[str, ...] | None = None
    """Known compounds; None when any will do."""
    dose_range_um: tuple[float, float] | None = None
    """Doses that it can answer, both ends included; None when any will do."""
    seconds_per_transfer: float = 4.0
    seconds_per_well_read: float = 1.0
    usd_per_hour: float = 0.0
    """Machine time booked per hour of pipetting and reading."""
    data_source: str = ""
    """Citation of the measurements or parameters that it answers from; empty for a real device."""
    devices: tuple[Device, ...] = STANDARD_DEVICES
    """What its steps share; each is used by one plate at a time."""
    hour_s: float | None = None
    """Seconds on the clock that an hour of incubation takes; when left out 3600, and 0 where time is simulated."""
    time_limit_s: float | None = None
    """After so long a step counts as stuck; when left out, three times what it should take and 10 minutes."""
    is_by_person: bool = False
    """Whether a person carries out each step after reading it: the decision that an approval would anticipate."""
    kinds_by_person: tuple[StepKind, ...] = ()
    """Where machines and people share the work: the kinds of step that wait in a person's hands."""
    places: tuple[Place, ...] = ()
    """Where a plate must be, for machines that stand apart; it is carried between them. None: it stays where it is."""

    @property
    def incubation_hour_s(self) -> float:
        """Seconds on the clock that an hour of incubation takes."""
        if self.hour_s is not None:
            return self.hour_s
        return 0.0 if self.is_simulated else 3600.0

    @property
    def needs_approval(self) -> bool:
        """Whether a person must have approved a workflow before the machine moves; it does so in REAL alone."""
        return not (self.is_simulated or self.is_by_person)

    @property
    def is_instant(self) -> bool:
        """Whether its steps take no time, so that nothing can be done meanwhile."""
        return self.is_simulated and self.incubation_hour_s == 0.0

    def place_for(self, kind: StepKind) -> str | None:
        """Where a plate must be for a step of this kind; None when anywhere will do."""
        return next((place.name for place in self.places if kind in place.step_kinds), None)

    def waits_for_person(self, kind: StepKind) -> bool:
        """Whether a step of this kind is a person's, so that it may take days and no process waits for it."""
        return self.is_by_person or kind in self.kinds_by_person

    def devices_for(self, kind: StepKind) -> tuple[str, ...]:
        """The devices that a step of this kind needs, by name, in alphabetical order."""
        return tuple(sorted(device.name for device in self.devices if kind in device.step_kinds))


class OutcomeState(StrEnum):
    """What became of a step, as the machine knows it."""

    NEVER_STARTED = "never_started"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A machine's answer to `reconcile`."""

    state: OutcomeState
    reading: Reading | None = None
    """The reading of a step that is done and has one."""
    detail: str = ""
    """For a person: the last thing that the machine knows."""
