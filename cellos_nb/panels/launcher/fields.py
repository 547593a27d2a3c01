"""The fields of a campaign's configuration as a form needs them, derived from the model so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from cellos_nb.domain.campaign import CampaignConfig

Path = tuple[str, ...]
"""Keys from the outermost to the field's own."""
Kind = Literal["text", "choice", "integer", "number", "names", "range", "table", "group", "flag"]

_NAMES: dict[Path, str] = {
    ("assay", "name"): "assay",
    ("objective", "goal"): "goal",
    ("objective", "target"): "target cell line",
    ("controls", "vehicle"): "vehicle control wells",
    ("controls", "positive"): "positive control",
    ("controls", "positive", "compound"): "positive control compound",
    ("controls", "positive", "dose_um"): "positive control dose (µM)",
    ("controls", "positive", "wells"): "positive control wells",
    ("planner", "n_initial"): "initial experiments",
    ("convergence",): "stop early",
}
"""Where the keys themselves read badly."""
_UNITS = {"um": "µM", "mm": "mM", "ul": "µL", "h": "h", "usd": "USD", "percent": "%"}
_SCALARS: dict[str, Kind] = {"integer": "integer", "number": "number", "string": "text", "boolean": "flag"}
_LARGEST_WITH_STEPPER = 100_000
"""A whole number above this is typed, not stepped to; a browser cannot hold the largest seeds as numbers at all."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form."""

    path: Path
    label: str
    """What it is, with its unit; unique in the form."""
    meaning: str
    """What it does, in a sentence; may be empty."""
    kind: Kind
    default: Any
    """As plain values; None where there is none, or where it is left out."""
    is_required: bool
    """Whether it must be given."""
    is_optional: bool
    """Whether it may be left out."""
    choices: tuple[str | int, ...] = ()
    limits: str = ""
    """What is possible, in words; empty when anything of its kind is."""
    columns: tuple[Field, ...] = ()
    """Of a table."""
    has_stepper: bool = False
    """For whole numbers that a person would count up and down to."""

    @property
    def short_label(self) -> str:
        """What it is within its own table."""
        return _label(self.path[-1:])

    @property
    def key(self) -> str:
        """The path as an error message writes it."""
        return ".".join(self.path)


@cache
def all_fields() -> tuple[Field, ...]:
    """Every field of `CampaignConfig`, in its order; a group that may be left out stands before its own fields."""
    schema = CampaignConfig.model_json_schema()
    return tuple(_fields(schema, schema["$defs"], ()))


@cache
def field_at(path: Path) -> Field:
    """The field with this path.

    Raises:
        KeyError: there is none.
    """
    return {field.path: field for field in all_fields()}[path]


def _fields(schema: dict[str, Any], models: dict[str, Any], above: Path) -> Iterator[Field]:
    for name, given in schema["properties"].items():
        path = (*above, name)
        inner, is_optional = _without_null(given)
        is_required = name in schema.get("required", ())
        model = _resolved(inner, models)
        if model is not None:
            if is_optional:
                yield _field(path, {**model, **given}, "group", is_required=False, is_optional=True)
            yield from _fields(model, models, path)
            continue
        yield _leaf(path, {**inner, **given}, models, is_required=is_required, is_optional=is_optional)


def _leaf(path: Path, schema: dict[str, Any], models: dict[str, Any], *, is_required: bool, is_optional: bool) -> Field:
    kind: Kind
    columns: tuple[Field, ...] = ()
    if "enum" in schema:
        kind = "choice"
    elif schema.get("type") != "array":
        kind = _SCALARS[schema["type"]]
    elif "prefixItems" in schema:
        kind = "range"
    else:
        row = _resolved(schema["items"], models)
        kind = "names" if row is None else "table"
        columns = () if row is None else tuple(_fields(row, models, path))
    return _field(path, schema, kind, is_required=is_required, is_optional=is_optional, columns=columns)


def _field(
    path: Path,
    schema: dict[str, Any],
    kind: Kind,
    *,
    is_required: bool,
    is_optional: bool,
    columns: tuple[Field, ...] = (),
) -> Field:
    return Field(
        path=path,
        label=_label(path),
        meaning=str(schema.get("description", "")),
        kind=kind,
        default=schema.get("default"),
        is_required=is_required,
        is_optional=is_optional,
        choices=tuple(schema.get("enum", ())),
        limits=_limits(schema),
        columns=columns,
        has_stepper=kind == "integer" and not is_optional and _highest(schema) <= _LARGEST_WITH_STEPPER,
    )


def _without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """What may stand there apart from nothing, and whether nothing may."""
    branches = schema.get("anyOf", [schema])
    kept = [branch for branch in branches if branch.get("type") != "null"]
    return kept[0], len(kept) < len(branches)


def _resolved(schema: dict[str, Any], models: dict[str, Any]) -> dict[str, Any] | None:
    reference = schema.get("$ref")
    return None if reference is None else dict(models[reference.rpartition("/")[2]])


def _label(path: Path) -> str:
    """A path in words, with the unit.

    >>> _label(("dose_range_um",)), _label(("assay", "cells_per_well")), _label(("n_doses",))
    ('dose range (µM)', 'assay cells per well', 'number of doses')
    """
    if path in _NAMES:
        return _NAMES[path]
    words = [word for key in path for word in key.split("_")]
    unit = _UNITS.get(words[-1], "") if len(words) > 1 else ""
    words = words[:-1] if unit else words
    words = ["number of" if word == "n" else word for word in words]
    return " ".join(words) + (f" ({unit})" if unit else "")


def _highest(schema: dict[str, Any]) -> float:
    return float(schema.get("maximum", schema.get("exclusiveMaximum", 0)))


def _limits(schema: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return ", ".join(f"{word} {schema[key]:,g}" for key, word in words.items() if schema.get(key, 1e12) < 1e12)
