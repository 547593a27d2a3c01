"""What is known of every compound after the data: probabilities of its kind, and of its curve on each cell line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior, single_precision
from cellos_nb.planner.library import draw_columns, draw_library, stack_rows
from cellos_nb.planner.likelihood import GroupPosterior, Index, Likelihood, Observations, Residual

_NOISE_GRID = (0.015, 0.03, 0.05, 0.08, 0.13, 0.2, 0.32)
"""Noise tried, as shares of the prior's amplitude, between a good plate reader and a bad day."""
_NOISE_EXPECTED = 0.08, 0.9
"""Median of the noise and the standard deviation of its natural logarithm, before any is seen."""
_CLASS_WEIGHT = 8.0
"""Compounds that the prior's shares of the classes count for."""
_TINY = 1e-300
"""Keeps logarithms and quotients of vanishing probabilities finite."""
_PER_STRATUM = 8
"""Samples that share a kind of compound where several cell lines were measured."""
_LEAST_DRAWN = 1e-9
"""Curves of less probability, relative to the likeliest, are not drawn."""


@dataclass(frozen=True, slots=True)
class CompoundPosterior:
    """One compound: the kinds it may be of, and what each measured cell line adds."""

    kinds: Array
    """Shape (n_kinds,), sums to 1."""
    lines: dict[str, GroupPosterior]
    weights: dict[str, Array]
    """By measured cell line: shape (n_curves,), posterior probability of every curve, sums to 1."""


@dataclass(slots=True)
class Memory:
    """What earlier looks at the same groups of observations found, so that only new ones are compared with curves."""

    likelihoods: dict[tuple[bytes, float], tuple[Array, Array]] = field(default_factory=dict)
    """By observations and noise: log likelihood of every curve, and of every kind of compound."""
    posteriors: dict[tuple[bytes, float], GroupPosterior] = field(default_factory=dict)

    def keep_only(self, keys: list[bytes]) -> None:
        """Forgets groups that have grown since."""
        current = set(keys)
        self.likelihoods = {key: value for key, value in self.likelihoods.items() if key[0] in current}
        self.posteriors = {key: value for key, value in self.posteriors.items() if key[0] in current}


@dataclass(frozen=True)
class Posterior:
    """All compounds under one prior."""

    prior: CurvePrior
    library: CurveLibrary
    residual: Residual
    stacked: Array
    """The library's probabilities, stacked for drawing."""
    kind_prior: Array
    """Shape (n_kinds,): of a compound that was not measured."""
    compounds: dict[str, CompoundPosterior]
    noise_sd: float = 0.0
    log_evidence: float = 0.0

    def kinds_of(self, compound: str) -> Array:
        """Shape (n_kinds,), sums to 1."""
        known = self.compounds.get(compound)
        return self.kind_prior if known is None else known.kinds

    def seen(self, compound: str, cell_line: str) -> GroupPosterior | None:
        """What was measured of a compound on a cell line; None when nothing was."""
        known = self.compounds.get(compound)
        return None if known is None else known.lines.get(cell_line)

    def curve_weights(self, compound: str, cell_line: str) -> Array:
        """Shape (n_curves,): posterior probability of every curve."""
        known = self.compounds.get(compound)
        if known is not None and cell_line in known.weights:
            return known.weights[cell_line]
        weights: Array = self.kinds_of(compound) @ self.library.conditional
        return weights

    def curves_given_kind(self, compound: str, cell_line: str) -> Array:
        """Shape (n_kinds, n_curves), rows sum to 1."""
        seen = self.seen(compound, cell_line)
        if seen is None:
            return self.library.conditional
        by_kind = self.library.conditional * _scaled(seen)
        result: Array = by_kind / np.maximum(by_kind.sum(axis=1, keepdims=True), _TINY)
        return result

    def draw(self, compound: str, cell_lines: Sequence[str], n: int, rng: np.random.Generator) -> dict[str, Index]:
        """By cell line: curves of one compound in n joint posterior samples, shape (n,)."""
        known = self.compounds.get(compound)
        if known is None:
            kinds = _draw(self.kind_prior, rng.random(n))
        elif len(known.lines) == 1:
            # Of the one line that was measured, a curve's probability is known; kinds matter for other lines alone.
            ((line, weights),) = known.weights.items()
            curves = _draw(weights, rng.random(n))
            if set(cell_lines) <= {line}:
                return dict.fromkeys(cell_lines, curves)
            kinds = draw_columns(self.stacked_kinds, self.library.conditional.shape[0], curves, rng.random(n))
            return {line: curves} | self._draw_given_kinds([one for one in cell_lines if one != line], kinds, rng)
        else:
            kinds = _draw_few(known.kinds, n, rng)
            seen = {one: self._draw_seen(known, one, kinds, rng) for one in cell_lines if one in known.lines}
            return seen | self._draw_given_kinds([one for one in cell_lines if one not in seen], kinds, rng)
        return self._draw_given_kinds(cell_lines, kinds, rng)

    @cached_property
    def stacked_kinds(self) -> Array:
        """Every curve's probabilities of kinds, before its compound was measured, stacked for drawing."""
        return stack_rows((self.kind_prior[:, None] * self.library.conditional).T)

    def _draw_given_kinds(self, cell_lines: Sequence[str], kinds: Index, rng: np.random.Generator) -> dict[str, Index]:
        """Of lines on which the compound was not measured."""
        n_curves = self.library.conditional.shape[1]
        return {line: draw_columns(self.stacked, n_curves, kinds, rng.random(len(kinds))) for line in cell_lines}

    def _draw_seen(self, known: CompoundPosterior, line: str, kinds: Index, rng: np.random.Generator) -> Index:
        weights = known.weights[line]
        possible = np.flatnonzero(weights > _LEAST_DRAWN * weights.max())
        likelihood = _scaled(known.lines[line])[possible]
        distinct, row = np.unique(kinds, return_inverse=True)
        given = self.library.conditional[np.ix_(distinct, possible)] * likelihood + _TINY
        chosen: Index = possible[draw_columns(stack_rows(given), len(possible), row, rng.random(len(kinds)))]
        return chosen


