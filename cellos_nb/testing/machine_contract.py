"""What every machine promises, whatever it is made of: by its interface alone, on plates compiled for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from cellos_nb.domain.machine import Capabilities, OutcomeState
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, MachineSettings, PlatePlan
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.registry import open_machine
from cellos_nb.workflow.compile import compile_plates


@dataclass(frozen=True, slots=True)
class MachineMaker:
    """Opens the machine under test, always with the same seed."""

    settings: MachineSettings
    ledger: Path
    """Its memory: opened again on it, the machine knows what it did."""

    def open(self) -> HardwareInterface:
        """The machine, with its memory."""
        return open_machine(self.settings, self.ledger, seed=3)

    def open_afresh(self) -> HardwareInterface:
        """The same machine as if it had never been used."""
        return open_machine(self.settings, self.ledger.with_name(f"{self.ledger.stem}-fresh.ledger"), seed=3)

    def open_to_look(self) -> HardwareInterface:
        """The machine without a memory, to be asked what it can do."""
        return open_machine(self.settings, None, seed=3)


class MachineContract:
    """Inherit it, and name the kind and a condition that the machine can answer.

        class TestMine(MachineContract):
            kind = "mine"

    It is for machines whose steps end by themselves within seconds: simulated ones, stand-ins, and real ones that
    pretend. What a person carries out is none.
    """

    kind: ClassVar[str]
    """As a campaign's `machine` names it."""
    cell_line: ClassVar[str] = "U2OS"
    compound: ClassVar[str] = "staurosporine"
    doses_um: ClassVar[tuple[float, ...]] = (0.01, 0.1, 1.0)
    """In µM; three or more that the machine can answer for this compound on this cell line."""
    assay: ClassVar[str] = "viability"
    n_wells: ClassVar[int] = 96

    @pytest.fixture
    def maker(self, tmp_path: Path) -> MachineMaker:
        """How the machine is opened; override it for a machine that needs a file of its own."""
        return MachineMaker(MachineSettings(kind=self.kind), tmp_path / "machine.ledger")

    @pytest.fixture
    def steps(self, maker: MachineMaker) -> tuple[Step, ...]:
        """A plate of a few conditions, compiled for what the machine says that it can do."""
        return self.compiled(maker, "contract/i001")

    def compiled(self, maker: MachineMaker, batch_id: str) -> tuple[Step, ...]:
        """The steps of one plate of this batch."""
        asked = [
            ExperimentProposal(self.cell_line, self.compound, dose, self.assay, f"e{number}")
            for number, dose in enumerate(self.doses_um, start=1)
        ]
        plan = PlatePlan(
            n_wells=self.n_wells,
            replicates=1,
            controls=ControlSettings(vehicle=2),
            outer_wells="use",
            stocks=(CompoundStock(name=self.compound, stock_mm=10.0),),
            max_solvent_percent=0.5,
            assay=AssaySettings(),
        )
        with closing(_Stopping(maker.open_to_look())) as opened:
            described = opened.machine.describe()
        (workflow,) = compile_plates(asked, plan, described, batch_id=batch_id, seed=7)
        return workflow.steps

    def test_it_describes_itself_the_same_however_often_it_is_asked(self, maker: MachineMaker) -> None:
        with closing(_Stopping(maker.open())) as opened:
            described = opened.machine.describe()
            assert opened.machine.describe() == described
        assert isinstance(described, Capabilities)
        assert described.machine
        assert set(described.step_kinds) <= set(StepKind)
        assert self.n_wells in described.plate_formats
        assert self.assay in described.assays
        assert 0 < described.min_volume_ul <= described.max_volume_ul
        assert described.cell_lines is None or self.cell_line in described.cell_lines
        assert described.compounds is None or self.compound in described.compounds

    def test_a_whole_plate_is_checked_and_executed_and_every_well_that_was_asked_is_answered(
        self, maker: MachineMaker, steps: tuple[Step, ...]
    ) -> None:
        with closing(_Stopping(maker.open())) as opened:
            for step in steps:
                opened.machine.preflight(step)
            readings = [opened.machine.execute(step, step.uid) for step in steps]
        for step, reading in zip(steps, readings, strict=True):
            assert (reading is None) == (step.readout is None), step.uid
            if step.readout is not None and reading is not None:
                assert reading.plate_id == step.plate_id
                assert reading.step_uid == step.uid
                assert reading.wells == step.readout.wells
                assert {channel.name for channel in reading.channels} >= set(step.readout.channels)
                assert all(len(channel.values) == len(reading.wells) for channel in reading.channels)
        assert any(step.readout is not None for step in steps)

    def test_checking_a_plate_moves_nothing(self, maker: MachineMaker, steps: tuple[Step, ...]) -> None:
        with closing(_Stopping(maker.open())) as opened:
            for step in (*steps, *steps[:1]):
                try:
                    opened.machine.preflight(step)
                except MachineRefusedError:  # the first step again, after all others were counted as done
                    assert step is steps[0]
            checked = _executed(opened.machine, steps)
        with closing(_Stopping(maker.open_afresh())) as opened:
            assert checked == _executed(opened.machine, steps)

    def test_a_token_is_executed_once(self, maker: MachineMaker, steps: tuple[Step, ...]) -> None:
        with closing(_Stopping(maker.open())) as opened:
            for step in steps:
                first = opened.machine.execute(step, step.uid)
                assert opened.machine.execute(step, step.uid) == first
        with closing(_Stopping(maker.open_afresh())) as opened:
            assert first == _executed(opened.machine, steps)

    def test_a_token_of_another_step_is_refused(self, maker: MachineMaker, steps: tuple[Step, ...]) -> None:
        with closing(_Stopping(maker.open())) as opened:
            opened.machine.execute(steps[0], "one token")
            with pytest.raises(MachineRefusedError, match="one token"):
                opened.machine.execute(steps[1], "one token")

    def test_it_says_truly_what_became_of_a_step(self, maker: MachineMaker, steps: tuple[Step, ...]) -> None:
        with closing(_Stopping(maker.open())) as opened:
            assert opened.machine.reconcile(steps[0].uid).state in _never_begun(opened.machine)
            for step in steps:
                reading = opened.machine.execute(step, step.uid)
                outcome = opened.machine.reconcile(step.uid)
                assert (outcome.state, outcome.reading) == (OutcomeState.DONE, reading)

    def test_opened_again_it_knows_every_step_and_goes_on_where_it_was(
        self, maker: MachineMaker, steps: tuple[Step, ...]
    ) -> None:
        with closing(_Stopping(maker.open_afresh())) as opened:
            whole = _executed(opened.machine, steps)
        with closing(_Stopping(maker.open())) as opened:
            if not opened.machine.describe().can_reconcile:
                pytest.skip("it does not claim to know what other processes did")
        for number, step in enumerate(steps):
            with closing(_Stopping(maker.open())) as opened:
                for earlier in steps[:number]:
                    assert opened.machine.reconcile(earlier.uid).state is OutcomeState.DONE
                assert opened.machine.reconcile(step.uid).state is OutcomeState.NEVER_STARTED
                reading = opened.machine.execute(step, step.uid)
        with closing(_Stopping(maker.open())) as opened:
            assert opened.machine.reconcile(steps[-1].uid).reading == reading == whole
            assert opened.machine.execute(steps[-1], steps[-1].uid) == reading

    @pytest.mark.parametrize("fault", ["no transfers", "endless incubation", "unknown assay", "another plate"])
    def test_a_step_that_is_refused_was_never_begun(
        self, maker: MachineMaker, steps: tuple[Step, ...], fault: str
    ) -> None:
        number, spoiled = _spoiled(steps, fault)
        with closing(_Stopping(maker.open())) as opened:
            for step in steps[:number]:
                opened.machine.execute(step, step.uid)
            with pytest.raises(MachineRefusedError, match=r"\S+ \S+"):
                opened.machine.preflight(spoiled)
            with pytest.raises(MachineRefusedError, match=r"\S+ \S+"):
                opened.machine.execute(spoiled, "spoiled")
            assert opened.machine.reconcile("spoiled").state in _never_begun(opened.machine)
            # Nothing moved, so the token is free.
            opened.machine.execute(steps[number], "spoiled")
            assert opened.machine.reconcile("spoiled").state is OutcomeState.DONE

    def test_plates_do_not_mix(self, maker: MachineMaker, steps: tuple[Step, ...]) -> None:
        other = self.compiled(maker, "contract/i002")
        with closing(_Stopping(maker.open())) as opened:
            readings = []
            for mine, theirs in zip(steps, other, strict=True):
                readings.append(opened.machine.execute(mine, f"mine {mine.uid}"))
                opened.machine.execute(theirs, f"theirs {theirs.uid}")
        with closing(_Stopping(maker.open_afresh())) as opened:
            assert readings[-1] == _executed(opened.machine, steps)

    def test_it_may_be_stopped_twice_and_then_executes_nothing(
        self, maker: MachineMaker, steps: tuple[Step, ...]
    ) -> None:
        machine = maker.open()
        machine.stop()
        machine.stop()
        with pytest.raises(MachineRefusedError, match=r"\S+ \S+"):
            machine.execute(steps[0], "late")


