"""Planning over any finite table of wells by ask and tell, for benchmarks and for questions of one's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.errors import ConfigError
from cellos_nb.planner.acquisition import choose_by_sampling, n_samples_for
from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior
from cellos_nb.planner.doubt import CHECKED_AT_MOST, CHECKS, is_denied, is_memory_denied
from cellos_nb.planner.information import choose_by_information
from cellos_nb.planner.library import draw_difference_library
from cellos_nb.planner.likelihood import Index
from cellos_nb.planner.mixed_gp import MixedGP
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.plain_choice import choose_plainly
from cellos_nb.planner.potency import Potency, potency_of
from cellos_nb.planner.prior import Prior, prior_named, remembered_by
from cellos_nb.planner.promise import Layout, Promise
from cellos_nb.planner.remembered import NOTHING, RememberedWells
from cellos_nb.planner.threads import one_thread
from cellos_nb.planner.well_table import WellTable

_LOG10_UM_PER_M = 6.0
_LINE_SHIFTS, _LINE_SHIFT_SD = (-0.5, -0.25, 0.0, 0.25, 0.5), 0.3
"""Decades by which one cell line may be the less sensitive on the whole; the spread is that of sarcoma cell lines.

Source: Lee et al. 2023, doi:10.1038/s44320-023-00004-7.
"""
_LEAST_WEIGHT = 0.02
"""A model of less posterior probability is left out of the average."""
_MANY = 1000
"""Measurements from which on several threads are of use."""
_N_PROMISING, _N_BEST, _N_SAMPLES = 400, 32, 512
"""Wells of the curves' model that are sampled jointly, those that may be the best so far, and samples."""


def pool_planner(
    space: Mapping[str, Any], seed: int, prior: str | Path | Prior | CurvePrior = "default"
) -> PoolPlanner:
    """A planner over a finite table of wells.

    Args:
        space: `parameters` (name to `type`, one of `categorical`, `log10`, `float`, and `levels`), `objective`
            (`kind`, one of `inhibition_minus_dose_cost`, `difference`, `response`, `learn_ic50`; `per_decade` and
            `log10_dose_ref` of a known dose cost), and `wells`, the rows that exist; all combinations when left out.
        seed: equal seeds and equal data give equal answers.
        prior: `default` (learnt from a public screen), `vague`, a `Prior` of one's own, or a file of one. EC50s are
            learnt without a screen's classes, which would pull them.

    Raises:
        ConfigError: the space has no parameters, an unknown type or objective, or there is no such prior.
    """
    objective = dict(space.get("objective") or {"kind": "response"})
    return PoolPlanner(WellTable.of(space), objective, seed, prior_named(prior), remembered_by(prior))