def _draw_few(weights: Array, n: int, rng: np.random.Generator) -> Index:
    """As `_draw`, evenly spread over the weights and in few distinct values, since each costs; in random order."""
    n_strata = max(n // _PER_STRATUM, 1)
    uniform = (rng.random(n_strata) + np.arange(n_strata)) / n_strata
    return _draw(weights, rng.permutation(np.resize(uniform, n)))


def _draw(weights: Array, uniform: Array) -> Index:
    cumulative = np.cumsum(weights)
    found = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    chosen: Index = np.minimum(found, len(weights) - 1).astype(np.int64)
    return chosen


def prior_only(prior: CurvePrior, log10_range: tuple[float, float], library: CurveLibrary | None = None) -> Posterior:
    """Before any data; the library is drawn from the prior unless given."""
    library = library or draw_library(prior, log10_range)
    residual = Residual.over(log10_range, prior.residual_sd * abs(prior.amplitude), prior.residual_length)
    kinds = _kind_weights(library, library.class_shares)
    return Posterior(prior, library, residual, stack_rows(library.conditional), kinds, {})


def learn(
    before: Posterior, observed: Observations, pairs: list[tuple[str, str]], memory: Memory | None = None
) -> Posterior:
    """After the data, with the noise of most evidence; `pairs` names compound and cell line of each group, sorted."""
    if not pairs:
        return before
    library = before.library
    groups = _Groups(library, Likelihood(library, before.residual, observed), memory or Memory())
    names = [compound for compound, _ in pairs]
    first = np.array([i for i, name in enumerate(names) if i == 0 or names[i - 1] != name])
    noise_sd, log_evidence = _likeliest_noise(before, groups, first)
    by_line = groups.by_kind(noise_sd)
    by_kind = np.add.reduceat(by_line, first, axis=0)
    kind_prior = _learn_class_shares(library, by_kind)
    kinds = _normalised(by_kind + np.log(kind_prior))
    known = groups.posteriors(noise_sd)
    sizes = np.diff([*first.tolist(), len(pairs)])
    weights = _curve_weights(library, known, by_line, np.repeat(kinds, sizes, axis=0))
    compounds = {}
    for i, (start, size) in enumerate(zip(first.tolist(), sizes.tolist(), strict=True)):
        members = range(start, start + size)
        lines = {pairs[j][1]: known[j] for j in members}
        compounds[names[start]] = CompoundPosterior(kinds[i], lines, {pairs[j][1]: weights[j] for j in members})
    groups.memory.keep_only(groups.keys)
    return Posterior(
        before.prior, library, before.residual, before.stacked, kind_prior, compounds, noise_sd, log_evidence
    )


class _Groups:
    """All groups of observations under one library, what was found before taken from the memory."""

    def __init__(self, library: CurveLibrary, likelihood: Likelihood, memory: Memory) -> None:
        self.library, self.likelihood, self.memory = library, likelihood, memory
        self.keys = likelihood.keys()

    def by_kind(self, noise_sd: float) -> Array:
        """Shape (n_groups, n_kinds): log likelihood of every group under every kind of compound."""
        known = self.memory.likelihoods
        new = self._missing(known, noise_sd)
        if len(new):
            of_curves = self.likelihood.log_likelihoods(noise_sd, new)
            of_kinds = _by_kind(self.library, of_curves)
            for i, group in enumerate(new.tolist()):
                known[self.keys[group], noise_sd] = (of_curves[i], of_kinds[i])
        return np.array([known[key, noise_sd][1] for key in self.keys])

    def posteriors(self, noise_sd: float) -> list[GroupPosterior]:
        """One for every group; `by_kind` was asked for the same noise."""
        known = self.memory.posteriors
        new = self._missing(known, noise_sd)
        log_likelihoods = [self.memory.likelihoods[self.keys[group], noise_sd][0] for group in new.tolist()]
        for group, one in zip(new.tolist(), self.likelihood.posteriors(noise_sd, new, log_likelihoods), strict=True):
            known[self.keys[group], noise_sd] = one
        return [known[key, noise_sd] for key in self.keys]

    def _missing(self, known: Mapping[tuple[bytes, float], object], noise_sd: float) -> Index:
        return np.array([i for i, key in enumerate(self.keys) if (key, noise_sd) not in known], dtype=np.int64)


def _likeliest_noise(before: Posterior, groups: _Groups, first: Index) -> tuple[float, float]:
    """The noise of most evidence and that evidence, climbing from the expected noise over the values tried."""
    scale, (centre, spread) = abs(before.prior.amplitude), _NOISE_EXPECTED
    scores: dict[int, float] = {}

    def score(i: int) -> float:
        if not 0 <= i < len(_NOISE_GRID):
            return -np.inf
        if i not in scores:
            by_kind = np.add.reduceat(groups.by_kind(_NOISE_GRID[i] * scale), first, axis=0)
            penalty = 0.5 * (np.log(_NOISE_GRID[i] / centre) / spread) ** 2
            scores[i] = _total(by_kind, before.kind_prior) - penalty
        return scores[i]

    best = _NOISE_GRID.index(centre)
    while (following := max((best, best - 1, best + 1), key=score)) != best:
        best = following
    return _NOISE_GRID[best] * scale, score(best)


def _curve_weights(library: CurveLibrary, known: list[GroupPosterior], by_line: Array, kinds: Array) -> Array:
    """Shape (n_groups, n_curves), rows sum to 1: posterior probability of every curve."""
    log_likelihoods = np.array([one.log_likelihood for one in known])
    top = log_likelihoods.max(axis=1, keepdims=True)
    scaled, evidence = np.exp(log_likelihoods - top), np.maximum(np.exp(by_line - top), _TINY)
    share = kinds / evidence
    # Single precision: a probability that is off by a millionth of itself changes nothing, and takes half as long.
    share = single_precision(share / share.max(axis=1, keepdims=True))
    weights: Array = scaled * (share @ library.conditional_32)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _kind_weights(library: CurveLibrary, shares: Array) -> Array:
    members = np.bincount(library.kind_class, minlength=len(shares))
    weights: Array = (shares / members)[library.kind_class]
    return weights


def _learn_class_shares(library: CurveLibrary, by_kind: Array) -> Array:
    """Kinds weighted by the classes' shares as all compounds together show them, by expectation and maximisation."""
    shares = library.class_shares
    for _ in range(5):
        kinds = _normalised(by_kind + np.log(_kind_weights(library, shares))).sum(axis=0)
        counts = np.bincount(library.kind_class, weights=kinds, minlength=len(shares))
        shares = (_CLASS_WEIGHT * library.class_shares + counts) / (_CLASS_WEIGHT + len(by_kind))
    return _kind_weights(library, shares)


def _by_kind(library: CurveLibrary, log_likelihoods: Array) -> Array:
    """Shape (n_groups, n_kinds): log likelihood of every group under every kind of compound."""
    top = log_likelihoods.max(axis=1, keepdims=True)
    likelihoods = single_precision(np.exp(log_likelihoods - top))
    result: Array = np.log((likelihoods @ library.conditional_32.T).astype(float) + _TINY) + top
    return result


def _scaled(seen: GroupPosterior) -> Array:
    scaled: Array = np.exp(seen.log_likelihood - seen.log_likelihood.max())
    return scaled


def _normalised(log_weights: Array) -> Array:
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    result: Array = weights / weights.sum(axis=1, keepdims=True)
    return result


def _total(by_kind: Array, kind_prior: Array) -> float:
    top = by_kind.max(axis=1)
    return float((np.log(np.exp(by_kind - top[:, None]) @ kind_prior) + top).sum())
