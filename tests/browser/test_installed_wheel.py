"""What a scientist gets who installs the wheel: JupyterLab configured, the control room in it, and it as a page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from lab_page import WAIT_MS, NotebookPage
from lab_server import TOKEN, LabServer, write_notebook

ROOT = Path(__file__).parents[2]
PANEL = "from cellos_nb.panels import LauncherPanel\nLauncherPanel()"


@pytest.fixture(scope="module")
def installed(_browser_is_there, tmp_path_factory) -> tuple[str, ...]:
    """The `cellos` of an environment that holds the built wheel and its extras for Jupyter."""
    uv = shutil.which("uv")
    assert uv, "these tests build and install with uv: `pip install uv`"
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "environment"
    for command in (
        ("build", "--wheel", "--out-dir", folder),
        ("venv", "--python", sys.executable, environment),
        ("pip", "install", "--python", environment, "{wheel}[app,launcher]"),
    ):
        wheel = next(folder.glob("*.whl"), "")
        subprocess.run(
            [uv, *(str(word).format(wheel=wheel) for word in command)], cwd=ROOT, check=True, capture_output=True
        )
    return (str(environment / "bin" / "cellos"),)


@pytest.fixture
def home(tmp_path):
    write_notebook(tmp_path / "room" / "control_room.ipynb", PANEL)
    return tmp_path


def test_jupyterlab_of_the_wheel_is_configured_and_opens_the_control_room_from_its_launcher(installed, home, page):
    server = LabServer(home, cellos=installed)
    try:
        settings = f"{server.url}/lab/api/settings/@jupyterlab/apputils-extension:kernels-settings?token={TOKEN}"
        with urllib.request.urlopen(settings) as answer:
            assert json.load(answer)["schema"]["properties"]["commsOverSubshells"]["default"] == "disabled"
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{server.url}/lab/workspaces/empty?reset&token={TOKEN}")
        page.locator(".jp-LauncherCard").filter(has_text="Control room").click()
        page.get_by_role("tab", name="control_room.ipynb").wait_for()
        # Leaving a notebook that was just opened asks whether to; unanswered, the page stays.
        page.on("dialog", lambda dialog: dialog.accept())
        notebook = NotebookPage(page, server, "control_room.ipynb")
        notebook.run_all()
        assert "to correct" in notebook.panel("Launcher").inner_text()
    finally:
        server.close()


def test_the_control_room_is_a_page_for_whoever_has_the_token(installed, home, page):
    server = LabServer(home, "--app", cellos=installed, token=None)
    page.set_default_timeout(WAIT_MS)
    try:
        assert "?token=" in server.address
        page.goto(server.url)
        assert "login" in page.url
        assert page.locator(".cellos-panel").count() == 0
        page.goto(server.address)
        panel = page.locator(".cellos-panel").filter(has=page.get_by_role("heading", name="Launcher", exact=True))
        panel.get_by_role("button", name="1. Prove").wait_for()
        assert page.locator(".jp-CodeCell .jp-InputArea").count() == 0
    finally:
        server.close()
