"""What a fit says about the kind of curve, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.analysis import fit_dose_response, fit_dose_responses
from cellos_nb.errors import AnalysisError

DOSES = np.geomspace(1e-3, 10.0, 9)


def _noise(sd: float, seed: int, size: int = 27) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(size)


def _hill(ec50: float, hill: float, lower: float = 0.0, upper: float = 1.0) -> np.ndarray:
    return lower + (upper - lower) / (1 + (DOSES / ec50) ** hill)


SHAPES = {
    "fitted": _hill(0.1, 1.5, lower=0.1),
    "incomplete": _hill(8.0, 1.0),
    "flat": np.ones(9),
    "hook": _hill(0.02, 2.0) + 0.6 / (1 + (3.0 / DOSES) ** 3),
}


@pytest.mark.parametrize(("verdict", "mean"), list(SHAPES.items()), ids=list(SHAPES))
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_a_triplicate_curve_is_called_by_its_shape(verdict, mean, seed):
    fit = fit_dose_response(np.repeat(DOSES, 3), np.repeat(mean, 3) + _noise(0.03, seed))
    assert fit.verdict == verdict


def test_a_bell_shaped_induction_is_a_hook():
    mean = 1 + 2 / (1 + (0.03 / DOSES) ** 2) - 2.5 / (1 + (2.0 / DOSES) ** 2)
    fit = fit_dose_response(np.repeat(DOSES, 3), np.repeat(mean, 3) + _noise(0.05, 4))
    assert fit.verdict == "hook"


def test_a_hook_is_seen_without_replicates_when_it_is_plain():
    response = [1.0, 1.01, 0.9, 0.5, 0.1, 0.09, 0.4, 0.8]
    assert fit_dose_response(np.geomspace(0.001, 10, 8), response).verdict == "hook"


@pytest.mark.parametrize("n_doses", [6, 8, 11], ids=lambda n: f"{n}-doses")
@pytest.mark.parametrize("replicates", [1, 3], ids=["single", "triplicate"])
def test_noise_alone_is_called_flat(n_doses, replicates):
    n, rng = 400, np.random.default_rng(17)
    dose = np.repeat(np.geomspace(0.01, 10, n_doses), replicates)
    points = pd.DataFrame(
        {
            "curve": np.repeat(np.arange(n), dose.size),
            "dose_um": np.tile(dose, n),
            "value": 1 + 0.05 * rng.standard_normal(n * dose.size),
        }
    )
    verdicts = fit_dose_responses(points, "curve").verdict.value_counts(normalize=True)
    assert verdicts["flat"] > 0.95
    assert verdicts.get("hook", 0.0) < 0.03


def test_a_rising_curve_has_a_negative_hill_slope_and_lower_below_upper():
    fit = fit_dose_response(np.repeat(DOSES, 2), np.repeat(_hill(0.1, -1.5, 1.0, 4.0), 2) + _noise(0.05, 5, 18))
    assert fit.hill < 0
    assert fit.lower < fit.upper
    assert fit.ec50 == pytest.approx(0.1, rel=0.2)


def test_points_without_scatter_are_recovered_exactly():
    fit = fit_dose_response(DOSES, _hill(0.2, 1.7, 0.15, 1.05))
    assert (fit.ec50, fit.hill, fit.lower, fit.upper) == pytest.approx((0.2, 1.7, 0.15, 1.05), rel=1e-4)
    assert fit.verdict == "fitted"


@pytest.mark.parametrize("unit", [1e-200, 1e-6, 1e150], ids=str)
def test_the_unit_of_the_response_does_not_matter(unit):
    response = _hill(0.2, 1.7, 0.15, 1.05) + _noise(0.03, 9, 9)
    here, there = fit_dose_response(DOSES, response), fit_dose_response(DOSES, unit * response)
    assert there.ec50_interval == pytest.approx(here.ec50_interval, rel=1e-4)
    assert there.upper == pytest.approx(unit * here.upper, rel=1e-6)
    assert there.verdict == here.verdict


def test_thousands_of_distinct_doses_make_a_narrow_interval():
    rng = np.random.default_rng(12)
    dose = np.r_[0.0, np.geomspace(1e-3, 100, 3000)]
    fit = fit_dose_response(dose, 1 / (1 + dose / 2.0) + 0.1 * rng.standard_normal(dose.size))
    assert fit.verdict == "fitted"
    assert 1.7 < fit.ec50_interval[0] < 2.0 < fit.ec50_interval[1] < 2.3


def test_equal_responses_are_flat():
    fit = fit_dose_response(DOSES, np.full(9, 0.7))
    assert fit.verdict == "flat"
    assert fit.lower == pytest.approx(0.7)
    assert fit.rss == pytest.approx(0.0, abs=1e-20)


def test_missing_responses_are_left_out():
    response = _hill(0.1, 1.5) + _noise(0.02, 6, 9)
    with_gap = np.where(np.arange(9) == 3, np.nan, response)
    kept = np.arange(9) != 3
    assert fit_dose_response(DOSES, with_gap) == fit_dose_response(DOSES[kept], response[kept])


@pytest.mark.parametrize(
    ("dose", "response", "message"),
    [
        pytest.param([1, 2, 3], [1, 2], "3 doses but 2 responses", id="lengths"),
        pytest.param([1, 2, -3, 4, 5], [1] * 5, r"-3 at position 2 is no dose", id="negative"),
        pytest.param([1, 2, np.nan, 4, 5], [1] * 5, "nan at position 2 is no dose", id="nan-dose"),
        pytest.param([1, np.inf, 3, 4, 5], [1] * 5, "inf at position 1 is no dose", id="infinite-dose"),
        pytest.param([1, 2, 3, 4, 5], [1, 1, np.inf, 1, 1], "inf at position 2; give a finite", id="infinite-response"),
        pytest.param(
            [1, 1, 2, 2, 3, 3], [1] * 6, r"6 points at 3 distinct doses .* at least 5 points at 4", id="doses"
        ),
        pytest.param([1, 2, 3, 4], [1] * 4, "4 points at 4 distinct doses", id="points"),
        pytest.param([0, 0, 1, 1, 2, 2], [1] * 6, "3 distinct doses .2 above 0", id="controls-are-one-dose"),
        pytest.param([1, 2, 3, 4, 5], [np.nan] * 5, "0 points at 0 distinct doses", id="all-missing"),
        pytest.param([], [], "0 points", id="empty"),
        pytest.param(["a", "b"], [1, 2], "dose: holds something that is not a number", id="text"),
        pytest.param([[1, 2]], [[1, 2]], "dose: has 2 dimensions", id="matrix"),
    ],
)
def test_what_cannot_be_fitted_is_refused(dose, response, message):
    with pytest.raises(AnalysisError, match=message):
        fit_dose_response(dose, response)


def test_a_table_gives_one_row_per_curve_in_order_and_names_those_too_short():
    full = pd.DataFrame({"line": "b", "drug": "x", "dose_um": DOSES, "value": _hill(0.1, 1.5) + _noise(0.02, 7, 9)})
    short = full.iloc[:3].assign(line="a")
    fits = fit_dose_responses(pd.concat([full, short]), ["line", "drug"])
    assert list(fits.line) == ["b", "a"]
    assert list(fits.verdict) == ["fitted", "too_few"]
    assert list(fits.n) == [9, 3]
    assert np.isnan(fits.ec50[1])


def test_a_table_fits_as_its_curves_alone():
    rng = np.random.default_rng(8)
    parts = [
        pd.DataFrame({"k": k, "dose_um": doses, "value": 1 / (1 + (doses / 0.3) ** 1.4) + _noise(0.05, k, doses.size)})
        for k, doses in enumerate(
            [DOSES, np.repeat(DOSES[1:], 2), np.r_[0, 0, DOSES], np.sort(rng.uniform(0.01, 9, 14))]
        )
    ]
    table = fit_dose_responses(pd.concat(parts).sample(frac=1, random_state=1).sort_values("k"), "k")
    for row, part in zip(table.itertuples(), parts, strict=True):
        alone = fit_dose_response(part.dose_um, part.value)
        assert row.ec50 == pytest.approx(alone.ec50, rel=1e-5)
        assert (row.ec50_low, row.ec50_high) == pytest.approx(alone.ec50_interval, rel=1e-3)
        assert (row.n, row.verdict) == (alone.n, alone.verdict)


def test_an_empty_table_gives_an_empty_one():
    empty = pd.DataFrame({"line": [], "dose_um": [], "value": []})
    assert len(fit_dose_responses(empty, "line")) == 0


@pytest.mark.parametrize(
    ("by", "message"),
    [
        pytest.param("cell", "'cell': no such column to fit by; the table has line, dose_um, value", id="by"),
        pytest.param([], "by: no such column", id="nothing"),
        pytest.param("n", "'n': no such column", id="absent-and-taken"),
    ],
)
def test_a_table_without_the_columns_is_refused(by, message):
    frame = pd.DataFrame({"line": ["a"], "dose_um": [1.0], "value": [1.0]})
    with pytest.raises(AnalysisError, match=message):
        fit_dose_responses(frame, by)


def test_a_column_that_the_result_has_itself_is_refused():
    with pytest.raises(AnalysisError, match="by: hill would stand twice in the result; rename"):
        fit_dose_responses(pd.DataFrame({"hill": ["a"], "dose_um": [1.0], "value": [1.0]}), "hill")


@given(
    response=st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=12),
    spacing=st.floats(1.05, 50.0),
    unit=st.sampled_from([1e-9, 1.0, 1e6]),
)
@settings(max_examples=40, deadline=None)
def test_any_finite_points_give_a_fit_whose_interval_holds_its_ec50(response, spacing, unit):
    dose = unit * spacing ** np.arange(len(response))
    fit = fit_dose_response(dose, response)
    low, high = fit.ec50_interval
    assert low <= fit.ec50 <= high
    assert fit.lower <= fit.upper
    centre = np.mean(response)
    assert fit.rss <= ((np.asarray(response) - centre) ** 2).sum() * (1 + 1e-9) + 1e-18
