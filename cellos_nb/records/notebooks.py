"""The notebooks that come with the package, copied to where a person works with them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellos_nb.errors import InputError
from cellos_nb.records.atomic import new_file

CONTROL_ROOM = "control_room.ipynb"

# In a wheel the notebooks lie inside the package, in a checkout beside it.
_FOLDERS = (Path(__file__).parents[1] / "notebooks", Path(__file__).parents[2] / "notebooks")
_MARK = "cellos_nb"


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of each notebook, by file name."""

    written: tuple[str, ...]
    """New, or brought up to date because nobody had changed it."""
    kept: tuple[str, ...]
    """Left as it was, because a person changed it and the one that comes with this release is another."""


def shipped_notebooks() -> tuple[Path, ...]:
    """The files that come with the package, by name."""
    found = {path.name: path for folder in reversed(_FOLDERS) for path in folder.glob("*.ipynb")}
    return tuple(found[name] for name in sorted(found))


def copy_notebooks(folder: str | Path, *, is_fresh: bool = False) -> Copied:
    """Copies the notebooks into a folder; a file whose cells a person changed is kept, unless all are asked for afresh.

    Running a notebook fills in outputs and changes no cell, so a notebook that was only run follows a new release.

    Raises:
        InputError: the folder is a file, or holds a notebook by one of the names that cannot be read.
        OutputError: a file cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file. Give a folder to copy the notebooks into; it is made when missing.")
    written, kept = [], []
    for source in shipped_notebooks():
        target = folder / source.name
        notebook = json.loads(source.read_text(encoding="utf-8"))
        if target.exists() and not is_fresh:
            old = _read(target)
            if _digest(old) == _digest(notebook):
                continue
            if _digest(old) != old.get("metadata", {}).get(_MARK, {}).get("sha256"):
                kept.append(source.name)
                continue
        notebook["metadata"][_MARK] = {"sha256": _digest(notebook)}
        with new_file(target) as partial:
            partial.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(source.name)
    return Copied(tuple(written), tuple(kept))


def _read(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path}: stands where a notebook is to be copied to and is none ({error}). Move it away, choose another "
            "--folder, or replace it by --fresh."
        ) from error
    return notebook if isinstance(notebook, dict) else {}


def _digest(notebook: dict[str, Any]) -> str:
    """Of what a person writes: kind and text of the cells."""
    cells = [(cell.get("cell_type"), "".join(cell.get("source", ""))) for cell in notebook.get("cells", ())]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()
