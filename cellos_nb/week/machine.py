"""A simulated robot whose steps take time, and which breaks down when the week says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import MachineError, MachineRefusedError
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.operations.calendar.load import LabRules
from cellos_nb.operations.calendar.resources import Span
from cellos_nb.units import SECONDS_PER_HOUR
from cellos_nb.week.clock import Clock
from cellos_nb.workflow.estimate import step_seconds


class TimedMachine:
    """A machine in simulated time. What it executed stands in the ledger of the machine inside, as always.

    A step that moves liquid when the robot breaks down is cut off: the robot answers nothing, and later cannot say what
    became of the step, as one that lost its power. Its reader goes on.
    """

    def __init__(
        self,
        inner: HardwareInterface,
        clock: Clock,
        rules: LabRules,
        *,
        seconds_per_transfer: float,
        breakdowns: Sequence[Span] = (),
    ) -> None:
        self._inner, self._clock, self._rules, self._breakdowns = inner, clock, rules, tuple(breakdowns)
        self._seconds_per_transfer = seconds_per_transfer
        self._cut_off: set[str] = set()

    def describe(self) -> Capabilities:
        """What the machine inside can do, at the speed of this one."""
        known = self._inner.describe()
        return replace(known, hour_s=SECONDS_PER_HOUR, seconds_per_transfer=self._seconds_per_transfer)

    def preflight(self, step: Step) -> None:
        """As the machine inside."""
        self._inner.preflight(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """Executes a step and says on the clock how long that takes.

        Raises:
            MachineRefusedError: the robot is down; nothing has moved.
            MachineError: it broke down during the step.
        """
        now = self._clock()
        seconds = 60 * self._rules.attended_min(step.kind) + step_seconds(step, self.describe())
        for down in self._breakdowns if step.kind.moves_liquid else ():
            if down.start <= now < down.end:
                raise MachineRefusedError(
                    f"Step {step.uid}: the robot is down ({down.reason}) until {down.end:%d %b %H:%M} UTC."
                )
            left = (down.start - now).total_seconds()
            if 0 < left < seconds:
                self._cut_off.add(token)
                self._clock.spend(left)
                raise MachineError(f"the robot broke down during the step ({down.reason})")
        reading = self._inner.execute(step, token)
        self._clock.spend(seconds)
        return reading

    def reconcile(self, token: str) -> Outcome:
        """As the machine inside; unknown for a step that a breakdown cut off."""
        if token in self._cut_off:
            return Outcome(OutcomeState.UNKNOWN, detail="the robot broke down during the step and cannot tell")
        return self._inner.reconcile(token)

    def stop(self) -> None:
        """As the machine inside."""
        self._inner.stop()
