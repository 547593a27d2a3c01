"""Checks of a template's parameters, which papermill injects without looking at name or type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cellos_nb.errors import ConfigError

_PLAIN = (str, int, float, bool, list, dict, tuple, type(None))
# What a notebook's own kernel puts into the namespace beside the parameters.
_KERNEL = {"In", "Out", "exit", "quit", "get_ipython", "open"}


def check_parameters(namespace: Mapping[str, Any], **expected: type) -> None:
    """Refuses unknown names and wrong types among the plain values of a notebook, all at once.

    Call it in the cell after the parameters, before anything else is assigned: `check_parameters(globals(), n=int)`.

    Raises:
        ConfigError: one line for each parameter that is unknown or of the wrong type.
    """
    problems = [
        f"{name}: {namespace[name]!r} is {type(namespace[name]).__name__}; give {kind.__name__}."
        for name, kind in expected.items()
        if not _is_a(namespace[name], kind)
    ]
    for name, value in namespace.items():
        if name.startswith("_") or name in expected or name in _KERNEL or not isinstance(value, _PLAIN):
            continue
        problems.append(f"{name}: unknown parameter; possible: {', '.join(expected)}.")
    if problems:
        raise ConfigError("\n".join(problems))


def _is_a(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def check_choice(name: str, value: object, possible: tuple[object, ...]) -> None:
    """Refuses a value that is not among the possible ones.

    Raises:
        ConfigError: names the parameter, the value and what is possible.
    """
    if value not in possible:
        raise ConfigError(f"{name}: {value!r} is not possible; choose {', '.join(map(repr, possible))}.")
