"""The notebook templates there are: what each is for, its parameters, and how these are given as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import yaml

from cellos_nb.errors import ConfigError, InputError
from cellos_nb.records.templates import template_path, template_paths

_KINDS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of a template's parameters cell."""

    name: str
    kind: str
    """`str`, `int`, `float`, `bool` or `list`."""
    default: str
    """As Python writes it."""
    help: str


@dataclass(frozen=True, slots=True)
class Template:
    """One template."""

    name: str
    title: str
    description: str
    """What it is for, in a sentence or two."""
    parameters: tuple[Parameter, ...]
    path: Path

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain values."""
        return asdict(self) | {"path": str(self.path)}


@cache
def templates() -> tuple[Template, ...]:
    """All templates, by name."""
    return tuple(_read(path) for path in template_paths())


def _read(path: Path) -> Template:
    import papermill

    head = nbformat.read(path, as_version=4).cells[0].source
    title, _, text = head.partition("\n")
    known = papermill.inspect_notebook(str(path))
    parameters = (
        Parameter(each["name"], each["inferred_type_name"], each["default"], each["help"]) for each in known.values()
    )
    return Template(path.stem, title.lstrip("# "), text.strip().partition("\n\n")[0], tuple(parameters), path)


def parse_parameters(name: str, given: Sequence[str]) -> dict[str, Any]:
    """What a person typed as `NAME=VALUE`, as values of the kinds that the template declares.

    Raises:
        InputError: there is no such template.
        ConfigError: one line for each parameter that is unknown, has no value, stands twice, or is of another kind.
    """
    known = {parameter.name: parameter for parameter in _read(template_path(name)).parameters}
    values: dict[str, Any] = {}
    problems = []
    for text in given:
        key, separator, value = text.partition("=")
        if not separator:
            problems.append(f"{text}: has no value; write {key}=VALUE.")
        elif key not in known:
            problems.append(f"{key}: unknown parameter; possible: {', '.join(known)}.")
        elif key in values:
            problems.append(f"{key}: is given twice; give it once.")
        else:
            try:
                values[key] = _value(known[key], value)
            except InputError as error:
                problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return values


def _value(parameter: Parameter, text: str) -> Any:
    """Text stays as it was typed; all else is read as YAML."""
    if parameter.kind == "str":
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{parameter.name}: {text!r} cannot be read; give {parameter.kind}.") from error
    is_number = parameter.kind == "float" and isinstance(value, int) and not isinstance(value, bool)
    if type(value) is not _KINDS[parameter.kind] and not is_number:
        example = " such as '[a, b]'" if parameter.kind == "list" else ""
        raise InputError(f"{parameter.name}: {text!r} is no {parameter.kind}; give one{example}.")
    return value
