"""The comparison panel: what is chosen is drawn, clicked and read aloud; a campaign that goes on is followed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_chart import drawn_of
from ipywidgets.widgets.widget import _instances
from panel_campaigns import EVIL, small_config

from cellos_nb import Lab
from cellos_nb.errors import CampaignError
from cellos_nb.panels import ComparisonPanel
from cellos_nb.panels.comparison.figures import ProgressFigure
from cellos_nb.panels.comparison.model import Progress
from cellos_nb.panels.comparison.panel import MAX_CAMPAIGNS


def biology(**changes):
    small = {"name": "one", "compounds": ["staurosporine", "paclitaxel"], "machine": "biology", "planner": "random"}
    return small_config(**(small | changes))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab.open(tmp_path_factory.mktemp("comparisons") / "lab.db") as opened:
        opened.run(biology())
        opened.run(biology(name="two", objective="selectivity", planner="space_filling"))
        opened.run(biology(name="three", seed=8, max_iterations=1))
        yield opened


@pytest.fixture
def hostile(lab, tmp_path):
    """The lab's first campaign, with a compound whose name is markup, as another machine might have had it."""
    copy = tmp_path / "hostile.db"
    with Lab.open(copy) as opened:
        campaign_id = opened.store.add_campaign(biology(name=EVIL, compounds=["staurosporine", EVIL]))
        for lap in lab.store.iterations("one"):
            asked = [replace(p, compound=p.compound.replace("paclitaxel", EVIL)) for p in lap.proposals]
            opened.store.add_iteration(campaign_id, lap.iteration, asked, lap.created_at)
            results = [r for r in lab.campaign("one").results if r.iteration == lap.iteration]
            stored = [replace(r, proposal=p) for r, p in zip(results, asked, strict=True)]
            opened.store.add_results(campaign_id, lap.iteration, stored)
    return str(copy)


@pytest.fixture
def panel(lab):
    with ComparisonPanel(lab, ["one", "two"]) as opened:
        assert opened.widget
        yield opened


def pick(panel, name: str) -> None:
    """As the page says it, where a dot of this name is clicked."""
    names = [name for dots in drawn_of(panel._front.figure, "dots") for name in dots.names]
    panel._front.figure._handle_custom_msg({"picked": names.index(name)}, [])


def head_of(panel) -> str:
    return panel.widget.children[1].value


def test_the_campaigns_named_are_drawn_in_colours_of_their_own(panel):
    colours = panel.shown.colours
    assert list(colours) == ["one", "two"]
    assert len(set(colours.values())) == 2
    for colour in colours.values():
        assert colour in panel._key.value
        (line,) = drawn_of(panel._laps.figure, "line", colour=colour)
        assert len(line.x) == 2
    assert len(drawn_of(panel._laps.figure, "line")) == 2


def test_without_names_the_newest_two_are_compared(lab):
    with ComparisonPanel(lab) as panel:
        assert panel.choice.campaign_ids == ("two", "three")


def test_choosing_other_campaigns_draws_those(panel):
    panel.campaigns.value = ("three",)
    assert [one.campaign_id for one in panel.shown.campaigns] == ["three"]
    assert "three: 14 experiments" in head_of(panel)
    assert "one:" not in head_of(panel)


def test_no_campaign_at_all_leaves_an_empty_panel_and_says_so(panel):
    panel.campaigns.value = ()
    assert "No campaign is selected" in head_of(panel)
    assert not drawn_of(panel._front.figure)
    panel.campaigns.value = ("one",)
    assert drawn_of(panel._front.figure, "dots", shape="diamond")


def test_every_whisker_reaches_its_box_on_both_sides(panel):
    for campaign_id, colour in panel.shown.colours.items():
        boxes = [box for box in panel.shown.boxes.boxes if box.campaign_id == campaign_id]
        _, whiskers, _ = drawn_of(panel._boxes.figure, "line", colour=colour)
        x, y = whiskers.x.reshape(-1, 6), whiskers.y.reshape(-1, 6)
        assert np.isnan(y[:, [2, 5]]).all()
        for row, box in zip(x, boxes, strict=True):
            assert row[[0, 1, 3, 4]].tolist() == [box.low, box.quartiles[0], box.quartiles[2], box.high]


def test_every_box_can_be_asked_for_its_numbers(panel):
    box = panel.shown.boxes.boxes[0]
    said = [name for dots in drawn_of(panel._boxes.figure, "dots") for name in dots.names]
    assert any(name.startswith(f"{box.group}, {box.campaign_id}: median {box.quartiles[1]:.3g}") for name in said)


def test_box_plots_can_be_by_cell_line(panel):
    panel.by.value = "cell_line"
    assert set(panel.shown.boxes.groups) == {"U2OS", "HepG2"}
    assert {name for _, name in panel._boxes.figure.up["ticks"]} == {"U2OS", "HepG2"}


