"""What every machine promises, and what every simulated one does besides, whatever answers its readings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_plates import Plate, Well, run, table

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.domain.step import Fill, Labware, Liquid, Readout, Step, StepKind, TransferList
from cellos_nb.errors import MachineError, MachineRefusedError
from cellos_nb.hardware.ledger import read_ledger
from cellos_nb.hardware.registry import open_machine, template_of
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.testing import MachineContract
from cellos_nb.testing.machine_contract import MachineMaker

CONDITIONS = {
    "virtual": ("U2OS", "staurosporine"),
    "biology": ("U2OS", "staurosporine"),
    "replay": ("G401", "Afatinib"),
}


class TestTheVirtualMachine(MachineContract):
    kind = "virtual"


class TestTheSimulatedBiology(MachineContract):
    kind = "biology"


class TestAScreenThatIsReplayed(MachineContract):
    kind, cell_line, compound = "replay", "G401", "Afatinib"
    doses_um = (0.00457, 0.1235, 3.333)


class FromItsTemplate(MachineContract):
    """A machine with a file, as `cellos hardware new` writes it."""

    @pytest.fixture
    def maker(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CELLOS_MACHINE_FILES", str(tmp_path))
        (tmp_path / f"my-{self.kind}.yaml").write_text(template_of(self.kind), encoding="utf-8")
        return MachineMaker(MachineSettings(kind=f"my-{self.kind}"), tmp_path / "memory" / "machine.ledger")


class TestAWorkcell(FromItsTemplate):
    kind = "workcell"


class TestInstrumentsBehindPyLabRobot(FromItsTemplate):
    kind = "pylabrobot"


@pytest.fixture(params=CONDITIONS)
def kind(request):
    return request.param


@pytest.fixture
def plate(kind):
    line, compound = CONDITIONS[kind]
    treated = {f"B{i + 1}": Well(line, compound, dose) for i, dose in enumerate((0.00457, 0.1235, 3.333))}
    return Plate({"A1": Well(line), "A2": Well(line), **treated}, seed=7)


def reopened(kind, ledger, machine=None):
    if machine is not None:
        machine.stop()
    return open_machine(MachineSettings(kind=kind), ledger, seed=3)


def state(machine, plate):
    held = {item.barcode: machine.volumes(item.barcode) for item in plate.labware.values()}
    return held, [machine.contents(plate.plate_id, well) for well in plate.wells], machine.clock_h(plate.plate_id)


def test_a_machine_describes_itself_as_simulated_and_says_what_it_knows(kind, tmp_path):
    with_ledger, without = reopened(kind, tmp_path / "ledger"), open_machine(MachineSettings(kind=kind))
    capabilities = with_ledger.describe()
    assert capabilities.machine == kind
    assert capabilities.is_simulated
    assert capabilities.can_reconcile
    assert not without.describe().can_reconcile
    assert {96, 384} <= set(capabilities.plate_formats)
    assert "viability" in capabilities.assays
    if kind != "virtual":
        line, compound = CONDITIONS[kind]
        assert line in capabilities.cell_lines
        assert compound in capabilities.compounds
        assert capabilities.data_source


def test_a_whole_plate_runs_and_answers_for_the_wells_asked(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    reading = run(machine, plate)
    assert reading.wells == tuple(plate.wells)
    assert reading.plate_id == plate.plate_id
    assert reading.step_uid == "9-read"
    (signal,) = reading.channel("luminescence")
    assert len(signal.values) == len(plate.wells)
    assert machine.clock_h(plate.plate_id) == 76.0


def test_the_dose_in_a_well_is_the_dose_asked_for(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    run(machine, plate)
    for name, well in plate.wells.items():
        held = machine.contents(plate.plate_id, name)
        assert held.volume_ul == pytest.approx(100.0, rel=1e-12)
        assert held.solvent_percent == pytest.approx(0.5, rel=1e-12)
        assert held.cells == pytest.approx({well.cell_line: 10_000.0}, rel=1e-12)
        expected = {well.compound: well.dose_um} if well.compound else {}
        assert held.dose_um == pytest.approx(expected, rel=1e-12)


def test_preflight_changes_nothing(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    for step in plate.steps():
        before = state(machine, plate)
        machine.preflight(step)
        machine.preflight(step)
        assert state(machine, plate) == before
        machine.execute(step, step.uid)


def test_a_whole_workflow_is_checked_before_its_first_step(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    before = state(machine, plate)
    for step in plate.steps() + plate.steps():
        machine.preflight(step)
    assert state(machine, plate) == before
    after_preflight = run(machine, plate)
    assert after_preflight == run(open_machine(MachineSettings(kind=kind)), plate)


def test_a_fault_at_the_end_of_a_workflow_shows_before_its_first_step(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    *steps, read = plate.steps()
    for step in steps:
        machine.preflight(step)
    with pytest.raises(MachineRefusedError, match="well H12 of test/i001-p1 is empty"):
        machine.preflight(plate.read_step(wells=(*read.readout.wells, "H12")))
    machine.preflight(read)


def test_what_is_left_of_a_workflow_is_checked_from_where_the_plate_is(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    machine.execute(plate.steps()[0], "seed")
    for step in plate.steps()[1:]:
        machine.preflight(step)
    with pytest.raises(MachineRefusedError, match="should hold"):
        machine.preflight(plate.seed_step())


def test_a_plan_that_another_plate_has_upset_is_rehearsed_again(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    neighbour = replace(plate, plate_id="test/i001-p2")
    shared = Labware("stocks", f"{plate.plate_id}/stocks", 384, 1000.0, 2.5)
    seed, dose = plate.seed_step(), plate.dose_step()
    machine.preflight(seed)
    machine.preflight(dose)
    # The neighbour puts its own stock into the rack that this plate reckons with.
    line, compound = CONDITIONS[kind]
    other = replace(neighbour, wells={"A1": Well(line, compound, 1.111)})
    machine.execute(other.seed_step(), "other seed")
    theirs = other.dose_step()
    labware = tuple(shared if item.name == "stocks" else item for item in theirs.labware)
    machine.execute(replace(theirs, labware=labware), "other dose")
    machine.execute(seed, "seed")
    with pytest.raises(MachineRefusedError, match="stocks A1: should hold"):
        machine.execute(dose, "dose")


def test_a_token_is_executed_once(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    for step in plate.steps():
        first = machine.execute(step, step.uid)
        after = state(machine, plate)
        assert machine.execute(step, step.uid) == first
        assert state(machine, plate) == after


def test_a_reopened_machine_knows_every_plate_and_token(kind, plate, tmp_path):
    ledger = tmp_path / "ledger"
    machine = reopened(kind, ledger)
    for step in plate.steps():
        machine = reopened(kind, ledger, machine)
        before = state(machine, plate)
        assert machine.reconcile(step.uid).state is OutcomeState.NEVER_STARTED
        reading = machine.execute(step, step.uid)
        after = state(machine, plate)
        machine = reopened(kind, ledger, machine)
        assert state(machine, plate) == after
        outcome = machine.reconcile(step.uid)
        assert (outcome.state, outcome.reading) == (OutcomeState.DONE, reading)
        assert machine.execute(step, step.uid) == reading
        assert state(machine, plate) == after != before or step.kind is StepKind.READ


def test_an_interrupted_plate_reads_as_an_uninterrupted_one(kind, plate, tmp_path):
    whole = run(reopened(kind, tmp_path / "whole"), plate)
    machine = None
    for step in plate.steps():
        machine = reopened(kind, tmp_path / "interrupted", machine)
        reading = machine.execute(step, step.uid)
    assert reading == whole
    assert run(open_machine(MachineSettings(kind=kind), seed=3), plate) == whole


def test_a_machine_without_a_ledger_does_not_claim_to_know_other_processes(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    assert machine.reconcile("t").state is OutcomeState.UNKNOWN
    machine.execute(plate.seed_step(), "t")
    assert machine.reconcile("t").state is OutcomeState.DONE


def test_a_step_torn_in_the_ledger_never_happened(kind, plate, tmp_path):
    ledger = tmp_path / "ledger"
    machine = reopened(kind, ledger)
    machine.execute(plate.seed_step(), "seed")
    before, kept = state(machine, plate), ledger.read_bytes()
    machine.execute(plate.dose_step(), "dose")
    machine.stop()
    torn = ledger.read_bytes()
    for length in (len(kept) + 1, len(kept) + 40, len(torn) - 1):
        ledger.write_bytes(torn[:length])
        assert [entry.token for entry in read_ledger(ledger)] == ["seed"]
        machine = reopened(kind, ledger)
        assert machine.reconcile("dose").state is OutcomeState.NEVER_STARTED
        assert state(machine, plate) == before
        machine.execute(plate.dose_step(), "dose")
        machine.stop()
        assert ledger.read_bytes() == torn


def test_a_machine_may_be_stopped_twice_and_then_only_answers(kind, plate, tmp_path):
    machine = reopened(kind, tmp_path / "ledger")
    reading = run(machine, plate)
    machine.stop()
    machine.stop()
    assert machine.reconcile(f"{plate.plate_id}/9-read").reading == reading
    assert machine.contents(plate.plate_id, "A1").volume_ul == pytest.approx(100.0)
    with pytest.raises(MachineRefusedError, match="was stopped"):
        machine.execute(plate.read_step("10-read"), "later")


def transfers_of(step, **columns):
    return replace(step, transfers=replace(step.transfers, **columns))


def with_volume(step, volume_ul):
    return transfers_of(step, volume_ul=(volume_ul, *step.transfers.volume_ul[1:]))


def with_first(step, column, value):
    return transfers_of(step, **{column: (value, *getattr(step.transfers, column)[1:])})


def resized(step, name, **values):
    return replace(step, labware=tuple(replace(i, **values) if i.name == name else i for i in step.labware))


def refill(step, **values):
    return replace(step, fills=(replace(step.fills[0], **values), *step.fills[1:]))


REFUSED = {
    "overdraw": (lambda s: refill(s, volume_ul=60.0), r"cells A1: 250 µL is drawn from it, but it holds 60 µL"),
    "dead volume": (lambda s: refill(s, volume_ul=260.0), r"50 µL of it cannot be drawn, so 210 µL is possible"),
    "overflow": (lambda s: resized(s, "plate", well_capacity_ul=80.0), r"plate A1: 99.5 µL is added to 0 µL, but"),
    "unknown well": (lambda s: with_first(s, "destination_well", "J1"), r"plate has no well J1; .* A1 to H12"),
    "unknown labware": (lambda s: with_first(s, "source_labware", "flask"), r"labware 'flask' is not on the deck"),
    "too many positions": (
        lambda s: with_first(resized(s, "cells", n_wells=1), "source_well", "A9"),
        r"cells has no well A9; its 1 positions are A1",
    ),
    "below the pipette": (lambda s: with_volume(s, 0.002), r"transfer of 2 nL .* delivers 2.5 nL to 1000 µL"),
    "above the pipette": (lambda s: with_volume(s, 1001.0), r"transfer of 1001 µL .* Split it"),
    "volume of zero": (lambda s: with_volume(s, 0.0), r"transfer of 0 µL"),
    "negative volume": (lambda s: with_volume(s, -1.0), r"transfer of -1 µL"),
    "volume that is no number": (lambda s: with_volume(s, float("nan")), r"transfer of nan µL"),
    "ragged columns": (lambda s: transfers_of(s, source_well=("A1",)), r"differ in length"),
    "unknown format": (lambda s: resized(s, "plate", n_wells=100), r"no plate of 100 wells; possible: 6, 12"),
    "other plate": (lambda s: replace(s, plate_id="other"), r"assay plate is other, but .* barcode test/i001-p1"),
    "no plate": (lambda s: replace(s, labware=s.labware[1:]), r"'plate' is missing"),
    "two of one name": (lambda s: replace(s, labware=(*s.labware, s.labware[1])), r"two labware have the name 'cells'"),
    "no transfers": (lambda s: replace(s, transfers=None), r"needs a transfer list"),
    "no time": (lambda s: replace(s, kind=StepKind.INCUBATE, transfers=None, fills=()), r"incubation of None h"),
    "endless time": (
        lambda s: replace(s, kind=StepKind.INCUBATE, transfers=None, fills=(), duration_h=float("inf")),
        r"incubation of inf h",
    ),
    "liquid in a reading": (lambda s: replace(s, kind=StepKind.READ), r"moves no liquid"),
    "nothing to read": (
        lambda s: replace(s, kind=StepKind.READ, transfers=None, fills=()),
        r"needs wells and channels",
    ),
    "overfull source": (lambda s: refill(s, volume_ul=300_000.0), r"cells A1: .* overflows the well"),
    "empty fill": (lambda s: refill(s, volume_ul=0.0), r"a fill of 0 µL"),
    "unknown assay": (lambda s: replace(s, assay="proteomics"), r"cannot run the assay 'proteomics'; possible: viab"),
}


@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refused_step_moves_nothing(kind, plate, spoil, message, tmp_path):
    machine = reopened(kind, tmp_path / "ledger")
    step = spoil(plate.seed_step())
    before = state(machine, plate)
    for attempt in (lambda: machine.preflight(step), lambda: machine.execute(step, "token")):
        with pytest.raises(MachineRefusedError, match=message):
            attempt()
    assert state(machine, plate) == before
    assert machine.reconcile("token").state is OutcomeState.NEVER_STARTED
    assert read_ledger(tmp_path / "ledger") == ()
    machine.execute(plate.seed_step(), "token")


def test_a_refusal_deep_in_a_list_moves_nothing_before_it(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    machine.execute(plate.seed_step(), "seed")
    before = state(machine, plate)
    dose = plate.dose_step()
    late = transfers_of(dose, volume_ul=(*dose.transfers.volume_ul[:-1], 500.0))
    with pytest.raises(MachineRefusedError, match="stocks A3: 500 µL is drawn"):
        machine.execute(late, "dose")
    assert state(machine, plate) == before
    assert machine.volumes(f"{plate.plate_id}/stocks") == {}


def test_reading_an_empty_or_unknown_well_is_refused(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    with pytest.raises(MachineRefusedError, match="well A1 of test/i001-p1 is empty"):
        machine.preflight(plate.read_step())
    machine.execute(plate.seed_step(), "seed")
    with pytest.raises(MachineRefusedError, match="well H12 of test/i001-p1 is empty"):
        machine.preflight(plate.read_step(wells=("A1", "H12")))
    with pytest.raises(MachineRefusedError, match="has no well Z3"):
        machine.preflight(plate.read_step(wells=("Z3",)))


def test_a_fill_must_find_the_well_empty_or_exactly_so(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    machine.execute(plate.seed_step(), "seed")
    # The same list a second time, as a double dispense would be.
    with pytest.raises(MachineRefusedError, match=r"cells A1: should hold 150 mL of .* cells"):
        machine.execute(plate.seed_step(), "again")


def test_a_barcode_keeps_its_format(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    machine.execute(plate.seed_step(), "seed")
    with pytest.raises(MachineRefusedError, match=r"test/i001-p1 has 96 wells, but the step takes it for .* 384"):
        machine.preflight(resized(plate.incubate_step("2", "attach", 4.0), "plate", n_wells=384))


def test_a_serial_dilution_in_one_step_is_carried_out_in_order(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    rack = Labware("dilutions", f"{plate.plate_id}/dilutions", 384, 100.0, 1.0)
    stocks = plate.labware["stocks"]
    compound = CONDITIONS[kind][1]
    rows = [("stocks", "B1", "dilutions", f"A{i}", 18.0) for i in range(1, 5)]
    rows += [("stocks", "A1", "dilutions", "A1", 2.0)]
    rows += [("dilutions", f"A{i}", "dilutions", f"A{i + 1}", 2.0) for i in range(1, 4)]
    fills = (
        Fill("stocks", "A1", Liquid("stock", compound=compound, concentration_um=10_000.0, solvent_fraction=1.0), 50.0),
        Fill("stocks", "B1", Liquid("DMSO", solvent_fraction=1.0), 100.0),
    )
    plain = plate.step("0-dilute", "dilute", StepKind.DILUTE, fills=fills, transfers=table(rows))
    machine.execute(replace(plain, labware=(*plain.labware, stocks, rack)), "dilute")
    for i, concentration in enumerate((1000.0, 100.0, 10.0, 1.0), start=1):
        held = machine.contents(rack.barcode, f"A{i}")
        assert held.dose_um == pytest.approx({compound: concentration})
        assert held.volume_ul == pytest.approx(20.0 if i == 4 else 18.0)
        assert held.solvent_percent == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [(0.0, 10.0, "transfers of 0 to 10"), (5.0, 1.0, "transfers of 5 to 1"), (float("nan"), 1.0, "of nan to 1")],
    ids=["zero", "reversed", "not a number"],
)
def test_a_pipette_that_cannot_exist_is_refused(low, high, message):
    with pytest.raises(Exception, match=message):
        VirtualMachine(min_volume_ul=low, max_volume_ul=high)


def test_a_p20_refuses_what_an_acoustic_dispenser_delivers(plate):
    machine = VirtualMachine(min_volume_ul=1.0, max_volume_ul=20.0)
    with pytest.raises(MachineRefusedError, match="delivers 1 µL to 20 µL"):
        machine.preflight(plate.dose_step())


def test_a_machine_without_biology_gives_volumes_and_no_numbers(plate):
    reading = run(VirtualMachine(), plate)
    (asked,) = reading.channel("luminescence")
    (volume,) = reading.channel("volume")
    assert asked.values == (None,) * len(plate.wells)
    assert volume.unit == "µL"
    assert volume.values == pytest.approx([100.0] * len(plate.wells))


WELLS = ("A1", "A2", "B1", "B2")


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(WELLS), st.sampled_from(WELLS), st.floats(0.01, 30.0)).filter(lambda m: m[0] != m[1]),
        min_size=1,
        max_size=40,
    ),
    volumes=st.tuples(*(st.floats(50.0, 200.0) for _ in WELLS)),
)
@settings(max_examples=60, deadline=None)
def test_any_list_gives_what_one_transfer_after_the_other_gives(moves, volumes):
    names = ("a", "b", "c", "d")
    liquids = [Liquid(n, n, 10.0 * i, n, 100.0 * (i + 1), 0.1 * i) for i, n in enumerate(names)]
    fills = tuple(Fill("plate", w, liq, v) for w, liq, v in zip(WELLS, liquids, volumes, strict=True))
    plate = Labware("plate", "p", 24, 400.0, dead_volume_ul=5.0)
    rows = [("plate", source, "plate", to, volume) for source, to, volume in moves]
    step = Step("1", "mix", StepKind.DOSE, "p", (plate,), fills=fills, transfers=table(rows))
    expected = one_after_the_other(liquids, volumes, moves)
    machine = VirtualMachine()
    if expected is None:
        with pytest.raises(MachineRefusedError, match=r"is drawn from it|is added to"):
            machine.execute(step, "t")
        assert machine.volumes("p") == {}
        return
    machine.execute(step, "t")
    after = machine.volumes("p")
    assert sum(after.values()) == pytest.approx(sum(volumes))
    for well, (volume, amounts) in expected.items():
        held = machine.contents("p", well)
        assert held.volume_ul == pytest.approx(volume)
        for name, pmol, cells in zip(names, amounts[:4], amounts[4:], strict=True):
            assert held.dose_um.get(name, 0.0) == pytest.approx(pmol / volume, abs=1e-9)
            assert held.cells.get(name, 0.0) == pytest.approx(cells, abs=1e-9)


def one_after_the_other(liquids, volumes, moves):
    """A reference without any batching: each well a volume and a list of amounts; None when a move is impossible."""
    wells = {}
    for i, (name, liquid, volume) in enumerate(zip(WELLS, liquids, volumes, strict=True)):
        amounts = np.zeros(8)
        amounts[i], amounts[4 + i] = liquid.concentration_um * volume, liquid.cells_per_ul * volume
        wells[name] = [volume, amounts]
    for source, to, moved in moves:
        volume, amounts = wells[source]
        if volume - moved < 5.0 - 1e-6 or wells[to][0] + moved > 400.0 + 1e-6:
            return None
        wells[source] = [volume - moved, amounts * (1 - moved / volume)]
        wells[to] = [wells[to][0] + moved, wells[to][1] + amounts * moved / volume]
    return wells


def test_two_machines_on_one_ledger_are_refused(kind, tmp_path):
    machine = reopened(kind, tmp_path / "ledger")
    with pytest.raises(MachineError, match="another machine holds this ledger"):
        reopened(kind, tmp_path / "ledger")
    machine.stop()
    reopened(kind, tmp_path / "ledger").stop()


def test_an_empty_list_moves_nothing(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    machine.execute(replace(plate.seed_step(), transfers=TransferList(), fills=()), "t")
    assert machine.volumes(plate.plate_id) == {}


def test_sites_below_one_are_refused(kind, plate):
    machine = open_machine(MachineSettings(kind=kind))
    machine.execute(plate.seed_step(), "seed")
    step = replace(plate.read_step(), readout=Readout("luminescence", ("luminescence",), ("A1",), n_sites=0))
    with pytest.raises(MachineRefusedError, match="0 sites"):
        machine.preflight(step)
