"""Every panel by screen reader, keyboard and weak eyes, in both themes and in a narrow window."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path

import pytest
from lab_page import WAIT_MS, NotebookPage
from lab_server import TOKEN

from cellos_nb import CampaignConfig, Lab
from cellos_nb.panels.tabs import BUILT_IN

CHECKS = Path(__file__).with_name("page_checks.js").read_text(encoding="utf-8")
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
SHIPPED = "control_room.ipynb"
OVERFLOW = """root => [...root.querySelectorAll('*')].filter(each => each.checkVisibility()
    && !each.closest('.cellos-scroll, .cellos-results, svg, .bqplot, .lm-TabBar, select, table')
    && each.getBoundingClientRect().right > root.getBoundingClientRect().right + 1.5
    && each.getBoundingClientRect().width > 0).map(each => each.className || each.tagName)"""
"""What stands out of the room to the right, though it does not scroll in a frame of its own."""
CUT_OFF = """root => [...root.querySelectorAll('.lm-TabBar-tabLabel, .cellos-control .widget-label')].filter(each =>
    each.checkVisibility() && each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"""
"""Names of tabs and of the launcher's fields that are not shown whole."""
TIGHT = """root => [...root.querySelectorAll('.cellos-control input, .cellos-control select, .cellos-control textarea')]
    .filter(each => each.checkVisibility() && each.type !== 'checkbox'
    && (each.clientWidth < 180 || each.clientHeight > 130)).map(each => each.parentElement.textContent)"""
"""Fields of the launcher that have no room for what is typed, or too much."""


@pytest.fixture(scope="module")
def lab(server):
    config = CampaignConfig(
        name="seen by all",
        cell_lines=["U2OS", "HepG2"],
        compounds=["staurosporine", "paclitaxel"],
        dose_range_um=[0.001, 10],
        n_doses=7,
        objective="minimise",
        batch_size=8,
        max_iterations=2,
        controls={"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
        machine="biology",
        planner="random",
        seed=3,
    )
    with Lab.open(server.home / "lab.db") as opened:
        opened.run(config)
        yield opened


def choose_theme(server, title: str) -> None:
    body = json.dumps({"raw": json.dumps({"theme": title})}).encode()
    address = f"{server.url}/lab/api/settings/@jupyterlab/apputils-extension:themes?token={TOKEN}"
    urllib.request.urlopen(urllib.request.Request(address, body, method="PUT")).close()


@pytest.fixture
def room(page, server, lab):
    """The shipped control room; `see` opens a tab of it and waits until its panel has read."""
    notebook = NotebookPage(page, server, SHIPPED)
    notebook.run_all()
    shown = page.locator(".cellos-room")
    shown.wait_for()

    class Room:
        root = shown

        def see(self, name):
            notebook.open_tab(name)
            panel = shown.locator(".cellos-panel:visible").first
            panel.locator(".cellos-summary").first.wait_for()
            panel.get_by_text("Reading …").wait_for(state="detached")
            return panel

    return Room()


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_every_control_has_a_name_and_takes_the_focus_and_every_text_can_be_read(page, server, lab, theme, request):
    choose_theme(server, theme)
    room = request.getfixturevalue("room")
    problems = {}
    for tab in BUILT_IN:
        room.see(tab.name)
        found = room.root.evaluate(CHECKS)
        problems |= {f"{tab.name}, {what}": list(dict.fromkeys(told)) for what, told in found.items() if told}
    choose_theme(server, THEMES["light"])
    assert problems == {}


def test_a_well_is_chosen_by_mouse_and_by_keys(room, page):
    plates = room.see("Plates")
    well = plates.locator("[role=gridcell]:not(.empty)").first
    name = well.get_attribute("data-cell")
    well.click()
    plates.get_by_role("heading", name=re.compile(f"^{name}: ")).wait_for()
    assert plates.locator('[data-cell][aria-selected="true"]').get_attribute("data-cell") == name
    page.keyboard.press("Control+End")
    last = page.evaluate("document.activeElement.dataset.cell")
    assert last == "H12"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    plates.locator('[data-cell=G12][aria-selected="true"]').wait_for()
    assert plates.locator('svg[role=grid] [tabindex="0"]').count() == 1


def test_tab_and_arrow_keys_walk_from_the_campaign_to_another_panel(room, page):
    room.see("Live")
    page.get_by_label("campaign", exact=True).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Campaign"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.role") == "tab"
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.textContent") == "Live"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    room.root.get_by_role("heading", name="Dose response", exact=True).wait_for(timeout=WAIT_MS)


@pytest.mark.parametrize("width", [480, 1600])
def test_nothing_stands_out_of_the_room_or_is_cut_off_in_a_narrow_or_a_wide_window(room, page, width):
    page.keyboard.press("Control+b")
    page.set_viewport_size({"width": width, "height": 1000})
    outside, cut_off = {}, {}
    for tab in BUILT_IN:
        room.see(tab.name)
        if found := room.root.evaluate(OVERFLOW):
            outside[tab.name] = sorted(map(str, dict.fromkeys(found)))[:6]
        if found := room.root.evaluate(CUT_OFF):
            cut_off[tab.name] = found
    assert outside == {}
    assert cut_off == {}
    room.see("Launcher")
    assert room.root.evaluate(TIGHT) == []
