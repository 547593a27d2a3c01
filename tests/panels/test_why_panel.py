"""Why this dose: every number and sentence is what the planner knew when it asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from panel_campaigns import EVIL, small_config

from cellos_nb import Lab
from cellos_nb.domain.result import ResultStatus
from cellos_nb.errors import CampaignError
from cellos_nb.panels import WhyThisDosePanel
from cellos_nb.panels.why import panel as why_module
from cellos_nb.panels.why.model import all_asked, sentences
from cellos_nb.planner import explain, make_planner
from cellos_nb.units import now_utc


def biology(**changes):
    small = {"name": "why", "compounds": ["staurosporine", "paclitaxel", "bortezomib"], "machine": "biology"}
    small |= {"batch_size": 6, "max_iterations": 3, "planner": {"kind": "mechanistic", "n_initial": 6}}
    return small_config(**(small | changes))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab.open(tmp_path_factory.mktemp("why") / "lab.db") as opened:
        opened.run(biology())
        opened.run(biology(name="blind", planner="random", max_iterations=2))
        opened.store.add_campaign(biology(name="empty"))
        yield opened


@pytest.fixture
def panel(lab):
    with WhyThisDosePanel(lab, "why") as opened:
        assert opened.widget
        yield opened


def head_of(panel) -> str:
    return panel.widget.children[1].value


def asked_of(lab, campaign_id, proposal_id):
    asked = all_asked(lab.store, campaign_id, lab.campaign(campaign_id).results)
    return next(one for one in asked if one.proposal.proposal_id == proposal_id)


def test_every_experiment_is_listed_as_it_was_asked_for_and_only_what_has_no_result_is_read(lab, monkeypatch):
    campaign = lab.campaign(lab.store.add_campaign(biology(name="listed", max_iterations=3)))
    lab.resume(campaign.campaign_id)
    campaign.rollback(2, "to see")
    read, after = lab.store.iterations, []

    def noting(campaign_id, **options):
        if options.get("has_proposals", True):
            after.append(options["after"])
        return read(campaign_id, **options)

    monkeypatch.setattr(lab.store, "iterations", noting)
    listed = all_asked(lab.store, campaign.campaign_id, campaign.results)
    assert after == [2]
    stored = [(lap.iteration, proposal) for lap in read(campaign.campaign_id) for proposal in lap.proposals]
    assert [(one.iteration, one.proposal) for one in listed] == stored
    assert {one.iteration for one in listed if one.is_rolled_back} == {3}


def told_of(lab, campaign_id, proposal_id):
    campaign, one = lab.campaign(campaign_id), asked_of(lab, campaign_id, proposal_id)
    return explain(campaign.config, campaign.results, one.iteration, one.proposal)


def words_of(lab, campaign_id, proposal_id, result=None) -> str:
    told = told_of(lab, campaign_id, proposal_id)
    return " ".join(sentences(lab.campaign(campaign_id).config, told, result))


def test_the_best_experiment_is_explained_first(panel, lab):
    best = lab.campaign("why").best()
    assert panel.shown.chosen.proposal.condition[:3] == (best.cell_line, best.compound, best.dose_um)
    assert panel.experiment.value == panel.shown.chosen.proposal.proposal_id
    assert panel.iteration.value == panel.shown.chosen.iteration


def test_where_the_planner_has_much_to_learn_again_the_rest_is_shown_first(lab, monkeypatch):
    monkeypatch.setattr(why_module, "_MANY", 3)
    seen = []
    with WhyThisDosePanel(lab, "why", "i003-e001") as panel:
        drawn = panel.draw
        monkeypatch.setattr(panel, "draw", lambda shown: (seen.append(shown), drawn(shown)))
        assert panel.widget
        first, whole = seen
        assert first.told is None
        assert "is being asked again, with up to 18 results" in panel.summary(first)
        assert (first.asked, first.chosen, first.result) == (whole.asked, whole.chosen, whole.result)
        assert whole == panel.shown
        assert panel.experiment.value == "i003-e001"
        assert whole.words == sentences(lab.campaign("why").config, whole.told, whole.result)
        panel.refresh()
        assert seen[2:] == [whole]
    with WhyThisDosePanel(lab, "why", "i003-e001", static=True) as panel:
        assert panel.read().told is not None


def test_every_experiment_of_every_iteration_can_be_chosen(panel, lab):
    assert len(panel.shown.asked) == 18
    for iteration in (2, 3):  # whichever the best is from, one of them is another
        panel.iteration.value = iteration
    assert panel.shown.chosen.proposal.proposal_id == "i003-e001"
    assert [value for _, value in panel.experiment.options] == [f"i003-e{k:03d}" for k in range(1, 7)]
    panel.experiment.value = "i003-e004"
    assert panel.shown.chosen.proposal.proposal_id == "i003-e004"
    assert "i003-e004" in head_of(panel)


def test_the_figures_draw_the_explanation(panel):
    panel.choose(proposal_id="i003-e002")
    told = panel.shown.told
    assert np.array_equal(panel._curve.mean.y, told.mean)
    inner, outer = panel._curve.bands
    assert np.allclose(inner.y, [told.mean - told.sd, told.mean + told.sd])
    assert np.allclose(outer.y, [told.mean - 2 * told.sd, told.mean + 2 * told.sd])
    choice = told.choice
    assert panel._promise.chosen.y.tolist() == [choice.acquisition[choice.here]]
    assert panel._promise.chosen.x.tolist() == [np.log10(told.proposal.dose_um)]
    drawn = sum(len(mark.x) for mark in (panel._promise.open, panel._promise.taken) if mark.visible)
    assert drawn == len(choice.doses_um) - 1
    same = [one.result.measurement for one in told.neighbours if one.is_same_line]
    assert panel._curve.same.visible == bool(same)
    assert not same or np.allclose(panel._curve.same.y, same)


def test_without_a_choice_by_the_model_no_acquisition_is_drawn(panel):
    panel.choose(proposal_id="i001-e001")
    assert panel._promise.figure.layout.display == "none"
    assert "spread evenly" in panel._words.value
    panel.choose(proposal_id="i002-e001")
    assert panel._promise.figure.layout.display == ""


def test_the_words_say_exploit_or_explore_as_the_proposal_does(lab):
    intents = set()
    for name in ("i002-e001", "i002-e006", "i003-e001", "i003-e006"):
        reason = asked_of(lab, "why", name).proposal.reason
        words = words_of(lab, "why", name)
        assert words.startswith(reason.intent.capitalize())
        assert f"{reason.predicted_mean:.3f} ± {reason.predicted_sd:.3f}" in words
        intents.add(reason.intent)
    assert intents <= {"explore", "exploit"}


def test_the_words_say_when_a_planner_asks_no_model(lab):
    assert "Chosen by the planner 'random'" in words_of(lab, "blind", "i002-e001")


def test_the_words_name_the_nearest_data_or_that_there_are_none(lab):
    told = told_of(lab, "why", "i003-e001")
    near = told.neighbours[0].result
    words = words_of(lab, "why", "i003-e001")
    assert f"on {near.proposal.cell_line} gave {near.measurement:.3f} (iteration {near.iteration})" in words
    assert "was not measured before" in words_of(lab, "why", "i001-e001")


def test_the_words_compare_what_was_measured_with_what_was_expected(lab):
    told = told_of(lab, "why", "i003-e001")
    result = next(r for r in lab.campaign("why").results if r.proposal.proposal_id == "i003-e001")
    off = abs(result.measurement - told.mean_here) / np.hypot(told.sd_here, result.standard_error)
    assert f"{off:.1f} standard deviations" in words_of(lab, "why", "i003-e001", result)
    lost = replace(result, status=ResultStatus.FAILED, measurement=None, error="the plate broke")
    assert "Nothing was measured: the plate broke." in words_of(lab, "why", "i003-e001", lost)


def test_no_improvement_left_is_said(lab):
    campaign = lab.campaign("why")
    told = told_of(lab, "why", "i003-e001")
    spent = replace(told, choice=replace(told.choice, acquisition=np.zeros_like(told.choice.acquisition)))
    assert "mean plus standard deviation decided" in " ".join(sentences(campaign.config, spent, None))


def test_an_experiment_that_waits_for_its_measurement_is_explained_too(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        campaign_id = lab.run(biology(max_iterations=1)).campaign_id
        config = lab.campaign(campaign_id).config
        proposals = make_planner(config.planner).propose(config, lab.campaign(campaign_id).results, 2, 6)
        named = [replace(p, proposal_id=f"i002-e{k:03d}") for k, p in enumerate(proposals, start=1)]
        with WhyThisDosePanel(lab, campaign_id, "i001-e001") as panel:
            assert panel.widget
            stamp = panel.stamp()
            lab.store.add_iteration(campaign_id, 2, named, now_utc())
            assert panel.stamp() != stamp
            panel.choose(proposal_id="i002-e003")
            assert panel.shown.result is None
            assert panel.shown.told.choice.place == 3
            assert not panel._curve.measured.visible
            assert "Measured since" not in panel._words.value


def test_a_campaign_that_proposed_nothing_yet_says_so(lab):
    with WhyThisDosePanel(lab, "empty") as panel:
        assert panel.widget
        assert "has proposed nothing yet" in panel._words.value
        assert panel._figures.layout.display == "none"
        assert panel.errors.lines == ()


def test_an_experiment_that_does_not_exist_is_refused_with_those_that_do(lab):
    with pytest.raises(CampaignError, match=r"no experiment 'i009-e001'; possible: i001-e001 to i003-e006"):
        WhyThisDosePanel(lab, "why", "i009-e001").read()


def test_a_panel_opened_again_shows_the_same(panel, lab):
    with WhyThisDosePanel(str(lab.store.path), "why") as again:
        assert again.widget
        assert again.shown.words == panel.shown.words
        assert np.array_equal(again.shown.told.mean, panel.shown.told.mean)


def test_hostile_names_are_escaped(lab_url):
    with WhyThisDosePanel(lab_url) as panel:
        assert panel.widget
        hostile = next(a for a in panel.shown.asked if "<b>" in a.proposal.compound)
        panel.choose(proposal_id=hostile.proposal.proposal_id)
        assert "=staurosporine&lt;b&gt;" in panel._words.value
        for widget in _instances.values():
            if type(widget).__name__ == "HTML":
                assert "staurosporine<b>" not in widget.value
                assert EVIL not in widget.value


@pytest.mark.parametrize("proposal_id", ["i001-e002", "i003-e002"], ids=["spread", "model"])
def test_the_static_form_has_a_picture_words_and_the_nearest_data(proposal_id, lab, capsys):
    before = len(_instances)
    with WhyThisDosePanel(lab, "why", proposal_id, static=True) as panel:
        form = panel.static_form(panel.read())
        panel._ipython_display_()
    assert len(_instances) == before
    (figure,), (table,) = form.figures, form.tables
    assert figure.png.startswith(b"\x89PNG")
    assert form.summary in figure.description
    assert table.caption == "nearest data"
    assert proposal_id in capsys.readouterr().out


@pytest.fixture(scope="module")
def forked(tmp_path_factory):
    """A campaign that was forked after its first iteration and then rolled back to it, and its fork."""
    with Lab.open(tmp_path_factory.mktemp("forked") / "lab.db") as opened:
        parent = opened.run(biology(name="parent", max_iterations=2))
        child = opened.resume(opened.fork("parent", at=1, name="child").campaign_id)
        before = told_of(opened, "parent", "i002-e001")
        parent.rollback(1, "spilt", by="ada")
        yield opened, child, before


def test_an_iteration_that_was_rolled_back_is_explained_as_it_was_before(forked):
    lab, _, before = forked
    with WhyThisDosePanel(lab, "parent", "i002-e001") as panel:
        assert panel.widget
        assert panel.shown.chosen.is_rolled_back
        assert "(rolled back)" in head_of(panel)
        assert panel.shown.told.basis == "model"
        assert np.array_equal(panel.shown.told.mean, before.mean)
        assert panel.shown.result is not None
        assert "Measured since" in panel._words.value


def test_what_a_fork_inherited_is_explained_by_what_its_parent_knew(forked):
    lab, child, _ = forked
    with WhyThisDosePanel(lab, child.campaign_id, "i001-e001") as panel:
        assert panel.widget
        assert (panel.shown.chosen.campaign_id, panel.shown.chosen.is_inherited) == ("parent", True)
        assert "(from parent)" in head_of(panel)
        assert panel.shown.told.basis == "spread"
        assert panel.shown.result is not None
        panel.choose(proposal_id="i002-e001")
        assert panel.shown.chosen.campaign_id == child.campaign_id
        assert panel.shown.told.n_learnt == 6
        assert [one.proposal.proposal_id for one in panel.shown.asked].count("i002-e001") == 1


def test_where_nothing_was_left_to_gain_the_words_do_not_say_that_it_could_win(lab):
    told = told_of(lab, "why", "i003-e001")
    never = replace(told.choice, acquisition=0 * told.choice.acquisition, score_mean=told.choice.incumbent - 1)
    config = lab.campaign("why").config
    words = " ".join(sentences(config, replace(told, choice=never), None))
    assert "no dose was left that could be expected to beat it" in words
    assert "uncertain enough to beat it" not in words
    assert "largest mean plus standard deviation decided" in words
    hopeful = replace(never, acquisition=0 * told.choice.acquisition + 0.1)
    assert "uncertain enough to beat it" in sentences(config, replace(told, choice=hopeful), None)[0]
