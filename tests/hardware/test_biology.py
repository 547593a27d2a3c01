"""Simulated cells: what a biologist would expect of them, and what a fit must find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from machine_plates import Plate, Well, by_well, run
from scipy.optimize import curve_fit
from scipy.stats import t as student

from cellos_nb.domain.plate import outer_wells, well_names
from cellos_nb.domain.step import Fill, Liquid
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.biology_parameters import BiologyParameters, load_parameters

INNER = [well for well in well_names(96) if well not in outer_wells(96)]


def quiet() -> BiologyParameters:
    """The shipped biology without noise."""
    parameters = load_parameters().model_dump()
    for key in parameters["noise"]:
        if key.endswith(("_cv", "_fraction", "_evaporation")):
            parameters["noise"][key]["value"] = 0.0
    parameters["growth"]["batch_cv"]["value"] = 0.0
    parameters["death"]["response_cv"]["value"] = 0.0
    parameters["signals"]["background_rlu"]["value"] = 0.0
    return BiologyParameters.model_validate(parameters)


QUIET = quiet()


def signals(plate: Plate, channel: str = "luminescence", parameters=QUIET, seed: int = 0) -> np.ndarray:
    reading = run(BiologicalVirtualMachine(parameters, seed=seed), plate)
    return np.array(reading.channel(channel)[0].values)


def plate_of(*wells: Well, **values) -> Plate:
    return Plate(dict(zip(INNER, wells, strict=False)), **values)


def relative(compound: str, doses: list[float], line: str = "U2OS", **values) -> np.ndarray:
    """Viability as a fraction of vehicle, without noise."""
    found = signals(plate_of(Well(line), *(Well(line, compound, dose) for dose in doses), **values))
    return found[1:] / found[0]


def logistic(x, low, high, midpoint, hill):
    return low + (high - low) / (1 + 10 ** (hill * (x - midpoint)))


@pytest.mark.parametrize("hours", [18.0, 24.0, 48.0, 72.0, 120.0])
@pytest.mark.parametrize("line", ["A549", "HepG2", "Jurkat"])
def test_half_of_the_effect_is_at_the_ic50_whenever_it_is_read(line, hours):
    etoposide = next(compound for compound in QUIET.compounds if compound.name == "etoposide")
    ic50 = etoposide.ic50_um.value * 10 ** etoposide.line_log10_shift.get(line, 0.0)
    half, all_of_it = relative("etoposide", [ic50, ic50 * 1e6], line, treatment_h=hours)
    assert 1 - half == pytest.approx((1 - all_of_it) / 2, rel=1e-3)


def test_death_waits_for_commitment_and_then_goes_on():
    at = {h: relative("staurosporine", [10.0], treatment_h=h)[0] for h in (1.0, 12.0, 18.0, 24.0, 72.0)}
    assert at[1.0] == pytest.approx(0.98, abs=0.005)
    assert at[12.0] == pytest.approx(at[1.0], abs=1e-5)
    assert at[12.0] > at[18.0] > at[24.0] > at[72.0]
    assert at[72.0] == pytest.approx(0.02, abs=0.005)


def test_viability_falls_with_the_dose():
    values = relative("doxorubicin", [0.001, 0.01, 0.1, 1.0, 10.0, 100.0])
    assert (np.diff(values) < 0).all()
    assert values[0] > 0.99
    assert values[-1] == pytest.approx(0.04, abs=0.01)


def test_interrupted_exposure_counts_as_one():
    plate = plate_of(Well("U2OS"), Well("U2OS", "cisplatin", 10.0))
    machine = BiologicalVirtualMachine(QUIET)
    seed, attach, dose, _, read = plate.steps()
    parts = [plate.incubate_step(f"4-{hours}", "treat", hours) for hours in (5.0, 7.0, 20.0, 40.0)]
    for step in (seed, attach, dose, *parts):
        machine.execute(step, step.uid)
    vehicle, treated = machine.execute(read, "read").channels[0].values
    assert treated / vehicle == pytest.approx(relative("cisplatin", [10.0])[0], rel=1e-4)


def test_growth_doubles_in_the_doubling_time_once_the_lag_is_over():
    sparse = {"cells_per_well": 20.0, "attach_h": 24.0}
    early = signals(plate_of(Well("HeLa"), **sparse, treatment_h=1.0))
    late = signals(plate_of(Well("HeLa"), **sparse, treatment_h=21.0))
    assert late / early == pytest.approx(2.0, rel=0.03)


def test_growth_slows_towards_confluence():
    fold = []
    for cells in (100.0, 10_000.0, 30_000.0, 36_000.0):
        before = signals(plate_of(Well("A549"), cells_per_well=cells, attach_h=1.0, treatment_h=1.0))
        after = signals(plate_of(Well("A549"), cells_per_well=cells, treatment_h=96.0))
        fold.append(float(after[0] / before[0]))
    assert fold == sorted(fold, reverse=True)
    assert fold[0] > 10
    assert fold[-1] == pytest.approx(1.0, abs=0.06)


def test_cold_cells_do_not_grow():
    plate = plate_of(Well("HeLa"))
    warm, cold = BiologicalVirtualMachine(QUIET), BiologicalVirtualMachine(QUIET)
    values = []
    for machine, temperature in ((warm, 37.0), (cold, 4.0)):
        for step in plate.steps():
            reading = machine.execute(replace(step, temperature_c=temperature), step.uid)
        values.append(reading.channels[0].values[0])
    assert values[0] > 2 * values[1]


def test_the_rim_of_a_plate_grows_less_and_evaporates():
    parameters = QUIET.model_dump()
    parameters["noise"]["edge_evaporation"]["value"] = 0.12
    plate = Plate({"A1": Well("U2OS"), "D6": Well("U2OS")}, attach_h=1.0, treatment_h=1.0)
    rim, inside = signals(plate, parameters=BiologyParameters.model_validate(parameters))
    assert rim / inside == pytest.approx(0.88, abs=0.001)
    rim, inside = signals(Plate(plate.wells, treatment_h=72.0))
    assert 0.7 < rim / inside < 0.95


def test_a_suspension_line_needs_no_time_to_settle():
    adherent, floating = (
        signals(plate_of(Well(line), assay="imaging", attach_h=0.5, treatment_h=0.5, cells_per_well=5e4), "cell_count")
        for line in ("U2OS", "Jurkat")
    )
    assert floating[0] > 2 * adherent[0]


def test_the_reporter_is_induced_below_the_doses_that_kill():
    doses = [0.001, 0.03, 0.2, 100.0]
    plate = plate_of(Well("HEK293T"), *(Well("HEK293T", "tunicamycin", d) for d in doses), assay="reporter")
    reporter, viability = signals(plate, "reporter"), signals(plate, "viability")
    fold = reporter / reporter[0]
    assert 1.0 < fold[1] < fold[2] < fold[3]
    assert fold[3] > 3
    assert fold[4] < fold[3]
    assert viability[3] / viability[0] > 0.75
    assert viability[4] / viability[0] < 0.2


def test_a_compound_without_induction_leaves_the_reporter_to_the_cells():
    plate = plate_of(Well("U2OS"), Well("U2OS", "cisplatin", 5.0), assay="reporter")
    reporter, viability = signals(plate, "reporter"), signals(plate, "viability")
    assert reporter[1] / reporter[0] == pytest.approx(viability[1] / viability[0], rel=1e-3)


def test_images_count_cells_and_tell_the_living_from_the_dead():
    plate = plate_of(Well("U2OS"), Well("U2OS", "bortezomib", 10.0), assay="imaging", cells_per_well=5000.0)
    reading = run(BiologicalVirtualMachine(QUIET), plate)
    assert [channel.site for channel in reading.channel("cell_count")] == list(range(1, 10))
    assert {channel.unit for channel in reading.channel("cell_count")} == {"cells"}
    means = {
        name: np.mean([channel.values for channel in reading.channel(name)], axis=0)
        for name in ("cell_count", "DAPI", "GFP", "RFP")
    }
    vehicle, treated = zip(*means.values(), strict=True)
    assert treated[0] < 0.1 * vehicle[0]
    assert treated[1] < vehicle[1]
    assert treated[2] < 0.1 * vehicle[2]
    assert treated[3] > 10 * vehicle[3]


def test_wells_without_cells_give_the_background():
    machine = BiologicalVirtualMachine()
    plate = plate_of(Well("U2OS"))
    seed = plate.seed_step()
    medium = replace(
        seed,
        transfers=replace(
            seed.transfers,
            source_labware=(*seed.transfers.source_labware, "medium"),
            source_well=(*seed.transfers.source_well, "A1"),
            destination_labware=(*seed.transfers.destination_labware, "plate"),
            destination_well=(*seed.transfers.destination_well, "H12"),
            volume_ul=(*seed.transfers.volume_ul, 100.0),
        ),
    )
    machine.execute(medium, "seed")
    with_cells, without = machine.execute(plate.read_step(wells=("B2", "H12")), "read").channels[0].values
    assert with_cells > 500_000
    assert 150 < without < 450


def test_equal_seeds_give_equal_noise_and_others_do_not():
    plate = plate_of(*[Well("U2OS")] * 20, seed=11)
    first = signals(plate, parameters=None, seed=1)
    assert (signals(plate, parameters=None, seed=1) == first).all()
    for other in (signals(plate, parameters=None, seed=2), signals(replace(plate, seed=12), parameters=None, seed=1)):
        assert (other != first).mean() > 0.9


def test_noise_does_not_depend_on_the_order_of_plates_or_on_neighbours():
    plates = [Plate({"C3": Well("U2OS"), "D4": Well("U2OS")}, f"p{i}", seed=i) for i in range(3)]
    forwards, backwards = BiologicalVirtualMachine(seed=1), BiologicalVirtualMachine(seed=1)
    there = {plate.plate_id: run(forwards, plate) for plate in plates}
    back = {plate.plate_id: run(backwards, plate) for plate in reversed(plates)}
    assert there == back
    alone = run(BiologicalVirtualMachine(seed=1), replace(plates[0], wells={"D4": Well("U2OS")}))
    assert by_well(alone, "luminescence")["D4"] == by_well(there["p0"], "luminescence")["D4"]


def test_a_second_reading_has_noise_of_its_own_but_the_same_cells():
    plate = plate_of(*[Well("U2OS")] * 40, seed=3)
    machine = BiologicalVirtualMachine()
    first = np.array(run(machine, plate).channels[0].values)
    second = np.array(machine.execute(plate.read_step("10-read"), "again").channels[0].values)
    assert (first != second).mean() > 0.9
    assert np.corrcoef(first, second)[0, 1] > 0.7


def test_the_spread_of_equal_wells_is_what_the_parameters_say():
    plate = plate_of(*[Well("U2OS")] * 60, treatment_h=24.0)
    spreads = []
    for seed in range(20):
        values = np.log(signals(replace(plate, seed=seed), parameters=None))
        low, high = np.percentile(values, [25, 75])
        spreads.append((high - low) / 1.349)
    assert np.mean(spreads) == pytest.approx(np.hypot(0.05, np.hypot(0.015, 0.02)), rel=0.15)


def test_an_outlier_now_and_then():
    plate = plate_of(*[Well("U2OS")] * 60, treatment_h=24.0)
    values = np.log([signals(replace(plate, seed=seed), parameters=None) for seed in range(20)])
    away = np.abs(values - np.median(values, axis=1, keepdims=True))
    assert 0.005 < (away > 0.25).mean() < 0.03


@pytest.mark.parametrize(
    ("compound", "line", "hours", "n_wells"),
    [
        ("staurosporine", "U2OS", 72.0, 96),
        ("staurosporine", "HeLa", 24.0, 384),
        ("tunicamycin", "HEK293T", 24.0, 96),
        ("bortezomib", "A549", 72.0, 384),
    ],
    ids=["staurosporine-96", "staurosporine-24h-384", "tunicamycin-24h-96", "bortezomib-384"],
)
def test_a_fit_of_simulated_plates_recovers_the_ic50(compound, line, hours, n_wells):
    effect = next(c for c in load_parameters().compounds if c.name == compound)
    ic50 = effect.ic50_um.value * 10 ** effect.line_log10_shift.get(line, 0.0)
    found = [fitted(seed, Well(line, compound, ic50), hours, n_wells) for seed in range(20)]
    # Of 20 nominal 95 % intervals fewer than 16 hit in 0.03 % of such runs.
    assert sum(abs(error) <= half_width for error, half_width in found) >= 16
    assert abs(np.median([error for error, _ in found])) < 0.05
    assert np.median([half_width for _, half_width in found]) < 0.3


def fitted(seed: int, at_ic50: Well, hours: float, n_wells: int) -> tuple[float, float]:
    """Error and half width of the 95 % interval of log10 IC50, by least squares on one randomised plate."""
    doses = [float(f"{at_ic50.dose_um * 3.0**power:.6g}") for power in np.linspace(-4.5, 4.5, 10)]
    conditions = [replace(at_ic50, dose_um=dose) for dose in doses for _ in range(3)]
    conditions += [Well(at_ic50.cell_line)] * 8
    random = np.random.default_rng(seed)
    wells = random.permutation(well_names(n_wells))[: len(conditions)].tolist()
    cells = 10_000.0 if n_wells == 96 else 1750.0
    plate = Plate(
        dict(zip(wells, conditions, strict=True)), seed=seed, n_wells=n_wells, treatment_h=hours, cells_per_well=cells
    )
    values = by_well(run(BiologicalVirtualMachine(seed=seed), plate), "luminescence")
    vehicle = np.median([values[name] for name, well in plate.wells.items() if well.compound is None])
    treated = [(well.dose_um, values[name] / vehicle) for name, well in plate.wells.items() if well.compound]
    x, y = np.log10([dose for dose, _ in treated]), np.array([value for _, value in treated])
    true = float(np.log10(at_ic50.dose_um))
    best, covariance = curve_fit(logistic, x, y, p0=[0.1, 1.0, true, 1.0], maxfev=20_000)
    return best[2] - true, float(student.ppf(0.975, len(x) - 4) * np.sqrt(covariance[2, 2]))


@pytest.mark.parametrize(
    ("well", "message"),
    [
        (Well("U20S"), r"cell line U20S has no parameters; did you mean U2OS\? Possible: A549, HepG2"),
        (Well("U2OS", "staurosporin", 1.0), r"compound staurosporin has no parameters; did you mean staurosporine\?"),
    ],
    ids=["line", "compound"],
)
def test_what_has_no_parameters_is_refused_before_anything_moves(well, message):
    machine, plate = BiologicalVirtualMachine(), plate_of(well)
    with pytest.raises(MachineRefusedError, match=message):
        run(machine, plate)


def test_two_lines_in_one_well_are_refused():
    plate = plate_of(Well("U2OS"))
    machine = BiologicalVirtualMachine()
    machine.execute(plate.seed_step(), "seed")
    again = plate.seed_step()
    other = replace(
        again,
        fills=(Fill("cells", "B1", Liquid("HeLa cells", "HeLa", 100.0), 1000.0),),
        transfers=replace(
            again.transfers,
            source_labware=("cells",),
            source_well=("B1",),
            destination_labware=("plate",),
            destination_well=("B2",),
            volume_ul=(10.0,),
        ),
    )
    with pytest.raises(MachineRefusedError, match="well B2: holds two cell lines"):
        machine.preflight(other)


def test_a_channel_of_another_assay_is_refused():
    plate = plate_of(Well("U2OS"))
    machine = BiologicalVirtualMachine()
    machine.execute(plate.seed_step(), "seed")
    read = plate.read_step()
    wrong = replace(read, readout=replace(read.readout, channels=("luminescence", "GFP")))
    with pytest.raises(MachineRefusedError, match="'viability' has no channel 'GFP'; possible: luminescence"):
        machine.preflight(wrong)


def test_images_of_unstained_wells_are_refused():
    plate = plate_of(Well("U2OS"), assay="imaging")
    machine = BiologicalVirtualMachine()
    machine.execute(plate.seed_step(), "seed")
    with pytest.raises(MachineRefusedError, match="well B2 holds no stain, so its images would be dark"):
        machine.preflight(plate.read_step())
