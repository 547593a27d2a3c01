"""The page of all settings, from the models that check them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

from commands import cell
from pydantic import BaseModel

import cellos_nb
from cellos_nb.domain.setting import Settings

Model = type[BaseModel]

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "A campaign": (
        "The keys of a campaign's YAML file, and the arguments of `CampaignConfig`.",
        ("domain.campaign", "domain.settings", "domain.planning"),
    ),
    "A machine file": (
        (
            "`machines/NAME.yaml`; `cellos hardware new KIND` writes one with every key explained: "
            "[machine files](../how-to/machines.md)."
        ),
        ("hardware.configuration", "hardware.bench.settings", "hardware.pylabrobot.settings"),
    ),
    "A lab week": (
        "The file of `cellos facility simulate` and `cellos calendar plan`: [a lab week](../how-to/lab-week.md).",
        ("week.config",),
    ),
    "A cell bank": (
        "The file of `cellos bank`, with its parameters and prices: [cell banks](../how-to/cell-banks.md).",
        ("operations.banks.config", "operations.banks.parameters"),
    ),
    "The stock": (
        "The columns of a stock table: [keep the stock](../how-to/inventory.md).",
        ("domain.stock", "operations.inventory.columns"),
    ),
    "Messages": (
        "`messages.yaml` beside the database: [messages to people](../how-to/messages.md).",
        ("operations.notifications.settings",),
    ),
    "Earlier results": (
        "The mapping of `cellos history import`: [history in, history out](../how-to/history.md).",
        ("operations.history.mapping",),
    ),
    "A facility": (
        "The file of `cellos facility plan`: [months ahead](../how-to/facility.md).",
        ("operations.facility.config",),
    ),
    "An Opentrons robot": (
        "The file of an OT-2 or Flex: [Opentrons](../how-to/opentrons.md).",
        ("hardware.opentrons.settings",),
    ),
    "The simulated biology": (
        (
            "A parameter file for `machine: {kind: biology, parameters: FILE}`. Every number is written as "
            "`{value: …, source: …}`: [where the shipped ones come from](../explanation/biology.md)."
        ),
        ("hardware.biology_parameters",),
    ),
}
"""Modules whose settings stand under one heading; those of all others come last."""


@cache
def models() -> dict[str, list[Model]]:
    """Every model of settings that a person writes, by heading."""
    homes = {module: heading for heading, (_, modules) in GROUPS.items() for module in modules}
    found: dict[str, list[Model]] = {heading: [] for heading in GROUPS}
    for model in sorted(_settings(), key=_place):
        home = homes.get(model.__module__.removeprefix("cellos_nb."), "Other files")
        found.setdefault(home, []).append(model)
    return found


def _settings() -> set[Model]:
    for module in pkgutil.walk_packages(cellos_nb.__path__, "cellos_nb."):
        # Models stand in modules of these rooms alone; importing all others would start much for nothing.
        if module.name.startswith(
            ("cellos_nb.domain", "cellos_nb.hardware", "cellos_nb.workflow", "cellos_nb.operations", "cellos_nb.week")
        ):
            importlib.import_module(module.name)
    found, waiting = set(), [Settings]
    while waiting:
        for model in waiting.pop().__subclasses__():
            waiting.append(model)
            if model.__module__.startswith("cellos_nb.") and not model.__name__.startswith("_"):
                found.add(model)
    return found


def _place(model: Model) -> tuple[int, str, int]:
    modules = [f"cellos_nb.{name}" for _, names in GROUPS.values() for name in names]
    home = model.__module__
    return (modules.index(home) if home in modules else len(modules), home, inspect.getsourcelines(model)[1])


def page() -> str:
    """The page in Markdown."""
    said = ["# Settings", "", "Made from the models that check them. A key that is not here is refused, with the line."]
    for heading, group in models().items():
        if group:
            words = GROUPS[heading][0] if heading in GROUPS else "Files that belong to single tools."
            said += ["", f"## {heading}", "", words]
            for model in group:
                said += ["", f"### {model.__name__} {{ #{anchor(model)} }}", "", _meaning(model), "", *_rows(model)]
    return "\n".join(said) + "\n"


def anchor(model: Model) -> str:
    """Where a model stands on the page."""
    return f"{model.__module__.removeprefix('cellos_nb.')}.{model.__name__}"


def _meaning(model: Model) -> str:
    return inspect.cleandoc(model.__doc__ or "").partition("\n\nRaises:")[0]


def _rows(model: Model) -> list[str]:
    schema = model.model_json_schema(mode="validation")
    required = set(schema.get("required", ()))
    names = {inner.__name__: inner for inner in _inner_models(model)}
    rows = []
    for key, field in schema.get("properties", {}).items():
        default = "required" if key in required else _default(field)
        meaning = field.get("description") or " ".join(_meaning(inner) for inner in _refs(field, names))
        rows.append(f"| `{key}` | {_kind(field, names)} | {default} | {cell(meaning)} |")
    return ["| key | value | default | meaning |", "|---|---|---|---|", *rows] if rows else []


def _inner_models(model: Model) -> Iterator[Model]:
    for heading in models().values():
        yield from heading
    yield model


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, dict):
        return "as there"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(map(str, value))}`" if isinstance(value, list) else f"`{value}`"


def _refs(field: dict[str, Any], names: dict[str, Model]) -> list[Model]:
    wanted = [field.get("$ref", ""), *(part.get("$ref", "") for part in field.get("anyOf", ()))]
    wanted.append(field.get("items", {}).get("$ref", ""))
    return [names[found] for ref in wanted if (found := ref.rpartition("/")[2]) in names]


def _kind(field: dict[str, Any], names: dict[str, Model]) -> str:
    if "$ref" in field:
        inner = names.get(field["$ref"].rpartition("/")[2])
        return f"[{inner.__name__}](#{anchor(inner)})" if inner else "number with its source"
    if "anyOf" in field:
        return " or ".join(_kind(part, names) for part in field["anyOf"] if part.get("type") != "null")
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        items = [_kind(part, names) for part in field.get("prefixItems", ())] or [_kind(field.get("items", {}), names)]
        return "list of " + ", ".join(items)
    return {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false",
            "object": "mapping"}.get(field.get("type", ""), "value") + _bounds(field)  # fmt: skip


def _bounds(field: dict[str, Any]) -> str:
    said = []
    for key, words in (("exclusiveMinimum", "above {}"), ("minimum", "{} or more"), ("exclusiveMaximum", "below {}"),
                       ("maximum", "{} at most")):  # fmt: skip
        if key in field:
            value = field[key]
            said.append(
                words.format("2⁶³" if value == 2**63 else f"{value:,}" if isinstance(value, int) else f"{value:g}")
            )
    return f", {', '.join(said)}" if said else ""


def _is_explained(field: dict[str, Any], names: dict[str, Model], model: Model) -> bool:
    """Whether another model says what a field is, or the field only narrows one that its base explains."""
    inherited = {
        key for base in model.__mro__[1:] if issubclass(base, BaseModel) for key in getattr(base, "__annotations__", {})
    }
    return bool(_refs(field, names)) or field.get("title", "").lower().replace(" ", "_") in inherited


def unexplained() -> list[str]:
    """The settings without a word about them."""
    found = []
    for group in models().values():
        for model in group:
            names = {inner.__name__: inner for inner in _inner_models(model)}
            for key, field in model.model_json_schema().get("properties", {}).items():
                is_own = key in model.__annotations__
                if is_own and not field.get("description") and not _is_explained(field, names, model):
                    found.append(f"{model.__module__}.{model.__name__}.{key}")
    return found