def test_regret_is_shown_where_the_truth_is_known_and_missed_aloud_where_not(panel):
    panel.measure.value = "regret"
    assert "nobody knows the true answer of one, two" in panel._key.value
    assert not drawn_of(panel._laps.figure)


def test_progress_runs_over_what_is_chosen(panel):
    panel.abscissa.value = "cost_usd"
    assert panel._laps.figure.across["label"] == "cost (USD)"
    (line, _) = drawn_of(panel._laps.figure, "line")
    assert line.x.max() == pytest.approx(panel.lab.campaign("one").summary().cost_usd, rel=0.5)


def test_a_click_on_a_dot_and_a_choice_in_the_list_select_the_same_condition(panel):
    number = int(np.flatnonzero(panel.shown.front.is_front)[0])
    _, condition = panel.shown.front.conditions[number]
    pick(panel, panel.shown.front.describe(number))
    assert panel.shown.selected == number
    assert condition.compound in panel._detail.value
    assert "on the front" in panel._detail.value
    (ring,) = drawn_of(panel._front.figure, "dots", colour="none")
    assert ring.rows.ravel().tolist() == [panel.shown.front.x[number], panel.shown.front.y[number]]
    panel.members.index = 1
    assert panel.shown.selected != number
    (ring,) = drawn_of(panel._front.figure, "dots", colour="none")
    assert ring.x.tolist() == [panel.shown.front.x[panel.shown.selected]]


def test_a_click_on_a_dominated_dot_selects_it(panel):
    number = int(np.flatnonzero(~panel.shown.front.is_front)[0])
    pick(panel, panel.shown.front.describe(number))
    assert panel.shown.selected == number
    assert "dominated" in panel._detail.value


def test_the_axes_of_the_front_can_be_chosen(panel):
    panel.x.value, panel.y.value = "low_dose", "certainty"
    figure = panel._front.figure
    assert figure.across["label"] == "low dose (−log10 µM)"
    assert panel.shown.front.y_label == figure.up["label"] == "certainty (−standard error)"


def test_a_campaign_that_goes_on_is_read_again_and_the_others_are_not(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(biology(max_iterations=1))
        campaign_id = lab.store.add_campaign(biology(name="later"))
        with ComparisonPanel(lab, ["one", campaign_id]) as panel:
            assert panel.widget
            first, later = panel.shown.campaigns
            stamp = panel.stamp()
            lab.resume(campaign_id)
            assert panel.stamp() != stamp
            panel.refresh()
            assert panel.shown.campaigns[0] is first
            assert len(panel.shown.campaigns[1].history) > len(later.history)


def test_more_campaigns_than_colours_are_not_drawn(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        names = [lab.store.add_campaign(biology(name=f"c{i}")) for i in range(MAX_CAMPAIGNS + 1)]
        with ComparisonPanel(lab, names) as panel:
            assert panel.widget
            assert len(panel.shown.campaigns) == MAX_CAMPAIGNS


def test_a_campaign_that_does_not_exist_is_refused(lab):
    with pytest.raises(CampaignError, match="nowhere"):
        ComparisonPanel(lab, "nowhere")


def test_hostile_names_are_escaped_wherever_they_stand(hostile):
    with ComparisonPanel(hostile) as panel:
        assert panel.widget
        panel.members.index = 0
        assert "&lt;img src=x" in panel._detail.value
        assert not any("<img" in w.value for w in _instances.values() if type(w).__name__ == "HTML")


def test_the_static_form_has_three_pictures_and_two_tables(lab, capsys):
    before = len(_instances)
    with ComparisonPanel(lab, ["one", "two"], static=True) as panel:
        form = panel.static_form(panel.read())
        panel._ipython_display_()
    assert len(_instances) == before
    assert len(form.figures) == 3
    assert all(figure.png.startswith(b"\x89PNG") for figure in form.figures)
    best, front = (table.frame for table in form.tables)
    assert list(best["campaign"]) == ["one", "two"]
    assert len(front) >= 1
    assert "Comparison" in capsys.readouterr().out


def test_of_a_campaign_of_thousands_of_iterations_the_line_keeps_its_looks_and_the_rest_is_counted():
    n = 5000
    best = np.minimum.accumulate(np.random.default_rng(2).random(n))
    best[1234:] -= 0.5
    lap = Progress("long", np.arange(1.0, n + 1), -best, -best - 0.1, -best + 0.1, None)
    figure = ProgressFigure()
    figure.draw([lap], {"long": "#0072B2"}, ("iteration", "score"), is_regret=False)
    (line,), (dots,) = drawn_of(figure.figure, "line"), drawn_of(figure.figure, "dots")
    x, y = line.rows
    assert len(x) <= 2400
    assert {1234.0, 1235.0, 5000.0} <= set(x.tolist())
    assert (y.min(), y.max()) == ((-best).min(), (-best).max())
    assert len(dots.x) == 295
    assert dots.x[-1] == 5000.0
    assert dots.names[-1].startswith("long, iteration 5000: ")
    assert lap.step == 17
    figure.figure.close()
