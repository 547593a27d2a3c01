"""Pictures of panels in the real JupyterLab, in a light and a dark theme, at any width of the window."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
from laboratory import CAMPAIGN, make
from playwright.sync_api import Locator, Page, sync_playwright

TOKEN = "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
CELLS = {
    "launcher": 'from cellos_nb.records.examples import example_config\nLauncherPanel("lab.db", example_config())',
    "import": 'HistoryImportPanel("lab.db", "earlier.csv")',
    "live": f'LiveCampaignPanel("lab.db", "{CAMPAIGN}")',
    "dose_response": f'DoseResponsePanel("lab.db", "{CAMPAIGN}")',
    "comparison": 'ComparisonPanel("lab.db")',
    "plates": f'PlatesPanel("lab.db", "{CAMPAIGN}", colour="value")',
    "table": f'TablePanel("lab.db", "{CAMPAIGN}")',
    "why": f'WhyThisDosePanel("lab.db", "{CAMPAIGN}", "i003-e001")',
    "autonomy": 'AutonomyPanel("lab.db")',
    "bank": 'panel = BankPanel("lab.db")\npanel.choose(wrong="incubator fails")\npanel',
    "bench": 'BenchPanel("bench.db")',
    "facility": 'panel = FacilityPanel("lab.db")\npanel.choose(capacities=(2, 1, 120, 1, 2))\npanel',
    "inventory": 'InventoryPanel("stock.db")',
    "calendar": 'CalendarPanel("lab.db", plan="plan.json")',
    "control_room": f'ControlRoom("lab.db", "{CAMPAIGN}")',
}
MOST_PX = 1900
"""Of a picture's height; what is below it is not in the picture."""
_MS = 180_000


def photograph(
    folder: Path, wanted: Sequence[str], *, width: int = 1500, themes: Sequence[str] = ("light", "dark")
) -> None:
    """Writes NAME-THEME.png for each panel."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make(work)
        cells = [nbformat.v4.new_code_cell(f"from cellos_nb.panels import *\n{CELLS[panel]}") for panel in wanted]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), work / "pictures.ipynb")
        with _jupyterlab(work) as url, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=_chromium(), args=FLAGS)
            for theme in themes:
                # What was chosen for the pictures of the theme before would come back.
                shutil.rmtree(work / "data" / "cellos_nb", ignore_errors=True)
                _set(work, "apputils-extension", "themes", {"theme": THEMES[theme]})
                page = browser.new_page(viewport={"width": width, "height": 1000})
                page.set_default_timeout(_MS)
                page.goto(f"{url}/lab/workspaces/{theme}/tree/pictures.ipynb?reset&token={TOKEN}")
                page.locator(".jp-Notebook .cm-content").first.wait_for()
                page.keyboard.press("Control+b")
                # Before the session stands, running a cell only opens a dialog.
                page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(state="attached")
                for number, panel in enumerate(wanted):
                    shot = _open(page, number)
                    act(page, panel)
                    tall = min(int(shot.evaluate("each => each.scrollHeight")) + 20, MOST_PX)
                    page.set_viewport_size({"width": width, "height": tall + 400})
                    shot.scroll_into_view_if_needed()
                    page.wait_for_timeout(1500)
                    _shoot(page, shot, folder / f"{panel}-{theme}.png", tall)
                    print(f"{panel}-{theme}", flush=True)
                page.close()
            browser.close()


def _open(page: Page, number: int) -> Locator:
    """Runs a cell, and waits until what it shows has read its first value."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    shot = cell.locator(".cellos-room, .cellos-panel").first
    shot.wait_for()
    shot.locator(".cellos-summary").first.wait_for()
    shot.get_by_text("Reading …").wait_for(state="detached")
    page.wait_for_timeout(2500)
    return shot


def _shoot(page: Page, shot: Locator, path: Path, tall: int) -> None:
    box = shot.bounding_box()
    if box is None:
        raise RuntimeError(f"{path.stem}: it is not on the page")
    clip = {"x": box["x"], "y": box["y"], "width": box["width"], "height": min(box["height"], tall)}
    page.screenshot(path=str(path), clip=clip)


def act(page: Page, panel: str) -> None:
    """What is clicked before the picture is taken."""
    if panel == "plates":
        page.locator('[data-cell="C5"]').click()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_timeout(1500)
    if panel == "table":
        page.get_by_role("button", name="value", exact=True).click()
        page.get_by_label("Filter dose_um").fill(">0.1")
        page.wait_for_timeout(1500)
    if panel == "launcher":
        page.get_by_label("number of doses", exact=True).fill("0")
        page.wait_for_timeout(2500)
    if panel == "comparison":
        page.get_by_label("on the front", exact=True).select_option(index=1)
        page.wait_for_timeout(1500)


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def _set(work: Path, extension: str, plugin: str, values: dict[str, object]) -> None:
    """A setting of JupyterLab's user."""
    folder = work / "settings" / "@jupyterlab" / extension
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values), encoding="utf-8")


@contextmanager
def _jupyterlab(work: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "ServerApp.port": port,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": work,
        "IdentityProvider.token": TOKEN,
        "LabApp.user_settings_dir": work / "settings",
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    _set(work, "apputils-extension", "notification", {"fetchNews": "false"})
    _set(work, "notebook-extension", "tracker", {"windowingMode": "none"})
    own = {f"JUPYTER_{each.upper()}_DIR": str(work / each) for each in ("config", "data", "runtime")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *(f"--{key}={value}" for key, value in options.items())],
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | own,
    )
    try:
        wait = urllib.request.Request(f"http://127.0.0.1:{port}/api?token={TOKEN}")
        while server.poll() is None:
            with suppress(OSError):
                urllib.request.urlopen(wait).close()
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()
