"""What the import panel shows: the mapping with its reasons, all that is wrong, and what would be imported."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Any, get_args

from sqlalchemy import func, select

from cellos_nb.domain.settings import AssayName
from cellos_nb.errors import ConfigError, InputError
from cellos_nb.operations.history import Guess, HistoryMapping, Table
from cellos_nb.operations.history.importing import ReadHistory, foretold_id, understand
from cellos_nb.operations.history.mapping import REQUIRED, ROLES
from cellos_nb.operations.history.problems import SHOWN, LinesError, MappingError, Problem
from cellos_nb.operations.history.units import DoseUnit, ResponseKind
from cellos_nb.panels.history_import.source import Source, standing_of
from cellos_nb.store.schema import campaigns
from cellos_nb.store.store import Store

N_PREVIEW = 10
"""Wells in view."""
NOTHING = ""
"""What a field says that is left out."""
PREVIEW_COLUMNS = ("line", "cell line", "compound", "dose (µM)", "of vehicle", "plate", "well", "replicate", "day")
PROBLEM_COLUMNS = ("line", "column", "value", "what is possible")
FIELD_COLUMNS = ("key", "value", "reason", "wrong")
_COLUMN_KEYS = (*(f"columns.{role}" for role in ROLES), "response.vehicle_column")
_CHOICES: dict[str, tuple[str, ...]] = {
    "assay": get_args(AssayName),
    "goal": ("minimise", "maximise"),
    "dose_unit": get_args(DoseUnit),
    "response.kind": get_args(ResponseKind),
    "decimal": (".", ","),
}
_NEEDED = {"name", "assay", "goal", "dose_unit", "response.kind", *(f"columns.{role}" for role in REQUIRED)}
KEYS = (
    *("name", "assay", "goal", *(f"columns.{role}" for role in ROLES), "dose_unit", "response.kind"),
    *("response.vehicle_column", "response.unit", "vehicle", "decimal"),
)
"""Of a mapping, in the order of the fields; the sheet stands beside the file."""
_DEFAULTS = {"assay": "viability", "goal": "minimise", "decimal": "."}


@dataclass(frozen=True, slots=True)
class ImportChoice:
    """What a person chose."""

    file: str = ""
    sheet: str = ""
    is_guessed: bool = False
    """Whether the fields are filled in."""
    changed: tuple[tuple[str, str], ...] = ()
    """Fields that say something else than the guess: key and value."""
    imported: str = ""
    """The campaign that this import became; empty before."""

    def of_file(self, file: str, sheet: str) -> ImportChoice:
        """Another file or sheet: nothing is guessed of it yet."""
        file, sheet = file.strip(), sheet.strip()
        return self if (file, sheet) == (self.file, self.sheet) else ImportChoice(file, sheet)

    def with_value(self, key: str, value: str) -> ImportChoice:
        """The same with one field changed."""
        return replace(self, changed=tuple({**dict(self.changed), key: value.strip()}.items()), imported="")


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the mapping."""

    key: str
    value: str
    options: tuple[tuple[str, str], ...] = ()
    """Label and value of each; empty where any text is possible."""
    reason: str = ""
    """Why the guess is what it is, or what to fill in."""
    wrong: tuple[str, ...] = ()
    """Sentences."""


@dataclass(frozen=True, slots=True)
class ImportShown:
    """What the panel shows."""

    fields: tuple[Field, ...]
    is_guessed: bool = False
    trouble: tuple[str, ...] = ()
    """What is wrong with the file, or with no field alone; sentences."""
    problems: tuple[Problem, ...] = ()
    """Cells that cannot be, all of them."""
    ready: ReadHistory | None = None
    """What would be imported; None while anything is wrong."""
    campaign_id: str = ""
    """What the import is called, or would be."""
    is_there: bool = False
    """Whether this file was imported with this mapping."""
    is_done: bool = False
    """Whether that was done here."""

    @property
    def can_import(self) -> bool:
        """Whether nothing is wrong and there is something to store."""
        return self.ready is not None and not self.is_there

    @property
    def n_more(self) -> int:
        """Problems that are counted alone."""
        return max(len(self.problems) - SHOWN, 0)

    def problem_rows(self) -> list[tuple[str, ...]]:
        """As `PROBLEM_COLUMNS`: the first of them."""
        return [
            (str(each.line), each.column, "(empty)" if each.value is None else each.value, each.cure)
            for each in self.problems[:SHOWN]
        ]

    def preview_rows(self) -> list[tuple[str, ...]]:
        """As `PREVIEW_COLUMNS`: the first wells as they are understood, in the order of lines."""
        if self.ready is None:
            return []
        wells = (well for each in self.ready.experiments for well in each.wells)
        return [
            (
                *(str(well.line), well.cell_line, well.compound, f"{well.dose_um:g}", f"{well.value:.4g}"),
                *(well.plate, well.well, str(well.replicate or ""), "" if well.day is None else well.day.isoformat()),
            )
            for well in nsmallest(N_PREVIEW, wells, key=lambda well: well.line)
        ]

    def counts(self) -> list[tuple[str, int]]:
        """Name and number of what would be imported; empty while anything is wrong."""
        if self.ready is None:
            return []
        config = self.ready.config
        return [
            ("lines", len(self.ready.table.lines)),
            ("treated wells", self.ready.n_wells),
            ("experiments", len(self.ready.experiments)),
            ("compounds", len(config.compounds)),
            ("cell lines", len(config.cell_lines)),
            ("doses", len({each.proposal[2] for each in self.ready.experiments})),
        ]

    def field_rows(self) -> list[tuple[str, ...]]:
        """As `FIELD_COLUMNS`."""
        return [(each.key, each.value, each.reason, " ".join(each.wrong)) for each in self.fields]

    def summary(self) -> str:
        """Where the import stands, and what comes next."""
        if self.trouble and not self.is_guessed:
            return "The file cannot be read as it is; what is wrong stands below."
        if not self.is_guessed:
            return "Give a table of earlier results, .csv or .xlsx with one well a line, and press Guess."
        if self.is_done:
            return f"Imported as the campaign {self.campaign_id}."
        if self.is_there:
            return f"This file is there already, with this mapping: it is the campaign {self.campaign_id}."
        if self.ready is not None:
            return f"Nothing is wrong; the import will be the campaign {self.campaign_id}."
        n = len(self.problems) + len(self.trouble) + sum(len(each.wrong) for each in self.fields)
        return f"Nothing can be imported yet: {n} {'thing has' if n == 1 else 'things have'} to be corrected."

    def next_steps(self) -> tuple[str, ...]:
        """What can be done with the campaign, once it is there."""
        if not self.is_there:
            return ()
        return (
            f"Look at it in the other panels, or by `cellos status {self.campaign_id}`.",
            (
                f"Learn a prior from five compounds or more: `cellos learn-prior {self.campaign_id} --out prior.yaml`; "
                "a new campaign starts from it with `planner: {prior: prior.yaml}`."
            ),
        )


