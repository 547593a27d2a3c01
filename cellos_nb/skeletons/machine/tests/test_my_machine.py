"""The machine holds what every machine promises; add tests of what is special about yours."""

from __future__ import annotations

from pathlib import Path

import pytest
from my_machine.device import Device
from my_machine.machine import MyMachine

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.step import Step
from cellos_nb.errors import MachineError, StepFailedError
from cellos_nb.testing import MachineContract


class Jammed(Device):
    """A device that fails after it has begun."""

    def move(self, transfers: object) -> None:
        """Fails."""
        raise OSError("the tip is jammed")


class TestMyMachine(MachineContract):
    """Each test of the contract, on this machine."""

    kind = "my_machine"
    compound = "dye"

    def test_a_step_that_failed_is_not_begun_again(self, tmp_path: Path, steps: tuple[Step, ...]) -> None:
        jammed = MyMachine(Jammed(), tmp_path / "jammed.ledger")
        with pytest.raises(StepFailedError, match="the tip is jammed"):
            jammed.execute(steps[0], "once")
        jammed.stop()
        again = MyMachine(Device(), tmp_path / "jammed.ledger")
        assert again.reconcile("once").state is OutcomeState.FAILED
        with pytest.raises(MachineError, match="not begun again"):
            again.execute(steps[0], "once")
        again.stop()
