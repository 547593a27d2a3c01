"""Notebooks of a running `cellos lab` in a real Chromium."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab_server import TOKEN, WAIT_S, LabServer

from cellos_nb.panels.tabs import room_tabs

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = WAIT_S * 1e3


def chromium() -> str | None:
    """The Chromium to use: the one that `CHROMIUM` names, or the first on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)


class NotebookPage:
    """A notebook of a `LabServer` in a browser's page; what it does, a person could do with mouse and keys."""

    def __init__(self, page, server: LabServer, name: str) -> None:
        self.page, self.dialogs = page, []
        page.set_default_timeout(WAIT_MS)
        page.on("dialog", self._noticed)
        page.goto(f"{server.url}/lab/workspaces/{Path(name).stem}/tree/{name}?reset&token={TOKEN}")
        self.wait_idle()

    def _noticed(self, dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def wait_idle(self) -> None:
        """Until the notebook's kernel answers; before, running a cell only opens a dialog."""
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def menu(self, name: str, item: str) -> None:
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def run_all(self) -> None:
        self.menu("Run", "Run All Cells")

    def restart_and_run_all(self) -> None:
        self.menu("Kernel", "Restart Kernel and Run All Cells…")
        self.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()

    def open_tab(self, name: str) -> None:
        """A tab of the control room, by way of its group."""
        group = next(tab.group for tab in room_tabs() if tab.name == name)
        for title in (group, name):
            self.page.locator(".jp-OutputArea .lm-TabBar-tab:visible").get_by_text(title, exact=True).first.click()

    def panel(self, title: str):
        """The first panel with this heading, once it has read its first value."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        found = self.page.locator(".cellos-panel").filter(has=heading).first
        found.locator(".cellos-summary").first.wait_for()
        found.get_by_text("Reading …").wait_for(state="detached")
        return found
