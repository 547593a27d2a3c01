"""What happened to one plate, moment by moment on its own simulated clock."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.contents import Contents


@dataclass(frozen=True, slots=True)
class Moment:
    """One executed step, as the plate experienced it."""

    kind: StepKind
    hours: float
    """How long it took on the plate's clock; zero for all but incubations."""
    temperature_c: float
    seed: int
    """Of the step."""
    contents: Contents
    """Of the plate, once the step was over."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The life of one plate."""

    plate_id: str
    n_wells: int
    moments: tuple[Moment, ...] = ()

    @property
    def clock_h(self) -> float:
        """Hours of incubation since the plate was first used."""
        return sum(moment.hours for moment in self.moments)

    @property
    def seed(self) -> int:
        """The seed of the plate's first step: what befalls its cells depends on it, whenever it is read."""
        return self.moments[0].seed if self.moments else 0

    @property
    def contents(self) -> Contents | None:
        """What the plate holds now; None before anything was put into it."""
        return self.moments[-1].contents if self.moments else None

    def incubated_contents(self) -> Contents | None:
        """What the plate held in its longest incubation since it was dosed, or else what it holds now.

        So stains and reagents that are added before a reading do not pass for a dilution of the dose.
        """
        longest: Moment | None = None
        for moment in reversed(self.moments):
            if moment.kind is StepKind.DOSE:
                break
            if moment.kind is StepKind.INCUBATE and (longest is None or moment.hours >= longest.hours):
                longest = moment
        return longest.contents if longest else self.contents

    def after(self, moment: Moment) -> Timeline:
        """This timeline with one more moment."""
        return Timeline(self.plate_id, self.n_wells, (*self.moments, moment))
