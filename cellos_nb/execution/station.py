"""A machine as execution sees it: under a name of its own, with the place where its calls run and their time limits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.execution.orders import Call
from cellos_nb.execution.places import Here, Threads
from cellos_nb.hardware.interface import HardwareInterface

QUESTION_LIMIT_S = 60.0
"""After so long a question to a machine counts as unanswered."""
LEAST_LIMIT_S = 600.0
"""What every step may take, and what is added to three times its length."""


@dataclass(frozen=True, slots=True)
class Station:
    """One machine, opened."""

    name: str
    """As the machine calls itself; real ones have names of their own, for their devices are locked by it."""
    machine: HardwareInterface
    capabilities: Capabilities
    place: Executor

    @classmethod
    def of(cls, machine: HardwareInterface, place: Executor | None = None) -> Station:
        """A machine as it describes itself; simulated ones that take no time are called in the caller's thread."""
        capabilities = machine.describe()
        usual = Here() if capabilities.is_instant else Threads()
        return cls(capabilities.machine, machine, capabilities, place or usual)

    @property
    def is_strict(self) -> bool:
        """Whether each intent is on the disk before the machine is called.

        A machine that is simulated and remembers every token loses nothing when its journal is a moment behind.
        """
        return not (self.capabilities.is_simulated and self.capabilities.can_reconcile)

    @property
    def is_elsewhere(self) -> bool:
        """Whether calls leave the caller's thread, and so go out together, after what was noted is stored."""
        return not isinstance(self.place, Here)

    def devices_for(self, kind: StepKind) -> tuple[str, ...]:
        """The devices that a step of this kind takes, told apart from those of other machines."""
        return tuple(f"{self.name}/{device}" for device in self.capabilities.devices_for(kind))

    def preflight(self, step: Step) -> Call:
        """Has the machine check a step."""
        return self._question(self.machine.preflight, step, f"the check of step {step.uid}")

    def execute(self, step: Step, token: str, confirm: Callable[[], None]) -> Call:
        """Has the machine execute a step, after `confirm` has made sure of the lease.

        That is asked in the thread of the call, as the last thing before it: a process that was stopped since the call
        was ordered, and is continued after another took over, does not make it.
        """
        what = f"{self.name}: step {step.uid}"
        arguments = (confirm, self.machine, step, token)
        return Call(_execute, arguments, self.limit_s(step), what, is_after_commit=self.is_strict or self.is_elsewhere)

    def reconcile(self, token: str) -> Call:
        """Asks the machine what became of a step."""
        return self._question(self.machine.reconcile, token, f"what became of {token}")

    def _question(self, function: Callable[..., Any], about: Step | str, what: str) -> Call:
        limit = self.capabilities.time_limit_s
        limit_s = QUESTION_LIMIT_S if limit is None else min(limit, QUESTION_LIMIT_S)
        return Call(function, (about,), limit_s, f"{self.name}: {what}", is_after_commit=self.is_elsewhere)

    def limit_s(self, step: Step) -> float:
        """After how long a step counts as stuck."""
        can = self.capabilities
        if can.time_limit_s is not None:
            return can.time_limit_s
        n_transfers = len(step.transfers) if step.transfers else 0
        n_read = len(step.readout.wells) * step.readout.n_sites if step.readout else 0
        expected_s = n_transfers * can.seconds_per_transfer + n_read * can.seconds_per_well_read
        return 3 * expected_s + LEAST_LIMIT_S


def _execute(confirm: Callable[[], None], machine: HardwareInterface, step: Step, token: str) -> Reading | None:
    confirm()
    return machine.execute(step, token)
