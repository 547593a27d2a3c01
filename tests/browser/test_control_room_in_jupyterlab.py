"""What a scientist does by mouse and keys in the real JupyterLab, and what the database says of it."""

from __future__ import annotations

import csv
import re

import pandas as pd
import pytest
from lab_page import WAIT_MS, NotebookPage
from lab_server import TOKEN, write_notebook

from cellos_nb import CampaignConfig, Lab
from cellos_nb.panels.tabs import BUILT_IN
from cellos_nb.records.exports import write_csv

EVIL = '<img src=x onerror="window.pwned=1;alert(1)"> & co'
EVERY_PANEL = """from cellos_nb.panels import *
display(AutonomyPanel(), BankPanel(), BenchPanel(), CalendarPanel(), ComparisonPanel(), DoseResponsePanel(),
        FacilityPanel(), HistoryImportPanel(None, "evil.csv"), InventoryPanel(), LauncherPanel(None, "evil.yaml"),
        LiveCampaignPanel(), PlatesPanel(), TablePanel(), WhyThisDosePanel())"""
TITLES = tuple(tab.load().title for tab in BUILT_IN)

SAID = """panel => {
    const copy = panel.cloneNode(true);
    copy.querySelectorAll('.bqplot').forEach(figure => figure.remove());
    const held = [...panel.querySelectorAll('input, select, textarea')].map(field => [field.value, field.checked]);
    return {words: copy.textContent, held: JSON.stringify(held)};
}"""
"""The words of a panel and what its fields hold; bqplot puts the numbers on its axes down in any order."""
LINES_BEYOND = """seen => {
    const drawn = document.querySelectorAll('.bqplot path.line, .cellos-chart path.line');
    const lines = [...drawn].map(line => line.getAttribute('d')).join(' ');
    return lines !== seen && lines;
}"""
"""What is drawn as lines in all figures, once it is something else than what was seen."""


def config(name: str, **changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": name,
            "cell_lines": ["U2OS", "HepG2"],
            "compounds": ["staurosporine", "paclitaxel"],
            "dose_range_um": [0.001, 10],
            "n_doses": 7,
            "objective": "minimise",
            "batch_size": 4,
            "max_iterations": 2,
            "controls": {"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
            "machine": "biology",
            "planner": "random",
            "seed": 3,
        }
        | changes
    )


def database(server) -> str:
    return str(server.home / "lab.db")


