"""A person's own table of possible experiments: what is measured stands in one column, what comes next is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cellos_nb.errors import ConfigError
from cellos_nb.planner.curves import Array, CurvePrior
from cellos_nb.planner.pool import PoolPlanner, pool_planner
from cellos_nb.planner.prior import Prior
from cellos_nb.spreadsheet import frame_of, read_table

if TYPE_CHECKING:
    import pandas as pd

TableGoal = Literal["maximise", "minimise", "ic50"]
_LOG10_M = {"m": 0.0, "mm": -3.0, "um": -6.0, "µm": -6.0, "nm": -9.0, "pm": -12.0}
_DOSE = re.compile(r"^(?:dose|conc|concentration)_(pm|nm|um|µm|mm|m)$", re.IGNORECASE)
_NAMES = re.compile(r"^(compound|drug|substance|cell[ _]?line)s?([ _]?(id|name|number|no))?$", re.IGNORECASE)
"""Columns whose numbers are names, as in a library's numbers of compounds."""
_VIABILITY = re.compile(r"viab|surviv", re.IGNORECASE)
_MOST_VIABLE = 3.0
"""A larger viability is a percentage, not a fraction of vehicle."""
_DECADES_FOR_LOG = 2.0
"""Positive numbers that span as much are compared by their logarithms."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidateTable:
    """Candidate experiments, one a row, of which some are measured.

    Text columns are categories, numbers are numbers. A column named `dose_um`, `dose_nm`, `conc_um` and so on beside a
    column of compounds makes it a dose-response question. Equal rows are replicates.
    """

    frame: pd.DataFrame
    outcome: str
    goal: TableGoal

    @classmethod
    def read(
        cls, path: str | Path, outcome: str, goal: str = "maximise", *, sheet: str | None = None
    ) -> CandidateTable:
        """From a CSV (comma, semicolon or tab) or a workbook (`.xlsx`), whose first line names the columns.

        Raises:
            InputError: the file cannot be read, or `of` refuses what it holds.
        """
        table = read_table(path, sheet)
        return cls.of(frame_of(table), outcome, goal, name=table.where)

    @classmethod
    def of(cls, frame: pd.DataFrame, outcome: str, goal: str = "maximise", name: str = "table") -> CandidateTable:
        """From a DataFrame; `outcome` names the column of measurements, empty where none was made.

        Raises:
            ConfigError: the goal is unknown, the outcome is no column or no numbers, a candidate lacks a value, or a
                table for `ic50` or of viabilities is none.
        """
        if goal not in get_args(TableGoal):
            raise ConfigError(f"goal: {goal!r}; possible: {', '.join(get_args(TableGoal))}.")
        if outcome not in frame.columns:
            raise ConfigError(
                f"{name}: there is no column {outcome!r}; columns: {', '.join(map(str, frame.columns))}. "
                "Add one that is empty where nothing is measured, or name another."
            )
        columns = [str(column) for column in frame.columns if column != outcome]
        if not columns or not len(frame):
            raise ConfigError(f"{name}: needs rows, and a column beside {outcome!r} that tells candidates apart.")
        frame = frame.rename(columns=str)
        _refuse_gaps(frame[columns], name)
        named = {column: frame[column].astype(str) for column in columns if _NAMES.match(column)}
        frame = frame.assign(**named, **{outcome: _numbers(frame[outcome], outcome, name)})
        table = cls(frame, outcome, "ic50" if goal == "ic50" else "minimise" if goal == "minimise" else "maximise")
        table._refuse_doses(name)
        if goal == "ic50" and not table.is_dose_response:
            raise ConfigError(
                f"{name}: goal ic50 needs a column of doses with its unit, as dose_um or conc_nm, and one of "
                f"compounds; columns: {', '.join(columns)}."
            )
        if table.is_viability and frame[outcome].max() > _MOST_VIABLE:
            raise ConfigError(
                f"{name}: column {outcome!r} holds up to {frame[outcome].max():g}; viability is a fraction of vehicle, "
                "1.0 untreated. Divide percentages by 100."
            )
        return table

    @property
    def dose(self) -> str | None:
        """The column of doses; None when no one column has a dose's name."""
        found = [column for column in self.frame.columns if _DOSE.match(column) and self._is_number(column)]
        return found[0] if len(found) == 1 and float(self.frame[found[0]].min()) > 0 else None

    @property
    def is_dose_response(self) -> bool:
        """Whether the candidates are compounds at doses, and nothing else is a number."""
        others = [column for column in self.frame.columns if column not in {self.dose, self.outcome}]
        return self.dose is not None and bool(others) and not any(map(self._is_number, others))

    @property
    def is_viability(self) -> bool:
        """Whether the outcome falls from 1 as compounds act, so that the prior over viability curves applies."""
        return self._means_curves and self.is_dose_response

    def next_rows(self, n: int, seed: int = 0, prior: str | Path | Prior | CurvePrior = "default") -> pd.DataFrame:
        """The `n` candidates to measure next, as the table has them; fewer when fewer are left.

        Args:
            n: above 0.
            seed: equal tables and seeds give equal answers.
            prior: as `pool_planner` takes it.

        Raises:
            ConfigError: nothing is left to measure, or `n` or the prior is none.
        """
        if n < 1:
            raise ConfigError(f"batch: {n}; ask for 1 row or more.")
        wells, is_open = self._wells(), self.frame[self.outcome].isna().to_numpy()
        open_ = np.flatnonzero(is_open).tolist()
        if not open_:
            raise ConfigError(f"Every row has a value in {self.outcome!r}; add candidates, or replicates as rows.")
        known = {well for well, is_candidate in zip(wells, is_open, strict=True) if not is_candidate}
        fresh = {wells[place]: place for place in reversed(open_) if wells[place] not in known}
        asked = self.planner(seed, prior).ask(min(n, len(fresh))) if fresh else []
        places = [fresh[tuple(row.values())] for row in asked]
        replicates = [place for place in open_ if wells[place] in known]
        return self.frame.drop(columns=self.outcome).iloc[[*places, *replicates[: n - len(places)]]]

    def planner(self, seed: int = 0, prior: str | Path | Prior | CurvePrior = "default") -> PoolPlanner:
        """A planner that was told everything measured."""
        wells = self._wells()
        planner = pool_planner(self._space(wells), seed, prior)
        values = self.frame[self.outcome].to_numpy(dtype=float)
        done = np.flatnonzero(np.isfinite(values)).tolist()
        names = list(self._types())
        planner.tell([dict(zip(names, wells[i], strict=True)) for i in done], [self._score(values[i]) for i in done])
        return planner

    @property
    def _means_curves(self) -> bool:
        return self.goal == "ic50" or (self.goal == "minimise" and _VIABILITY.search(self.outcome) is not None)

    def _refuse_doses(self, name: str) -> None:
        for column in filter(_DOSE.match, self.frame.columns):
            if not self._is_number(column):
                continue
            doses = self.frame[column]
            least = _place(name, doses[doses == doses.min()])
            if doses.min() < 0:
                raise ConfigError(f"{least}: {column} is {doses.min():g}; a dose is 0 or above.")
            if doses.min() == 0 and self._means_curves:
                raise ConfigError(
                    f"{least}: {column} is 0, and curves are over the logarithm of the dose. Leave vehicle wells out: "
                    "responses are fractions of theirs."
                )

    def _score(self, value: float) -> float:
        if self.goal == "ic50":
            return value
        if self.is_viability:
            return 1.0 - value
        return -value if self.goal == "minimise" else value

    def _space(self, wells: list[tuple[Any, ...]]) -> Mapping[str, Any]:
        kind = (
            "learn_ic50" if self.goal == "ic50" else "inhibition_minus_dose_cost" if self.is_viability else "response"
        )
        parameters = {name: {"type": kind_of} for name, kind_of in self._types().items()}
        return {"parameters": parameters, "objective": {"kind": kind}, "wells": list(dict.fromkeys(wells))}

    def _types(self) -> dict[str, str]:
        """Column to type, doses last among equals; as the planner names them."""
        types = {}
        for column in self.frame.columns:
            if column != self.outcome:
                is_dose = column == self.dose and self.is_dose_response
                types[column] = "log10" if is_dose else "float" if self._is_number(column) else "categorical"
        return types

    def _wells(self) -> list[tuple[Any, ...]]:
        columns = []
        for column, kind in self._types().items():
            values = self.frame[column]
            if kind == "categorical":
                columns.append([str(value) for value in values])
            else:
                columns.append(self._scaled(column, values.to_numpy(dtype=float)).tolist())
        return list(zip(*columns, strict=True))

    def _scaled(self, column: str, values: Array) -> Array:
        named = _DOSE.match(column)
        if column == self.dose and named is not None:
            doses: Array = (np.log10(values) + _LOG10_M[named.group(1).lower()]).round(6)
            return doses
        spans = values.min() > 0 and np.log10(values.max() / values.min()) >= _DECADES_FOR_LOG
        return np.log10(values) if spans else values

    def _is_number(self, column: str) -> bool:
        return self.frame[column].dtype.kind in "if"


def _refuse_gaps(candidates: pd.DataFrame, name: str) -> None:
    for column in candidates.columns:
        gaps = candidates[candidates[column].isna()]
        if len(gaps):
            raise ConfigError(
                f"{_place(name, gaps)}: column {column!r} is empty; every candidate needs a value in every column "
                "but the outcome."
            )


def _place(name: str, rows: pd.DataFrame | pd.Series) -> str:
    """Where the first of some rows stands, for messages."""
    return f"{name}, {rows.index.name or 'row'} {rows.index[0]}"


def _numbers(values: pd.Series, outcome: str, name: str) -> pd.Series:
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    wrong = values[(numbers.isna() & values.notna()) | np.isinf(numbers)]
    if len(wrong):
        raise ConfigError(f"{_place(name, wrong)}: {outcome} is '{wrong.iloc[0]}'; give a number, or leave it empty.")
    return numbers.astype(float)
