"""Fits against R's `drc`, on its standard example and on real curves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellos_nb.analysis import fit_dose_response, fit_dose_responses

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def ryegrass() -> pd.DataFrame:
    return pd.read_csv(DATA / "ryegrass.csv")


@pytest.fixture(scope="module")
def sarcoma() -> pd.DataFrame:
    """Reference fits beside ours, one row per curve that the reference could fit."""
    wide = pd.read_csv(DATA / "sarcoma_curves.csv")
    long = wide.melt(["cell_line", "compound", "replicate"], var_name="dose", value_name="viability")
    long["dose_nm"] = long.pop("dose").str.removeprefix("d").astype(float)
    fits = fit_dose_responses(long, ["cell_line", "compound"], dose="dose_nm", response="viability")
    fits["group"] = fits.cell_line + "|" + fits.compound
    reference = pd.read_csv(DATA / "sarcoma_ll4_reference.csv").dropna(subset="rss")
    return reference.merge(fits, on="group", suffixes=("_drc", ""), validate="1:1")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        pytest.param("hill", 2.98222, 0.46506, id="slope"),
        pytest.param("lower", 0.48141, 0.21219, id="lower"),
        pytest.param("upper", 7.79296, 0.18857, id="upper"),
        pytest.param("ec50", 3.05796, 0.18573, id="ed50"),
    ],
)
def test_the_ryegrass_fit_is_that_of_drc_to_its_last_digit(ryegrass, name, value, error):
    fit = fit_dose_response(ryegrass.conc, ryegrass.rootl)
    assert getattr(fit, name) == pytest.approx(value, abs=1.1e-5)
    assert getattr(fit, f"{name}_se") == pytest.approx(error, abs=1.1e-5)


def test_the_ryegrass_fit_is_complete_and_its_interval_surrounds_the_ed50(ryegrass):
    fit = fit_dose_response(ryegrass.conc, ryegrass.rootl)
    assert (fit.verdict, fit.n, fit.n_doses, fit.degrees_of_freedom) == ("fitted", 24, 7, 20)
    low, high = fit.ec50_interval
    assert low < fit.ec50 < high
    # Near enough to linear that the profile and the delta method agree within a tenth of a standard error.
    half = 2.086 * fit.ec50_se
    assert (fit.ec50 - low, high - fit.ec50) == pytest.approx((half, half), abs=0.2 * fit.ec50_se)


def test_no_residual_is_higher_than_the_references(sarcoma):
    assert len(sarcoma) == 66
    assert (sarcoma.rss / sarcoma.rss_drc).max() < 1.001


def test_where_the_minimum_is_the_same_ed50_and_error_are_the_references(sarcoma):
    same = sarcoma[(sarcoma.rss / sarcoma.rss_drc > 0.9999) & (sarcoma.se_ed50 < 0.25 * sarcoma.ed50)]
    assert len(same) >= 9
    np.testing.assert_allclose(same.ec50 * 1.0, same.ed50, rtol=0.01)
    np.testing.assert_allclose(same.ec50_se, same.se_ed50, rtol=0.1)
    np.testing.assert_allclose(same.hill, same.slope, rtol=0.01)


def test_the_order_of_the_points_does_not_matter(ryegrass):
    shuffled = ryegrass.sample(frac=1, random_state=3)
    first = fit_dose_response(ryegrass.conc, ryegrass.rootl)
    second = fit_dose_response(shuffled.conc, shuffled.rootl)
    assert second.ec50 == pytest.approx(first.ec50, rel=1e-6)
    assert second.rss == pytest.approx(first.rss, rel=1e-9)


def test_the_prediction_has_the_residuals_that_the_fit_reports(ryegrass):
    fit = fit_dose_response(ryegrass.conc, ryegrass.rootl)
    residual = ryegrass.rootl - fit.predict(ryegrass.conc)
    assert float((residual**2).sum()) == pytest.approx(fit.rss, rel=1e-9)
