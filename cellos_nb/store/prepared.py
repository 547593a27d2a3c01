"""Statements that run thousands of times: compiled once for the database at hand, with values passed straight on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Dialect, Insert, Select, Update
from sqlalchemy.types import TypeEngine

_Process = Callable[[Any], Any]
_Parameters = tuple[tuple[str, _Process | None, Any], ...]
"""Name, conversion for the driver, and the value that stands in the statement itself, in the order of the driver."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in the terms of one driver."""

    sql: str
    parameters: _Parameters
    results: tuple[tuple[int, _Process], ...]
    """Columns of a row, by place, that the driver does not give as they are wanted."""


class Prepared:
    """A statement whose values are all named parameters. Executing it costs a tenth of executing it anew.

    On a database whose driver takes names in place of positions it is executed as any other statement.
    """

    def __init__(
        self, statement: Insert | Update | Select[*tuple[Any, ...]] | CompoundSelect[Any], *columns: str
    ) -> None:
        """Prepares a statement; `columns` are those that an INSERT fills."""
        self.statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled | None] = {}

    def __call__(self, tx: Connection, values: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> int:
        """Executes a change, once for each mapping of values; returns the number of rows that it touched."""
        compiled = self._of(tx)
        if compiled is None:
            return tx.execute(self.statement, values).rowcount
        driver = _driver(tx)
        if isinstance(values, Mapping):
            done = driver.execute(compiled.sql, _row(values, compiled.parameters))
        else:
            done = driver.executemany(compiled.sql, [_row(one, compiled.parameters) for one in values])
        return int(done.rowcount)

    def insert(self, tx: Connection, values: Mapping[str, Any]) -> int:
        """Inserts one row and returns the number that the database gave it."""
        compiled = self._of(tx)
        if compiled is None:
            (number,) = tx.execute(self.statement, values).inserted_primary_key or (0,)
            return int(number)
        return int(_driver(tx).execute(compiled.sql, _row(values, compiled.parameters)).lastrowid)

    def rows(self, tx: Connection, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """What a query answers, in the order of its columns."""
        compiled = self._of(tx)
        if compiled is None:
            return [tuple(row) for row in tx.execute(self.statement, values or {})]
        found: list[tuple[Any, ...]] = (
            _driver(tx).execute(compiled.sql, _row(values or {}, compiled.parameters)).fetchall()
        )
        if not compiled.results:
            return found
        return [_converted(row, compiled.results) for row in found]

    def _of(self, tx: Connection) -> _Compiled | None:
        name = tx.dialect.name
        if name not in self._compiled:
            self._compiled[name] = self._compile(tx.dialect)
        return self._compiled[name]

    def _compile(self, dialect: Dialect) -> _Compiled | None:
        compiled = self.statement.compile(dialect=dialect, column_keys=list(self._columns) or None)
        order = getattr(compiled, "positiontup", None)
        if order is None:
            return None
        binds = [compiled.binds[name] for name in order]
        processes = [bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in binds]
        own = [_GIVEN if bind.required else bind.value for bind in binds]
        parameters = tuple(zip(order, processes, own, strict=True))
        return _Compiled(str(compiled), parameters, _conversions(self.statement, dialect))


_GIVEN = object()


def _driver(tx: Connection) -> Any:
    """The driver's connection, in a transaction: past SQLAlchemy, whose own part costs more than SQLite's."""
    if not tx.in_transaction():
        tx.begin()
    return tx.connection.driver_connection


def _conversions(statement: Any, dialect: Dialect) -> tuple[tuple[int, _Process], ...]:
    if not isinstance(statement, Select | CompoundSelect):
        return ()
    types: list[TypeEngine[Any]] = [column.type for column in statement.selected_columns]
    found = [each.dialect_impl(dialect).result_processor(dialect, None) for each in types]
    return tuple((place, process) for place, process in enumerate(found) if process is not None)


def _converted(row: tuple[Any, ...], conversions: tuple[tuple[int, _Process], ...]) -> tuple[Any, ...]:
    values = list(row)
    for place, process in conversions:
        values[place] = process(values[place])
    return tuple(values)


def _row(values: Mapping[str, Any], parameters: _Parameters) -> tuple[Any, ...]:
    row = []
    for name, process, own in parameters:
        value = values[name] if own is _GIVEN else own
        row.append(value if process is None else process(value))
    return tuple(row)
