"""From readings to results: values, uncertainty, flags, and what is kept from the model."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from faulty_plates import faulty_plate

from cellos_nb.analysis import QualityGates, conclude
from cellos_nb.domain.plate import PlateLayout, WellAssignment, WellRole, well_names
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.result import QCFlag, ResultStatus
from cellos_nb.errors import AnalysisError


@dataclass
class Plate:
    """A plate under construction: wells are added with the signals that they will give."""

    assay: str = "viability"
    is_normalised: bool = False
    unit: str = "RLU"
    proposals: list[ExperimentProposal] = field(default_factory=list)
    wells: list[WellAssignment] = field(default_factory=list)
    signals: dict[str, list[float | None]] = field(default_factory=dict)

    def control(self, *signals, role=WellRole.VEHICLE, line="U2OS", channel="luminescence"):
        for signal in signals:
            self._add(WellAssignment(self._next(), role, line), **{channel: signal})
        return self

    def sample(self, *signals, line="U2OS", channel="luminescence", dose_um=1.0):
        proposal = ExperimentProposal(line, "x", dose_um, self.assay, f"p{len(self.proposals) + 1}")
        self.proposals.append(proposal)
        for replicate, signal in enumerate(signals, 1):
            where = WellAssignment(self._next(), WellRole.SAMPLE, line, "x", dose_um, proposal.proposal_id, replicate)
            self._add(where, **{channel: signal})
        return self

    def _next(self) -> str:
        return well_names(384)[len(self.wells)]

    def _add(self, well, **signals):
        self.wells.append(well)
        for channel, signal in signals.items():
            self.signals.setdefault(channel, []).append(signal)

    def layout(self):
        return PlateLayout(384, tuple(self.wells))

    def reading(self):
        channels = tuple(Channel(name, self.unit, tuple(values)) for name, values in self.signals.items())
        return Reading("c/p1", "3-read", tuple(w.well for w in self.wells), channels, self.is_normalised)

    def conclude(self, **options):
        return conclude(self.proposals, self.layout(), self.reading(), plate_id="c/p1", assay=self.assay, **options)


def test_a_measurement_is_the_mean_of_its_replicates_over_the_vehicles_median():
    (result,) = Plate().control(100.0, 104.0, 96.0, 100.0).sample(50.0, 54.0, 52.0).conclude()
    assert result.status is ResultStatus.OK
    assert result.measurement == pytest.approx(0.52)
    assert result.viability == pytest.approx(0.52)
    assert [well.value for well in result.wells] == pytest.approx([0.50, 0.54, 0.52])
    assert [(well.well, well.replicate, well.signal) for well in result.wells] == [
        ("A5", 1, 50.0),
        ("A6", 2, 54.0),
        ("A7", 3, 52.0),
    ]


def test_each_cell_line_is_compared_with_its_own_vehicle():
    plate = (
        Plate()
        .control(100.0, 100.0, 101.0)
        .control(10.0, 10.0, 10.2, line="HeLa")
        .sample(50.0)
        .sample(5.0, line="HeLa")
    )
    first, second = plate.conclude()
    assert first.measurement == pytest.approx(0.5)
    assert second.measurement == pytest.approx(0.5)


def test_one_bad_vehicle_well_does_not_shift_the_results():
    (result,) = Plate().control(100.0, 101.0, 99.0, 5.0).sample(50.0).conclude()
    assert result.measurement == pytest.approx(50 / 99.5)
    assert result.status is ResultStatus.OK


def test_only_proposals_of_this_plate_are_concluded_in_the_order_asked():
    plate = Plate().control(100.0, 98.0).sample(50.0).sample(60.0)
    elsewhere = ExperimentProposal("U2OS", "y", 1.0, proposal_id="p9")
    results = conclude(
        [plate.proposals[1], elsewhere, plate.proposals[0]],
        plate.layout(),
        plate.reading(),
        plate_id="c/p1",
        assay="viability",
    )
    assert [result.proposal.proposal_id for result in results] == ["p2", "p1"]


def test_cost_is_shared_and_times_and_iteration_are_passed_on():
    begun, read = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC)
    results = (
        Plate()
        .control(100.0, 98.0)
        .sample(50.0)
        .sample(60.0)
        .conclude(iteration=3, cost_usd=10.0, started_at=begun, finished_at=read)
    )
    assert [result.cost_usd for result in results] == [5.0, 5.0]
    assert {(r.iteration, r.started_at, r.finished_at) for r in results} == {(3, begun, read)}


def test_the_standard_error_pools_all_replicates_of_the_plate():
    plate = Plate().control(1.01, 1.0, 0.99).sample(0.5, 0.52).sample(0.8, 0.84)
    first, second = plate.conclude()
    relative = math.sqrt((2 * 0.01**2 + 2 * (0.01 / 0.51) ** 2 + 2 * (0.02 / 0.82) ** 2) / 4)
    of_vehicle = math.sqrt(math.pi / 2 / 3)
    assert first.degrees_of_freedom == second.degrees_of_freedom == 4
    assert first.standard_error == pytest.approx(relative * math.hypot(0.51 / math.sqrt(2), 0.51 * of_vehicle))
    assert second.standard_error / first.standard_error == pytest.approx(0.82 / 0.51)


def test_single_wells_take_their_error_from_the_vehicle_wells():
    (result,) = Plate().control(100.0, 104.0, 96.0, 100.0).sample(50.0).conclude()
    relative = np.std([1.0, 1.04, 0.96, 1.0], ddof=1)
    assert result.degrees_of_freedom == 3
    assert result.standard_error == pytest.approx(0.5 * relative * math.hypot(1, math.sqrt(math.pi / 8)))


def test_a_small_value_keeps_the_scatter_of_a_tenth_of_vehicle():
    low, lower = Plate().control(100.0, 104.0, 96.0).sample(1.0).sample(0.1).conclude()
    assert lower.standard_error == pytest.approx(low.standard_error, rel=0.01)


@pytest.mark.parametrize(
    "plate",
    [
        pytest.param(Plate().control(100.0).sample(50.0), id="nothing-twice"),
        pytest.param(Plate().control(100.0, 100.0).sample(50.0, 50.0), id="copies"),
        pytest.param(Plate(is_normalised=True).control(1.0, 1.0).sample(0.5), id="normalised-single"),
    ],
)
def test_without_independent_repeats_there_is_no_standard_error(plate):
    (result,) = plate.conclude()
    assert result.status is ResultStatus.OK
    assert (result.standard_error, result.degrees_of_freedom, result.interval) == (None, 0, None)


def test_a_normalised_source_is_taken_at_its_word():
    (result,) = Plate(is_normalised=True).control(1.0, 1.0, 1.0, 1.0).sample(0.5, 0.6).conclude()
    assert result.measurement == pytest.approx(0.55)
    assert result.degrees_of_freedom == 1
    assert result.standard_error == pytest.approx(0.05)


def test_the_interval_holds_the_truth_in_nineteen_plates_of_twenty():
    rng = np.random.default_rng(4)
    truth = np.array([0.05, 0.3, 0.6, 0.9, 1.0])
    covered = []
    for _ in range(120):
        plate = Plate().control(*(1e5 * np.exp(0.06 * rng.standard_normal(6))))
        for value in truth:
            plate.sample(*(1e5 * value * np.exp(0.06 * rng.standard_normal(2))))
        intervals = [result.interval for result in plate.conclude()]
        covered.append([low <= value <= high for (low, high), value in zip(intervals, truth, strict=True)])
    assert 0.92 <= np.mean(covered) <= 0.985


def test_a_missing_well_is_flagged_and_left_out():
    (result,) = Plate().control(100.0, 98.0).sample(50.0, None).conclude()
    assert result.wells[1].qc_flags == (QCFlag.MISSING,)
    assert result.wells[1].value is None
    assert result.qc_flags == (QCFlag.MISSING,)
    assert result.measurement == pytest.approx(50 / 99)
    assert result.is_learnable


@pytest.mark.parametrize("nothing", [None, math.nan], ids=["none", "nan"])
def test_an_experiment_without_any_number_has_failed(nothing):
    (result,) = Plate().control(100.0, 98.0).sample(nothing, nothing).conclude()
    assert result.status is ResultStatus.FAILED
    assert (result.measurement, result.viability, result.standard_error) == (None, None, None)
    assert result.error == (
        "Plate c/p1, wells A3, A4: the reading has no number. Read the plate again, or propose the experiment again."
    )


def test_a_well_that_was_not_read_is_missing():
    plate = Plate().control(100.0, 98.0).sample(50.0)
    short = Reading("c/p1", "3-read", ("A1", "A2"), (Channel("luminescence", "RLU", (100.0, 98.0)),))
    (result,) = conclude(plate.proposals, plate.layout(), short, plate_id="c/p1", assay="viability")
    assert result.qc_flags == (QCFlag.MISSING,)


@pytest.mark.parametrize("vehicle", [(None, None), ()], ids=["missing", "none-laid-out"])
def test_without_a_vehicle_nothing_can_be_compared(vehicle):
    (result,) = Plate().control(*vehicle).sample(50.0).conclude()
    assert result.status is ResultStatus.FAILED
    assert "no vehicle well of U2OS gave a number" in result.error
    assert result.wells[0].signal == 50.0


def test_a_vehicle_without_signal_fails_its_line_alone():
    plate = Plate().control(0.0, 0.0).control(100.0, 99.0, line="HeLa").sample(50.0).sample(50.0, line="HeLa")
    dark, other = plate.conclude()
    assert dark.status is ResultStatus.FAILED
    assert QCFlag.LOW_VEHICLE in dark.qc_flags
    assert "gave a signal above zero" in dark.error
    assert other.status is ResultStatus.OK


def test_wells_at_the_detectors_limit_are_flagged_and_left_out():
    signals = [5e6, 5e6, 5e6, *np.linspace(1e6, 4e6, 9)]
    plate = Plate().control(2.0e6, 2.1e6, 1.9e6)  # noise, so that equal numbers mean something
    for signal in signals:
        plate.sample(signal)
    results = plate.conclude()
    assert [result.status for result in results[:4]] == [ResultStatus.FAILED] * 3 + [ResultStatus.OK]
    assert results[0].qc_flags == (QCFlag.SATURATED,)
    assert "Read the plate again at a lower gain" in results[0].error


@pytest.mark.parametrize("signals", [[1.0] * 8, [1.0, 0.99, 0.9, 0.6, 0.3, 0.1]], ids=["constant", "noiseless"])
def test_a_machine_without_noise_is_not_called_saturated(signals):
    plate = Plate().control(1.0, 1.0, 1.0, 1.0)
    for signal in signals:
        plate.sample(signal)
    assert all(result.status is ResultStatus.OK for result in plate.conclude())


def test_an_outlier_among_four_replicates_is_flagged_and_left_out():
    plate = Plate().control(100.0, 103.0, 97.0, 99.0, 101.0)
    rng = np.random.default_rng(3)
    for _ in range(5):
        plate.sample(*(60 + 2 * rng.standard_normal(4)))
    plate.sample(50.0, 51.0, 49.0, 12.0)
    *others, result = plate.conclude()
    assert result.measurement == pytest.approx(0.5, abs=0.01)
    assert result.wells[3].qc_flags == (QCFlag.OUTLIER,)
    assert result.wells[3].value == pytest.approx(0.12, abs=0.01)
    assert all(not other.qc_flags for other in others)


def _with_noise(plate, n_replicates):
    """Five controls and eight experiments that show what the noise of a well is, with no fault among them."""
    plate.control(100.0, 103.0, 97.0, 99.0, 101.0)
    for k in range(8):
        plate.sample(*(60.0 + [0.0, 1.0, -1.0][(k + r) % 3] for r in range(n_replicates)))
    return plate


def test_a_well_that_two_replicates_contradict_is_dropped_as_a_bubble():
    plate = _with_noise(Plate(), 3).sample(50.0, 51.0, 12.0)
    *others, result = plate.conclude()
    assert result.measurement == pytest.approx(0.505, abs=1e-3)
    assert (result.status, result.qc_flags) == (ResultStatus.OK, (QCFlag.BUBBLE,))
    assert [well.qc_flags for well in result.wells] == [(), (), (QCFlag.BUBBLE,)]
    assert all(other.qc_flags == () for other in others)


def test_of_two_replicates_that_disagree_nobody_knows_which_is_wrong_so_the_experiment_is_quarantined():
    plate = _with_noise(Plate(), 2).sample(50.0, 12.0)
    *others, result = plate.conclude()
    assert (result.status, result.qc_flags) == (ResultStatus.QUARANTINED, (QCFlag.BUBBLE,))
    assert result.measurement == pytest.approx(0.31, abs=1e-3)
    assert all(other.status is ResultStatus.OK for other in others)


def test_where_no_noise_is_known_no_well_is_accused():
    plate = Plate().control(100.0, 103.0).sample(50.0, 51.0, 12.0)
    assert plate.conclude()[-1].qc_flags == ()


def _concluded(**fault):
    layout, reading, bad, rows = faulty_plate(4, **fault)
    asked = {w.proposal_id: ExperimentProposal("U2OS", w.compound, w.dose_um, proposal_id=w.proposal_id)
             for w in layout if w.proposal_id}  # fmt: skip
    return conclude(asked.values(), layout, reading, plate_id="c/p1", assay="viability"), bad, rows


@pytest.mark.parametrize(
    ("fault", "flag", "status"),
    [
        pytest.param({"edge": 0.5}, QCFlag.EDGE_EFFECT, ResultStatus.QUARANTINED, id="edge-that-condemns"),
        pytest.param({"edge": 0.24}, QCFlag.EDGE_EFFECT, ResultStatus.OK, id="edge-that-is-noted"),
        pytest.param({"drift": 1.0}, QCFlag.DRIFT, ResultStatus.QUARANTINED, id="drift-that-condemns"),
        pytest.param({"drift": 0.3}, QCFlag.DRIFT, ResultStatus.OK, id="drift-that-is-noted"),
        pytest.param({"swap": True}, QCFlag.SWAPPED_ROWS, ResultStatus.QUARANTINED, id="swapped-rows"),
    ],
)
def test_a_fault_of_the_whole_plate_is_on_every_result_and_condemns_it_where_it_is_large(fault, flag, status):
    results, _, _ = _concluded(**fault)
    assert {result.status for result in results} == {status}
    assert all(flag in result.qc_flags for result in results)


@pytest.mark.parametrize("fault", [{}, {"edge": 0.1}, {"drift": 0.1}], ids=["none", "small-edge", "small-drift"])
def test_a_fault_too_small_to_matter_is_not_noted(fault):
    results, _, _ = _concluded(**fault)
    assert all(result.status is ResultStatus.OK for result in results)
    assert not {QCFlag.EDGE_EFFECT, QCFlag.DRIFT, QCFlag.SWAPPED_ROWS} & {f for r in results for f in r.qc_flags}


def test_a_source_that_normalised_another_plate_is_not_searched_for_artefacts():
    plate = Plate(is_normalised=True)
    for _ in range(8):
        plate.sample(0.6, 0.61, 0.59)
    assert plate.sample(0.5, 0.51, 0.12).conclude()[-1].qc_flags == ()


def test_the_limits_of_a_lab_replace_the_defaults():
    layout, reading, _, _ = faulty_plate(4, edge=0.5)
    asked = {w.proposal_id: ExperimentProposal("U2OS", w.compound, w.dose_um, proposal_id=w.proposal_id)
             for w in layout if w.proposal_id}  # fmt: skip
    gates = QualityGates(max_trend=0.7, min_z_prime=-5.0, max_vehicle_cv=1.0)
    results = conclude(asked.values(), layout, reading, plate_id="c/p1", assay="viability", gates=gates)
    assert {result.status for result in results} == {ResultStatus.OK}


def test_clean_plates_are_hardly_ever_flagged_or_quarantined():
    rng = np.random.default_rng(6)
    n_flagged = 0
    for _ in range(40):
        plate = Plate().control(*(1e5 * np.exp(0.06 * rng.standard_normal(4))))
        plate.control(*(6e3 * np.exp(0.06 * rng.standard_normal(2))), role=WellRole.POSITIVE)
        for value in (0.1, 0.4, 0.7, 0.9, 1.0):
            plate.sample(*(1e5 * value * np.exp(0.06 * rng.standard_normal(4))))
        n_flagged += sum(bool(result.qc_flags) for result in plate.conclude())
    assert n_flagged <= 6


@pytest.mark.parametrize(
    ("vehicle", "positive", "samples", "flag"),
    [
        pytest.param((100, 110, 90, 100), (60, 75, 50), (80,), QCFlag.LOW_ZPRIME, id="overlapping-controls"),
        pytest.param((30, 31, 29, 30), (), (100,) * 8, QCFlag.LOW_VEHICLE, id="vehicle-below-samples"),
        pytest.param((60, 100, 140, 80, 120), (), (80,), QCFlag.NOISY_VEHICLE, id="scattered-vehicle"),
    ],
)
def test_a_line_whose_controls_fail_is_quarantined_and_shown(vehicle, positive, samples, flag):
    plate = Plate().control(*map(float, vehicle)).control(*map(float, positive), role=WellRole.POSITIVE)
    plate.control(100.0, 101.0, 99.0, 100.0, line="HeLa")
    for index, signal in enumerate(samples):
        plate.sample(float(signal) + index / 100)
    plate.sample(50.0, line="HeLa")
    *failed, other = plate.conclude()
    assert {result.status for result in failed} == {ResultStatus.QUARANTINED}
    assert {result.qc_flags for result in failed} == {(flag,)}
    assert all(result.measurement is not None and not result.is_learnable for result in failed)
    assert other.status is ResultStatus.OK


def test_gates_can_be_set():
    plate = Plate().control(60.0, 100.0, 140.0, 80.0, 120.0).sample(80.0)
    (result,) = plate.conclude(gates=QualityGates(max_vehicle_cv=1.0))
    assert result.status is ResultStatus.OK


def test_a_reporter_may_rise_above_its_vehicle_and_tells_viability_apart():
    plate = Plate("reporter", unit="RFU")
    signals = [(100.0, 1000.0), (102.0, 1010.0), (98.0, 990.0), *[(500.0 + i, 700.0) for i in range(8)]]
    for index, (reporter, viability) in enumerate(signals):
        if index < 3:
            plate.control(reporter, channel="reporter")
        else:
            plate.sample(reporter, channel="reporter")
        plate.signals.setdefault("viability", []).append(viability)
    result = plate.conclude()[0]
    assert result.status is ResultStatus.OK
    assert result.measurement == pytest.approx(5.0)
    assert result.viability == pytest.approx(0.7)


def test_a_reporter_without_a_viability_signal_does_not_tell_viability():
    plate = Plate("reporter").control(100.0, 101.0, channel="reporter").sample(200.0, channel="reporter")
    assert plate.conclude()[0].viability is None


def test_imaging_counts_cells_as_a_mean_over_sites():
    wells = (
        WellAssignment("A1", WellRole.VEHICLE, "U2OS"),
        WellAssignment("A2", WellRole.VEHICLE, "U2OS"),
        WellAssignment("A3", WellRole.SAMPLE, "U2OS", "x", 1.0, "p1"),
    )
    sites = [(100.0, 102.0, 50.0), (110.0, 104.0, None), (90.0, 94.0, 54.0)]
    channels = tuple(Channel("cell_count", "cells", values, site) for site, values in enumerate(sites, 1))
    reading = Reading("c/p1", "5-image", ("A1", "A2", "A3"), (*channels, Channel("DAPI", "AU", (1.0, 1.0, 1.0), 1)))
    proposal = ExperimentProposal("U2OS", "x", 1.0, "imaging", "p1")
    (result,) = conclude([proposal], PlateLayout(96, wells), reading, plate_id="c/p1", assay="imaging")
    assert result.measurement == result.viability == pytest.approx(0.52)
    assert result.wells[0].signal == pytest.approx(52.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"assay": "elisa"}, "'elisa' has no analysis; possible: viability, reporter, imaging", id="assay"),
        pytest.param({"assay": "imaging"}, "channel 'cell_count', but the reading has luminescence", id="channel"),
    ],
)
def test_what_cannot_be_concluded_is_refused(change, message):
    plate = Plate().control(100.0, 98.0).sample(50.0)
    options = {"plate_id": "c/p1", "assay": "viability", **change}
    with pytest.raises(AnalysisError, match=message):
        conclude(plate.proposals, plate.layout(), plate.reading(), **options)


def test_a_reading_of_another_length_is_refused():
    plate = Plate().control(100.0, 98.0).sample(50.0)
    torn = Reading("c/p1", "3-read", ("A1", "A2", "A3"), (Channel("luminescence", "RLU", (100.0,)),))
    with pytest.raises(AnalysisError, match="channel 'luminescence' has 1 values for 3 wells"):
        conclude(plate.proposals, plate.layout(), torn, plate_id="c/p1", assay="viability")


def test_a_plate_without_asked_proposals_concludes_nothing():
    plate = Plate().control(100.0, 98.0).sample(50.0)
    assert conclude([], plate.layout(), plate.reading(), plate_id="c/p1", assay="viability") == ()
