"""What is known of every compound after the data: probabilities of its kind, and of its curve on each cell line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior
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


@dataclass(frozen=True, slots=True)
class CompoundPosterior:
    """One compound: the kinds it may be of, and what each measured cell line adds."""

    kinds: Array
    """Shape (n_kinds,), sums to 1."""
    lines: dict[str, GroupPosterior]


@dataclass(frozen=True, slots=True)
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
        kinds, seen = self.kinds_of(compound), self.seen(compound, cell_line)
        weights: Array
        if seen is None:
            weights = kinds @ self.library.conditional
        else:
            likelihood = _scaled(seen)
            evidence = np.maximum(self.library.conditional @ likelihood, _TINY)
            weights = likelihood * ((kinds / evidence) @ self.library.conditional)
        weights = weights / weights.sum()
        return weights

    def curves_given_kind(self, compound: str, cell_line: str) -> Array:
        """Shape (n_kinds, n_curves), rows sum to 1."""
        seen = self.seen(compound, cell_line)
        if seen is None:
            return self.library.conditional
        by_kind = self.library.conditional * _scaled(seen)
        result: Array = by_kind / np.maximum(by_kind.sum(axis=1, keepdims=True), _TINY)
        return result

    def draw_kinds(self, compound: str, n: int, rng: np.random.Generator) -> Index:
        """Shape (n,): kinds of the compound in n posterior samples."""
        kinds = self.kinds_of(compound)[None]
        return draw_columns(stack_rows(kinds), kinds.shape[1], np.zeros(n, dtype=np.int64), rng.random(n))

    def draw_curves(self, compound: str, cell_line: str, kinds: Index, rng: np.random.Generator) -> Index:
        """Shape (n,): curves on one cell line, given the compound's kinds in the same samples."""
        seen, uniform = self.seen(compound, cell_line), rng.random(len(kinds))
        if seen is None:
            return draw_columns(self.stacked, self.library.conditional.shape[1], kinds, uniform)
        likelihood = _scaled(seen)
        possible = np.flatnonzero(likelihood > 1e-9)
        distinct, row = np.unique(kinds, return_inverse=True)
        weights = self.library.conditional[np.ix_(distinct, possible)] * likelihood[possible] + _TINY
        chosen: Index = possible[draw_columns(stack_rows(weights), len(possible), row, uniform)]
        return chosen


def prior_only(prior: CurvePrior, log10_range: tuple[float, float], library: CurveLibrary | None = None) -> Posterior:
    """Before any data; the library is drawn from the prior unless given."""
    library = library or draw_library(prior, log10_range)
    residual = Residual.over(log10_range, prior.residual_sd * abs(prior.amplitude), prior.residual_length)
    kinds = _kind_weights(library, library.class_shares)
    return Posterior(prior, library, residual, stack_rows(library.conditional), kinds, {})


def learn(before: Posterior, observed: Observations, pairs: list[tuple[str, str]]) -> Posterior:
    """After the data, with the noise of most evidence; `pairs` names compound and cell line of each group, sorted."""
    if not pairs:
        return before
    library, scale = before.library, abs(before.prior.amplitude)
    likelihood = Likelihood(library, before.residual, observed)
    names = [compound for compound, _ in pairs]
    first = np.array([i for i, name in enumerate(names) if i == 0 or names[i - 1] != name])
    centre, spread = _NOISE_EXPECTED
    fits = []
    for share in _NOISE_GRID:
        by_kind = np.add.reduceat(_by_kind(library, likelihood.log_likelihoods(share * scale)), first, axis=0)
        score = _total(by_kind, before.kind_prior) - 0.5 * (np.log(share / centre) / spread) ** 2
        fits.append((score, share * scale, by_kind))
    log_evidence, noise_sd, by_kind = max(fits, key=lambda fit: fit[0])
    kind_prior = _learn_class_shares(library, by_kind)
    kinds = _normalised(by_kind + np.log(kind_prior))
    groups = likelihood.posteriors(noise_sd)
    compounds = {}
    for i, (start, stop) in enumerate(zip(first.tolist(), [*first[1:].tolist(), len(pairs)], strict=True)):
        lines = {pairs[j][1]: groups[j] for j in range(start, stop)}
        compounds[names[start]] = CompoundPosterior(kinds[i], lines)
    return Posterior(
        before.prior, library, before.residual, before.stacked, kind_prior, compounds, noise_sd, log_evidence
    )


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
    result: Array = np.log(np.exp(log_likelihoods - top) @ library.conditional.T + _TINY) + top
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
