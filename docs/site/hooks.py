"""Makes the parts of the site that come from the code, and finds the pages that people add to a folder."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import biology
import commands
import names
import settings
import states
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = Path(__file__).parents[1]

HOW_TO: dict[str, tuple[str, ...]] = {
    "Plan": ("planning", "candidate-table", "assays", "quality"),
    "Run": ("control-room", "panels", "daemon", "messages", "calendar", "inventory", "facility", "cell-banks"),
    "Machines": ("machines", "bench", "opentrons", "instruments", "cluster"),
    "Keep": ("records", "history", "templates", "notebooks", "audit", "postgresql"),
    "Extend": ("extending", "releasing"),
}
"""The order of the how-to pages. A page that is not named here is found all the same, and stands under More."""


@cache
def generated() -> dict[str, str]:
    """The pages that are made from the code, by address."""
    return {
        "reference/commands.md": commands.page(),
        "reference/settings.md": settings.page(),
        "reference/templates.md": names.template_page(),
        **{f"reference/{package.module}.md": names.name_page(package) for package in names.packages()},
    }


PARTS = {
    "states of jobs": states.jobs,
    "states of steps": states.steps,
    "parameters of the biology": biology.parameters,
    "sources": biology.sources,
}
"""What a page gets where it says `<!-- made: NAME -->`."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Writes the navigation from what is in the folders."""
    reference = [*sorted(generated(), key=lambda name: name.count("cellos_nb")), "reference/environment.md"]
    config.nav = [
        {"Home": "index.md"},
        {"Tutorial": _pages("tutorial")},
        {"How-to": _how_to()},
        {"Reference": reference},
        {"Explanation": _pages("explanation")},
        {"Decisions": _pages("decisions")},
        {"Comparison": "comparison.md"},
        {"Benchmarks": "benchmarks.md"},
    ]
    return config


def _pages(folder: str) -> list[str]:
    return [path.relative_to(DOCS).as_posix() for path in sorted((DOCS / folder).glob("*.md"))]


def _how_to() -> list[Any]:
    there = {path.stem: path.relative_to(DOCS).as_posix() for path in sorted((DOCS / "how-to").glob("*.md"))}
    named: list[Any] = []
    for heading, pages in HOW_TO.items():
        named.append({heading: [there.pop(name) for name in pages if name in there]})
    return [*named, *([{"More": list(there.values())}] if there else [])]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made from the code."""
    for address, content in generated().items():
        files.append(File.generated(config, address, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Fills in what is made from the code, and turns links into the repository, which the site has not, into words."""
    for name in re.findall(r"<!-- made: (.+?) -->", markdown):
        markdown = markdown.replace(f"<!-- made: {name} -->", PARTS[name]())
    above = "../" * page.file.src_uri.count("/")
    return re.sub(rf"\[([^\]]+)\]\({re.escape(above)}\.\./([^)]+)\)", r"\1 (`\2` in the repository)", markdown)
