"""Checks of a template's parameters, which papermill injects without looking at name or type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cellos_nb.errors import ConfigError

_PLAIN = (str, int, float, bool, list, dict, tuple, type(None))
# What a notebook's own kernel puts into the namespace beside the parameters.
_KERNEL = {"In", "Out", "exit", "quit", "get_ipython", "open"}


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of a few texts or numbers."""

    possible: tuple[Any, ...]

    def __init__(self, *possible: Any) -> None:
        object.__setattr__(self, "possible", possible)


def check_parameters(namespace: Mapping[str, Any], **expected: type | Choice) -> None:
    """Refuses unknown names, wrong types and impossible choices among the plain values of a notebook, all at once.

    Call it in the cell after the parameters, before anything else is assigned: `check_parameters(globals(), n=int)`.

    Raises:
        ConfigError: one line for each parameter that is unknown, of the wrong type or not among the possible ones.
    """
    problems = [problem for name, kind in expected.items() if (problem := _problem(name, namespace[name], kind))]
    for name, value in namespace.items():
        if name.startswith("_") or name in expected or name in _KERNEL or not isinstance(value, _PLAIN):
            continue
        problems.append(f"{name}: unknown parameter; possible: {', '.join(expected)}.")
    if problems:
        raise ConfigError("\n".join(problems))


def _problem(name: str, value: Any, kind: type | Choice) -> str:
    """What is wrong with one parameter, with its cure; empty when nothing is."""
    if isinstance(kind, Choice):
        possible = ", ".join(map(repr, kind.possible))
        return "" if value in kind.possible else f"{name}: {value!r} is not possible; choose {possible}."
    return "" if _is_a(value, kind) else f"{name}: {value!r} is {type(value).__name__}; give {kind.__name__}."


def _is_a(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))
