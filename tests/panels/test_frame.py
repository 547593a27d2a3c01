"""What all panels have in common: threads, errors, closing, escaping, the static form."""

from __future__ import annotations

import threading

import pytest
from ipywidgets.widgets.widget import _instances
from plain_panel import PlainPanel

from cellos_nb.errors import CampaignError, StoreError
from cellos_nb.panels import cells, frame
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.pace import Pace
from cellos_nb.panels.text import esc


@pytest.fixture
def panel(lab):
    with PlainPanel(lab) as opened:
        yield opened


def head_of(panel) -> str:
    return panel.widget.children[1].value


def foot_of(panel) -> str:
    return panel.widget.children[-1].value


def test_what_is_chosen_in_a_widget_is_read_and_drawn(panel):
    assert panel.widget
    panel.field.value = "second"
    assert (panel.choice.text, panel.shown) == ("second", "second")
    assert "It says second." in head_of(panel)


def test_a_campaign_name_is_shown_and_never_executed(panel):
    assert "&lt;img src=x onerror=alert(1)&gt;" in head_of(panel)
    assert "<img" not in head_of(panel)


@pytest.mark.parametrize("give", [html_widget, lambda text: write_html(html_widget(esc("")), text)], ids=["new", "old"])
def test_an_html_widget_takes_no_text_that_nobody_escaped(give):
    with pytest.raises(TypeError, match="plain text"):
        give("<b>bold</b>")


def test_an_error_of_ours_stands_in_the_panel_without_a_traceback(panel):
    def ask():
        raise CampaignError("<b>none</b>: no such campaign.")

    assert panel.widget
    panel.do(ask)
    assert "&lt;b&gt;none&lt;/b&gt;: no such campaign." in foot_of(panel)
    assert "Traceback" not in foot_of(panel)
    panel.do(lambda: None)
    assert foot_of(panel) == ""


def test_a_bug_stands_in_the_panel_with_its_traceback(panel):
    assert panel.widget
    panel.do(lambda: 1 / 0)
    assert "ZeroDivisionError" in foot_of(panel)
    assert "Traceback" in foot_of(panel)


def test_a_failing_store_is_reported_once_and_forgotten_when_it_is_well_again(panel):
    assert panel.widget
    panel.failure = StoreError("the server is away.")
    for _ in range(3):
        panel.refresh()
    assert foot_of(panel).count("the server is away.") == 1
    assert "×3" in foot_of(panel)
    panel.failure = None
    panel.refresh()
    assert foot_of(panel) == ""


def test_what_cannot_be_shown_is_said_once_and_stays_said_until_something_changes(panel):
    panel.failure = CampaignError("no such thing.")
    assert panel.widget
    for _ in range(3):
        panel._refresh()
    assert panel.n_read == 1
    assert "no such thing." in foot_of(panel)
    assert "×" not in foot_of(panel)
    panel.failure, panel.news = None, 1
    panel._refresh()
    assert foot_of(panel) == ""


def test_the_store_is_read_again_when_its_stamp_changes_and_not_before(lab):
    with PlainPanel(lab, interval_s=0.01) as panel:
        assert panel.widget
        read = threading.Event()
        looked = threading.Semaphore(0)
        stamp = panel.stamp

        def counted():
            looked.release()
            return stamp()

        panel.stamp = counted
        panel._worker.start()
        for _ in range(4):
            assert looked.acquire(timeout=10)
        n_read = panel.n_read
        for _ in range(4):
            assert looked.acquire(timeout=10)
        assert panel.n_read == n_read
        original = panel.read

        def seen():
            read.set()
            return original()

        panel.read = seen
        panel.news = 1
        assert read.wait(10)


def test_while_nothing_is_stored_not_even_the_stamp_is_asked_for_and_then_at_once(lab, monkeypatch):
    monkeypatch.setattr(frame, "LONGEST_S", 3600.0)
    with PlainPanel(lab, interval_s=0.01) as panel:
        assert panel.widget
        marked, stamped = threading.Semaphore(0), threading.Semaphore(0)
        mark = lab.store.stamp

        def counted():
            marked.release()
            return mark()

        monkeypatch.setattr(lab.store, "stamp", counted)
        panel._worker.start()
        for _ in range(4):  # the first two or three are one burst, which has been read at the next
            assert marked.acquire(timeout=10)
        panel.stamp = lambda: stamped.release() or panel.news
        for _ in range(20):
            assert marked.acquire(timeout=10)
        assert not stamped.acquire(blocking=False)
        lab.store.add_campaign(panel.campaign.config)
        assert stamped.acquire(timeout=10)


