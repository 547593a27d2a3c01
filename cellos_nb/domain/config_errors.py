"""The wording of every refusal of a configuration: file and line, key, value, what is possible."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellos_nb.domain.yaml_lines import KeyPath, YamlDocument


def refusal(at: KeyPath, problem: str, document: YamlDocument | None) -> str:
    """One line: where, which key, what is wrong.

    >>> refusal(("batch_size",), "0 is too small; give at least 1", None)
    'batch_size: 0 is too small; give at least 1.'
    """
    key = ".".join(map(str, at)) or "campaign"
    return f"{_where(at, document)}{key}: {problem.rstrip('.')}."


def describe_all(error: ValidationError, model: type[BaseModel], document: YamlDocument | None) -> Iterator[str]:
    """One line for each problem that pydantic found, in the words of this project."""
    for detail in error.errors(include_url=False):
        at = tuple(part for part in detail["loc"] if not _is_union_branch(part))
        problem = _problem(detail, at, model)
        message = str(detail.get("ctx", {}).get("error", ""))
        if detail["type"] == "value_error" and "|" in message:
            # Checks over several fields name their key before a bar, because pydantic places them at the root.
            key, _, problem = message.partition("|")
            at = tuple(int(part) if part.isdigit() else part for part in key.split("."))
        yield refusal(at, problem, document)


def _where(at: KeyPath, document: YamlDocument | None) -> str:
    if document is None:
        return ""
    for depth in range(len(at), 0, -1):
        if at[:depth] in document.lines:
            return f"{document.path}, line {document.lines[at[:depth]]}: "
    return f"{document.path}: "


def _is_union_branch(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part.endswith("Settings"))


def _problem(detail: ErrorDetails, at: KeyPath, model: type[BaseModel]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        possible = sorted(_keys_at(at[:-1], model))
        close = difflib.get_close_matches(str(at[-1]), possible, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        return f"unknown key; {hint}Possible: {', '.join(possible)}"
    if kind == "missing":
        return "is missing; every campaign needs it"
    if kind == "literal_error":
        return f"{value!r} is not possible; choose {context['expected']}"
    if kind in {"greater_than", "greater_than_equal"}:
        limit = f"above {context['gt']:g}" if "gt" in context else f"of at least {context['ge']:g}"
        return f"{value!r} is too small; give a number {limit}"
    if kind in {"less_than", "less_than_equal"}:
        limit = f"below {context['lt']:g}" if "lt" in context else f"of at most {context['le']:g}"
        return f"{value!r} is too large; give a number {limit}"
    return f"{value!r} is not possible: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _keys_at(at: KeyPath, model: type[BaseModel]) -> list[str]:
    """The keys that may stand at one place of the configuration."""
    here: Any = model
    for part in at:
        if isinstance(part, str):
            here = _model_in(here.model_fields[part].annotation)
    return list(here.model_fields)


def _model_in(annotation: Any) -> Any:
    """The settings model that an annotation such as `tuple[X, ...] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
