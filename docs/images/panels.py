"""Screenshots of the panels in the real JupyterLab, in a light and a dark theme.

Needs the dependency group `browser` and a Chromium: `uv run --group browser python docs/images/panels.py [FOLDER]`.
The Chromium is the one on the path, or that which `CHROMIUM` names.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

from cellos_nb import AutonomousExecutor, CampaignConfig, ExperimentProposal, JobQueue, Lab
from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import InDoubtError, MachineError
from cellos_nb.execution.actions import submit_action
from cellos_nb.execution.daemon import Daemon
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.units import now_utc
from cellos_nb.week.config import WeekConfig
from cellos_nb.week.forecast import first_problem

TOKEN = "screenshots"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
CAMPAIGN = "cytotoxicity-across-two-lines"
CELLS = {
    "plates": f'PlatesPanel("lab.db", "{CAMPAIGN}", colour="value")',
    "table": f'TablePanel("lab.db", "{CAMPAIGN}")',
    "dose_response": f'DoseResponsePanel("lab.db", "{CAMPAIGN}")',
    "launcher": 'from cellos_nb.records.examples import example_config\nLauncherPanel("lab.db", example_config())',
    "comparison": 'ComparisonPanel("lab.db")',
    "live": f'LiveCampaignPanel("lab.db", "{CAMPAIGN}")',
    "autonomy": 'AutonomyPanel("lab.db")',
    "calendar": 'CalendarPanel("lab.db", plan="plan.json")',
    "control_room": f'ControlRoom("lab.db", "{CAMPAIGN}")',
    "why": f'WhyThisDosePanel("lab.db", "{CAMPAIGN}", "i003-e001")',
}

HEIGHTS = {"autonomy": 1700, "comparison": 2000, "launcher": 1300}
"""Of the page, where a panel is taller than most; what is below it is not in the picture."""


def config() -> CampaignConfig:
    return CampaignConfig(
        name="Cytotoxicity across two lines",
        cell_lines=["U2OS", "HepG2"],
        compounds=["staurosporine", "paclitaxel", "doxorubicin", "bortezomib"],
        dose_range_um=[0.001, 10],
        n_doses=12,
        objective="minimise",
        batch_size=24,
        max_iterations=3,
        replicates=2,
        controls={"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
        machine="biology",
        seed=7,
    )


class LostMachine(BiologicalVirtualMachine):
    """Loses sight of its dosing steps, so that a person has something to decide."""

    def execute(self, step: Step, token: str) -> Reading | None:
        """Breaks off while dosing."""
        if step.kind is StepKind.DOSE:
            raise MachineError("the connection broke off")
        return super().execute(step, token)

    def reconcile(self, token: str) -> Outcome:
        """Cannot tell."""
        return Outcome(OutcomeState.UNKNOWN, detail=f"no memory of {token}")


def leave_work_for_people(lab: Lab) -> None:
    """A tick of the daemon, a plate in doubt and a dead letter, for the picture of the autonomy panel."""
    for title in ("stocks are low", "plate reader serviced"):
        submit_action(lab.store, "notify", {"title": title}, idempotency_key=title)
    JobQueue(lab.store).submit("book_microscope", {"hours": 2}, idempotency_key="no plug-in", max_attempts=1)
    Daemon(lab.store, lab).run(once=True)
    asked = [ExperimentProposal("U2OS", "staurosporine", dose_um) for dose_um in (0.01, 0.1, 1.0)]
    with suppress(InDoubtError):
        AutonomousExecutor(Lab(lab.store, LostMachine())).execute_batch(asked, wait=True)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    wanted = sys.argv[2:] or list(CELLS)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        with Lab.open(work / "lab.db") as lab:
            lab.run(config())
            lab.run(CampaignConfig.from_dict(config().to_dict() | {"name": "The same by chance", "planner": "random"}))
            leave_work_for_people(lab)
        if "calendar" in wanted:
            today = now_utc().date()
            # The week to come: nothing of it is late yet.
            text = (Path(__file__).parents[2] / "examples" / "week.yaml").read_text(encoding="utf-8")
            monday = today + timedelta(days=7 - today.weekday())
            (work / "week.yaml").write_text(text.replace("begins: 2026-03-02", f"begins: {monday}"), encoding="utf-8")
            plan = first_come_first_served(first_problem(WeekConfig.from_yaml(work / "week.yaml")))
            (work / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        for panel in wanted:
            cells = [nbformat.v4.new_code_cell(f"from cellos_nb.panels import *\n{CELLS[panel]}")]
            kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), work / f"{panel}.ipynb")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = {
            "ServerApp.port": port,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": name,
            "IdentityProvider.token": TOKEN,
            "LabApp.user_settings_dir": work / "settings",
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *(f"--{key}={value}" for key, value in options.items())],
            cwd=work,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {f"JUPYTER_{each.upper()}_DIR": str(work / each) for each in ("config", "data", "runtime")},
        )
        try:
            _photograph(f"http://127.0.0.1:{port}", work, folder, wanted)
        finally:
            server.terminate()
            server.wait()


def _photograph(url: str, work: Path, folder: Path, wanted: list[str]) -> None:
    wait = urllib.request.Request(f"{url}/api?token={TOKEN}")
    while True:
        try:
            urllib.request.urlopen(wait).close()
            break
        except OSError:
            pass
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        for theme, title in THEMES.items():
            # What was chosen for the pictures of the theme before would come back.
            shutil.rmtree(work / "data" / "cellos_nb", ignore_errors=True)
            settings = work / "settings" / "@jupyterlab" / "apputils-extension"
            settings.mkdir(parents=True, exist_ok=True)
            (settings / "themes.jupyterlab-settings").write_text(f'{{"theme": "{title}"}}')
            (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
            page = browser.new_page(viewport={"width": 1500, "height": 1000})
            for panel in wanted:
                page.set_viewport_size({"width": 1500, "height": HEIGHTS.get(panel, 1000)})
                _open(page, f"{url}/lab/workspaces/{theme}{panel}/tree/{panel}.ipynb?reset&token={TOKEN}")
                shot = page.locator(".cellos-room, .cellos-panel").first
                act(page, panel)
                shot.screenshot(path=str(folder / f"{panel}-{theme}.png"))
            page.close()
        browser.close()


def _open(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".jp-Notebook .cm-content").first.wait_for(timeout=60_000)
    page.keyboard.press("Control+b")
    page.locator(".jp-Notebook .cm-content").first.click()
    # Before the session stands, running a cell only opens a dialog.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.keyboard.press("Control+Enter")
    page.locator(".cellos-panel").first.wait_for(timeout=60_000)
    page.locator(".cellos-summary").get_by_text("Reading …").wait_for(state="detached", timeout=60_000)
    page.wait_for_timeout(3000)


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


if __name__ == "__main__":
    main()
