"""A mapping proposed from headers and values, with a reason for each choice; nothing is filled in without one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cellos_nb.domain.yaml_lines import yaml_text
from cellos_nb.operations.history.mapping import REQUIRED, ROLES
from cellos_nb.operations.history.units import dose_unit_in, response_kind_in
from cellos_nb.spreadsheet import Table

_NAMES: dict[str, tuple[str, ...]] = {
    "cell_line": ("cell line", "cellline", "cell", "cells", "line", "model", "cell type"),
    "compound": ("compound", "drug", "treatment", "substance", "agent", "inhibitor", "molecule", "compound name"),
    "dose": ("dose", "conc", "concentration", "final conc", "final concentration", "final dose"),
    "response": ("response", "viability", "signal", "value", "readout", "rlu", "rfu", "luminescence", "fluorescence",
                 "survival", "growth", "cell count", "count", "measurement", "relative viability", "inhibition"),
    "plate": ("plate", "plate id", "barcode", "plate barcode", "plate name"),
    "well": ("well", "position", "well id", "well name"),
    "replicate": ("replicate", "rep", "repeat", "replica", "technical replicate"),
    "date": ("date", "day", "run date", "measured on", "experiment date"),
}  # fmt: skip
_VEHICLES = ("dmso", "vehicle", "solvent", "untreated", "control", "ctrl")
_PATTERNS = {
    "well": (re.compile(r"A?[A-Z]0?[1-9]\d?", re.IGNORECASE), "its values look like wells"),
    "date": (re.compile(r"\d{4}-\d{2}-\d{2}"), "its values look like days"),
}
_UNITS = re.compile(r"[(\[].*?[)\]]|[%µμ]|(?<![A-Za-z])[pnum]m(?![A-Za-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guessed:
    """One key of a mapping as proposed."""

    key: str
    value: str | None
    """None when nothing speaks for a value: a person has to fill it in."""
    reason: str
    """Why, or what to fill in."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping as proposed for one table."""

    name: str
    guessed: tuple[Guessed, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The keys that a person has to fill in before the mapping can be used."""
        needed = {*(f"columns.{role}" for role in REQUIRED), "dose_unit", "response.kind"}
        return tuple(each.key for each in self.guessed if each.value is None and each.key in needed)

    def to_yaml(self) -> str:
        """The mapping as YAML, a comment with the reason on each line; what is missing stands there as a comment."""
        lines, section = (
            [f"name: {_quoted(self.name)}", "assay: viability  # or reporter, imaging: say what it was"],
            "",
        )
        for each in self.guessed:
            outer, _, key = each.key.rpartition(".")
            if outer != section and outer:
                lines.append(f"{outer}:")
            section = outer
            indent = "  " if outer else ""
            text = f"{key}: {_quoted(each.value)}  # {each.reason}" if each.value else f"# {key}:   {each.reason}"
            lines.append(indent + text)
        return "\n".join(lines) + "\n"


def guess(table: Table) -> Guess:
    """A mapping for a table; each key with its reason, and those without one left for a person."""
    columns = _columns(table)
    by_role = {each.key.removeprefix("columns."): each.value for each in columns}
    vehicle = _vehicle(table, by_role["compound"])
    decimal = _decimal(table, [name for name in (by_role["dose"], by_role["response"]) if name is not None])
    sheet = [] if table.sheet is None else [Guessed("sheet", table.sheet, "the sheet that was read")]
    top = [_dose_unit(by_role["dose"]), *vehicle, *decimal, *sheet]
    return Guess(table.path.stem, (*top, *columns, _kind(table, by_role["response"])))


def _columns(table: Table) -> list[Guessed]:
    found: dict[str, Guessed] = {}
    taken: set[str] = set()
    ways = (_same_name, _in_name, _by_values)
    for way in ways:
        for role in ROLES:
            if role in found:
                continue
            for header in table.headers:
                reason = way(table, role, header) if header and header not in taken else None
                if reason is not None:
                    found[role] = Guessed(f"columns.{role}", header, reason)
                    taken.add(header)
                    break
    return [found.get(role) or Guessed(f"columns.{role}", None, _absent(role)) for role in ROLES]


def _same_name(table: Table, role: str, header: str) -> str | None:  # noqa: ARG001 - one of several ways
    return "its header says so" if _plain(header) in _NAMES[role] else None


def _in_name(table: Table, role: str, header: str) -> str | None:  # noqa: ARG001 - one of several ways
    words = f" {_plain(header)} "
    part = next((name for name in _NAMES[role] if f" {name} " in words), None)
    return None if part is None else f"its header has the word {part!r}"


def _by_values(table: Table, role: str, header: str) -> str | None:
    if role not in _PATTERNS:
        return None
    pattern, reason = _PATTERNS[role]
    values = _values(table, header)
    return reason if values and all(pattern.fullmatch(value) for value in values) else None


def _absent(role: str) -> str:
    return "no column looks like it; name one" if role in REQUIRED else "no column looks like it; may be left out"


def _dose_unit(header: str | None) -> Guessed:
    unit = None if header is None else dose_unit_in(header)
    if unit is None:
        return Guessed("dose_unit", None, "the header names no unit; fill in pM, nM, uM, mM or M")
    return Guessed("dose_unit", unit, f"the header {header!r} says so")


def _kind(table: Table, header: str | None) -> Guessed:
    said = None if header is None else response_kind_in(header)
    if said is not None:
        return Guessed("response.kind", said, f"the header {header!r} says so")
    numbers = sorted(_numbers(table, header)) if header is not None else []
    if not numbers:
        return Guessed("response.kind", None, "no numbers to judge by; fill in fraction, percent or raw")
    middle, highest = numbers[len(numbers) // 2], numbers[-1]
    about = f"half of the values are below {middle:g}, the highest is {highest:g}; check it"
    kind = "fraction" if highest <= 3 else "percent" if middle > 3 and highest <= 300 else "raw"
    return Guessed("response.kind", kind, about)


def _vehicle(table: Table, header: str | None) -> list[Guessed]:
    values = [] if header is None else dict.fromkeys(_values(table, header))
    named = next((value for value in values if value.lower() in _VEHICLES), None)
    if named is None:
        return []
    return [Guessed("vehicle", named, "a compound of this name is usually the solvent alone")]


def _decimal(table: Table, headers: Sequence[str]) -> list[Guessed]:
    texts = [value for header in headers for value in _values(table, header)]
    if any(re.fullmatch(r"[+-]?\d+,\d+", text) for text in texts) and not any("." in text for text in texts):
        return [Guessed("decimal", ",", "numbers have commas and no points")]
    return []


def _values(table: Table, header: str) -> list[str]:
    return [line.cells[header] for line in table.lines if header in line.cells]


def _numbers(table: Table, header: str) -> Iterator[float]:
    for text in _values(table, header):
        if re.fullmatch(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?", text):
            yield float(text.replace(",", "."))


def _plain(header: str) -> str:
    """A header without unit and signs, in lower-case words."""
    return re.sub(r"[^a-z0-9]+", " ", _UNITS.sub(" ", header.replace("_", " ")).lower()).strip()


def _quoted(text: str | None) -> str:
    """A text as one YAML scalar on one line."""
    return yaml_text(text, width=10_000, default_flow_style=True).partition("\n")[0]
