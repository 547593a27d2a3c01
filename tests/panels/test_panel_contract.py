"""What every panel must do, whatever it shows. A new panel joins PANELS."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable

import pytest
from hostile_names import EVIL, EVIL_COMPOUND
from ipywidgets import HTML, Widget
from ipywidgets.widgets.widget import _instances

from cellos_nb import Lab
from cellos_nb.errors import CampaignError, StoreError
from cellos_nb.panels import (
    AutonomyPanel,
    CalendarPanel,
    ComparisonPanel,
    DoseResponsePanel,
    LiveCampaignPanel,
    PlatesPanel,
    TablePanel,
    WhyThisDosePanel,
)
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.static import bundles

CAMPAIGN_PANELS: dict[str, Callable[..., Panel]] = {
    "plates": PlatesPanel,
    "table": TablePanel,
    "dose response": DoseResponsePanel,
    "comparison": ComparisonPanel,
    "why this dose": WhyThisDosePanel,
    "live campaign": LiveCampaignPanel,
}


def autonomy(lab, campaign_id=None, *, static=None):
    """The panel of a whole database, which takes no campaign."""
    del campaign_id
    return AutonomyPanel(lab, static=static)


def calendar(lab, campaign_id=None, *, static=None):
    """Likewise the calendar; without a plan it shows what happened."""
    del campaign_id
    return CalendarPanel(lab, static=static)


PANELS = CAMPAIGN_PANELS | {"autonomy": autonomy, "calendar": calendar}
HOSTILE = re.compile(r"<img|<script|staurosporine<b>", re.IGNORECASE)


@pytest.fixture(params=PANELS.values(), ids=PANELS.keys())
def make(request):
    return request.param


@pytest.fixture(params=CAMPAIGN_PANELS.values(), ids=CAMPAIGN_PANELS.keys())
def make_on_campaign(request):
    return request.param


@pytest.fixture
def panel(make, lab):
    with make(lab) as opened:
        assert opened.widget
        yield opened


def widgets_of(panel) -> list[Widget]:
    """Everything that the panel shows, at any depth."""
    found, waiting = [], [panel.widget]
    while waiting:
        widget = waiting.pop()
        found.append(widget)
        waiting += getattr(widget, "children", ())
    return found


def test_it_draws_without_an_error(panel):
    assert panel.errors.lines == ()
    assert panel.shown is not None


def test_it_says_in_words_what_it_shows(panel):
    said = panel.summary(panel.shown)
    assert len(said) > 20
    assert not said.startswith("<")


def test_nothing_that_a_user_wrote_reaches_html_unescaped(panel):
    pages = [widget.value for widget in widgets_of(panel) if isinstance(widget, HTML)]
    assert pages
    assert not any(HOSTILE.search(page) for page in pages)


def test_it_names_its_campaign(make_on_campaign, lab):
    with make_on_campaign(lab) as panel:
        pages = [widget.value for widget in widgets_of(panel) if isinstance(widget, HTML)]
    assert any("&lt;img src=x" in page for page in pages)


def test_no_html_widget_interprets_its_description(panel):
    assert not any(getattr(widget, "description_allow_html", False) for widget in widgets_of(panel))


def test_its_static_form_is_escaped_and_has_a_figure_or_a_table(make, lab):
    with make(lab, static=True) as panel:
        form = panel.static_form(panel.read())
    assert form.summary
    assert form.figures or form.tables
    for figure in form.figures:
        assert figure.png.startswith(b"\x89PNG")
        assert len(figure.description) > 20
    html = "".join(bundle.get("text/html", "") for bundle, _ in bundles(form))
    pictures = html.count('<img src="data:image/png;base64,')
    assert pictures == len(form.figures)
    assert html.count(' alt="') == pictures
    html = html.replace('<img src="data:image/png;base64,', "")
    assert not HOSTILE.search(html)
    assert EVIL.split()[0] not in html


def test_in_static_mode_it_makes_no_widget_and_starts_no_thread(make, lab, capsys):
    n_widgets, threads = len(_instances), set(threading.enumerate())
    panel = make(lab, static=True)
    panel._ipython_display_()
    # The thread that kept the lab's lease may end meanwhile.
    assert set(threading.enumerate()) - threads == set()
    panel.close()
    assert set(threading.enumerate()) - threads == set()
    assert len(_instances) == n_widgets
    assert capsys.readouterr().out


def test_opened_again_by_its_database_and_campaign_it_shows_the_same(make, lab_url):
    with Lab.open(lab_url) as lab, make(lab) as first:
        campaign_id = lab.campaigns()[-1].campaign_id
        assert first.widget
        before = [widget.value for widget in widgets_of(first) if isinstance(widget, HTML)]
        said = first.summary(first.shown)
    with make(lab_url, campaign_id) as again:
        assert again.widget
        assert again.summary(again.shown) == said
        assert [widget.value for widget in widgets_of(again) if isinstance(widget, HTML)] == before


def test_closing_gives_everything_back(make, lab_url):
    before, threads = set(_instances), set(threading.enumerate())
    panel = make(lab_url)
    assert panel.widget
    panel._worker.start()
    panel.close()
    assert set(_instances) == before
    assert set(threading.enumerate()) <= threads


def test_everything_it_sends_can_be_sent(panel):
    for widget in widgets_of(panel):
        json.dumps(widget.get_state(), default=repr)


def test_a_campaign_that_is_not_there_is_refused_at_once(make_on_campaign, lab):
    with pytest.raises(CampaignError, match="no such campaign"):
        make_on_campaign(lab, "nothing-of-the-kind")


def test_a_database_that_is_not_there_is_refused_and_not_made(make, tmp_path):
    with pytest.raises(StoreError, match=r"none\.db"):
        make(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_a_campaign_that_has_measured_nothing_yet_is_shown(make, lab):
    config = lab.campaigns()[0].config
    campaign_id = lab.store.add_campaign(config)
    with make(lab, campaign_id) as panel:
        assert panel.widget
        assert panel.errors.lines == ()
        panel.static_form(panel.read())


def test_new_results_are_shown_without_a_click(make, lab):
    config = lab.campaigns()[0].config
    campaign_id = lab.store.add_campaign(config)
    with make(lab, campaign_id) as panel:
        assert panel.widget
        before = panel.summary(panel.shown)
        lab.resume(campaign_id)
        panel._refresh()
        assert panel.errors.lines == ()
        assert panel.summary(panel.shown) != before


def test_a_hostile_compound_is_found_as_it_is_called(make_on_campaign, lab):
    assert EVIL_COMPOUND in lab.campaigns()[0].config.compound_names
    with make_on_campaign(lab) as panel:
        state = json.dumps([widget.get_state() for widget in widgets_of(panel)], default=repr)
    assert "staurosporine" in state
