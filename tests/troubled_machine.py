"""A simulated machine with which something goes wrong: it loses sight of a step, or its lamp fails."""

from __future__ import annotations

from dataclasses import replace

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import MachineError, StepFailedError
from cellos_nb.hardware.biology import BiologicalVirtualMachine


class TroubledMachine(BiologicalVirtualMachine):
    """Forgets what became of its first `n_lost` dosing steps; its first `n_dark` readings fail."""

    def __init__(self, *, n_lost: int = 0, n_dark: int = 0, is_simulated: bool = True) -> None:
        super().__init__()
        self.n_lost, self.n_dark, self.is_simulated = n_lost, n_dark, is_simulated

    def describe(self):
        return replace(super().describe(), machine="troubled", is_simulated=self.is_simulated, hour_s=0.0)

    def execute(self, step, token):
        if step.kind is StepKind.DOSE and self.n_lost:
            self.n_lost -= 1
            raise MachineError("the connection broke off")
        if step.kind is StepKind.READ and self.n_dark:
            self.n_dark -= 1
            raise StepFailedError("the lamp is dark")
        return super().execute(step, token)

    def reconcile(self, token):
        return Outcome(OutcomeState.UNKNOWN, detail="no memory of it")
