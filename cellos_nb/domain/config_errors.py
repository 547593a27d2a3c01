"""The wording of every refusal of a configuration: file and line, key, value, what is possible."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellos_nb.domain.yaml_lines import KeyPath, YamlDocument
from cellos_nb.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)

_CURES = {
    "literal_error": "not possible; choose {expected}",
    "greater_than": "too small; give a number above {gt:g}",
    "greater_than_equal": "too small; give a number of at least {ge:g}",
    "less_than": "too large; give a number below {lt:g}",
    "less_than_equal": "too large; give a number of at most {le:g}",
    "value_error": "not possible; {error}",
    "tuple_type": "not possible; give a list",
    "too_short": "not possible; give at least {min_length}",
    "too_long": "not possible; give at most {max_length}",
    "string_type": "not possible; give text; a name that reads as a number needs quotes",
    "string_too_short": "not possible; give a name",
    "string_too_long": "not possible; give at most {max_length} characters",
    "string_pattern_mismatch": "not possible; give a name that is not blank",
    "finite_number": "not possible; give a finite number",
    "int_type": "not possible; give a whole number",
    "int_parsing": "not possible; give a whole number",
    "int_from_float": "not possible; give a whole number",
    "float_type": "not possible; give a number",
    "float_parsing": "not possible; give a number",
    "bool_type": "not possible; give true or false, without quotes",
    "model_type": "not possible; give 'key: value' lines or a name",
}
"""What is wrong and what to do, by pydantic's name for the problem."""


def refusal(at: KeyPath, problem: str, document: YamlDocument | None) -> str:
    """One line: where, which key, what is wrong.

    >>> refusal(("batch_size",), "0 is too small; give at least 1", None)
    'batch_size: 0 is too small; give at least 1.'
    """
    key = ".".join(map(str, at)) or "campaign"
    return f"{_where(at, document)}{key}: {problem.rstrip('.')}."


def checked(model: type[Model], content: dict[str, Any], document: YamlDocument | None) -> Model:
    """What a file says, as a model of it.

    Args:
        model: what it has to fit.
        content: its keys and values, with what the caller filled in.
        document: where they stand; None when they come from no file.

    Raises:
        ConfigError: a value is refused; the message has the line, the key, the value and what is possible.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(describe_all(error, model, document))) from None


def describe_all(error: ValidationError, model: type[BaseModel], document: YamlDocument | None) -> Iterator[str]:
    """One line for each problem that pydantic found, in the words of this project."""
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    for detail in details:
        loc = detail["loc"]
        if detail["type"] == "too_short" and any(len(p) > len(loc) and p[: len(loc)] == loc for p in places):
            # A list whose only entries were refused is empty to pydantic; the entries' own problems say it all.
            continue
        # The last part is always a key, whatever it is called.
        at = (*(part for part in loc[:-1] if not _is_union_branch(part)), *loc[-1:])
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
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        possible = sorted(_keys_at(at[:-1], model))
        close = difflib.get_close_matches(str(at[-1]), possible, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        return f"unknown key; {hint}Possible: {', '.join(possible)}"
    if kind == "missing":
        return "is missing; it has no default"
    if kind in _CURES:
        return f"{value!r} is {_CURES[kind].format(**detail.get('ctx', {}))}"
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
