"""A campaign's configuration while it is being typed: any text in any field, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ConfigError, InputError
from cellos_nb.panels.launcher.fields import Field, Path, all_fields, field_at

Raw = str | int | bool | tuple[str, str]
"""What a widget holds: text, a whole number or a choice, whether a group is on, or both ends of a range."""
COLUMN_MARK = "|"
"""Between the columns of a table; a tab, as spreadsheets paste it, counts as well."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form."""

    values: Mapping[Path, Raw]
    """One for each field."""

    @classmethod
    def empty(cls) -> Draft:
        """The defaults; nothing where there is none."""
        return cls._of({})

    @classmethod
    def of(cls, config: CampaignConfig) -> Draft:
        """A configuration, ready to be changed.

        Raises:
            ConfigError: a name in it cannot be written in the form, such as one with a line break.
        """
        draft = cls._of(config.to_dict())
        if check(draft).config != config:
            raise ConfigError(
                f"{config.name}: a name holds a line break, a tab, '{COLUMN_MARK}' or blanks at its ends, which the "
                "form cannot show. Change the name, or run the campaign with `cellos run`."
            )
        return draft

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> Draft:
        return cls(MappingProxyType({field.path: _raw(field, content) for field in all_fields()}))

    def with_value(self, path: Path, value: Raw) -> Draft:
        """The form after one field was changed."""
        return Draft(MappingProxyType({**self.values, path: value}))

    def to_dict(self, under: str | None = None) -> dict[str, Any]:
        """The form as `CampaignConfig.from_dict` reads it, or one key of it; a field that is left out is None.

        Raises:
            ConfigError: a table has more columns than it may; everything else is left for the configuration to refuse.
        """
        content: dict[str, Any] = {}
        for field in all_fields():
            if under not in {None, field.path[0]}:
                continue
            *above, key = field.path
            place: Any = content
            for part in above:
                place = place.setdefault(part, {}) if place is not None else None
            if place is None:
                # It belongs to a group that is left out.
                continue
            value = self.values[field.path]
            if field.kind == "group":
                place[key] = {} if value else None
            else:
                place[key] = _plain(field, value)
        return content


@dataclass(frozen=True, slots=True)
class Checked:
    """A form after validation."""

    config: CampaignConfig | None
    """None when something is wrong."""
    problems: Mapping[Path, tuple[str, ...]]
    """What is wrong, by the field it stands beside; under the empty path what belongs to no field."""

    @property
    def n_problems(self) -> int:
        """Things that are wrong."""
        return sum(len(lines) for lines in self.problems.values())


def check(draft: Draft) -> Checked:
    """The configuration that a form stands for, or what is wrong with each of its fields."""
    try:
        return Checked(CampaignConfig.from_dict(draft.to_dict()), MappingProxyType({}))
    except ConfigError as error:
        return Checked(None, by_field(error))


def by_field(error: InputError) -> Mapping[Path, tuple[str, ...]]:
    """The lines of a refusal, each under the field that it speaks of.

    >>> dict(by_field(ConfigError("controls.vehicle: 0 is too small; give at least 1.")))
    {('controls', 'vehicle'): ('0 is too small; give at least 1.',)}
    """
    found: dict[Path, tuple[str, ...]] = {}
    for line in str(error).splitlines():
        path, message = _placed(line)
        found[path] = (*found.get(path, ()), message)
    return MappingProxyType(found)


def _placed(line: str) -> tuple[Path, str]:
    key, separator, message = line.partition(": ")
    parts = tuple(key.split("."))
    paths = {field.path for field in all_fields()}
    for depth in range(len(parts), 0, -1):
        if separator and parts[:depth] in paths:
            # What is left of the key says which entry of a list is meant.
            return parts[:depth], f"{_entry(parts[:depth], parts[depth:])}{message}"
    inside = next((path for path in sorted(paths) if separator and path[: len(parts)] == parts), None)
    return (inside, message) if inside else ((), line)


def _entry(path: Path, rest: Path) -> str:
    """Which entry of a field is meant, as the form shows it."""
    if not rest:
        return ""
    field, number = field_at(path), rest[0]
    if field.kind == "range":
        return f"{'lowest' if number == '0' else 'highest'}: "
    columns = {column.path[-1]: column.short_label for column in field.columns}
    line = f"line {int(number) + 1}" if number.isdigit() else number
    return ", ".join((line, *(columns.get(part, part) for part in rest[1:]))) + ": "


def _raw(field: Field, content: Mapping[str, Any]) -> Raw:
    """What stands in the form for one field of plain values."""
    value: Any = content
    for key in field.path:
        value = value.get(key, _MISSING) if isinstance(value, Mapping) else _MISSING
    if value is _MISSING:
        value = field.default
    if field.kind == "group":
        return value is not None
    if field.kind == "flag":
        return bool(value)
    if field.kind in {"names", "table"}:
        rows = value or ()
        return "\n".join(_row_text(field, row) for row in rows)
    if field.kind == "range":
        low, high = value or ("", "")
        return _text(low), _text(high)
    if value is not None and (field.has_stepper or field.kind == "choice"):
        result: Raw = value
        return result
    return _text(value)


_MISSING = object()


def _row_text(field: Field, row: Any) -> str:
    if field.kind == "names":
        return str(row)
    cells = [_text(row.get(column.path[-1])) for column in field.columns]
    while cells and not cells[-1]:
        cells.pop()
    return f" {COLUMN_MARK} ".join(cells)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _plain(field: Field, value: Raw) -> Any:
    """One field as the configuration takes it; what is no number is passed on for the configuration to refuse."""
    if isinstance(value, tuple):
        return [_number(end) for end in value]
    if not isinstance(value, str):
        return value
    if field.kind == "names":
        return [line.strip() for line in value.splitlines() if line.strip()]
    if field.kind == "table":
        return [_row(field, line, n) for n, line in enumerate(value.splitlines()) if line.strip()]
    if not value.strip() and field.is_optional:
        return None
    return _number(value) if field.kind in {"integer", "number"} else value.strip()


def _row(field: Field, line: str, number: int) -> dict[str, Any]:
    cells = [cell.strip() for cell in line.replace("\t", COLUMN_MARK).split(COLUMN_MARK)]
    if len(cells) > len(field.columns):
        names = f" {COLUMN_MARK} ".join(column.short_label for column in field.columns)
        raise ConfigError(f"{field.key}.{number}: has {len(cells)} columns; give at most {names}.")
    filled = zip(field.columns, cells, strict=False)
    return {column.path[-1]: _plain(column, cell) for column, cell in filled}


def _number(text: str) -> Any:
    """A number as typed; text that is none stays text."""
    typed = text.strip().replace("−", "-")
    for read in (int, float):
        try:
            return read(typed)
        except ValueError:
            continue
    return typed


def first_cells(text: object) -> tuple[str, ...]:
    """The names at the beginning of the lines of a list."""
    lines = (line.replace("\t", "|").split("|")[0].strip() for line in str(text).splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))
