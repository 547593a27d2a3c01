"""A Gaussian process about a mechanistic prior: what is known, and how well, about every dose of every compound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior, draw_library, draw_rows
from cellos_nb.planner.likelihood import GroupPosterior, Index, Likelihood, Observations, Residual

_NOISE_GRID = (0.015, 0.03, 0.05, 0.08, 0.13, 0.2, 0.32)
"""Noise tried, as shares of the prior's amplitude, between a good plate reader and a bad day."""
_NOISE_EXPECTED = 0.08, 0.9
"""Median of the noise and the standard deviation of its natural logarithm, before any is seen."""
_INACTIVE_WEIGHT = 8.0
"""Compounds that the prior's share of inactive ones counts for."""


@dataclass(frozen=True, slots=True)
class _CompoundPosterior:
    """One compound: the kinds it may be of, and what each measured cell line adds."""

    kinds: Array
    """Shape (n_kinds,), sums to 1."""
    lines: dict[str, GroupPosterior]


@dataclass(frozen=True, slots=True)
class _Block:
    """The part of a pool that is one compound on one cell line."""

    compound: str
    cell_line: str
    rows: Index
    """Places in the pool."""
    doses: Index
    """Columns of the table of curves."""


class DoseResponseGP:
    """Dose-response curves of compounds on cell lines, learnt from few wells.

    The prior holds, for every compound, a mixture over thousands of logistic curves, with shifts of EC50 and efficacy
    between cell lines, plus a small Gaussian-process residual over cell line and log10 dose. Compounds are independent
    given the prior, so the cost grows with the cube of the wells per curve, not of all wells. Posterior means,
    deviations and joint samples are exact for the finite library of curves. Equal data give equal answers.

    >>> model = DoseResponseGP(dose_range_um=(0.001, 10)).fit(["U2OS"] * 3, ["a"] * 3, [0.01, 0.1, 1], [1, 0.6, 0.1])
    >>> mean, sd = model.predict(["U2OS"], ["a"], [0.3])
    >>> bool(0.15 < mean[0] < 0.5)
    True
    """

    def __init__(
        self,
        prior: CurvePrior | Sequence[CurvePrior] | None = None,
        dose_range_um: tuple[float, float] | None = None,
        *,
        library: CurveLibrary | None = None,
    ) -> None:
        """A model that has seen nothing.

        Args:
            prior: what curves look like; of several the one with most evidence is kept. Falling and rising curves are
                in question when left out.
            dose_range_um: lowest and highest dose of the campaign in µM; that of the data when left out.
            library: a library drawn from the prior already; drawn when left out.
        """
        self._asked_priors = () if prior is None else (prior,) if isinstance(prior, CurvePrior) else tuple(prior)
        self._asked_range, self._asked_library = dose_range_um, library
        self._compounds: dict[str, _CompoundPosterior] = {}
        self._kind_prior: Array = np.ones(1)
        self.noise_sd = 0.0
        """Estimated standard deviation of one well beyond its known standard error, in the response's unit."""
        self.log_evidence = 0.0
        """Log marginal likelihood of the data."""
        self.prior = self._asked_priors[0] if self._asked_priors else CurvePrior()
        self._is_ready = dose_range_um is not None
        if dose_range_um is not None:
            self._prepare(self.prior, _log10_range(np.asarray(dose_range_um, dtype=float)), library)

    def fit(
        self,
        cell_lines: Sequence[str],
        compounds: Sequence[str],
        doses_um: ArrayLike,
        responses: ArrayLike,
        standard_errors: Sequence[float | None] | ArrayLike | None = None,
    ) -> Self:
        """Learns from measured wells or experiments; what was learnt before is forgotten.

        Args:
            cell_lines: n names.
            compounds: n names.
            doses_um: shape (n,), in µM.
            responses: shape (n,), in the unit of the prior's baseline; NaN is left out.
            standard_errors: shape (n,), of the responses; None or NaN where unknown.

        Raises:
            AnalysisError: the arguments differ in length, a dose is not above zero, or nothing at all is known.
        """
        doses, values = np.asarray(doses_um, dtype=float), np.asarray(responses, dtype=float)
        errors = _standard_errors(standard_errors, len(values))
        n = len(values)
        if not len(cell_lines) == len(compounds) == len(doses) == n:
            raise AnalysisError(
                f"DoseResponseGP.fit: {len(cell_lines)} cell lines, {len(compounds)} compounds, {len(doses)} doses and "
                f"{n} responses; give one of each for every observation."
            )
        if not np.all(np.isfinite(doses) & (doses > 0)):
            raise AnalysisError("DoseResponseGP.fit: a dose is not above 0 µM; leave out vehicle wells.")
        used = np.flatnonzero(np.isfinite(values))
        if not len(used) and self._asked_range is None:
            raise AnalysisError("DoseResponseGP.fit: no responses; give some, or dose_range_um to use the prior alone.")
        span = self._asked_range if self._asked_range is not None else (doses[used].min(), doses[used].max())
        log10_range = _log10_range(np.asarray(span, dtype=float))
        pairs = sorted({(compounds[i], cell_lines[i]) for i in used.tolist()})
        number = {pair: i for i, pair in enumerate(pairs)}
        group = np.array([number[compounds[i], cell_lines[i]] for i in used.tolist()], dtype=np.int64)
        order = np.argsort(group, kind="stable")
        used = used[order]
        observed = Observations(group[order], np.log10(doses[used]), values[used], _variances(errors[used]))
        self._choose(observed, pairs, log10_range)
        self._is_ready = True
        return self

    def predict(self, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike) -> tuple[Array, Array]:
        """Posterior mean and standard deviation of the true responses, each of shape (n,); noise is left out."""
        mean, second = np.zeros(len(compounds)), np.zeros(len(compounds))
        curves, features, blocks = self._table(cell_lines, compounds, doses_um)
        for block in blocks:
            weights = self._curve_weights(block.compound, block.cell_line)
            table, phi = curves[:, block.doses], features[block.doses]
            seen = self._seen(block)
            root = phi
            if seen is not None:
                table = table + (phi @ seen.gain @ seen.misfit).T
                root = phi @ seen.root
            mean[block.rows] = weights @ table
            spread = weights @ (table - mean[block.rows]) ** 2
            second[block.rows] = spread + (root**2).sum(axis=1)
        return mean, np.sqrt(np.maximum(second, 0.0))

    def covariance(self, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike) -> Array:
        """Joint posterior covariance of the true responses, shape (n, n); zero between compounds."""
        result = np.zeros((len(compounds), len(compounds)))
        curves, features, blocks = self._table(cell_lines, compounds, doses_um)
        given_kind: dict[str, list[tuple[Index, Array]]] = {}
        for block in blocks:
            table, phi = curves[:, block.doses], features[block.doses]
            seen = self._seen(block)
            by_kind = self._library.conditional
            root = phi
            if seen is not None:
                table = table + (phi @ seen.gain @ seen.misfit).T
                root = phi @ seen.root
                by_kind = by_kind * _likelihood(seen)
                by_kind = by_kind / np.maximum(by_kind.sum(axis=1, keepdims=True), 1e-300)
            weights = self._curve_weights(block.compound, block.cell_line)
            centred = table - weights @ table
            means = by_kind @ centred
            kinds = self._kinds(block.compound)
            within = (weights[:, None] * centred).T @ centred - (kinds[:, None] * means).T @ means
            result[np.ix_(block.rows, block.rows)] = within + root @ root.T
            given_kind.setdefault(block.compound, []).append((block.rows, means))
        for compound, parts in given_kind.items():
            rows = np.concatenate([part[0] for part in parts])
            means = np.concatenate([part[1] for part in parts], axis=1)
            result[np.ix_(rows, rows)] += (self._kinds(compound)[:, None] * means).T @ means
        return result

    def sample(
        self,
        cell_lines: Sequence[str],
        compounds: Sequence[str],
        doses_um: ArrayLike,
        n: int,
        rng: np.random.Generator,
    ) -> Array:
        """Joint posterior samples of the true responses over a pool, shape (n, n_pool)."""
        return self.sample_with_ec50(cell_lines, compounds, doses_um, n, rng)[0]

    def sample_with_ec50(
        self,
        cell_lines: Sequence[str],
        compounds: Sequence[str],
        doses_um: ArrayLike,
        n: int,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """As `sample`, and beside each response the log10 EC50 (µM) of its curve; NaN where that is inactive."""
        result, ec50 = np.empty((n, len(compounds))), np.empty((n, len(compounds)))
        curves, features, blocks = self._table(cell_lines, compounds, doses_um)
        log10_ec50 = np.where(self._library.parameters[:, 2] == 0, np.nan, self._library.parameters[:, 0])
        kinds: Index = np.zeros(0, dtype=np.int64)
        last = None
        for block in blocks:
            if block.compound != last:
                last = block.compound
                cumulative = np.cumsum(self._kinds(last))[None]
                kinds = draw_rows(cumulative, np.zeros(n, dtype=np.int64), rng.random(n))
            seen = self._seen(block)
            phi, noise = features[block.doses], rng.standard_normal((n, features.shape[1]))
            if seen is None:
                which = draw_rows(self._cumulative, kinds, rng.random(n))
                departure = noise @ phi.T
            else:
                which = self._draw_curves(seen, kinds, rng.random(n))
                departure = (seen.misfit[:, which].T @ seen.gain.T + noise @ seen.root.T) @ phi.T
            result[:, block.rows] = curves[which[:, None], block.doses[None]] + departure
            ec50[:, block.rows] = log10_ec50[which][:, None]
        return result, ec50

    def log10_ec50_um(self, cell_line: str, compound: str) -> tuple[float, float]:
        """Posterior mean and standard deviation of log10 EC50 (µM), given that the compound acts at all."""
        weights = self._curve_weights(compound, cell_line) * (self._library.parameters[:, 2] != 0)
        weights = weights / max(weights.sum(), 1e-300)
        mean = float(weights @ self._library.parameters[:, 0])
        return mean, float(np.sqrt(weights @ (self._library.parameters[:, 0] - mean) ** 2))

    def _choose(self, observed: Observations, pairs: list[tuple[str, str]], log10_range: tuple[float, float]) -> None:
        """Fits under every prior in question and keeps the one with the most evidence."""
        priors = self._asked_priors or candidate_priors(observed.response)
        best: dict[str, Any] = {}
        for prior in priors:
            self._fit_one(prior, observed, pairs, log10_range, self._asked_library)
            if not best or self.log_evidence > best["log_evidence"]:
                best = dict(self.__dict__)
        self.__dict__.update(best)

    def _fit_one(
        self,
        prior: CurvePrior,
        observed: Observations,
        pairs: list[tuple[str, str]],
        log10_range: tuple[float, float],
        library: CurveLibrary | None,
    ) -> None:
        self._prepare(prior, log10_range, library)
        if not len(observed.response):
            self.log_evidence = self.noise_sd = 0.0
            return
        likelihood = Likelihood(self._library, self._residual, observed)
        names = [compound for compound, _ in pairs]
        first = np.array([i for i, name in enumerate(names) if i == 0 or names[i - 1] != name])
        scale = abs(prior.amplitude)
        best: tuple[float, float, Array] | None = None
        for share in _NOISE_GRID:
            by_kind = np.add.reduceat(self._by_kind(likelihood.log_likelihoods(share * scale)), first, axis=0)
            centre, spread = _NOISE_EXPECTED
            score = _total(by_kind, self._kind_prior) - 0.5 * (np.log(share / centre) / spread) ** 2
            if best is None or score > best[0]:
                best = (score, share * scale, by_kind)
        assert best is not None  # noqa: S101 - the grid is not empty
        self.log_evidence, self.noise_sd, by_kind = best
        self._kind_prior = self._learn_inactive_share(by_kind)
        posteriors = likelihood.posteriors(self.noise_sd)
        kinds = _normalised(by_kind + np.log(self._kind_prior))
        for i, start in enumerate(first.tolist()):
            stop = int(first[i + 1]) if i + 1 < len(first) else len(pairs)
            lines = {pairs[j][1]: posteriors[j] for j in range(start, stop)}
            self._compounds[names[start]] = _CompoundPosterior(kinds[i], lines)

    def _prepare(self, prior: CurvePrior, log10_range: tuple[float, float], library: CurveLibrary | None) -> None:
        self.prior = prior
        self._library = library or draw_library(prior, log10_range)
        self._residual = Residual.over(log10_range, prior.residual_sd * abs(prior.amplitude), prior.residual_length)
        self._cumulative = np.cumsum(self._library.conditional, axis=1)
        self._kind_prior = self._kind_weights(self._library.inactive_share)
        self._compounds = {}

    def _kind_weights(self, inactive_share: float) -> Array:
        active = self._library.is_active
        weights: Array = np.where(active, (1 - inactive_share) / active.sum(), inactive_share / (~active).sum())
        return weights

    def _learn_inactive_share(self, by_kind: Array) -> Array:
        """The share of inactive compounds as all compounds together show it, by expectation and maximisation."""
        expected = self._library.inactive_share
        weights = self._kind_weights(expected)
        for _ in range(5):
            inactive = float(_normalised(by_kind + np.log(weights))[:, ~self._library.is_active].sum())
            share = (_INACTIVE_WEIGHT * expected + inactive) / (_INACTIVE_WEIGHT + len(by_kind))
            weights = self._kind_weights(share)
        return weights

    def _by_kind(self, log_likelihoods: Array) -> Array:
        """Shape (n_groups, n_kinds): log likelihood of every group under every kind of compound."""
        top = log_likelihoods.max(axis=1, keepdims=True)
        result: Array = np.log(np.exp(log_likelihoods - top) @ self._library.conditional.T + 1e-300) + top
        return result

    def _kinds(self, compound: str) -> Array:
        known = self._compounds.get(compound)
        return self._kind_prior if known is None else known.kinds

    def _seen(self, block: _Block) -> GroupPosterior | None:
        known = self._compounds.get(block.compound)
        return None if known is None else known.lines.get(block.cell_line)

    def _curve_weights(self, compound: str, cell_line: str) -> Array:
        """Shape (n_curves,): posterior probability of every curve."""
        known, kinds = self._compounds.get(compound), self._kinds(compound)
        seen = None if known is None else known.lines.get(cell_line)
        weights: Array
        if seen is None:
            weights = kinds @ self._library.conditional
        else:
            likelihood = _likelihood(seen)
            evidence = np.maximum(self._library.conditional @ likelihood, 1e-300)
            weights = likelihood * ((kinds / evidence) @ self._library.conditional)
        weights /= weights.sum()
        return weights

    def _draw_curves(self, seen: GroupPosterior, kinds: Index, uniform: Array) -> Index:
        likelihood = _likelihood(seen)
        possible = np.flatnonzero(likelihood > 1e-9)
        distinct, row = np.unique(kinds, return_inverse=True)
        weights = self._library.conditional[distinct][:, possible] * likelihood[possible] + 1e-300
        chosen: Index = possible[draw_rows(np.cumsum(weights, axis=1), row, uniform)]
        return chosen

    def _table(
        self, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike
    ) -> tuple[Array, Array, Iterator[_Block]]:
        """Curves and residual features at every distinct dose, and the pool cut into blocks, compound by compound."""
        if not self._is_ready:
            raise AnalysisError("DoseResponseGP: the model has seen no data; call fit first, or give dose_range_um.")
        log10_doses = np.log10(np.asarray(doses_um, dtype=float))
        distinct, column = np.unique(log10_doses, return_inverse=True)
        members: dict[tuple[str, str], list[int]] = {}
        for i, pair in enumerate(zip(compounds, cell_lines, strict=True)):
            members.setdefault(pair, []).append(i)
        blocks = (_Block(*pair, np.array(rows), column[rows]) for pair, rows in sorted(members.items()))
        return self._library.responses(distinct), self._residual.features(distinct), blocks


def candidate_priors(responses: Array) -> tuple[CurvePrior, ...]:
    """The priors in question when the direction is open: induction above 1, with and without toxicity, and loss below.

    A fold of vehicle has no natural ceiling, so the largest response seen sets the scale.
    """
    top = float(np.nanmax(responses)) if len(responses) else 1.0
    rising = CurvePrior(amplitude=1.3 * max(top - 1.0, 1.0))
    return (rising, replace(rising, has_window=True), CurvePrior())


def _log10_range(doses_um: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.log10(doses_um.min()), np.log10(doses_um.max())
    return float(low), float(high)


def _standard_errors(given: Sequence[float | None] | ArrayLike | None, n: int) -> Array:
    if given is None:
        return np.full(n, np.nan)
    return np.array([np.nan if error is None else float(error) for error in np.asarray(given, dtype=object)])


def _variances(errors: Array) -> Array:
    """Squared standard errors, drawn halfway to their mean: those of two or three replicates are hardly known."""
    known = np.isfinite(errors)
    squared = np.where(known, errors, 0.0) ** 2
    if not known.any():
        return squared
    return np.where(known, 0.5 * squared + 0.5 * squared[known].mean(), 0.0)


def _likelihood(seen: GroupPosterior) -> Array:
    scaled: Array = np.exp(seen.log_likelihood - seen.log_likelihood.max())
    return scaled


def _normalised(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    result: Array = weights / weights.sum(axis=1, keepdims=True)
    return result


def _total(by_kind: Array, kind_prior: Array) -> float:
    top = by_kind.max(axis=1)
    return float((np.log(np.exp(by_kind - top[:, None]) @ kind_prior) + top).sum())
