"""`cellos new` writes packages that can be built, installed and typed, and that hold their contract as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cellos_nb.cli.new import Kind
from cellos_nb.errors import InputError
from cellos_nb.skeletons.write import KINDS, write_skeleton

NAMES = {
    "machine": "plate-washer",
    "planner": "best-first",
    "assay": "one-day",
    "action": "label-printer",
    "panel": "freezer-map",
}


def run(*words: str | Path, cwd: Path, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A Python module in a process of its own, with what is installed in `site`."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"} | ({"PYTHONPATH": str(site)} if site else {})
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, check=False,
        timeout=500,
    )  # fmt: skip


def installed(plugin: Path, site: Path) -> Path:
    """What pip does with a wheel: builds it from the plug-in's own pyproject.toml and unpacks it."""
    built = run("hatchling", "build", "-t", "wheel", "-d", site.with_name("wheels"), cwd=plugin)
    assert built.returncode == 0, built.stderr
    for wheel in site.with_name("wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(site)
    return site


@pytest.mark.parametrize("kind", NAMES)
def test_it_holds_its_contract_unchanged_once_it_is_installed(kind, tmp_path):
    plugin = write_skeleton(kind, NAMES[kind], tmp_path)
    site = installed(plugin, tmp_path / "site")
    ended = run(
        "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::DeprecationWarning:cellos_nb", cwd=plugin, site=site
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout


@pytest.mark.parametrize("kind", NAMES)
def test_its_contract_finds_that_it_is_not_installed(kind, tmp_path):
    plugin = write_skeleton(kind, NAMES[kind], tmp_path)
    ended = run("pytest", "-q", "-x", "-p", "no:cacheprovider", cwd=plugin, site=plugin)
    assert ended.returncode == 1, ended.stdout + ended.stderr


def test_all_are_typed_and_formatted_as_this_package_is(tmp_path):
    for kind, name in NAMES.items():
        plugin = write_skeleton(kind, name, tmp_path)
        typed = run("mypy", "--cache-dir", tmp_path / "cache", name.replace("-", "_"), cwd=plugin)
        assert typed.returncode == 0, typed.stdout + typed.stderr
        formed = run("ruff", "format", "--check", "--isolated", "--line-length", "120", ".", cwd=plugin)
        assert formed.returncode == 0, formed.stdout


@pytest.mark.parametrize("kind", NAMES)
def test_nothing_is_left_of_the_name_that_the_skeleton_has(kind, tmp_path):
    plugin = write_skeleton(kind, "zz-top", tmp_path)
    for path in plugin.rglob("*"):
        said = path.name + (path.read_text(encoding="utf-8") if path.is_file() else "")
        assert "my_" not in said.lower(), path
        assert f"my{kind}" not in said.lower().replace("-", "").replace(" ", ""), path
    project = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "zz-top"
    (entry,) = project["entry-points"][f"cellos_nb.{kind}s"]
    assert entry.rpartition(".")[2] == "zz_top"


def test_the_command_knows_every_kind():
    assert set(KINDS) == set(NAMES) == {kind.value for kind in Kind}


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("planner", "Best", "'Best' is no name for a package; use small letters"),
        ("planner", "../best", "no name for a package"),
        ("planner", "7-best", "beginning with a letter"),
        ("planner", "best--first", "no name for a package"),
        ("planner", "x" * 41, "40 at most"),
        ("planner", "", "no name for a package"),
        ("planner", "class", "would hide the Python module 'class'"),
        ("machine", "json", "would hide the Python module 'json'"),
        ("machine", "cellos-nb", "would hide the Python module 'cellos_nb'"),
        ("planner", "space-filling", "the planner space_filling is there already"),
        ("action", "post-message", "the action post_message is there already"),
        ("assay", "viability", "the assay viability is there already"),
        ("robot", "arm", "robot: is no kind of plug-in; possible: machine, planner, assay, action, panel"),
    ],
)
def test_an_impossible_name_is_refused_and_nothing_is_written(kind, name, said, tmp_path):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        write_skeleton(kind, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_left_as_it_is(tmp_path):
    (tmp_path / "best-first").mkdir()
    (tmp_path / "best-first" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"best-first: is there already\. Choose another name, or another folder"):
        write_skeleton("planner", "best-first", tmp_path)
    assert [path.name for path in (tmp_path / "best-first").iterdir()] == ["notes.txt"]


def test_a_group_that_is_written_is_one_that_is_read():
    assert {entry.name for entry in entry_points(group="cellos_nb.actions")} >= {"notify"}
    for kind, home in {
        "machine": "hardware.registry.ENTRY_POINTS",
        "planner": "planner.registry.ENTRY_POINT_GROUP",
        "assay": "workflow.assays.ENTRY_POINTS",
        "action": "execution.actions.ENTRY_POINTS",
        "panel": "panels.tabs.ENTRY_POINT_GROUP",
    }.items():
        module, _, name = home.rpartition(".")
        read = getattr(__import__(f"cellos_nb.{module}", fromlist=[name]), name)
        assert read == f"cellos_nb.{kind}s"
