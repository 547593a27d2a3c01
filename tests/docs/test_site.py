"""The documentation builds without a warning, and the pages need no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="needs `uv sync --group docs`")
ROOT = Path(__file__).parents[2]
LOADED = {
    **dict.fromkeys(("script", "iframe", "embed", "audio"), ("src",)),
    **dict.fromkeys(("img", "source"), ("src", "srcset")),
    "link": ("href",),
    "video": ("src", "poster"),
    "object": ("data",),
}
"""What a browser fetches by itself, in contrast to where a reader may click."""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; `CELLOS_SITE` names one that was built just before."""
    if built := os.environ.get("CELLOS_SITE"):
        return Path(built)
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class _Resources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "link" and values.get("rel") in {"canonical", "prev", "next"}:
            return
        self.found += [values[key] for key in LOADED.get(tag, ()) if values.get(key)]


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        resources = _Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert resources.found
        for address in resources.found:
            assert not re.match(r"(?:[a-z]+:)?//", address), f"{page}: loads {address}"


def test_no_style_sheet_loads_anything_from_elsewhere(site):
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//|@import\s+['\"]?(?:url\()?['\"]?(?:https?:)?//", text), (
            sheet
        )


def test_every_how_to_page_and_every_decision_is_in_the_navigation(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    for folder in ("how-to", "decisions", "explanation", "tutorial", "reference"):
        for page in (ROOT / "docs" / folder).glob("*.md"):
            assert f'href="{folder}/{page.stem}.html"' in home, page


def test_the_diagram_shows_every_state(site):
    from cellos_nb.execution.jobs import JobStatus
    from cellos_nb.execution.journal import StepStatus

    page = (site / "explanation" / "execution.html").read_text(encoding="utf-8")
    jobs, steps = re.findall(r"<svg class=\"states\".*?</svg>", page, re.DOTALL)
    for picture, states in ((jobs, JobStatus), (steps, StepStatus)):
        assert set(re.findall(r"<text[^>]*>([^<]+)</text>", picture)) == {state.replace("_", " ") for state in states}


def test_the_reference_holds_every_public_name_with_its_meaning(site):
    import cellos_nb

    page = (site / "reference" / "cellos_nb.html").read_text(encoding="utf-8")
    for name in cellos_nb.__all__:
        if name != "__version__":
            value = getattr(cellos_nb, name)
            assert f'id="{value.__module__}.{value.__qualname__}"' in page, name


def test_links_into_the_repository_are_words(site):
    for page in site.rglob("*.html"):
        assert not re.search(
            r'href="(?:\.\./)+(?:labextension_config|README|benchmarks/|tests/)', page.read_text("utf-8")
        )