def test_a_panel_that_nobody_sees_looks_for_nothing_and_still_does_what_is_asked(lab, monkeypatch):
    monkeypatch.setattr(frame, "LONGEST_S", 0.0)
    with PlainPanel(lab, interval_s=0.01) as panel:
        panel.follow()
        stamped, asked = threading.Semaphore(0), threading.Event()
        panel.stamp = lambda: stamped.release() or panel.news
        assert stamped.acquire(timeout=10)
        panel.rest()
        panel.do(asked.set)
        assert asked.wait(10)
        assert stamped.acquire(timeout=10)
        panel.do(lambda: None)
        panel._worker.submit(lambda: None)
        while stamped.acquire(timeout=0.3):
            pass
        assert panel._worker.is_running
        panel.follow()
        assert stamped.acquire(timeout=10)


def test_a_panel_at_rest_that_nobody_holds_ends_its_thread(lab):
    panel = PlainPanel(lab, interval_s=0.01)
    panel._worker.start()
    panel.rest()
    thread = panel._worker._thread
    del panel
    thread.join(10)
    assert not thread.is_alive()


def test_clicks_while_the_panel_is_busy_are_all_carried_out_and_drawn_once(lab):
    with PlainPanel(lab, interval_s=60) as panel:
        assert panel.widget
        hold, held, done, drawn = threading.Event(), threading.Event(), threading.Event(), []
        panel._worker.start()

        def wait():
            held.set()
            hold.wait(10)

        panel.do(wait)
        assert held.wait(10)
        draw = panel.draw

        def counted(shown):
            drawn.append(shown)
            draw(shown)
            done.set()

        panel.draw = counted
        for n in range(5):
            panel.choose(text=str(n))
        hold.set()
        assert done.wait(10)
        assert drawn == ["4"]


def test_a_click_never_waits_for_the_panel(lab):
    with PlainPanel(lab, interval_s=60) as panel:
        assert panel.widget
        release, entered = threading.Event(), threading.Event()
        panel._worker.start()

        def block():
            entered.set()
            release.wait(120)

        panel.do(block)
        assert entered.wait(10)
        panel.field.value = "typed meanwhile"  # returns although the worker is busy
        assert panel.choice.text == "first"
        release.set()


def test_closing_gives_back_every_widget_and_ends_the_thread(lab):
    before = set(_instances)
    panel = PlainPanel(lab)
    assert panel.widget
    panel._worker.start()
    panel.close()
    panel.close()
    assert set(_instances) - before == set()
    assert not panel._worker.is_running


def test_a_panel_on_a_database_of_its_own_closes_it_and_one_on_a_lab_leaves_it_open(lab, lab_url):
    own = PlainPanel(lab_url)
    own.close()
    with pytest.raises(StoreError, match="closed"), own.lab.store.write():
        pass
    PlainPanel(lab).close()
    assert lab.campaigns()


def test_running_a_cell_again_closes_the_panel_it_showed_and_no_other(lab):
    panels = [PlainPanel(lab) for _ in range(4)]
    for panel, cell in zip(panels, [("a", "1"), ("a", "1"), ("b", "2"), ("a", "3")], strict=True):
        cells.register(panel, cell)
    assert [panel._is_closed for panel in panels] == [True, True, False, False]


def test_displayed_it_is_there_at_once_and_read_in_its_thread(lab, capsys):
    with PlainPanel(lab) as panel:
        reader, read = panel.read, threading.Event()
        names = []

        def seen():
            names.append(threading.current_thread().name)
            read.set()
            return reader()

        panel.read = seen
        panel._ipython_display_()
        assert read.wait(10)
        assert names[0] == "cellos-panel"
    assert "VBox" in capsys.readouterr().out


def test_a_panel_that_nobody_holds_ends_its_thread(lab):
    panel = PlainPanel(lab, interval_s=0.01)
    panel._worker.start()
    thread = panel._worker._thread
    del panel
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(("static", "variable"), [(True, ""), (None, "1")], ids=["parameter", "environment"])
def test_a_static_panel_makes_no_widget(static, variable, lab, monkeypatch, capsys):
    monkeypatch.setenv("CELLOS_STATIC", variable)
    before = len(_instances)
    panel = PlainPanel(lab, static=static)
    panel._ipython_display_()
    assert len(_instances) == before
    assert "Plain: It says first." in capsys.readouterr().out


def test_a_panel_that_had_nothing_to_do_shows_what_comes_early_at_once_and_keeps_its_pace_on_average():
    pace, n_read = Pace(), 0
    for now in (100.0, 100.05, 100.1, 100.15):
        if pace.is_open(now):
            pace.take(now, now + 0.001)
            n_read += 1
    assert n_read == 2
    for tick in range(1, 1001):
        now = 100.15 + tick * 0.01
        if pace.is_open(now):
            pace.take(now, now + 0.001)
            n_read += 1
    assert 48 <= n_read <= 52


def test_a_panel_whose_reading_takes_long_is_at_it_for_half_of_its_time_at_most():
    pace = Pace()
    pace.take(100.0, 103.0)
    assert not pace.is_open(105.9)
    assert pace.is_open(106.0)