class PoolPlanner:
    """Proposes rows of a table so that the best one is found, or every EC50 is learnt, in few wells."""

    def __init__(
        self,
        table: WellTable,
        objective: dict[str, Any],
        seed: int,
        prior: CurvePrior,
        remembered: RememberedWells = NOTHING,
    ) -> None:
        kinds = ("inhibition_minus_dose_cost", "difference", "response", "learn_ic50")
        if objective.get("kind") not in kinds:
            raise ConfigError(f"space.objective.kind: {objective.get('kind')!r}; possible: {', '.join(kinds)}.")
        self._table, self._seed, self._kind = table, seed, str(objective["kind"])
        self._place = {well: i for i, well in enumerate(table.wells)}
        self._rows: list[int] = []
        self._values: list[float] = []
        self._offset, self._prior = np.zeros(len(table.wells)), prior
        self._models: dict[CurvePrior, DoseResponseGP] = {}
        self._fitted_to: dict[CurvePrior, int] = {}
        # Viabilities can be remembered; differences and responses of another assay say something else.
        is_viability = self._kind in {"inhibition_minus_dose_cost", "learn_ic50"}
        self._remembered = remembered.about(table.compounds) if is_viability else NOTHING
        self._has_doubtful_prior = self._kind == "inhibition_minus_dose_cost" and bool(prior.classes)
        self._checks = list(CHECKS) if self._has_doubtful_prior or len(self._remembered) else []
        if table.lines is not None:
            self._layout = Layout.of(table.lines, table.compounds, table.log10_dose + _LOG10_UM_PER_M)
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
            with one_thread() if len(self._rows) < _MANY else nullcontext():
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
        """Log10 EC50 in M of every compound on every cell line, given that it acts within the table's doses.

        Empty without doses, and for differences.
        """
        return {pair: found.log10_ec50_um - _LOG10_UM_PER_M for pair, found in self.potencies().items()}

    def potencies(self) -> dict[tuple[str, str], Potency]:
        """The same with intervals, by cell line and compound."""
        table = self._table
        if table.lines is None or self._kind == "difference":
            return {}
        model, doses = self._curves_model(self._curve_priors()[0]), self._dose_range()
        pairs = sorted(set(zip(table.lines, table.compounds, strict=True)))
        return {pair: potency_of(model, *pair, doses) for pair in pairs}

    def _used(self) -> list[int]:
        return [i for i, value in enumerate(self._values) if math.isfinite(value)]

    def _by_model(self, n: int, allowed: NDArray[np.bool_], rng: np.random.Generator) -> list[int]:
        table = self._table
        plain = None
        if table.lines is None or self._kind == "response":
            plain = self._plain_model()
        if table.lines is not None:
            self._lay_false_prior_aside()
            models = [self._curves_model(prior) for prior in self._curve_priors()]
            evidence = np.array([model.log_evidence + _log_odds(model.prior) for model in models])
            if plain is None or evidence.max() > plain.log_evidence:
                weights = np.exp(evidence - evidence.max())
                return self._by_curves(models, weights / weights.sum(), n, allowed, rng)
        assert plain is not None  # noqa: S101 - fitted whenever there are no curves
        measured = np.unique([self._rows[i] for i in self._used()])
        return choose_plainly(plain, table.encoded, measured, n, allowed)

    def _lay_false_prior_aside(self) -> None:
        """What is remembered, or a learnt prior, is left out from now on if the wells deny it."""
        n_used = len(self._used())
        due = [check for check in self._checks if check <= n_used]
        self._checks = self._checks[len(due) :]
        if not due or n_used > CHECKED_AT_MOST:
            return
        if len(self._remembered):
            self._lay_false_memory_aside()
        if self._has_doubtful_prior:
            vague = self._prior.without_classes()
            learnt = self._curves_model(self._prior).posterior
            if is_denied(learnt, n_used, partial(self._curves_model, vague)):
                self._prior, self._has_doubtful_prior = vague, False
        if not (self._has_doubtful_prior or len(self._remembered)):
            self._checks = []

    def _lay_false_memory_aside(self) -> None:
        prior = self._curve_priors()[0]
        alone = DoseResponseGP(prior, self._dose_range(), remembered=self._remembered).fit([], [], [], [])
        without = DoseResponseGP(prior, self._dose_range()).fit(*self._told())
        if is_memory_denied(self._curves_model(prior), alone, without):
            self._remembered = NOTHING
            self._models.clear()
            self._fitted_to.clear()

    def _by_curves(
        self,
        models: list[DoseResponseGP],
        weights: Array,
        n: int,
        allowed: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> list[int]:
        """The best batch on samples of all models, each in proportion to its posterior probability."""
        likeliest = models[int(np.argmax(weights))]
        if self._kind == "learn_ic50":
            return self._by_information(likeliest, n, allowed, rng)
        weights = np.where(weights < _LEAST_WEIGHT, 0.0, weights)
        weights /= weights.sum()
        rows, is_new = self._worth_sampling(models, weights, n, allowed, rng)
        lines, compounds, doses = self._conditions(rows.tolist())
        shares = np.round(_N_SAMPLES * weights).astype(int).tolist()
        drawn = zip(models, shares, strict=True)
        samples = [model.sample(lines, compounds, doses, share, rng) for model, share in drawn if share]
        scores = np.vstack(samples) * np.float32(self._sign)
        scores += self._offset[rows].astype(np.float32)
        chosen = choose_by_sampling(scores, scores[:, ~is_new].max(axis=1), n, is_new)[0]
        result: list[int] = rows[chosen].tolist()
        return result

    def _worth_sampling(
        self,
        models: list[DoseResponseGP],
        weights: Array,
        n: int,
        allowed: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> tuple[Index, NDArray[np.bool_]]:
        """Wells that may be chosen or may be the best so far, and which of them are open."""
        layout = self._layout
        offset = np.zeros(len(layout.log10_doses))
        offset[layout.dose] = self._offset
        mixed = [
            (weight, Promise(model, layout, offset, self._sign))
            for model, weight in zip(models, weights.tolist(), strict=True)
            if weight
        ]
        mean = sum(weight * one.mean for weight, one in mixed)
        measured = np.unique([self._rows[i] for i in self._used()])
        best = measured[np.argsort(-mean[measured], kind="stable")[:_N_BEST]]
        gain = sum(weight * one.improvement(float(mean[best[0]])) for weight, one in mixed)
        # Unmeasured compounds promise the same; chance decides among them.
        open_ = rng.permutation(np.flatnonzero(allowed))
        promising = np.lexsort([-mean[open_], -gain[open_]])[: max(_N_PROMISING, 8 * n)]
        rows = np.concatenate([np.sort(open_[promising]), best])
        return rows, np.arange(len(rows)) < len(promising)

    def _by_information(
        self, model: DoseResponseGP, n: int, allowed: NDArray[np.bool_], rng: np.random.Generator
    ) -> list[int]:
        lines, compounds, doses = self._conditions(range(len(self._table.wells)))
        samples, ec50 = model.sample_with_ec50(lines, compounds, doses, n_samples_for(len(doses)), rng)
        # An EC50 beyond the doses cannot be measured with them, so how far beyond is not worth a well.
        ec50 = np.clip(ec50, *np.log10(self._dose_range()))
        return choose_by_information(samples, ec50, lines, compounds, noise_sd=model.noise_sd, n=n, allowed=allowed)

    @property
    def _sign(self) -> float:
        return -1.0 if self._kind == "inhibition_minus_dose_cost" and self._table.lines is not None else 1.0

    def _plain_model(self) -> MixedGP:
        used = self._used()
        rows = [self._rows[i] for i in used]
        values = np.array([self._values[i] for i in used])
        return MixedGP(list(self._table.is_category)).fit(self._table.encoded[rows], values)

    def _curves_model(self, prior: CurvePrior) -> DoseResponseGP:
        """The model of one prior, fitted to all that was told."""
        if self._fitted_to.get(prior) == len(self._rows):
            return self._models[prior]
        self._fitted_to[prior] = len(self._rows)
        span = self._dose_range()
        if prior not in self._models:
            library = self._library(prior, span)
            self._models[prior] = DoseResponseGP(prior, span, library=library, remembered=self._remembered)
        return self._models[prior].fit(*self._told())

    def _told(self) -> tuple[list[str], list[str], Array, Array]:
        """Cell lines, compounds, doses in µM and responses of the wells that did not fail."""
        used = self._used()
        rows = [self._rows[i] for i in used]
        return *self._conditions(rows), self._sign * (np.array([self._values[i] for i in used]) - self._offset[rows])

    def _curve_priors(self) -> list[CurvePrior]:
        """What the told responses may look like, in the model's own unit."""
        if self._kind == "difference":
            return [replace(self._prior, baseline=0.0, line_shift=shift) for shift in _LINE_SHIFTS]
        if self._kind == "learn_ic50":
            # Where a screen expects plateaus would pull EC50s that few wells show; decision 22.
            return [replace(self._prior, learnt_share=0.0, classes=())]
        if self._kind != "response":
            return [self._prior]
        values = np.array([self._values[i] for i in self._used()])
        # In steps, so that what is remembered of curves outlives most new extremes.
        scale = 1.1 ** np.ceil(np.log(max(float(np.ptp(values)), 1e-6) * 1.15) / np.log(1.1))
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


def _log_odds(prior: CurvePrior) -> float:
    """Of one of several priors, before the data."""
    return -0.5 * (prior.line_shift / _LINE_SHIFT_SD) ** 2
