"""A real screen replayed for what the wells really hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from machine_plates import Plate, Well, by_well, run

from cellos_nb.domain.step import Fill, Liquid, Readout, StepKind
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.replay import ReplayMachine
from cellos_nb.hardware.screen import load_screen

LINE, COMPOUND = "G401", "Afatinib"
CURVES = load_screen().curves[LINE, COMPOUND]


def plate_of(*wells: Well, **values) -> Plate:
    return Plate({f"{'ABCDEFGH'[i // 12]}{i % 12 + 1}": well for i, well in enumerate(wells)}, **values)


def test_vehicle_wells_read_one():
    reading = run(ReplayMachine(), plate_of(Well(LINE), Well("HS729")))
    (channel,) = reading.channels
    assert channel.values == (1.0, 1.0)
    assert channel.unit == "fraction of vehicle"
    assert reading.is_normalised


@pytest.mark.parametrize("dose", range(11), ids=lambda i: f"{CURVES.dose_um[i]:g} µM")
def test_replicate_wells_read_the_measured_replicates_each_once(dose):
    wells = [Well(LINE, COMPOUND, CURVES.dose_um[dose])] * 3
    reading = run(ReplayMachine(), plate_of(*wells, seed=dose))
    assert sorted(reading.channels[0].values) == sorted(curve[dose] for curve in CURVES.viability)


def test_more_wells_than_replicates_begin_again():
    reading = run(ReplayMachine(), plate_of(*[Well(LINE, COMPOUND, 1.111)] * 7))
    measured = [curve[8] for curve in CURVES.viability]
    values = reading.channels[0].values
    assert set(values) == set(measured)
    assert max(map(values.count, measured)) == 3


def test_seeds_choose_the_replicate_and_repeat():
    def values(machine_seed, step_seed):
        plate = plate_of(*(Well(LINE, COMPOUND, dose) for dose in CURVES.dose_um), seed=step_seed)
        return run(ReplayMachine(seed=machine_seed), plate).channels[0].values

    assert values(1, 2) == values(1, 2)
    assert len({values(1, 2), values(1, 3), values(2, 2)}) == 3


def test_a_condition_does_not_depend_on_its_neighbours():
    alone = run(ReplayMachine(), plate_of(Well(LINE, COMPOUND, 1.111)))
    crowded = run(ReplayMachine(), plate_of(Well(LINE, COMPOUND, 1.111), Well("HS729", COMPOUND, 1.111), Well(LINE)))
    assert by_well(alone, "luminescence")["A1"] == by_well(crowded, "luminescence")["A1"]


def test_a_dose_rounded_in_pipetting_is_the_measured_dose():
    reading = run(ReplayMachine(), plate_of(*[Well(LINE, COMPOUND, 10.0 * 1.0008)] * 3))
    assert sorted(reading.channels[0].values) == sorted(curve[10] for curve in CURVES.viability)


def test_the_delivered_dose_counts_not_the_planned_one():
    plate = plate_of(Well(LINE, COMPOUND, 1.111))
    machine = ReplayMachine()
    seed, attach, dose, treat, read = plate.steps()
    halved = replace(dose, transfers=replace(dose.transfers, volume_ul=(0.25,)))
    for step in (seed, attach, halved, treat):
        machine.execute(step, step.uid)
    delivered = machine.contents(plate.plate_id, "A1").dose_um[COMPOUND]
    assert delivered == pytest.approx(1.111 / 2, rel=0.01)
    (value,) = machine.execute(read, "read").channels[0].values
    assert value in [pytest.approx(CURVES.at(delivered, replicate)) for replicate in range(3)]


def test_a_reagent_added_before_reading_is_no_dilution_of_the_dose():
    plate = plate_of(*[Well(LINE, COMPOUND, 0.00017)] * 3)
    machine = ReplayMachine()
    seed, attach, dose, treat, read = plate.steps()
    reagent = plate.step(
        "5-reagent",
        "reagent",
        StepKind.STAIN,
        "stains",
        fills=(Fill("stains", "A1", Liquid("ATP reagent"), 1000.0),),
        transfers=replace(
            dose.transfers, source_labware=("stains",) * 3, source_well=("A1",) * 3, volume_ul=(50.0,) * 3
        ),
    )
    for step in (seed, attach, dose, treat, reagent, plate.incubate_step("6-glow", "glow", 0.2)):
        machine.execute(step, step.uid)
    assert machine.contents(plate.plate_id, "A1").dose_um[COMPOUND] == pytest.approx(0.00017 / 1.5)
    (channel,) = machine.execute(read, "read").channels
    assert sorted(channel.values) == sorted(curve[0] for curve in CURVES.viability)


@pytest.mark.parametrize(
    ("well", "message"),
    [
        (
            Well(LINE, COMPOUND, 20.0),
            r"well A1: Afatinib at 20 µM on G401 was not measured; possible: 0.00017 µM to 10 µM",
        ),
        (Well(LINE, COMPOUND, 0.0001), r"at 0.0001 µM on G401 was not measured"),
        (Well("SK-ES-1", "Dabrafenib", 10.0), r"at 10 µM on SK-ES-1 was not measured; possible: .* to 3.333 µM"),
        (
            Well(LINE, "Afatinip", 1.0),
            r"compound Afatinip is not in the screen; did you mean Afatinib\? Possible: AZD-3759",
        ),
        (
            Well("G402", COMPOUND, 1.0),
            r"cell line G402 is not in the screen; did you mean G401\? Possible: G401, HS729",
        ),
    ],
    ids=["above", "below", "not measured on this line", "unknown compound", "unknown line"],
)
def test_what_was_not_measured_is_refused_before_anything_moves(well, message):
    machine, plate = ReplayMachine(), plate_of(well)
    with pytest.raises(MachineRefusedError, match=message):
        run(machine, plate)
    assert machine.contents(plate.plate_id, "A1").dose_um == {}


def test_a_pair_that_was_not_measured_is_refused_with_those_that_were(tmp_path):
    path = tmp_path / "screen.csv"
    path.write_text("cell_line,compound,dose_um,viability\nL,X,1,0.5\nL,Y,1,0.6\nM,X,1,0.7\n")
    with pytest.raises(MachineRefusedError, match="Y was not measured on M; possible there: X"):
        run(ReplayMachine(path), plate_of(Well("M", "Y", 1.0)))
    assert run(ReplayMachine(path), plate_of(Well("L", "Y", 1.0))).channels[0].values == (0.6,)


def test_mixtures_are_refused():
    plate = plate_of(Well(LINE, COMPOUND, 0.1))
    machine = ReplayMachine()
    machine.execute(plate.seed_step(), "seed")
    dose = plate.dose_step()
    both = replace(
        dose,
        fills=(
            *dose.fills,
            Fill("stocks", "H1", Liquid("x", compound="Imatinib", concentration_um=100.0, solvent_fraction=1.0), 100.0),
        ),
        transfers=replace(
            dose.transfers,
            source_labware=("stocks",) * 2,
            source_well=("A1", "H1"),
            destination_labware=("plate",) * 2,
            destination_well=("A1",) * 2,
            volume_ul=(0.5, 0.5),
        ),
    )
    with pytest.raises(MachineRefusedError, match="well A1: holds two compounds, Afatinib and Imatinib"):
        machine.preflight(both)


def test_other_assays_and_channels_are_refused():
    plate = plate_of(Well(LINE))
    machine = ReplayMachine()
    with pytest.raises(MachineRefusedError, match="cannot run the assay 'imaging'; possible: viability"):
        machine.preflight(replace(plate.seed_step(), assay="imaging"))
    machine.execute(plate.seed_step(), "seed")
    step = replace(plate.read_step(), readout=Readout("fluorescence", ("GFP",), ("A1",)))
    with pytest.raises(MachineRefusedError, match="has no GFP; read 'luminescence'"):
        machine.preflight(step)


def test_the_machine_says_what_was_measured():
    capabilities = ReplayMachine().describe()
    assert len(capabilities.cell_lines) == 9
    assert len(capabilities.compounds) == 72
    assert capabilities.dose_range_um == (0.00017, 10.0)
    assert capabilities.assays == ("viability",)
    assert "Lee et al. 2023" in capabilities.data_source
