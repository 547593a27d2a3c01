"""What is known of every compound after the data: probabilities of its kind, and of its curve on each cell line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior, single_precision
from cellos_nb.planner.library import draw_library
from cellos_nb.planner.likelihood import GroupPosterior, Index, Likelihood, Observations, Residual, Single

_NOISE_GRID = (0.015, 0.03, 0.05, 0.08, 0.13, 0.2, 0.32)
"""Noise tried, as shares of the prior's amplitude, between a good plate reader and a bad day."""
_NOISE_EXPECTED = 0.08, 0.9
"""Median of the noise and the standard deviation of its natural logarithm, before any is seen."""
_ENOUGH_GROUPS = 64
"""Compounds on cell lines that decide about the noise."""
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
    weights: dict[str, Single]
    """By measured cell line: shape (n_curves,), posterior probability of every curve, sums to 1."""


@dataclass(slots=True)
class Memory:
    """What earlier looks at the same groups of observations found, so that only new ones are compared with curves."""

    likelihoods: dict[tuple[bytes, float], tuple[Single, float, Array]] = field(default_factory=dict)
    """By observations and noise: likelihood of every curve relative to the likeliest, the logarithm of that one's, and
    the log likelihood of every kind of compound."""
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
    kind_prior: Array
    """Shape (n_kinds,): of a compound that was not measured."""
    by_kind: Array
    """Shape (n_compounds, n_kinds): log likelihood of every measured compound under every kind."""
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
            return known.weights[cell_line].astype(float)
        weights: Array = self.kinds_of(compound) @ self.library.conditional
        return weights

    def curves_given_kind(self, compound: str, cell_line: str) -> Array:
        """Shape (n_kinds, n_curves), rows sum to 1."""
        seen = self.seen(compound, cell_line)
        if seen is None:
            return self.library.conditional
        by_kind = self.library.conditional * seen.likelihood
        result: Array = by_kind / np.maximum(by_kind.sum(axis=1, keepdims=True), _TINY)
        return result


def prior_only(prior: CurvePrior, log10_range: tuple[float, float], library: CurveLibrary | None = None) -> Posterior:
    """Before any data; the library is drawn from the prior unless given."""
    library = library or draw_library(prior, log10_range)
    residual = Residual.over(log10_range, prior.residual_sd * abs(prior.amplitude), prior.residual_length)
    kinds = kind_weights(library, library.class_shares)
    return Posterior(prior, library, residual, kinds, np.zeros((0, len(kinds))), {})


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
    relative = np.exp(by_kind - by_kind.max(axis=1, keepdims=True))
    kind_prior = _learn_class_shares(library, relative)
    kinds = relative * kind_prior
    kinds /= kinds.sum(axis=1, keepdims=True)
    known = groups.posteriors(noise_sd)
    sizes = np.diff([*first.tolist(), len(pairs)])
    is_alone = np.repeat(sizes == 1, sizes)
    of_lines = np.repeat(kinds, sizes, axis=0)
    weights = _curve_weights(
        groups, noise_sd, by_line=by_line, kinds=of_lines, is_alone=is_alone, kind_prior=kind_prior
    )
    compounds = {}
    for i, (start, size) in enumerate(zip(first.tolist(), sizes.tolist(), strict=True)):
        members = range(start, start + size)
        lines = {pairs[j][1]: known[j] for j in members}
        compounds[names[start]] = CompoundPosterior(kinds[i], lines, {pairs[j][1]: weights[j] for j in members})
    groups.memory.keep_only(groups.keys)
    return Posterior(before.prior, library, before.residual, kind_prior, by_kind, compounds, noise_sd, log_evidence)


