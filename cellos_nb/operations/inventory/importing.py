"""A stock table read into the books: whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from operator import itemgetter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from cellos_nb.domain.audit import Act
from cellos_nb.domain.config_errors import describe_all
from cellos_nb.domain.stock import Lot, Resource
from cellos_nb.errors import InventoryError
from cellos_nb.operations.inventory.columns import COLUMNS, LOT_COLUMNS, RESOURCE_COLUMNS, LotColumns, day_of
from cellos_nb.operations.inventory.deliveries import book_delivery
from cellos_nb.operations.inventory.spreadsheet import Row, rows_of
from cellos_nb.store import stock_shelf
from cellos_nb.store.audit import note
from cellos_nb.store.stock_ledger import Ledger


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a table."""

    declared: tuple[str, ...]
    """Resources that are new."""
    changed: tuple[str, ...]
    """Resources of which something is new."""
    lots: tuple[Lot, ...]
    """What was received."""


@dataclass(slots=True)
class _Stated:
    """What the lines of a table say of one resource."""

    first_line: int
    cells: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """Where each cell stands."""


def import_table(tx: Connection, ledger: Ledger, text: str, where: str) -> Imported:
    """Declares and receives what a table says, all of it or nothing: the transaction has to be given up on an error.

    A cell of a resource that is empty stays as it was declared, so that a table of names and prices brings prices up to
    date. A line without a cell of a lot declares alone.

    Raises:
        InventoryError: names every line that cannot be, with what is wrong and what is possible.
    """
    rows, problems = rows_of(text, where, COLUMNS, ["name"])
    found = _Import(tx, ledger, problems)
    usable = found.declare(found.gather(rows))
    lots = found.receive(row for row in rows if row.cells.get("name") in usable)
    if found.problems:
        said = "\n".join(f"{where}, line {line}: {why}" for line, why in sorted(found.problems, key=itemgetter(0)))
        n = len({line for line, _ in found.problems})
        what = "1 line has" if n == 1 else f"{n} lines have"
        raise InventoryError(f"{where}: nothing was imported; {what} to be corrected.\n{said}")
    return Imported(tuple(found.new), tuple(found.changed), tuple(lots))


class _Import:
    """One table on its way into the books."""

    def __init__(self, tx: Connection, ledger: Ledger, problems: list[tuple[int, str]]) -> None:
        self._tx, self._ledger = tx, ledger
        self.problems = problems
        self.new: list[str] = []
        self.changed: list[str] = []

    def gather(self, rows: Iterable[Row]) -> dict[str, _Stated]:
        """What is said of each resource, by name; two lines that contradict each other are a problem."""
        stated: dict[str, _Stated] = {}
        for row in rows:
            name = row.cells.get("name")
            if name is None:
                self._refuse(row.line, "name: is empty; write which resource it is.")
                continue
            mine = stated.setdefault(name, _Stated(row.line))
            for column in (each for each in RESOURCE_COLUMNS if each in row.cells):
                cell = row.cells[column]
                if mine.cells.setdefault(column, cell) != cell:
                    before = f"line {mine.lines[column]} says {mine.cells[column]!r}"
                    self._refuse(row.line, f"{column}: {cell!r} of {name}, but {before}. Make them the same.")
                mine.lines.setdefault(column, row.line)
        return stated

    def declare(self, stated: dict[str, _Stated]) -> set[str]:
        """Declares what is new; returns the names of which lots can be received."""
        before = {resource.name: resource for resource in stock_shelf.all_resources(self._tx)}
        usable: set[str] = set()
        for name, mine in stated.items():
            old = before.get(name)
            if old is None and set(mine.cells) == {"name"}:
                known = ", ".join(sorted(before)) or "none yet"
                why = f"name: {name!r} is not declared; fill in what it is, or correct it. Declared: {known}."
                self._refuse(mine.first_line, why)
                continue
            resource = self._resource(old, mine)
            if resource is None:
                continue
            usable.add(name)
            if resource == old:
                continue
            try:
                stock_shelf.declare(self._tx, resource, at=self._ledger.at, person=self._ledger.person)
            except InventoryError as error:
                self._refuse(mine.first_line, str(error))
            else:
                facts = resource.model_dump(mode="json")
                note(self._tx, Act.STOCK_DECLARED, name, who=self._ledger.person, facts=facts)
                (self.changed if old else self.new).append(name)
        return usable

    def receive(self, rows: Iterable[Row]) -> list[Lot]:
        """Receives the lots of those lines that have one."""
        lots = []
        for row in rows:
            cells = {column: row.cells[column] for column in LOT_COLUMNS if column in row.cells}
            if not cells:
                continue
            try:
                said = LotColumns.model_validate(cells)
                lots.append(book_delivery(self._tx, self._ledger, said.delivery(row.cells["name"])))
            except ValidationError as error:
                for problem in describe_all(error, LotColumns, None):
                    self._refuse(row.line, problem)
            except InventoryError as error:
                self._refuse(row.line, str(error))
        return lots

    def _resource(self, old: Resource | None, mine: _Stated) -> Resource | None:
        """What was declared with what is said of it now; None when that is no resource."""
        values: dict[str, Any] = {} if old is None else old.model_dump(exclude_none=True)
        values |= mine.cells
        n_before = len(self.problems)
        if "price_as_of" in mine.cells:
            try:
                values["price_as_of"] = day_of(mine.cells["price_as_of"])
            except ValueError as error:
                self._refuse(mine.lines["price_as_of"], f"price_as_of: {mine.cells['price_as_of']!r} is {error}.")
                values["price_as_of"] = date.min  # so that the rest is checked as well
        try:
            resource = Resource.model_validate(values)
            return resource if len(self.problems) == n_before else None
        except ValidationError as error:
            missing = [str(each["loc"][-1]) for each in error.errors() if each["type"] == "missing"]
            for said in describe_all(error, Resource, None):
                column = said.partition(":")[0]
                if column not in missing:
                    self._refuse(mine.lines.get(column, mine.first_line), said)
            if missing:
                self._refuse(mine.first_line, f"{mine.cells['name']}: fill in {', '.join(missing)}.")
        return None

    def _refuse(self, line: int, why: str) -> None:
        self.problems.append((line, why))
