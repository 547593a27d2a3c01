"""Campaigns side by side: the numbers behind the comparison panel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.errors import CampaignError
from cellos_nb.panels.comparison.front import OBJECTIVES, answered, make_front
from cellos_nb.panels.comparison.model import Compared, group_boxes, progress, read_campaigns, summary
from cellos_nb.panels.comparison.truth import true_scores


def config(**changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": "tiny",
            "cell_lines": ["SK-LMS-1", "RD-ES"],
            "compounds": ["Trametinib", "Dinaciclib", "Capmatinib"],
            "dose_range_um": [0.001, 10],
            "n_doses": 5,
            "objective": "selectivity",
            "batch_size": 6,
            "max_iterations": 3,
            "replicates": 2,
            "machine": "replay",
            "planner": "random",
            "seed": 3,
        }
        | changes
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab.open(tmp_path_factory.mktemp("comparison") / "lab.db") as opened:
        opened.run(config())
        opened.run(config(name="other", objective="minimise", planner="space_filling"))
        yield opened


def with_values(values, *, campaign_id="made-up", compound="a", line="SK-LMS-1"):
    results = tuple(
        ExperimentResult(
            ExperimentProposal(line, compound, 0.001 * (k + 1)), ResultStatus.OK, value, iteration=1 + k // 2
        )
        for k, value in enumerate(values)
    )
    asked = config(compounds=["a", "b"], machine="virtual", objective="minimise")
    history = History(results)
    return Compared(campaign_id, asked, history, score_conditions(asked, history), None)


def test_every_measurement_stands_in_one_box(lab):
    campaigns = read_campaigns(lab, ["tiny", "other"])
    for by in ("compound", "cell_line"):
        boxes = group_boxes(campaigns, by)
        assert sum(box.n for box in boxes.boxes) == sum(len(one.history.learnable) for one in campaigns)
        assert {box.campaign_id for box in boxes.boxes} == {"tiny", "other"}
        medians = [np.median([r.measurement for c in campaigns for r in c.history.learnable
                              if getattr(r.proposal, by) == group]) for group in boxes.groups]  # fmt: skip
        assert medians == sorted(medians)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_a_box_splits_its_values_into_quarters_whiskers_and_outliers(values):
    (box,) = group_boxes([with_values(values)], "compound").boxes
    first, median, third = box.quartiles
    assert [first, median, third] == pytest.approx(np.quantile(values, (0.25, 0.5, 0.75)).tolist())
    reach = 1.5 * (third - first)
    assert sorted(box.outliers) == sorted(v for v in values if v < first - reach or v > third + reach)
    inside = [v for v in values if first - reach <= v <= third + reach]
    assert (box.low, box.high) == (min(inside), max(inside))


def test_groups_beyond_the_limit_are_counted_not_hidden(lab):
    boxes = group_boxes(read_campaigns(lab, ["tiny"]), "compound", max_groups=2)
    assert (len(boxes.groups), boxes.n_left_out) == (2, 1)


def test_best_so_far_never_falls_and_its_abscissa_counts_what_was_spent(lab):
    (campaign,) = read_campaigns(lab, ["tiny"])
    laps = progress(campaign, "iteration")
    assert laps.x.tolist() == [1, 2, 3]
    assert np.all(np.diff(laps.best) >= 0)
    assert laps.best[-1] == pytest.approx(lab.campaign("tiny").best().score.value)
    assert progress(campaign, "experiments").x.tolist() == [6, 12, 18]
    assert progress(campaign, "cost_usd").x[-1] == pytest.approx(lab.campaign("tiny").summary().cost_usd)


def test_regret_is_what_the_truth_loses_by_the_best_found(lab):
    for campaign in read_campaigns(lab, ["tiny", "other"]):
        best = lab.campaign(campaign.campaign_id).best()
        regret = progress(campaign, "iteration").regret
        assert np.all(regret >= 0)
        true = campaign.truth.scores[best.cell_line, best.compound, best.dose_um]
        assert regret[-1] == pytest.approx(campaign.truth.best - true)
        assert true == pytest.approx(best.score.value, abs=0.35)


def test_the_truth_is_known_for_every_condition_of_a_replayed_screen_and_for_no_other_machine():
    truth = true_scores(config(objective="minimise"))
    assert len(truth.scores) == 2 * 3 * 5
    assert truth.best == max(truth.scores.values())
    assert true_scores(config(machine="biology", objective="minimise")) is None


def test_a_truth_that_cannot_be_read_is_said_and_the_campaign_shown(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        gone = {"kind": "replay", "screen": str(tmp_path / "gone.csv")}
        campaign_id = lab.store.add_campaign(config(machine=gone))
        (campaign,) = read_campaigns(lab, [campaign_id])
    assert campaign.truth is None
    assert "gone.csv" in campaign.truth_problem


def test_a_campaign_without_results_compares_as_empty(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        (campaign,) = read_campaigns(lab, [lab.store.add_campaign(config())])
    assert group_boxes([campaign], "compound").boxes == ()
    assert len(progress(campaign, "iteration").x) == 0
    assert "nothing yet" in summary([campaign])
    assert answered([campaign]) == ()


def test_a_campaign_that_does_not_exist_is_refused(lab):
    with pytest.raises(CampaignError, match="nowhere"):
        read_campaigns(lab, ["nowhere"])


def test_the_front_of_effect_and_sparing_holds_the_most_selective_condition(lab):
    campaigns = read_campaigns(lab, ["tiny"])
    effect, sparing = (next(o for o in OBJECTIVES if o.key == key) for key in ("effect", "sparing"))
    front = make_front(campaigns, effect, sparing)
    best = lab.campaign("tiny").best()
    at = next(i for i, (_, c) in enumerate(front.conditions) if c == best)
    assert front.is_front[at]
    assert front.x[at] + front.y[at] - 1 == pytest.approx(best.score.value)
    assert best.compound in front.describe(at)
    assert "on the front" in front.describe(at)


def test_conditions_that_do_not_answer_an_objective_are_counted(lab):
    campaigns = read_campaigns(lab, ["tiny", "other"])
    assert {objective.key for objective in answered(campaigns[1:])} == {"effect", "low_dose", "certainty"}
    effect, sparing = (next(o for o in OBJECTIVES if o.key == key) for key in ("effect", "sparing"))
    front = make_front(campaigns, effect, sparing)
    assert front.n_unanswered == len(campaigns[1].scores)
    assert {campaign_id for campaign_id, _ in front.conditions} == {"tiny"}


def test_a_front_with_too_many_dots_keeps_the_front_and_counts_the_rest():
    campaign = with_values(np.linspace(0, 1, 60).tolist())
    effect, dose = (next(o for o in OBJECTIVES if o.key == key) for key in ("effect", "low_dose"))
    whole, thin = (make_front([campaign], effect, dose, max_dots=n) for n in (1000, 10))
    assert len(thin.conditions) == max(10, int(whole.is_front.sum()))
    assert thin.n_left_out == 60 - len(thin.conditions)
    assert thin.is_front.sum() == whole.is_front.sum()


def test_the_summary_names_every_campaign_and_its_best(lab):
    text = summary(read_campaigns(lab, ["tiny", "other"]))
    assert "tiny: 18 experiments" in text
    assert lab.campaign("other").best().compound in text
    assert "below the true best" in text
