"""A look at what this installation stands on."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_table
from cellos_nb.errors import InputError, StoreError

MIN_FREE_GB = 0.1

PACKAGES = (
    "cellos-nb",
    "numpy",
    "scipy",
    "pandas",
    "emukit",
    "SQLAlchemy",
    "jupyterlab",
    "ipywidgets",
    "bqplot",
    "papermill",
    "nbconvert",
)


def doctor(db: Database = None, as_json: AsJson = False) -> None:
    """Check what this installation stands on.

    Python, packages, kernel, folder and database; the exit code is 1 if something is wrong.
    """
    checks = [_python(), _sqlite(), *_packages(), _kernel(), *_hardware(), _folder(), _database(db)]
    print_table(
        [{"check": name, "ok": "yes" if ok else "NO", "what": what} for name, ok, what in checks],
        as_json=as_json,
        empty="",
    )
    if not all(ok for _, ok, _ in checks):
        sys.exit(1)


def _python() -> tuple[str, bool, str]:
    return ("Python", (3, 11) <= sys.version_info < (3, 14), f"{platform.python_version()} on {platform.platform()}")


def _sqlite() -> tuple[str, bool, str]:
    return ("SQLite", sqlite3.sqlite_version_info >= (3, 35), f"{sqlite3.sqlite_version}, 3.35 or newer is needed")


def _packages() -> list[tuple[str, bool, str]]:
    found = []
    for name in PACKAGES:
        try:
            found.append((name, True, version(name)))
        except PackageNotFoundError:
            found.append((name, False, f"not installed; install cellos-nb again, or `pip install {name}`"))
    return found


def _kernel() -> tuple[str, bool, str]:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return ("notebook kernel", False, "none named python3; run `python -m ipykernel install --sys-prefix`")
    return ("notebook kernel", True, "python3")


def _hardware() -> list[tuple[str, bool, str]]:
    """Vendors' software that real machines need; without a real machine nobody misses it."""
    from cellos_nb.hardware.opentrons import environment

    found = [each for each in map(environment.installed, environment.versions()) if each is not None]
    if not found:
        return [("opentrons", True, "not installed; for an OT-2 or Flex run `cellos hardware install opentrons`")]
    return [("opentrons", True, f"{each.version}, {each.python}") for each in found]


def _folder() -> tuple[str, bool, str]:
    folder = Path.cwd()
    free_gb = shutil.disk_usage(folder).free / 1e9
    if not os.access(folder, os.W_OK):
        return ("folder", False, f"{folder} cannot be written; change to one that you may write to")
    return ("folder", free_gb > MIN_FREE_GB, f"{folder}, {free_gb:.1f} GB free, {MIN_FREE_GB:g} GB or more is needed")


def _database(url: str | None) -> tuple[str, bool, str]:
    from cellos_nb.lab import Lab

    try:
        with Lab.open(url, must_exist=True) as lab:
            return ("database", True, f"{lab.store.description}, {len(lab.campaigns())} campaigns")
    except InputError as error:
        return ("database", True, f"none yet: {error}")
    except StoreError as error:
        return ("database", False, str(error))