class _Groups:
    """All groups of observations under one library, what was found before taken from the memory."""

    def __init__(self, library: CurveLibrary, likelihood: Likelihood, memory: Memory) -> None:
        self.library, self.likelihood, self.memory = library, likelihood, memory
        self.keys = likelihood.keys()
        self._new = np.zeros(0, dtype=np.int64)

    def by_kind(self, noise_sd: float, wanted: Index | None = None) -> Array:
        """Shape (n_wanted, n_kinds): log likelihood of groups, of all when left out, under every kind of compound."""
        known = self.memory.likelihoods
        wanted = np.arange(len(self.keys)) if wanted is None else wanted
        new = self._missing(known, noise_sd, wanted)
        if len(new):
            # The same array again tells the likelihood that the same groups are meant.
            new = self._new = self._new if np.array_equal(new, self._new) else new
            likelihoods, constants = self.likelihood.log_likelihoods(noise_sd, new)
            top = likelihoods.max(axis=1, keepdims=True)
            likelihoods = single_precision(np.exp(likelihoods - top))
            of_kinds = (likelihoods @ self.library.kinds.conditional_32.T).astype(float)
            tops = top[:, 0] + constants
            of_kinds = np.log(of_kinds + _TINY) + tops[:, None]
            for group, *found in zip(new.tolist(), likelihoods, tops.tolist(), of_kinds, strict=True):
                known[self.keys[group], noise_sd] = (found[0], found[1], found[2])
        return np.array([known[self.keys[group], noise_sd][2] for group in wanted.tolist()])

    def likelihoods(self, noise_sd: float) -> tuple[Single, Array]:
        """Of every group: those of the curves relative to the likeliest, and the logarithms of the likeliest ones'."""
        found = [self.memory.likelihoods[key, noise_sd] for key in self.keys]
        return np.array([one[0] for one in found]), np.array([one[1] for one in found])

    def posteriors(self, noise_sd: float) -> list[GroupPosterior]:
        """One for every group; `by_kind` was asked for the same noise."""
        known = self.memory.posteriors
        new = self._missing(known, noise_sd, np.arange(len(self.keys)))
        likelihoods = [self.memory.likelihoods[self.keys[group], noise_sd][0] for group in new.tolist()]
        for group, one in zip(new.tolist(), self.likelihood.posteriors(noise_sd, new, likelihoods), strict=True):
            known[self.keys[group], noise_sd] = one
        return [known[key, noise_sd] for key in self.keys]

    def _missing(self, known: Mapping[tuple[bytes, float], object], noise_sd: float, wanted: Index) -> Index:
        return np.array([i for i in wanted.tolist() if (self.keys[i], noise_sd) not in known], dtype=np.int64)

    def telling(self, first: Index) -> tuple[Index, Index]:
        """Groups of the compounds that were measured most, enough to know the noise; and where each compound begins."""
        ends = np.r_[first[1:], len(self.keys)]
        n_observed = np.add.reduceat(np.diff(self.likelihood.observed.starts()), first)
        chosen, n_groups = [], 0
        for compound in np.argsort(-n_observed, kind="stable").tolist():
            if n_groups >= _ENOUGH_GROUPS:
                break
            chosen.append(compound)
            n_groups += int(ends[compound] - first[compound])
        chosen.sort()
        sizes = (ends - first)[chosen]
        members = np.concatenate([np.arange(first[compound], ends[compound]) for compound in chosen])
        return members, np.r_[0, np.cumsum(sizes)[:-1]]


def _likeliest_noise(before: Posterior, groups: _Groups, first: Index) -> tuple[float, float]:
    """The noise of most evidence and that evidence: from the expected noise down while it grows, or else up.

    Where there are many groups, some of them decide; the evidence is that of all.
    """
    scale, (centre, spread) = abs(before.prior.amplitude), _NOISE_EXPECTED
    some, begins = groups.telling(first)
    scores: dict[int, float] = {}

    def evidence(i: int, wanted: Index | None, begins: Index) -> float:
        by_kind = np.add.reduceat(groups.by_kind(_NOISE_GRID[i] * scale, wanted), begins, axis=0)
        return log_evidence_of(by_kind, before.kind_prior) - 0.5 * float(np.log(_NOISE_GRID[i] / centre) / spread) ** 2

    def score(i: int) -> float:
        if not 0 <= i < len(_NOISE_GRID):
            return -np.inf
        if i not in scores:
            scores[i] = evidence(i, some, begins)
        return scores[i]

    best = _NOISE_GRID.index(centre)
    step = -1 if score(best - 1) > score(best) else 1
    while score(best + step) > score(best):
        best += step
    return _NOISE_GRID[best] * scale, score(best) if len(some) == len(groups.keys) else evidence(best, None, first)


def _curve_weights(
    groups: _Groups, noise_sd: float, *, by_line: Array, kinds: Array, is_alone: NDArray[np.bool_], kind_prior: Array
) -> Single:
    """Shape (n_groups, n_curves), rows sum to 1: posterior probability of every curve.

    What is expected of a cell line's curve before it is measured is the same for all that are alone in their compound.
    """
    likelihoods, tops = groups.likelihoods(noise_sd)
    others, conditional = ~is_alone, groups.library.kinds.conditional_32
    share = kinds[others] / np.maximum(np.exp(by_line[others] - tops[others, None]), _TINY)
    weights: Single = np.empty_like(likelihoods)
    weights[others] = single_precision(share / share.max(axis=1, keepdims=True)) @ conditional
    weights[is_alone] = single_precision(kind_prior) @ conditional
    weights *= likelihoods
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def kind_weights(library: CurveLibrary, shares: Array) -> Array:
    """Shape (n_kinds,): each class's share, spread evenly over its kinds."""
    members = np.bincount(library.kind_class, minlength=len(shares))
    weights: Array = (shares / members)[library.kind_class]
    return weights


def _learn_class_shares(library: CurveLibrary, relative: Array) -> Array:
    """Kinds weighted by the classes' shares as all compounds together show them, by expectation and maximisation.

    `relative`, shape (n_compounds, n_kinds), are the likelihoods of each compound's kinds up to a factor.
    """
    start = shares = library.class_shares
    is_of = library.kind_class[:, None] == np.arange(len(shares))
    of_class = relative @ (is_of / is_of.sum(axis=0))
    for _ in range(5):
        counts = of_class * shares
        shares = _CLASS_WEIGHT * start + (counts / counts.sum(axis=1, keepdims=True)).sum(axis=0)
        shares = shares / (_CLASS_WEIGHT + len(relative))
    return kind_weights(library, shares)


def log_evidence_of(by_kind: Array, kind_prior: Array) -> float:
    """Of compounds with these log likelihoods under every kind, shape (n_compounds, n_kinds)."""
    top = by_kind.max(axis=1)
    return float((np.log(np.exp(by_kind - top[:, None]) @ kind_prior) + top).sum())
