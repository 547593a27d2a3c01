"""Planning over any finite table of wells by ask and tell, for benchmarks and for questions of one's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.errors import ConfigError
from cellos_nb.planner.acquisition import choose_by_improvement, choose_by_sampling, n_samples_for
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior, draw_difference_library
from cellos_nb.planner.information import choose_by_information
from cellos_nb.planner.mixed_gp import MixedGP
from cellos_nb.planner.model import DoseResponseGP

_COMPOUND = re.compile(r"compound|drug|treatment|agent|molecule|inhibitor", re.IGNORECASE)
_LOG10_UM_PER_M = 6.0


def pool_planner(space: Mapping[str, Any], seed: int, prior: str | CurvePrior = "default") -> PoolPlanner:
    """A planner over a finite table of wells.

    Args:
        space: `parameters` (name to `type`, one of `categorical`, `log10`, `float`, and `levels`), `objective`
            (`kind`, one of `inhibition_minus_dose_cost`, `difference`, `response`, `learn_ic50`; `per_decade` and
            `log10_dose_ref` of a known dose cost), and `wells`, the rows that exist; all combinations when left out.
        seed: equal seeds and equal data give equal answers.
        prior: `default`, or beliefs about curves of one's own.

    Raises:
        ConfigError: the space has no parameters, an unknown type or objective, or there is no such prior.
    """
    if isinstance(prior, str):
        if prior != "default":
            raise ConfigError(f"prior: there is no prior {prior!r}; possible: default, or a CurvePrior.")
        prior = CurvePrior()
    return PoolPlanner(_Table.of(space), dict(space.get("objective") or {"kind": "response"}), seed, prior)


@dataclass(frozen=True, slots=True)
class _Table:
    names: tuple[str, ...]
    wells: tuple[tuple[Any, ...], ...]
    is_category: tuple[bool, ...]
    encoded: Array
    """Shape (n_wells, n_columns): numbers scaled to [0, 1], categories as codes."""
    lines: list[str] | None
    """Cell line of each well, or all that is neither compound nor dose; None without a dose-response structure."""
    compounds: list[str]
    log10_dose: Array
    """As given, in log10 M."""

    @classmethod
    def of(cls, space: Mapping[str, Any]) -> _Table:
        parameters: Mapping[str, Mapping[str, Any]] = space.get("parameters") or {}
        if not parameters:
            raise ConfigError("space.parameters: there are none; give name, type and levels of at least one.")
        kinds = {name: parameter.get("type") for name, parameter in parameters.items()}
        for name, kind in kinds.items():
            if kind not in {"categorical", "log10", "float"}:
                raise ConfigError(f"space.parameters.{name}: type {kind!r}; possible: categorical, log10, float.")
        wells = space.get("wells")
        if wells is None:
            grids = np.meshgrid(*(np.arange(len(p["levels"])) for p in parameters.values()), indexing="ij")
            levels = [list(parameter["levels"]) for parameter in parameters.values()]
            places = np.stack([grid.ravel() for grid in grids], axis=1).tolist()
            wells = [tuple(levels[j][i] for j, i in enumerate(place)) for place in places]
        if not wells:
            raise ConfigError("space.wells: the table is empty; give at least one row.")
        columns = list(zip(*wells, strict=True))
        is_category = tuple(kind == "categorical" for kind in kinds.values())
        encoded = np.column_stack([_encode(column, is_c) for column, is_c in zip(columns, is_category, strict=True)])
        names = tuple(parameters)
        dose, compound = _roles(kinds, columns)
        lines, compounds, log10_dose = None, [""] * len(wells), np.zeros(len(wells))
        if dose is not None and compound is not None:
            rest = [column for i, column in enumerate(columns) if i not in {dose, compound}]
            lines = ["|".join(map(str, row)) for row in zip(*rest, strict=True)] if rest else [""] * len(wells)
            compounds = [str(value) for value in columns[compound]]
            log10_dose = np.array(columns[dose], dtype=float)
        return cls(names, tuple(map(tuple, wells)), is_category, encoded, lines, compounds, log10_dose)


class PoolPlanner:
    """Proposes rows of a table so that the best one is found, or every EC50 is learnt, in few wells."""

    def __init__(self, table: _Table, objective: dict[str, Any], seed: int, prior: CurvePrior) -> None:
        kinds = ("inhibition_minus_dose_cost", "difference", "response", "learn_ic50")
        if objective.get("kind") not in kinds:
            raise ConfigError(f"space.objective.kind: {objective.get('kind')!r}; possible: {', '.join(kinds)}.")
        self._table, self._seed, self._kind = table, seed, str(objective["kind"])
        self._place = {well: i for i, well in enumerate(table.wells)}
        self._rows: list[int] = []
        self._values: list[float] = []
        self._offset, self._prior = np.zeros(len(table.wells)), prior
        if self._kind == "inhibition_minus_dose_cost" and table.lines is not None:
            reference = float(objective.get("log10_dose_ref", table.log10_dose.min()))
            cost = float(objective.get("per_decade", 0.0)) * (table.log10_dose - reference)
            # The score is 1 - viability - cost; the cost is known, so only the viability is learnt.
            self._offset = 1.0 - cost

    def ask(self, q: int) -> list[dict[str, Any]]:
        """`q` rows, none twice; those measured before are repeated only when no other is left."""
        rng = np.random.default_rng([self._seed, len(self._rows), 5])
        allowed = np.ones(len(self._table.wells), dtype=bool)
        allowed[self._rows] = False
        n_new = min(q, int(allowed.sum()))
        rows: list[int] = []
        if n_new and len(self._used()) < 2:
            rows = rng.permutation(np.flatnonzero(allowed))[:n_new].tolist()
        elif n_new:
            rows = self._by_model(n_new, allowed, rng)
        repeats = rng.permutation(np.flatnonzero(~allowed))[: max(q - len(rows), 0)].tolist()
        return [dict(zip(self._table.names, self._table.wells[row], strict=True)) for row in [*rows, *repeats]]

    def tell(self, rows: Sequence[Mapping[str, Any]], y: Sequence[float]) -> None:
        """What was measured, to be made large; NaN for a well that failed.

        Raises:
            ConfigError: a row is none of the table.
        """
        for row, value in zip(rows, y, strict=True):
            well = tuple(row.get(name) for name in self._table.names)
            if well not in self._place:
                raise ConfigError(f"tell: {dict(row)} is no row of the table; give one that `ask` could have returned.")
            self._rows.append(self._place[well])
            self._values.append(float(value))

    def estimate(self) -> dict[tuple[str, str], float]:
        """Log10 EC50 in M of every compound on every cell line, given that it acts; empty without doses."""
        table = self._table
        if table.lines is None or self._kind == "difference":
            return {}
        model = self._curves_model(self._curve_priors()[0])
        pairs = sorted(set(zip(table.lines, table.compounds, strict=True)))
        return {(line, c): model.log10_ec50_um(line, c)[0] - _LOG10_UM_PER_M for line, c in pairs}

    def _used(self) -> list[int]:
        return [i for i, value in enumerate(self._values) if np.isfinite(value)]

    def _by_model(self, n: int, allowed: NDArray[np.bool_], rng: np.random.Generator) -> list[int]:
        table = self._table
        plain = None
        if table.lines is None or self._kind == "response":
            plain = self._plain_model()
        if table.lines is not None:
            models = [self._curves_model(prior) for prior in self._curve_priors()]
            model = max(models, key=lambda fitted: fitted.log_evidence)
            if plain is None or model.log_evidence > plain.log_evidence:
                return self._by_curves(model, n, allowed, rng)
        assert plain is not None  # noqa: S101 - fitted whenever there are no curves
        return self._by_plain_model(plain, n, allowed)

    def _by_curves(
        self, model: DoseResponseGP, n: int, allowed: NDArray[np.bool_], rng: np.random.Generator
    ) -> list[int]:
        lines, compounds, doses = self._conditions(range(len(self._table.wells)))
        n_samples = n_samples_for(len(doses))
        if self._kind == "learn_ic50":
            samples, ec50 = model.sample_with_ec50(lines, compounds, doses, n_samples, rng)
            return choose_by_information(samples, ec50, lines, compounds, noise_sd=model.noise_sd, n=n, allowed=allowed)
        samples = model.sample(lines, compounds, doses, n_samples, rng)
        scores = self._offset + self._sign * samples
        measured = np.unique([self._rows[i] for i in self._used()])
        return choose_by_sampling(scores, scores[:, measured].max(axis=1), n, allowed)[0]

    @property
    def _sign(self) -> float:
        return -1.0 if self._kind == "inhibition_minus_dose_cost" and self._table.lines is not None else 1.0

    def _by_plain_model(self, model: MixedGP, n: int, allowed: NDArray[np.bool_]) -> list[int]:
        encoded = self._table.encoded
        mean, sd = model.predict(encoded)
        measured = np.unique([self._rows[i] for i in self._used()])
        # Only the most promising candidates can be chosen, so only their joint covariance is computed.
        hopeful = np.flatnonzero(allowed)
        hopeful = hopeful[np.argsort(-(mean + 2 * sd)[hopeful], kind="stable")[:1000]]
        beliefs = Beliefs(
            mean=mean[hopeful],
            sd=sd[hopeful],
            block=np.zeros(len(hopeful), dtype=np.int64),
            covariance=lambda rows: model.covariance(encoded[hopeful[rows]], encoded[hopeful[rows]]),
            noise_variance=model.noise_sd**2,
            incumbent=float(mean[measured].max()),
        )
        chosen = choose_by_improvement(beliefs, n, np.ones(len(hopeful), dtype=bool))
        rows: list[int] = hopeful[chosen].tolist()
        return rows

    def _plain_model(self) -> MixedGP:
        used = self._used()
        rows = [self._rows[i] for i in used]
        values = np.array([self._values[i] for i in used])
        return MixedGP(list(self._table.is_category)).fit(self._table.encoded[rows], values)

    def _curves_model(self, prior: CurvePrior) -> DoseResponseGP:
        used = self._used()
        rows = [self._rows[i] for i in used]
        lines, compounds, doses = self._conditions(rows)
        span = self._dose_range()
        values = self._sign * (np.array([self._values[i] for i in used]) - self._offset[rows])
        model = DoseResponseGP(prior, span, library=self._library(prior, span))
        return model.fit(lines, compounds, doses, values)

    def _curve_priors(self) -> list[CurvePrior]:
        """What the told responses may look like, in the model's own unit."""
        if self._kind == "difference":
            return [replace(self._prior, baseline=0.0)]
        if self._kind != "response":
            return [self._prior]
        values = np.array([self._values[i] for i in self._used()])
        scale = float(max(np.ptp(values), 1e-6)) * 1.2
        rising = replace(self._prior, baseline=0.0, amplitude=scale)
        return [rising, replace(rising, has_window=True), self._prior]

    def _library(self, prior: CurvePrior, span: tuple[float, float]) -> CurveLibrary | None:
        if self._kind != "difference":
            return None
        low, high = np.log10(span).tolist()
        return draw_difference_library(prior, (low, high))

    def _dose_range(self) -> tuple[float, float]:
        doses = 10.0 ** (self._table.log10_dose + _LOG10_UM_PER_M)
        return float(doses.min()), float(doses.max())

    def _conditions(self, rows: Sequence[int]) -> tuple[list[str], list[str], Array]:
        table = self._table
        lines = table.lines or [""] * len(table.wells)
        doses: Array = 10.0 ** (table.log10_dose[list(rows)] + _LOG10_UM_PER_M)
        return [lines[i] for i in rows], [table.compounds[i] for i in rows], doses


def _encode(column: Sequence[Any], is_category: bool) -> Array:  # noqa: FBT001 - a property of the column
    if is_category:
        return np.unique(np.array([str(value) for value in column]), return_inverse=True)[1].astype(float)
    numbers = np.array(column, dtype=float)
    scaled: Array = (numbers - numbers.min()) / max(float(np.ptp(numbers)), 1e-12)
    return scaled


def _roles(kinds: Mapping[str, Any], columns: Sequence[Sequence[Any]]) -> tuple[int, int] | tuple[None, None]:
    """Places of the dose and the compound; none when the table is not one dose of one compound per row."""
    doses = [i for i, kind in enumerate(kinds.values()) if kind == "log10"]
    categories = [i for i, kind in enumerate(kinds.values()) if kind == "categorical"]
    if len(doses) != 1 or not categories or len(doses) + len(categories) < len(kinds):
        return None, None
    named = [i for i, name in enumerate(kinds) if i in categories and _COMPOUND.search(name)]
    if len(named) == 1:
        return doses[0], named[0]
    return doses[0], max(categories, key=lambda i: len(set(columns[i])))
