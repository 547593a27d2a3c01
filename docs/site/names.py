"""The pages of public names, of templates, of panels and of environment variables."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import cell

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose names people import."""

    module: str
    words: str


PACKAGES = (
    Package("cellos_nb", "What a notebook imports: `from cellos_nb import Lab, CampaignConfig`."),
    Package("cellos_nb.panels", "Panels for notebook cells: [how they are used](../how-to/panels.md)."),
    Package("cellos_nb.planner", "Planners and what they know: [how they are used](../how-to/planning.md)."),
    Package("cellos_nb.analysis", "Fits, growth-rate metrics and the quality of plates."),
    Package("cellos_nb.testing", "The contracts of plug-ins as tests: [how they are used](../how-to/extending.md)."),
    Package("cellos_nb.errors", "One tree of errors; each message says what to do."),
)


def public_names(package: Package) -> dict[str, Any]:
    """What a package offers, by name; its constants aside."""
    module = importlib.import_module(package.module)
    names = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == package.module
    ]
    found = {name: getattr(module, name) for name in names if name != "__version__"}
    return {name: value for name, value in found.items() if inspect.isclass(value) or inspect.isfunction(value)}


def name_page(package: Package) -> str:
    """One package's page: a table, then each name with its docstring."""
    found = public_names(package)
    said = [f"# {package.module}", "", package.words, "", "| name | what it is |", "|---|---|"]
    said += [f"| [`{name}`][{path_of(value)}] | {cell(_first_line(value))} |" for name, value in found.items()]
    for value in found.values():
        said += ["", f"::: {path_of(value)}"]
    return "\n".join(said) + "\n"


def path_of(value: Any) -> str:
    """Where a name is defined."""
    return f"{value.__module__}.{value.__qualname__}"


def _first_line(value: Any) -> str:
    return inspect.cleandoc(value.__doc__ or "").partition("\n\n")[0]


def template_page() -> str:
    """The templates with their parameters."""
    from cellos_nb.records.catalogue import templates

    said = ["# Templates", "", "Made from the templates themselves; [how they are run](../how-to/templates.md).", ""]
    for each in templates():
        said += [f"## {each.name}", "", f"{each.title}. {each.description}", ""]
        said += ["| parameter | kind | default | meaning |", "|---|---|---|---|"]
        said += [f"| `{p.name}` | {p.kind} | `{p.default}` | {cell(p.help)} |" for p in each.parameters]
        said += [""]
    return "\n".join(said)


def variables() -> dict[str, list[str]]:
    """The environment variables that the code reads, with the files that name them."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "cellos_nb").rglob("*.py")):
        for name in re.findall(r"\bCELLOS_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")):
            found.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    return found


def packages() -> tuple[Package, ...]:
    """Those that are there."""
    return tuple(each for each in PACKAGES if importlib.util.find_spec(each.module))
