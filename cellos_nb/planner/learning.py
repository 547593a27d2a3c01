"""What a screen teaches about compounds that were not in it: classes of curves, by stochastic approximation EM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array, CompoundClass, logistic
from cellos_nb.planner.measured import MeasuredCurves

_N_SWEEPS, _N_BURN_IN = 900, 400
_OTHERWISE = 0.03
"""Probability that an inactive compound does something to a cell line after all."""
_BROAD = np.array([0.5, 0.2, 0.0]), np.array([1.5, 0.6, 1.5])
"""Centre and standard deviation of such an exception's curve."""
_EXPECTED = CompoundClass(0.0, (0.5, 0.2, 0.8), (0.8, 0.4, 1.0), (0.4, 0.25, 0.7), 0.1)
"""What a class counts as before a screen is seen; round numbers."""
_PROPOSAL_SD = np.array([0.3, 0.3, 0.4])
_N_PROPOSALS = 6


@dataclass(frozen=True, slots=True)
class _Classes:
    """The classes as arrays; class 0, the inactive compounds, stands in `shares` alone."""

    shares: Array
    """Shape (1 + n_classes,)."""
    centre: Array
    """Shape (n_classes, 3), as are the next two."""
    sd: Array
    line_sd: Array
    spared: Array
    """Shape (n_classes,): share of cell lines that are spared."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """Sufficient statistics of the classes, or what an earlier screen counts for."""

    compounds: Array
    """Shape (1 + n_classes,)."""
    kind_sum: Array
    """Shape (n_classes, 3), as the next two."""
    kind_squares: Array
    line_squares: Array
    active_lines: Array
    """Shape (n_classes,), as the next."""
    spared_lines: Array

    def mixed(self, other: _Counts, weight: float) -> _Counts:
        """A step of `weight` towards another."""
        return _Counts(*((1 - weight) * a + weight * b for a, b in zip(self._all(), other._all(), strict=True)))

    def plus(self, other: _Counts) -> _Counts:
        """Both together."""
        return _Counts(*(a + b for a, b in zip(self._all(), other._all(), strict=True)))

    def _all(self) -> tuple[Array, ...]:
        return (
            self.compounds,
            self.kind_sum,
            self.kind_squares,
            self.line_squares,
            self.active_lines,
            self.spared_lines,
        )

    def classes(self) -> _Classes:
        """The classes that these counts speak for."""
        n = self.compounds[1:, None]
        centre = self.kind_sum / n
        return _Classes(
            shares=self.compounds / self.compounds.sum(),
            centre=centre,
            sd=np.sqrt(np.maximum(self.kind_squares / n - centre**2, 1e-4)),
            line_sd=np.sqrt(self.line_squares / self.active_lines[:, None]),
            spared=self.spared_lines / (self.spared_lines + self.active_lines),
        )


def expected_counts(log10_range: tuple[float, float], n_classes: int) -> tuple[float, tuple[CompoundClass, ...]]:
    """Inactive share and classes before any screen: equal but for their EC50s, which spread over the doses."""
    low, high = log10_range
    centres = np.linspace(low + 1, high, n_classes) if n_classes > 1 else np.array([high - 1])
    share = 0.7 / n_classes
    return 0.3, tuple(
        replace(_EXPECTED, share=share, centre=(float(centre), *_EXPECTED.centre[1:])) for centre in centres
    )


def learn_classes(
    curves: MeasuredCurves,
    inactive_share: float,
    classes: tuple[CompoundClass, ...],
    weight: float,
    seed: int = 0,
) -> tuple[float, tuple[CompoundClass, ...]]:
    """Inactive share and classes that explain measured curves.

    Every compound is inactive or of a class; its kind is drawn from the class, and each cell line's curve from about
    the kind, or the line is spared. Kinds and curves are drawn by Gibbs and Metropolis steps given the classes, and
    the classes follow the running average of what was drawn. Equal data and seed give equal answers.

    Args:
        curves: what was measured.
        inactive_share: expected before.
        classes: expected before; as many are learnt.
        weight: compounds that the expectation counts for.
        seed: of the draws.

    Source: Delyon, Lavielle & Moulines 1999, doi:10.1214/aos/1018031103, stochastic approximation EM.
    """
    prior = _counts_of(inactive_share, classes, weight)
    sampler = _Sampler(curves, _counts_of(inactive_share, classes, 1.0).classes(), np.random.default_rng(seed))
    average: _Counts | None = None
    for sweep in range(_N_SWEEPS):
        counts = sampler.sweep()
        step = 1.0 if sweep < _N_BURN_IN else 1 / (sweep - _N_BURN_IN + 1)
        average = counts if average is None or step == 1.0 else average.mixed(counts, step)
        sampler.classes = average.plus(prior).classes()
    found = sampler.classes
    learnt = tuple(
        CompoundClass(
            round(float(found.shares[i + 1]), 4),
            _rounded(found.centre[i]),
            _rounded(found.sd[i]),
            _rounded(found.line_sd[i]),
            round(float(found.spared[i]), 4),
        )
        for i in range(len(found.centre))
    )
    return round(float(found.shares[0]), 4), learnt


def _counts_of(inactive_share: float, classes: tuple[CompoundClass, ...], weight: float) -> _Counts:
    """What an expectation is worth, in compounds; each is taken to stand on two cell lines."""
    shares = np.array([one.share for one in classes])
    total = max(float(shares.sum()) + inactive_share, 1e-9)
    n = np.maximum(weight * shares / total, 0.5)
    centre, sd, line_sd = (np.array([getattr(one, name) for one in classes]) for name in ("centre", "sd", "line_sd"))
    spared = np.array([one.line_inactive_share for one in classes])
    return _Counts(
        compounds=np.r_[max(weight * inactive_share / total, 0.5), n],
        kind_sum=n[:, None] * centre,
        kind_squares=n[:, None] * (sd**2 + centre**2),
        line_squares=2 * n[:, None] * (1 - spared[:, None]) * line_sd**2,
        active_lines=2 * n * (1 - spared),
        spared_lines=2 * n * spared,
    )


class _Sampler:
    """Draws every compound's class and kind, and every cell line's curve, given the classes."""

    def __init__(self, curves: MeasuredCurves, classes: _Classes, rng: np.random.Generator) -> None:
        self.classes, self._curves, self._rng = classes, curves, rng
        n_pairs, n_classes = curves.n_pairs, len(classes.centre)
        low, high = curves.log10_range
        self._theta = np.column_stack([rng.uniform(low, high, n_pairs), *rng.normal(0.5, 0.6, (2, n_pairs))])
        self._fit = self._log_likelihood(self._theta)
        self._flat = curves.log_likelihood(np.ones_like(curves.log10_dose))
        self._acts = np.ones(n_pairs, dtype=bool)
        self._class = rng.integers(1, n_classes + 1, curves.n_compounds)
        self._kind = classes.centre[self._class - 1].copy()

    def sweep(self) -> _Counts:
        """Everything drawn once, and what it counts for."""
        self._draw_curves()
        self._draw_activity()
        probability = self._draw_classes()
        self._draw_kinds()
        return self._counted(probability)

    def _log_likelihood(self, theta: Array) -> Array:
        slope = np.exp(np.clip(theta[:, 1], -3.0, 3.0))[:, None]
        share = logistic(slope * (self._curves.log10_dose - theta[:, 0][:, None]))
        return self._curves.log_likelihood(1.0 - logistic(theta[:, 2], base_10=False)[:, None] * share)

    def _draw_curves(self) -> None:
        """By Metropolis steps, near and far in turn; a spared line's curve is drawn from its prior."""
        owner = self._class[self._curves.compound]
        known = (owner > 0)[:, None]
        mean = np.where(known, self._kind[self._curves.compound], _BROAD[0])
        sd = np.where(known, self.classes.line_sd[owner - 1], _BROAD[1])
        rng, shape = self._rng, self._theta.shape
        for turn in range(_N_PROPOSALS):
            if turn % 3 == 2:
                proposal, log_odds = mean + sd * rng.standard_normal(shape), np.zeros(shape[0])
            else:
                width = rng.choice([0.1, 0.4, 1.2], (shape[0], 1)) * _PROPOSAL_SD
                proposal = self._theta + width * rng.standard_normal(shape) * (rng.random(shape) < 0.6)
                log_odds = _log_normal(proposal, mean, sd) - _log_normal(self._theta, mean, sd)
            fit = self._log_likelihood(proposal)
            log_odds = log_odds + np.where(self._acts, fit - self._fit, 0.0)
            taken = np.log(rng.random(shape[0])) < log_odds
            self._theta[taken], self._fit[taken] = proposal[taken], fit[taken]

    def _draw_activity(self) -> None:
        owner = self._class[self._curves.compound]
        spared = np.where(owner > 0, self.classes.spared[owner - 1], 1 - _OTHERWISE)
        odds = self._flat - self._fit + np.log(spared / (1 - spared))
        self._acts = self._rng.random(len(odds)) < logistic(-odds, base_10=False)

    def _draw_classes(self) -> Array:
        """Shape (n_compounds, 1 + n_classes): probabilities, with each compound's kind integrated out."""
        classes, n_lines = self.classes, self._sum(np.ones(len(self._acts)))
        n, total, squares = self._of_active()
        exception = _log_normal(self._theta, *_BROAD) - np.log(_BROAD[1]).sum()
        log_p = np.empty((len(n), len(classes.shares)))
        log_p[:, 0] = (n_lines - n) * np.log(1 - _OTHERWISE) + n * np.log(_OTHERWISE)
        log_p[:, 0] += self._sum(self._acts * exception)
        several = n[:, None]
        for i, (centre, sd, line_sd) in enumerate(zip(classes.centre, classes.sd, classes.line_sd, strict=True)):
            first, second = total - several * centre, squares - 2 * centre * total + several * centre**2
            within, between = line_sd**2, sd**2
            quadratic = second / within - first**2 * between / (within * (within + several * between))
            density = -0.5 * quadratic - 0.5 * np.log1p(several * between / within) - several * np.log(line_sd)
            spared = classes.spared[i]
            log_p[:, i + 1] = (n_lines - n) * np.log(spared) + n * np.log(1 - spared) + density.sum(axis=1)
        log_p += np.log(classes.shares)
        probability: Array = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        probability /= probability.sum(axis=1, keepdims=True)
        drawn = (probability.cumsum(axis=1) < self._rng.random((len(n), 1))).sum(axis=1)
        self._class = np.minimum(drawn, len(classes.shares) - 1)
        return probability

    def _draw_kinds(self) -> None:
        own = np.maximum(self._class - 1, 0)
        n, total, _ = self._of_active()
        between, within = self.classes.sd[own] ** -2, self.classes.line_sd[own] ** -2
        precision = between + n[:, None] * within
        mean = (self.classes.centre[own] * between + total * within) / precision
        self._kind = mean + self._rng.standard_normal(mean.shape) / np.sqrt(precision)

    def _counted(self, probability: Array) -> _Counts:
        n_classes = len(self.classes.centre)
        member = (self._class[:, None] == np.arange(1, n_classes + 1)).astype(float)
        of_pair = member[self._curves.compound]
        departure = (self._theta - self._kind[self._curves.compound]) ** 2
        return _Counts(
            compounds=np.r_[probability[:, 0].sum(), member.sum(axis=0)],
            kind_sum=member.T @ self._kind,
            kind_squares=member.T @ self._kind**2,
            line_squares=(of_pair * self._acts[:, None]).T @ departure,
            active_lines=of_pair.T @ self._acts.astype(float),
            spared_lines=of_pair.T @ (~self._acts).astype(float),
        )

    def _of_active(self) -> tuple[Array, Array, Array]:
        """For every compound: lines that it acts on, and the sums of their parameters and of the squares."""
        acts = self._acts.astype(float)
        total, squares = (
            np.stack([self._sum(acts * column) for column in (self._theta**power).T], axis=1) for power in (1, 2)
        )
        return self._sum(acts), total, squares

    def _sum(self, values: Array | NDArray[np.bool_]) -> Array:
        """Over the cell lines of every compound."""
        counts = np.bincount(self._curves.compound, weights=values, minlength=self._curves.n_compounds)
        return counts.astype(float)


def _log_normal(x: Array, mean: Array, sd: Array) -> Array:
    """Up to a constant, summed over columns."""
    result: Array = -0.5 * (((x - mean) / sd) ** 2).sum(axis=1)
    return result


def _rounded(values: Array) -> tuple[float, float, float]:
    a, b, c = (round(float(value), 4) for value in values)
    return a, b, c
