"""The chart that is updated often, in the page: what keys and screen readers get of it, and nothing drawn unseen."""

from __future__ import annotations

import pytest
from lab_page import NotebookPage
from lab_server import write_notebook

CODE = """import numpy as np
from ipywidgets import Button, HTML, Tab, VBox
from cellos_nb.panels.chart.marks import Dots, Line, fitted
from cellos_nb.panels.chart.widget import Chart
chart, x, laps = Chart(), np.arange(1.0, 4.0), iter(range(1, 100))
def show(lap):
    y = np.array([1.0, 3.0, 2.0]) * lap
    names = [f"lap {lap}, dot {i}: <b>{v:g}</b>" for i, v in enumerate(y)]
    marks = [Line(x, y, "#0072B2"), Dots(x, y, "#D55E00", names=names)]
    chart.show(marks, fitted("x", x), fitted("y", y), caption="laps")
show(0)
more = Button(description="more")
more.on_click(lambda _: [show(next(laps)) for _ in range(3)])
picked = HTML("nothing picked")
def note(place):
    picked.value = f"picked {place}"
chart.on_pick(note)
tabs = Tab([HTML("nothing here"), chart], titles=["empty", "drawn"])
VBox([more, picked, tabs])"""


@pytest.fixture
def notebook(page, server):
    write_notebook(server.folder / "chart.ipynb", CODE)
    opened = NotebookPage(page, server, "chart.ipynb")
    opened.run_all()
    return opened


def test_a_chart_draws_nothing_unseen_and_then_the_newest_state_whose_dots_keys_can_name_and_pick(notebook, page):
    more = page.get_by_role("button", name="more")
    more.click()
    notebook.wait_idle()
    assert page.locator(".cellos-chart path.dots").count() == 0
    page.locator(".lm-TabBar-tab").get_by_text("drawn", exact=True).click()
    page.locator(".cellos-chart path.dots").wait_for()
    chart = page.locator(".cellos-chart svg")
    assert chart.get_attribute("aria-label") == "laps"
    chart.focus()
    told = page.locator(".cellos-chart [role=status]")
    for key, dot in (("ArrowRight", "dot 0: <b>3"), ("ArrowRight", "dot 1: <b>9"), ("End", "dot 2: <b>6")):
        page.keyboard.press(key)
        told.get_by_text(f"lap 3, {dot}").wait_for()
    assert told.locator("b").count() == 0
    page.keyboard.press("Enter")
    page.get_by_text("picked 2", exact=True).wait_for()
    page.keyboard.press("Home")
    spot = page.locator(".cellos-chart path.ring").bounding_box()
    page.mouse.click(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    page.get_by_text("picked 0", exact=True).wait_for()
    page.keyboard.press("Escape")
    assert told.inner_text() == ""