@dataclass(frozen=True, slots=True)
class _Stopping:
    """A machine that `contextlib.closing` stops, so that the next one finds its memory free."""

    machine: HardwareInterface

    def close(self) -> None:
        self.machine.stop()


def _never_begun(machine: HardwareInterface) -> set[OutcomeState]:
    """What may be said of a step that was never begun; a machine that cannot always tell may say so."""
    unknown = set() if machine.describe().can_reconcile else {OutcomeState.UNKNOWN}
    return {OutcomeState.NEVER_STARTED, *unknown}


def _executed(machine: HardwareInterface, steps: Sequence[Step]) -> Reading | None:
    reading = None
    for step in steps:
        reading = machine.execute(step, step.uid)
    return reading


def _spoiled(steps: tuple[Step, ...], fault: str) -> tuple[int, Step]:
    """Which step is spoiled, and what it is then."""
    incubated = next(number for number, step in enumerate(steps) if step.kind is StepKind.INCUBATE)
    match fault:
        case "no transfers":
            return 0, replace(steps[0], transfers=None, fills=())
        case "endless incubation":
            return incubated, replace(steps[incubated], duration_h=float("inf"))
        case "unknown assay":
            return 0, replace(steps[0], assay="nothing of the kind")
        case _:
            return 0, replace(steps[0], plate_id="contract/another plate")
