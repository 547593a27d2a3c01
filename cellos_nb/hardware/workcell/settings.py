"""The configuration of a workcell: which machine does what, and where plates are carried."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cellos_nb.domain.settings import Name, RobotName, Settings
from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.configuration import SUFFIXES, MachineFile

Task = Literal["seed", "dilute", "dose", "stain", "incubate", "read", "image", "transport"]
SIMULATED = frozenset({"virtual", "biology", "replay"})


class PartSettings(Settings):
    """One machine at one place; the place has the part's name."""

    machine: Name
    """A machine file, beside this one where it has no folder of its own, or the name of a machine."""
    does: Annotated[tuple[Task, ...], Field(min_length=1)]
    """The kinds of step that are done here; `transport` carries plates from place to place."""

    @property
    def kinds(self) -> tuple[StepKind, ...]:
        """What it does, as steps have it."""
        return tuple(StepKind(name) for name in self.does)


class WorkcellFile(MachineFile):
    """Machines that share the work on each plate."""

    parts: Annotated[dict[RobotName, PartSettings], Field(min_length=1)]
    """By place: `handler`, `incubator`, `reader`, `hands`."""

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        counted = Counter(task for part in self.parts.values() for task in part.does)
        twice = next((task for task, n in counted.items() if n > 1), None)
        if twice is not None:
            raise ValueError(f"parts|two parts do '{twice}'; a plate could not know where to go. Leave it to one")
        wet = [name for name, part in self.parts.items() if any(kind.moves_liquid for kind in part.kinds)]
        if len(wet) > 1:
            raise ValueError(
                f"parts|{' and '.join(wet)} both move liquid, and neither knows what the other put into a well. Leave "
                "seed, dilute, dose and stain to one of them"
            )
        if len(self.stations) > 1 and "transport" not in counted:
            raise ValueError("parts|nobody carries plates from place to place; let one part do 'transport'")
        return self

    @property
    def stations(self) -> tuple[str, ...]:
        """The places that a plate is carried to."""
        return tuple(name for name, part in self.parts.items() if set(part.does) != {"transport"})

    @property
    def is_real(self) -> bool:
        """Whether any of its machines may be; a machine file is taken for real."""
        return any(part.machine not in SIMULATED for part in self.parts.values())

    def part_for(self, kind: StepKind) -> str | None:
        """Who does a kind of step; None when nobody does."""
        return next((name for name, part in self.parts.items() if kind in part.kinds), None)

    def files_beside(self, folder: Path) -> Self:
        """With full names of the machine files."""
        parts = {
            name: part.model_copy(update={"machine": str(folder / part.machine)})
            if Path(part.machine).suffix in SUFFIXES
            else part
            for name, part in self.parts.items()
        }
        return self.model_copy(update={"parts": parts})
