"""What a release says of itself is the same wherever it says it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from cellos_nb import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_version_is_one_and_semantic():
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?", PROJECT["version"])
    assert __version__ == PROJECT["version"] == CITATION["version"]


def test_it_can_be_cited():
    """The keys that the Citation File Format 1.2.0 asks for, and the same licence and authors as the package's."""
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["message"]
    assert CITATION["title"].startswith("cellos_nb")
    assert [author["name"] for author in CITATION["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert CITATION["license"] == PROJECT["license"]
    assert all(each["authors"] and each["title"] and each["type"] for each in CITATION["references"])


def test_the_sdist_holds_what_a_release_says_of_itself():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "SECURITY.md"):
        assert (ROOT / name).exists()
        assert f"/{name}" in listed["sdist"]["include"]


def test_a_hole_can_be_reported():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "To report a hole" in text
    assert "SECURITY.md" in (ROOT / "docs/explanation/security.md").read_text(encoding="utf-8")
