"""Writes the skeleton of a plug-in: a package that can be installed and passes its own contract as it stands."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import resources
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from cellos_nb.errors import InputError
from cellos_nb.hardware import registry as machines
from cellos_nb.planner import registry as planners
from cellos_nb.records.atomic import new_folder
from cellos_nb.workflow.assays import ASSAYS

KINDS = ("machine", "planner", "assay", "action", "panel")
"""What a plug-in can bring; each has a skeleton and an entry point group `cellos_nb.<kind>s`."""
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_MAX_LENGTH = 40


def write_skeleton(kind: str, name: str, folder: Path) -> Path:
    """Writes a plug-in of this kind and returns its folder.

    Args:
        kind: one of `KINDS`.
        name: of the package, in small letters: `label-printer`; its module is then `label_printer`.
        folder: that the plug-in's own folder, called like the package, is put into.

    Raises:
        InputError: no such kind, an impossible name, one that is taken, or the folder is there already.
        OutputError: the folder cannot be written.
    """
    if kind not in KINDS:
        raise InputError(f"{kind}: is no kind of plug-in; possible: {', '.join(KINDS)}.")
    module = _module_named(kind, name)
    target = folder / module.replace("_", "-")
    if target.exists():
        raise InputError(f"{target}: is there already. Choose another name, or another folder by --folder.")
    with new_folder(target) as partial:
        _copy(resources.files("cellos_nb.skeletons") / kind, partial, kind, module)
    return target


def _module_named(kind: str, name: str) -> str:
    """The name of the module, if a package can be called so."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_LENGTH:
        raise InputError(
            f"{name!r} is no name for a package; use small letters, digits and hyphens, beginning with a letter, "
            f"{_MAX_LENGTH} at most, such as label-printer."
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or find_spec(module) is not None:
        raise InputError(f"{name!r} would hide the Python module {module!r}. Choose a name that nothing else has.")
    built_in = {"machine": machines.kinds(), "planner": planners.kinds(), "assay": tuple(ASSAYS)}.get(kind, ())
    brought = (entry.name.rpartition(".")[2] for entry in entry_points(group=f"cellos_nb.{kind}s"))
    if module in {*built_in, *brought}:
        raise InputError(f"{name!r}: the {kind} {module} is there already. Choose another name.")
    return module


def _copy(source: Traversable, target: Path, kind: str, module: str) -> None:
    """Every file of a skeleton, with the name in place of `my_<kind>` in all its forms."""
    words = module.split("_")
    forms = {
        f"my_{kind}": module,
        f"my-{kind}": "-".join(words),
        f"my {kind}": " ".join(words),
        f"My {kind}": " ".join(words).capitalize(),
        f"My{kind.title()}": "".join(word.title() for word in words),
        f"MY_{kind.upper()}": module.upper(),
    }
    target.mkdir(exist_ok=True)
    for item in source.iterdir():
        if item.name.startswith(("__pycache__", ".")):
            continue
        place = target / item.name.replace(f"my_{kind}", module)
        if item.is_dir():
            _copy(item, place, kind, module)
            continue
        text = item.read_text(encoding="utf-8")
        for form, own in forms.items():
            text = text.replace(form, own)
        place.write_text(text, encoding="utf-8", newline="\n")
