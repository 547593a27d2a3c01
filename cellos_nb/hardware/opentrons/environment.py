"""The private environment that holds the `opentrons` package, because it cannot live beside JupyterLab.

Made from a lock that names every package by version and SHA-256. It appears under its name in one move when it is
complete, so several processes may install at once, and what is there is whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from cellos_nb.errors import HardwareEnvironmentError, InputError

log = logging.getLogger(__name__)

HOME_VARIABLE = "CELLOS_HARDWARE_HOME"
DEFAULT_VERSION = "9.0.0"
"""The last one that reads protocols for both robots; from 9.1 on, those for an OT-2 are refused."""

_LOCKS = Path(__file__).with_name("locks")
_NOTE = "cellos.json"
_PREFIX = "opentrons-"
_MIN_PYTHON = {"10.1.0": (3, 12)}
"""10.1.0 does not import on 3.11 with any pydantic 2: it hands `typing.TypedDict` to it."""
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+(?=@)")
_INSTALL_S = 900.0
_SAY_VERSION = "import platform; print(platform.python_version())"


@dataclass(frozen=True, slots=True)
class Environment:
    """An installed version of `opentrons`, complete."""

    version: str
    python: Path
    """The interpreter that imports it."""
    lock_sha256: str


@dataclass(frozen=True, slots=True)
class _Note:
    """What an environment says of itself."""

    version: str
    lock_sha256: str
    python_version: str


def home() -> Path:
    """The folder of all private environments: `CELLOS_HARDWARE_HOME`, or one in the user's data folder."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("cellos_nb", appauthor=False) / "hardware"


def versions() -> tuple[str, ...]:
    """The versions that there are locks for, oldest first."""
    found = [path.name.removeprefix(_PREFIX).removesuffix(".txt") for path in _LOCKS.glob(f"{_PREFIX}*.txt")]
    return tuple(sorted(found, key=lambda version: tuple(int(part) for part in version.split("."))))


def installed(version: str = DEFAULT_VERSION) -> Environment | None:
    """The environment of a version; None when there is none, or one made from another lock.

    Raises:
        InputError: there is no lock for that version.
    """
    lock = _lock_sha256(version)
    folder = home() / f"{_PREFIX}{version}"
    try:
        note = _Note(**json.loads((folder / _NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # no note, or one that was cut short: not an environment that can be relied on
    python = _python_in(folder)
    if note.lock_sha256 != lock or not python.exists():
        return None
    return Environment(version, python, lock)


def require(version: str = DEFAULT_VERSION) -> Environment:
    """The environment of a version.

    Raises:
        InputError: there is no lock for that version.
        HardwareEnvironmentError: it is not installed; says how to.
    """
    found = installed(version)
    if found is None:
        raise HardwareEnvironmentError(
            f"opentrons {version} is not installed in {home()}. Run `cellos hardware install opentrons"
            f"{'' if version == DEFAULT_VERSION else f' --version {version}'}` once; it takes about 100 MB."
        )
    return found


def install(version: str = DEFAULT_VERSION, *, installer: str | None = None) -> Environment:
    """Makes the environment of a version, unless it is there; by `uv` when that is on the path, else by pip.

    Args:
        version: one of `versions()`.
        installer: `uv` or `pip`; the better one that is there when None.

    Raises:
        InputError: there is no lock for that version.
        HardwareEnvironmentError: no network, no room, or a package whose hash is not that of the lock.
    """
    found = installed(version)
    if found is not None:
        return found
    chosen = installer or ("uv" if shutil.which("uv") else "pip")
    interpreter = _interpreter(version, chosen)
    folder = home() / f"{_PREFIX}{version}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            made = Path(name) / "env"
            _make(made, version, chosen, interpreter)
            python_version = _run(version, str(_python_in(made)), "-I", "-c", _SAY_VERSION).strip()
            note = _Note(version, _lock_sha256(version), python_version)
            (made / _NOTE).write_text(json.dumps(asdict(note)), encoding="utf-8")
            _put(made, folder, Path(name) / "old")
    except OSError as error:
        raise HardwareEnvironmentError(
            f"{folder}: cannot be written: {error.strerror or error}. Free disk space, or name another folder in "
            f"{HOME_VARIABLE}."
        ) from error
    log.info("opentrons %s installed in %s", version, folder)
    return require(version)


def _put(made: Path, folder: Path, old: Path) -> None:
    """Gives a finished environment its name; where another process was quicker, its environment stays."""
    if installed(folder.name.removeprefix(_PREFIX)) is not None:
        return
    try:
        if folder.exists():
            folder.rename(old)
        made.rename(folder)
    except OSError:
        if installed(folder.name.removeprefix(_PREFIX)) is None:
            raise


def _make(folder: Path, version: str, installer: str, interpreter: str) -> None:
    lock = str(_LOCKS / f"{_PREFIX}{version}.txt")
    python = str(_python_in(folder))
    # The lock is complete, and two of opentrons' own pins are overridden in it on purpose: hence no resolution.
    if installer == "uv":
        words = ("uv", "venv", "--quiet", "--no-config", "--no-project", "--python", interpreter, str(folder))
        _run(version, *words, cure="" if interpreter == sys.executable else _newer_python(interpreter))
        _run(
            version,
            *("uv", "pip", "install", "--quiet", "--no-config", "--python", python),
            *("--no-deps", "--require-hashes", "--requirement", lock),
        )
        return
    _run(version, interpreter, "-m", "venv", str(folder))
    _run(
        version,
        *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--require-hashes", "--requirement", lock),
    )


def _run(version: str, *command: str, cure: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603  # words of our own, no shell
            command, cwd=home(), capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HardwareEnvironmentError(
            f"opentrons {version}: the installation did not end within {_INSTALL_S / 60:.0f} minutes. Check the "
            "connection to the package index, and try again."
        ) from error
    if done.returncode:
        said = [line.strip() for line in _PASSWORD.sub("***", done.stderr).splitlines() if line.strip()]
        cure = cure or (
            "It needs the package index once: connect this machine, or point UV_DEFAULT_INDEX (pip: PIP_INDEX_URL) to "
            "a mirror, and try again."
        )
        raise HardwareEnvironmentError(
            f"opentrons {version} could not be installed: {' / '.join(said[-4:]) or 'the installer said nothing'}. "
            f"{cure} Nothing was left behind."
        )
    return done.stdout


def _lock_sha256(version: str) -> str:
    path = _LOCKS / f"{_PREFIX}{version}.txt"
    if version not in versions():
        raise InputError(f"opentrons {version}: there is no lock for it; possible: {', '.join(versions())}.")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _interpreter(version: str, installer: str) -> str:
    """What the environment is made from: this interpreter or, where that is too old, a newer one that uv finds."""
    least = _MIN_PYTHON.get(version, (3, 11))
    if sys.version_info[:2] >= least:
        return sys.executable
    newer = ".".join(map(str, least))
    if installer == "uv":
        return newer
    raise HardwareEnvironmentError(
        f"opentrons {version} does not run on Python {sys.version_info[0]}.{sys.version_info[1]}, but on "
        f"{newer} and newer. Install uv, which finds or gets one, install {DEFAULT_VERSION}, or run cellos on a newer "
        "Python."
    )


def _newer_python(version: str) -> str:
    return f"It needs Python {version}, which is not on this machine: get it by `uv python install {version}`."


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
