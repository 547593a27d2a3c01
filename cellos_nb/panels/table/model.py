"""Which rows of a history are asked for, in which order; no toolkit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.errors import InputError
from cellos_nb.panels.text import cell_text

if TYPE_CHECKING:
    import pandas as pd

MAX_WINDOW = 400
"""Rows that are sent at once."""
NONE = "none"
"""As a filter: the value is missing."""
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMPARISON = re.compile(rf"(<=|>=|<|>|=)?\s*({_NUMBER})")
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})")
_TESTS: dict[str, Callable[[Any, float], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.isclose,
}


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asked for."""

    sort_by: str | None = None
    """A column; the order of the experiments when None."""
    is_descending: bool = False
    filters: tuple[tuple[str, str], ...] = ()
    """Column and what was typed above it; all must hold."""


@dataclass(frozen=True, slots=True)
class Window:
    """The rows in sight."""

    first: int
    """Place of the first one among those that match, counted from 0."""
    rows: tuple[tuple[str, ...], ...]
    """As text, column by column."""
    n_matching: int
    n_all: int


def select(frame: pd.DataFrame, query: Query) -> NDArray[np.intp]:
    """Places of the rows that match, in the order asked for; equal rows stay in the order of the experiments.

    Raises:
        InputError: a filter cannot be read, or names no column.
    """
    kept = np.ones(len(frame), dtype=np.bool_)
    for column, text in query.filters:
        if text.strip():
            kept &= _mask(frame, _checked(frame, column), text.strip())
    places = np.flatnonzero(kept)
    if query.sort_by is None:
        return places
    values = frame[_checked(frame, query.sort_by)].iloc[places].reset_index(drop=True)
    order = values.sort_values(ascending=not query.is_descending, kind="stable", na_position="last").index
    return np.asarray(places[order.to_numpy()], dtype=np.intp)


def window(frame: pd.DataFrame, places: NDArray[np.intp], first: int, n: int) -> Window:
    """Some of the selected rows, as text."""
    first = min(max(first, 0), max(len(places) - 1, 0))
    part = frame.iloc[places[first : first + min(max(n, 0), MAX_WINDOW)]]
    rows = tuple(tuple(cell_text(value) for value in row) for row in part.itertuples(index=False, name=None))
    return Window(first, rows, len(places), len(frame))


def is_number(frame: pd.DataFrame, column: str) -> bool:
    """Whether a column holds numbers."""
    from pandas.api.types import is_numeric_dtype

    return bool(is_numeric_dtype(frame[column]))


def _checked(frame: pd.DataFrame, column: str) -> str:
    if column not in frame.columns:
        raise InputError(f"{column!r}: no such column; there are {', '.join(frame.columns)}.")
    return column


def _mask(frame: pd.DataFrame, column: str, text: str) -> NDArray[np.bool_]:
    values = frame[column]
    if text.lower() == NONE:
        return np.asarray(values.isna(), dtype=np.bool_)
    if not is_number(frame, column):
        return np.asarray(values.str.contains(text, case=False, regex=False).fillna(value=False), dtype=np.bool_)
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        return np.asarray(_test(column, text)(numbers), dtype=np.bool_)


def _test(column: str, text: str) -> Callable[[Any], Any]:
    between = _RANGE.fullmatch(text)
    if between:
        low, high = (float(end) for end in between.groups())
        return lambda numbers: (numbers >= low) & (numbers <= high)
    compared = _COMPARISON.fullmatch(text)
    if compared:
        sign, number = compared.groups()
        return partial(_swap, _TESTS[sign or "="], float(number))
    raise InputError(f"{column}: {text!r} is no filter for numbers; possible: 0.5, <0.5, >=0.5, 0.1..0.5, {NONE}.")


def _swap(test: Callable[[Any, float], Any], number: float, numbers: Any) -> Any:
    return test(numbers, number)


def asked_of(query: Query) -> dict[str, Any]:
    """A query as the page asks for it; `query_of` reads it."""
    sort = [query.sort_by, "descending" if query.is_descending else "ascending"] if query.sort_by else []
    return {"first": 0, "sort": sort, "filters": dict(query.filters)}


def query_of(sort: Iterable[Any], filters: dict[str, Any]) -> Query:
    """What the page sent, as a query; what it should not have sent is left out."""
    by, *direction = [*sort] or [None]
    typed = tuple((str(column), str(text)) for column, text in filters.items() if str(text).strip())
    return Query(str(by) if by else None, direction == ["descending"], typed)