@pytest.fixture(scope="module")
def finished(server) -> str:
    """The identifier of a campaign whose names are hostile."""
    hostile = config(EVIL, compounds=[EVIL, "=paclitaxel<b>"], machine="virtual")
    hostile = CampaignConfig.from_dict(hostile.to_dict() | {"planner": {"kind": "mechanistic", "n_initial": 4}})
    (server.folder / "evil.yaml").write_text(hostile.to_yaml(), encoding="utf-8")
    with (server.folder / "evil.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("Cell line", "Drug", "Dose (nM)", "Viability (%)"), (EVIL, EVIL, 10, 93.1)])
    with Lab.open(database(server)) as lab:
        return lab.run(hostile).campaign_id


def test_a_campaign_that_was_launched_by_clicking_moves_the_marks(page, server):
    wanted = config("clicked", max_iterations=120, n_doses=60, batch_size=2)
    (server.folder / "clicked.yaml").write_text(wanted.to_yaml(), encoding="utf-8")
    write_notebook(
        server.folder / "launch.ipynb",
        "from cellos_nb.panels import *\nLauncherPanel('launch.db', 'clicked.yaml')",
        "ComparisonPanel('launch.db', ['clicked'])",
    )
    notebook = NotebookPage(page, server, "launch.ipynb")
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.press("Control+Enter")
    launcher = notebook.panel("Launcher")
    launcher.get_by_role("button", name="1. Prove").click()
    launch = launcher.get_by_role("button", name="2. Launch")
    page.wait_for_function("button => !button.disabled", arg=launch.element_handle())
    launch.click()
    launcher.get_by_text(re.compile(r"is running: [1-9]\d* iterations")).wait_for()
    page.locator(".jp-Notebook .cm-content").nth(1).click()
    page.keyboard.press("Control+Enter")
    notebook.panel("Comparison")
    seen = page.wait_for_function(LINES_BEYOND, arg="").json_value()
    later = page.wait_for_function(LINES_BEYOND, arg=seen).json_value()
    assert later != page.wait_for_function(LINES_BEYOND, arg=later).json_value()
    with Lab.open(server.folder / "launch.db", must_exist=True) as lab:
        assert lab.campaign("clicked").config == wanted


def test_a_restarted_kernel_shows_the_same(page, server, finished):
    write_notebook(server.folder / "again.ipynb", "from cellos_nb.panels import *\nTablePanel()\n")
    notebook = NotebookPage(page, server, "again.ipynb")
    notebook.run_all()
    table = notebook.panel("Results")
    table.get_by_role("button", name="value", exact=True).click()
    table.get_by_label("Filter dose_um").fill(">0.1")
    table.get_by_text("match.").wait_for()
    before = table.inner_text()
    assert EVIL in before
    page.evaluate("document.querySelector('.cellos-panel').setAttribute('data-before', 'restart')")
    notebook.restart_and_run_all()
    page.locator("[data-before]").wait_for(state="detached")
    again = notebook.panel("Results")
    assert again.get_by_label("Filter dose_um").input_value() == ">0.1"
    assert again.inner_text() == before


def test_after_a_restart_the_control_room_stands_at_its_tab_with_what_was_chosen_in_it(page, server, finished):
    write_notebook(
        server.folder / "room_again.ipynb", f"from cellos_nb.panels import *\nControlRoom(None, {finished!r})"
    )
    notebook = NotebookPage(page, server, "room_again.ipynb")
    notebook.run_all()
    notebook.panel("Live campaign")
    notebook.open_tab("Plates")
    notebook.panel("Plates").get_by_label("Colour by").select_option("value")
    well = page.locator("[data-cell]:not(.empty)").first
    chosen = re.compile(f"^{well.get_attribute('data-cell')}: ")
    well.click()
    page.get_by_role("heading", name=chosen).wait_for()
    page.evaluate("document.querySelector('.cellos-room').setAttribute('data-before', 'restart')")
    notebook.restart_and_run_all()
    page.locator("[data-before]").wait_for(state="detached")
    again = notebook.panel("Plates")
    again.get_by_role("heading", name=chosen).wait_for()
    assert again.get_by_label("Colour by").locator("option:checked").inner_text() == "value"
    assert page.locator(".cellos-room .cellos-panel").count() == 1


def test_every_panel_says_the_same_after_a_restart(page, server, finished):
    write_notebook(server.folder / "all_again.ipynb", EVERY_PANEL)
    notebook = NotebookPage(page, server, "all_again.ipynb")
    notebook.run_all()
    before = {title: notebook.panel(title).evaluate(SAID) for title in TITLES}
    assert EVIL in before["Live campaign"]["words"]
    page.evaluate("document.querySelector('.cellos-panel').setAttribute('data-before', 'restart')")
    notebook.restart_and_run_all()
    page.locator("[data-before]").wait_for(state="detached")
    assert {title: notebook.panel(title).evaluate(SAID) for title in TITLES} == before


def test_the_csv_and_the_parquet_that_the_page_saves_are_what_the_store_holds(page, server, finished, tmp_path):
    write_notebook(server.folder / "table.ipynb", f"from cellos_nb.panels import *\nTablePanel(None, {finished!r})")
    notebook = NotebookPage(page, server, "table.ipynb")
    notebook.run_all()
    table = notebook.panel("Results")
    with page.expect_download() as saved:
        table.get_by_role("button", name="CSV").click()
    with page.expect_download() as parquet:
        table.get_by_role("button", name="Parquet").click()
    with Lab.open(database(server), must_exist=True) as lab:
        write_csv(lab.campaign(finished).results, tmp_path / "store.csv")
        expected = lab.campaign(finished).history()
    assert saved.value.path().read_bytes() == (tmp_path / "store.csv").read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(parquet.value.path()), expected)


def test_a_script_in_the_name_of_a_campaign_or_compound_is_text_in_every_panel(page, server, finished):
    write_notebook(server.folder / "evil.ipynb", EVERY_PANEL)
    notebook = NotebookPage(page, server, "evil.ipynb")
    notebook.run_all()
    for title in TITLES:
        notebook.panel(title)
    page.get_by_text(EVIL).first.wait_for(state="attached")
    assert page.evaluate("window.pwned") is None
    assert notebook.dialogs == []
    assert page.locator("img[src=x]").count() == 0


def test_the_control_room_stands_in_the_window_that_cellos_lab_opens(page, server):
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{server.url}/?token={TOKEN}")
    page.get_by_role("tab", name="control_room.ipynb").wait_for()
    assert page.url.endswith("/lab/workspaces/cellos/tree/control_room.ipynb")
