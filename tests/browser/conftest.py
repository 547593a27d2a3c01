"""The browser that these tests need, and how its absence shows."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
from lab_page import FLAGS, chromium
from lab_server import LabServer

FORBID_SKIP = "CELLOS_BROWSER_TESTS"


def missing() -> str:
    """What these tests lack here; empty when nothing."""
    if find_spec("playwright") is None:
        return "no Playwright: `uv sync --group browser`"
    return "" if chromium() else "no Chromium on the path, nor named by CHROMIUM"


@pytest.fixture(scope="session", autouse=True)
def _browser_is_there():
    if reason := missing():
        if os.environ.get(FORBID_SKIP) == "required":
            pytest.fail(f"{reason}, and {FORBID_SKIP} says that these tests must run")
        pytest.skip(reason)


@pytest.fixture(scope="session")
def browser(_browser_is_there):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(_browser_is_there, tmp_path_factory):
    """`cellos lab` on a database of this module's own, with the notebooks that it brings."""
    running = LabServer(tmp_path_factory.mktemp("lab"))
    yield running
    running.close()