def mark_of(store: Store, file: str) -> Hashable:
    """Changes with the file and with every campaign that is stored."""
    with store.read() as tx:
        n = tx.scalar(select(func.count()).select_from(campaigns))
    return n, standing_of(file) if file else None


def look(store: Store, choice: ImportChoice, source: Source) -> ImportShown:
    """The mapping and what comes of it, by the file as it is now; nothing is stored."""
    empty = ImportShown(_fields({}, None, None, {}))
    if not choice.file:
        return empty
    try:
        seen = source.sheet(choice.file, choice.sheet)
    except InputError as error:
        return replace(empty, trouble=tuple(str(error).splitlines()))
    if not choice.is_guessed:
        return empty
    table, proposed = seen.table, seen.proposed
    values = {**_DEFAULTS, **_values(proposed), **dict(choice.changed)}
    checked = _checked(values, table)
    if isinstance(checked, ReadHistory):
        campaign_id, is_new = foretold_id(store, checked)
        return ImportShown(
            _fields(values, table, proposed, {}),
            is_guessed=True,
            ready=checked,
            campaign_id=campaign_id,
            is_there=not is_new,
            is_done=not is_new and campaign_id == choice.imported,
        )
    if isinstance(checked, LinesError):
        return ImportShown(_fields(values, table, proposed, {}), is_guessed=True, problems=checked.problems)
    wrong: dict[str, list[str]] = {}
    for key, sentence in _by_key(checked):
        wrong.setdefault(key, []).append(sentence)
    rest = tuple(wrong.pop(NOTHING, ()))
    return ImportShown(_fields(values, table, proposed, wrong), is_guessed=True, trouble=rest)


def _checked(values: Mapping[str, str], table: Table) -> ReadHistory | InputError:
    """What would be imported, or why nothing would be."""
    try:
        return understand(table, _mapping(values))
    except InputError as error:
        return error


def _mapping(values: Mapping[str, str]) -> HistoryMapping:
    nested: dict[str, Any] = {"columns": {}, "response": {}}
    for key, value in values.items():
        outer, _, inner = key.rpartition(".")
        if value != NOTHING:
            (nested[outer] if outer else nested)[inner] = value
    return HistoryMapping(**nested)


def _values(proposed: Guess) -> dict[str, str]:
    """What is guessed, without the sheet, which was read already."""
    found = {each.key: each.value for each in proposed.guessed if each.value is not None and each.key in KEYS}
    return {"name": proposed.name, **found}


def _by_key(error: InputError) -> Iterator[tuple[str, str]]:
    """Each sentence of a refusal with the field that it belongs to; with none when it belongs to no field alone."""
    if isinstance(error, MappingError):
        yield from ((key if key in KEYS else NOTHING, sentence) for key, sentence in error.by_key)
        return
    for sentence in str(error).splitlines():
        key, _, _ = sentence.partition(": ")
        yield (key if isinstance(error, ConfigError) and key in KEYS else NOTHING, sentence)


def _fields(
    values: Mapping[str, str], table: Table | None, proposed: Guess | None, wrong: Mapping[str, Iterable[str]]
) -> tuple[Field, ...]:
    reasons = {"name": "after the file"} if proposed else {}
    guessed = {"name": proposed.name, **_values(proposed)} if proposed else {}
    reasons |= {each.key: each.reason for each in proposed.guessed} if proposed else {}
    made = []
    for key in KEYS:
        value, reason = values.get(key, NOTHING), reasons.get(key, "")
        if key in guessed and value != guessed[key]:
            reason = f"guessed {guessed[key]!r}: {reason}"
        made.append(Field(key, value, _options(key, value, table), reason, tuple(wrong.get(key, ()))))
    return tuple(made)


def _options(key: str, value: str, table: Table | None) -> tuple[tuple[str, str], ...]:
    if key in _COLUMN_KEYS:
        possible = tuple(dict.fromkeys(name for name in table.headers if name)) if table is not None else ()
    elif key in _CHOICES:
        possible = _CHOICES[key]
    else:
        return ()
    nothing = ("choose one" if key in _NEEDED else "left out", NOTHING)
    gone = [(f"{value} (not possible)", value)] if value not in {NOTHING, *possible} else []
    return (nothing, *((each, each) for each in possible), *gone)
