"""The dose-response panel: points, fits, what the model expects, and the surface."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drawn_chart import drawn_of
from hostile_names import EVIL_COMPOUND
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb.analysis import fit_dose_response
from cellos_nb.domain.history import History
from cellos_nb.errors import InputError
from cellos_nb.panels import DoseResponsePanel
from cellos_nb.panels.dose_response.chart import MARKERS
from cellos_nb.panels.dose_response.model import compounds_by_interest, line_curves, value_range
from cellos_nb.panels.dose_response.surface import KINDS, surface
from cellos_nb.panels.scales import round_ticks
from cellos_nb.planner.prediction import CampaignModel
from cellos_nb.units import format_dose


@pytest.fixture
def campaign(lab):
    return lab.campaigns()[0]


@pytest.fixture
def panel(lab):
    with DoseResponsePanel(lab) as opened:
        assert opened.widget
        yield opened


def sent(widget) -> str:
    """What the page would get; raises where a number cannot be sent as JSON."""
    return json.dumps(widget.get_state(), default=repr)


def test_points_are_the_experiments_of_the_history(campaign):
    frame = campaign.history().drop_duplicates("experiment")
    for compound in campaign.config.compound_names:
        for line in line_curves(campaign.config, campaign.results, compound):
            of_line = frame[(frame["compound"] == compound) & (frame["cell_line"] == line.cell_line)]
            learnable = of_line[of_line["status"] == "ok"]
            np.testing.assert_allclose(10**line.points.log10_dose, learnable["dose_um"])
            np.testing.assert_array_equal(line.points.value, learnable["measurement"])
            np.testing.assert_array_equal(line.points.iteration, learnable["iteration"].astype(float))


def test_the_curve_is_the_fit_of_the_wells_with_its_band(campaign):
    line = line_curves(campaign.config, campaign.results, "paclitaxel")[0]
    frame = campaign.history()
    wells = frame[(frame["compound"] == "paclitaxel") & (frame["cell_line"] == line.cell_line)].dropna(subset=["value"])
    wells = wells[~wells["qc_flags"].fillna("").str.contains("outlier") & (wells["status"] == "ok")]
    fit = fit_dose_response(wells["dose_um"].to_numpy(), wells["value"].to_numpy())
    np.testing.assert_allclose(line.fit.value, fit.predict(10**line.fit.log10_dose))
    assert (line.fit.low <= line.fit.value).all()
    assert (line.fit.high >= line.fit.value).all()


def test_a_compound_without_results_says_so_and_draws_nothing(campaign):
    lines = line_curves(campaign.config, History(), "paclitaxel")
    assert {line.verdict for line in lines} == {"too few to fit: 0 wells at 0 doses"}
    assert all(line.fit is None for line in lines)
    low, high = value_range(lines)
    assert low < 0
    assert high > 1


def test_the_model_expects_what_was_measured_where_it_was_measured(campaign):
    model = CampaignModel(campaign.config, campaign.results)
    for line in line_curves(campaign.config, campaign.results, EVIL_COMPOUND, model):
        expected = np.interp(line.points.log10_dose, line.expected.log10_dose, line.expected.value)
        assert np.median(np.abs(expected - line.points.value)) < 0.1


def test_the_model_is_surer_after_results_than_before(campaign):
    before = CampaignModel(campaign.config, History()).curve("U2OS", "paclitaxel")
    after = CampaignModel(campaign.config, campaign.results).curve("U2OS", "paclitaxel")
    assert after.sd.mean() < before.sd.mean()


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_of_a_surface_is_a_condition_of_the_campaign(kind, campaign):
    config, model = campaign.config, CampaignModel(campaign.config, campaign.results)
    over = surface(config, campaign.results, config.compound_names, "HepG2", kind=kind, model=model)
    assert len(over.cells) == sum(len(config.doses_um(compound)) for compound in config.compound_names)
    if kind != "measured":
        assert all(cell.colour for cell in over.cells)
    assert "nan" not in " ".join(cell.label + cell.mark for cell in over.cells)


def test_conditions_that_were_not_measured_have_no_colour(campaign):
    config = campaign.config
    over = surface(config, History(), config.compound_names, "HepG2", kind="measured")
    assert {cell.colour for cell in over.cells} == {""}
    assert over.low is None


@pytest.mark.parametrize("goal", ["minimise", "maximise", "selectivity"])
def test_the_expected_improvement_is_zero_or_more_and_gone_when_everything_is_known(goal, campaign):
    config = type(campaign.config).from_dict(campaign.config.to_dict() | {"objective": {"goal": goal}})
    half = History(tuple(result for result in campaign.results if result.iteration == 1))
    early = CampaignModel(config, half).expectations().improvement
    late = CampaignModel(config, campaign.results).expectations().improvement
    assert early.min() >= 0
    assert early.max() > late.max()


def test_compounds_with_the_most_experiments_come_first(campaign):
    counts = campaign.history().drop_duplicates("experiment")["compound"].value_counts()
    order = compounds_by_interest(campaign.config, campaign.results)
    assert [counts[name] for name in order] == sorted(counts, reverse=True)


@given(low=st.floats(-5, 0), span=st.floats(0.1, 1e4))
@settings(max_examples=40, deadline=None)
def test_ticks_are_three_to_eight_and_lie_between_the_ends(low, span):
    ticks = round_ticks(low, low + span)
    assert 3 <= len(ticks) <= 8
    assert low - 1e-9 <= ticks[0]
    assert ticks[-1] <= low + span + 1e-9 * span


def test_choosing_a_compound_draws_its_points(panel):
    panel._compound.value = "paclitaxel"
    line = panel.shown.lines[0]
    dots = drawn_of(panel._chart.figure, "dots", shape=MARKERS[0])
    np.testing.assert_allclose(np.sort(np.concatenate([each.y for each in dots])), np.sort(line.points.value))
    (strokes, *_) = drawn_of(panel._chart.figure, "strokes")
    np.testing.assert_array_equal(strokes.rows[1:], [line.points.low, line.points.high])
    assert "paclitaxel:" in panel.widget.children[1].value


def test_a_click_on_the_surface_chooses_its_compound(panel):
    row = panel.shown.surface.compounds.index("paclitaxel")
    panel._grid.selected = f"{row},0"
    assert panel.shown.compound == "paclitaxel"
    assert panel._compound.value == "paclitaxel"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_no_number_is_sent_to_the_surface(kind, panel):
    panel._kind.value = kind
    assert panel.shown.surface.kind == kind
    assert "NaN" not in sent(panel._grid)


def test_without_the_model_no_dashed_curve_is_drawn(panel):
    panel._with_model.value = False
    assert all(line.expected is None for line in panel.shown.lines)
    assert not drawn_of(panel._chart.figure, "line", is_dashed=True)


def test_every_point_of_the_curves_can_be_asked_what_it_is(panel):
    said = [name for dots in drawn_of(panel._chart.figure, "dots") for name in dots.names]
    assert len(said) == sum(line.points.value.size for line in panel.shown.lines)
    points = panel.shown.lines[0].points
    dose, value, lap = 10.0 ** points.log10_dose[0], points.value[0], points.iteration[0]
    assert f"{panel.shown.lines[0].cell_line}, {format_dose(dose)}: {value:.3g}, iteration {lap:.0f}" in said


def test_a_model_that_takes_long_waits_until_it_is_asked_for(lab, monkeypatch):
    monkeypatch.setattr("cellos_nb.panels.dose_response.panel.MAX_AT_ONCE", 3)
    with DoseResponsePanel(lab) as panel:
        assert panel.widget
        assert not panel.shown.has_model
        assert not panel._with_model.value
        panel._with_model.value = True
        assert panel.shown.lines[0].expected is not None


def test_hostile_names_are_escaped_in_words_and_kept_in_choices(panel):
    panel._compound.value = EVIL_COMPOUND
    assert "=staurosporine&lt;b&gt;:" in panel.widget.children[1].value
    assert "<b>:" not in panel.widget.children[1].value


def test_a_compound_that_is_not_there_is_refused_with_those_that_are(lab):
    with pytest.raises(InputError, match="possible: =staurosporine<b>, paclitaxel"):
        DoseResponsePanel(lab, compound="aspirin")


def test_a_surface_of_something_else_is_refused(lab):
    with pytest.raises(InputError, match="possible: measured, mean, sd, acquisition"):
        DoseResponsePanel(lab, kind="taste")
