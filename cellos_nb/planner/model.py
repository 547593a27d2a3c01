"""A Gaussian process about a mechanistic prior: what is known, and how well, about every dose of every compound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.curves import Array, CurveLibrary, CurvePrior
from cellos_nb.planner.likelihood import Index, Observations, Single
from cellos_nb.planner.posterior import Memory, Posterior, learn, prior_only
from cellos_nb.planner.remembered import NOTHING, RememberedWells
from cellos_nb.planner.sampling import Block, Pool


class DoseResponseGP:
    """Dose-response curves of compounds on cell lines, learnt from few wells.

    The prior holds, for every compound, a mixture over thousands of logistic curves, with shifts of EC50 and efficacy
    between cell lines, plus a small Gaussian-process residual over cell line and log10 dose. Compounds are independent
    given the prior, so the cost grows with the cube of the wells per curve, not of all wells. Posterior means
    and deviations are exact for the finite library of curves, and so is what samples show of each pair of compound and
    cell line. Equal data give equal answers.

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
        remembered: RememberedWells = NOTHING,
    ) -> None:
        """A model that has seen nothing.

        Args:
            prior: what curves look like; of several the one with most evidence is kept. Falling and rising curves are
                in question when left out.
            dose_range_um: lowest and highest dose of the campaign in µM; that of the data when left out.
            library: a library drawn from the prior already; drawn when left out.
            remembered: wells of earlier campaigns, part of every fit as if measured in this one.
        """
        self._priors = () if prior is None else (prior,) if isinstance(prior, CurvePrior) else tuple(prior)
        self._range, self._library, self._remembered = dose_range_um, library, remembered
        self._posterior: Posterior | None = None
        self._starts: dict[tuple[CurvePrior, tuple[float, float]], tuple[Posterior, Memory]] = {}
        if dose_range_um is not None:
            first = self._priors[0] if self._priors else CurvePrior()
            self._posterior = self._start(first, _log10_range(dose_range_um))[0]

    @property
    def prior(self) -> CurvePrior:
        """The beliefs about curves in use."""
        return self._known.prior

    @property
    def noise_sd(self) -> float:
        """Estimated standard deviation of one response beyond its known standard error, in the response's unit."""
        return self._known.noise_sd

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood of the data."""
        return self._known.log_evidence

    @property
    def posterior(self) -> Posterior:
        """All that is known, for other parts of the planner."""
        return self._known

    @property
    def inactive_share(self) -> float:
        """Estimated share of compounds that do nothing to any cell line."""
        return float(self._known.kind_prior[~self._known.library.is_active].sum())

    def fit(
        self,
        cell_lines: Sequence[str],
        compounds: Sequence[str],
        doses_um: ArrayLike,
        responses: ArrayLike,
        standard_errors: Sequence[float | None] | ArrayLike | None = None,
        *,
        extra_variances: ArrayLike | None = None,
    ) -> Self:
        """Learns from measured wells or experiments; what was learnt before is forgotten.

        Curves on which nothing is new since the last call are not computed again.

        Args:
            cell_lines: n names.
            compounds: n names.
            doses_um: shape (n,), in µM.
            responses: shape (n,), in the unit of the prior's baseline; NaN is left out.
            standard_errors: shape (n,), of the responses; None or NaN where unknown.
            extra_variances: shape (n,), added to those of single responses, as for outliers; 0 when left out.

        Raises:
            AnalysisError: the arguments differ in length, a dose is not above zero, or nothing at all is known.
        """
        doses, values = np.asarray(doses_um, dtype=float), np.asarray(responses, dtype=float)
        errors = _standard_errors(standard_errors, len(values))
        extra = np.zeros(len(values)) if extra_variances is None else np.asarray(extra_variances, dtype=float)
        if not len(cell_lines) == len(compounds) == len(doses) == len(errors) == len(values):
            raise AnalysisError(
                f"DoseResponseGP.fit: {len(cell_lines)} cell lines, {len(compounds)} compounds, {len(doses)} doses, "
                f"{len(values)} responses and {len(errors)} standard errors; give one of each for every observation."
            )
        if not np.all(np.isfinite(doses) & (doses > 0)):
            raise AnalysisError("DoseResponseGP.fit: a dose is not above 0 µM; leave out vehicle wells.")
        if len(known := self._remembered):
            cell_lines, compounds = [*cell_lines, *known.cell_lines], [*compounds, *known.compounds]
            doses, values = np.concatenate([doses, known.doses_um]), np.concatenate([values, known.responses])
            errors = np.concatenate([errors, np.full(len(known), np.nan)])
            extra = np.concatenate([extra, np.zeros(len(known))])
        used = np.flatnonzero(np.isfinite(values))
        if not len(used) and self._range is None:
            raise AnalysisError("DoseResponseGP.fit: no responses; give some, or dose_range_um to use the prior alone.")
        log10_range = _log10_range(self._range if self._range is not None else doses[used])
        pairs = sorted({(compounds[i], cell_lines[i]) for i in used.tolist()})
        number = {pair: i for i, pair in enumerate(pairs)}
        group = np.array([number[compounds[i], cell_lines[i]] for i in used.tolist()], dtype=np.int64)
        order = np.argsort(group, kind="stable")
        used = used[order]
        variances = _variances(errors[used]) + extra[used]
        observed = Observations(group[order], np.log10(doses[used]), values[used], variances)
        priors = self._priors or candidate_priors(observed.response)
        starts = {(prior, log10_range): self._start(prior, log10_range) for prior in priors}
        fits = [learn(before, observed, pairs, memory) for before, memory in starts.values()]
        self._posterior, self._starts = max(fits, key=lambda fit: fit.log_evidence), starts
        return self

    def _start(self, prior: CurvePrior, log10_range: tuple[float, float]) -> tuple[Posterior, Memory]:
        """Before any data, and what is remembered of those seen with it."""
        if (prior, log10_range) not in self._starts:
            self._starts[prior, log10_range] = (prior_only(prior, log10_range, self._library), Memory())
        return self._starts[prior, log10_range]

    def predict(self, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike) -> tuple[Array, Array]:
        """Posterior mean and standard deviation of the true responses, each of shape (n,); noise is left out."""
        mean, variance = np.zeros(len(compounds)), np.zeros(len(compounds))
        pool = Pool.of(self._known, cell_lines, compounds, doses_um)
        for block in pool.blocks:
            weights, curves, root = self._weights(block), pool.curves(block), pool.root(block)
            mean[block.rows] = weights @ curves
            variance[block.rows] = weights @ (curves - mean[block.rows]) ** 2 + (root**2).sum(axis=1)
        return mean, np.sqrt(variance)

    def covariance(self, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike) -> Array:
        """Joint posterior covariance of the true responses, shape (n, n); zero between compounds."""
        result = np.zeros((len(compounds), len(compounds)))
        given_kind: dict[str, list[tuple[Index, Array]]] = {}
        pool = Pool.of(self._known, cell_lines, compounds, doses_um)
        for block in pool.blocks:
            weights, curves, root = self._weights(block), pool.curves(block), pool.root(block)
            centred = curves - weights @ curves
            means = self._known.curves_given_kind(block.compound, block.cell_line) @ centred
            kinds = self._known.kinds_of(block.compound)
            within = (weights[:, None] * centred).T @ centred - (kinds[:, None] * means).T @ means
            result[np.ix_(block.rows, block.rows)] = within + root @ root.T
            given_kind.setdefault(block.compound, []).append((block.rows, means))
        # Cell lines inform each other through the kind of compound alone.
        for compound, parts in given_kind.items():
            rows = np.concatenate([part[0] for part in parts])
            means = np.concatenate([part[1] for part in parts], axis=1)
            result[np.ix_(rows, rows)] += (self._known.kinds_of(compound)[:, None] * means).T @ means
        return result

    def sample(
        self,
        cell_lines: Sequence[str],
        compounds: Sequence[str],
        doses_um: ArrayLike,
        n: int,
        rng: np.random.Generator,
    ) -> Single:
        """Joint posterior samples of the true responses over a pool, shape (n, n_pool)."""
        pool = Pool.of(self._known, cell_lines, compounds, doses_um)
        return pool.sample(pool.draw(n, rng), rng).T

    def sample_with_ec50(
        self,
        cell_lines: Sequence[str],
        compounds: Sequence[str],
        doses_um: ArrayLike,
        n: int,
        rng: np.random.Generator,
    ) -> tuple[Array, Array]:
        """As `sample`, and beside each response the log10 EC50 (µM) of its curve; NaN where that is inactive."""
        parameters = self._known.library.parameters
        log10_ec50 = np.where(parameters[:, 2] == 0, np.nan, parameters[:, 0])
        pool = Pool.of(self._known, cell_lines, compounds, doses_um)
        drawn = pool.draw(n, rng)
        ec50 = np.empty((len(compounds), n))
        for block, curves in zip(pool.blocks, drawn, strict=True):
            ec50[block.rows] = log10_ec50[curves]
        return pool.sample(drawn, rng).T.astype(float), ec50.T

    def log10_ec50_um(
        self, cell_line: str, compound: str, within_um: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """Posterior mean and standard deviation of log10 EC50 (µM), given that the compound acts.

        Args:
            cell_line: its name.
            compound: its name.
            within_um: doses; given as well that the EC50 lies between them. Anywhere when left out, or when they are
                so close together that no curve in question has its EC50 there.
        """
        parameters = self._known.library.parameters
        log10_ec50, acts = parameters[:, 0], parameters[:, 2] != 0
        if within_um is not None:
            low, high = np.log10(within_um)
            between = acts & (log10_ec50 >= low) & (log10_ec50 <= high)
            acts = between if between.any() else acts
        # Where all data speak against it, the prior's EC50 is what remains.
        weights = (self._known.curve_weights(compound, cell_line) + 1e-12) * acts
        weights /= weights.sum()
        mean = float(weights @ log10_ec50)
        return mean, float(np.sqrt(weights @ (log10_ec50 - mean) ** 2))

    def curves(self, cell_line: str, compound: str) -> tuple[Array, Array]:
        """The parameters of all curves in question, as `CurveLibrary.parameters`, and how probable each is now."""
        return self._known.library.parameters, self._known.curve_weights(compound, cell_line)

    def _weights(self, block: Block) -> Array:
        return self._known.curve_weights(block.compound, block.cell_line)

    @property
    def _known(self) -> Posterior:
        if self._posterior is None:
            raise AnalysisError("DoseResponseGP: the model has seen no data; call fit first, or give dose_range_um.")
        return self._posterior


def candidate_priors(responses: Array) -> tuple[CurvePrior, ...]:
    """The priors in question when the direction is open: induction above 1, with and without toxicity, and loss below.

    A fold of vehicle has no natural ceiling, so the largest response seen sets the scale.
    """
    top = float(np.nanmax(responses)) if len(responses) else 1.0
    rising = CurvePrior(amplitude=1.3 * max(top - 1.0, 1.0))
    return (rising, replace(rising, has_window=True), CurvePrior())


def _log10_range(doses_um: ArrayLike) -> tuple[float, float]:
    doses = np.asarray(doses_um, dtype=float)
    return float(np.log10(doses.min())), float(np.log10(doses.max()))


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
