"""The private environment: what it is made from, and what is said when it cannot be made."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cellos_nb.errors import HardwareEnvironmentError, InputError
from cellos_nb.hardware.opentrons import environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    monkeypatch.setenv(environment.HOME_VARIABLE, str(tmp_path / "hardware"))
    return tmp_path / "hardware"


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """An index at a closed port of this machine, and nothing kept from before."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "no-cache"))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "no-cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://reader:letmein@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_there_is_one_lock_for_each_version_that_pyproject_names():
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cellos_nb"]["opentrons"]
    assert list(environment.versions()) == named["versions"]
    assert environment.DEFAULT_VERSION in named["versions"]


def test_no_dependency_extra_or_group_of_the_project_names_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    asked += project["dependency-groups"].values()
    assert not [line for lines in asked for line in lines if line.startswith("opentrons")]
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert "opentrons" not in {package["name"] for package in locked}


@pytest.mark.parametrize("version", environment.versions())
def test_every_package_of_a_lock_has_hashes_and_no_address(version):
    path = Path(environment.__file__).with_name("locks") / f"opentrons-{version}.txt"
    text = path.read_text(encoding="utf-8")
    packages = [block for block in text.split("\n") if "==" in block]
    assert f"opentrons=={version} \\" in packages
    assert all(line.endswith("\\") for line in packages)
    assert "://" not in text


def test_the_environment_holds_the_version_of_its_lock(opentrons):
    code = "from importlib.metadata import version; print(version('opentrons'), version('opentrons-shared-data'))"
    done = subprocess.run([opentrons.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [environment.DEFAULT_VERSION] * 2
    path = Path(environment.__file__).with_name("locks") / f"opentrons-{opentrons.version}.txt"
    assert opentrons.lock_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_installing_twice_keeps_what_is_there(opentrons):
    before = opentrons.python.parents[1].stat().st_ctime_ns
    assert environment.install() == opentrons
    assert opentrons.python.parents[1].stat().st_ctime_ns == before


def test_an_environment_from_another_lock_is_made_anew(opentrons, empty_home):
    stale = empty_home / f"opentrons-{environment.DEFAULT_VERSION}"
    stale.mkdir(parents=True)
    (stale / "cellos.json").write_text('{"version": "9.0.0", "lock_sha256": "0", "python_version": "3.11"}')
    assert environment.installed() is None
    made = environment.install()
    assert made.python.is_relative_to(stale)
    assert environment.installed() == made
    assert [path.name for path in empty_home.iterdir()] == [stale.name]


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_without_a_network_the_cure_is_named_and_nothing_stays(empty_home, no_network, installer):
    with pytest.raises(HardwareEnvironmentError, match="needs the package index once: connect this machine") as raised:
        environment.install(installer=installer)
    assert "letmein" not in str(raised.value)
    assert list(empty_home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(environment.HOME_VARIABLE, str(tmp_path / "file" / "below"))
    with pytest.raises(HardwareEnvironmentError, match=r"cannot be written: .* name another folder in CELLOS_HARDWARE"):
        environment.install()


def test_a_version_without_a_lock_is_refused():
    with pytest.raises(InputError, match=r"opentrons 1\.2\.3: there is no lock for it; possible: 9\.0\.0, 10\.1\.0"):
        environment.install("1.2.3")


def test_without_uv_a_version_that_needs_a_newer_python_says_so(empty_home, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    with pytest.raises(
        HardwareEnvironmentError, match=r"10\.1\.0 does not run on Python 3\.11, but on 3\.12 and newer\. Install uv"
    ):
        environment.install("10.1.0", installer="pip")


def test_where_uv_finds_no_newer_python_it_is_named_with_the_command_that_gets_one(empty_home, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").symlink_to(shutil.which("uv"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    monkeypatch.setattr(environment, "_MIN_PYTHON", {"10.1.0": (3, 99)})
    with pytest.raises(HardwareEnvironmentError, match=r"needs Python 3\.99, .* get it by `uv python install 3\.99`"):
        environment.install("10.1.0", installer="uv")
    assert list(empty_home.iterdir()) == []


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(empty_home):
    with pytest.raises(HardwareEnvironmentError, match="Run `cellos hardware install opentrons` once"):
        environment.require()
    with pytest.raises(HardwareEnvironmentError, match=r"opentrons --version 10\.1\.0` once"):
        environment.require("10.1.0")
