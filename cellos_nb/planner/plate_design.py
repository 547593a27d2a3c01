"""The planner that fills a whole plate so that the intervals of all EC50s become narrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal, Intent
from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array, share_of_plateau
from cellos_nb.planner.likelihood import Index
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.model import DoseResponseGP

N_CURVES = 64
"""Probable curves that a design is averaged over, for each compound on each cell line."""
PRIOR_SD = (1.0, 0.7, 0.35, 0.05)
"""Standard deviation before any well of log10 EC50, ln slope, effect at infinite dose, and response without compound:
wide, so that the design leans on the wells and not on the prior, which a later fit does not know."""
LEAST_NOISE = 0.05
"""Noise of an experiment, as a share of vehicle, that no design relies on falling below."""
_Z = 1.96
_LEAST_LEFT = 1e-9
"""Share of a variance that a well leaves at least: rounding is not to promise everything."""


@dataclass(slots=True)
class _Curve:
    """One compound on one cell line while its plate is designed."""

    rows: Index
    """Its conditions in the pool, ascending."""
    gradient: Array
    """Shape (n_curves, n_rows, 4): of the responses by the parameters, over the noise."""
    covariance: Array
    """Shape (n_curves, 4, 4): of the parameters after what was measured and chosen, were that curve the true one."""
    active_share: float
    """How probable it is that the compound acts on the line."""

    def gains(self) -> Array:
        """What each condition tells of the EC50 in nats, the logarithm by which the interval shrinks; (n_rows,)."""
        along = np.einsum("sij,srj->sri", self.covariance, self.gradient)
        noisy = 1.0 + np.einsum("sri,sri->sr", along, self.gradient)
        before = self.covariance[:, 0, 0][:, None]
        share_left = 1.0 - along[:, :, 0] ** 2 / (noisy * before)
        gain: Array = self.active_share * -0.5 * np.log(np.maximum(share_left, _LEAST_LEFT)).mean(axis=0)
        return gain

    def measure(self, place: int) -> None:
        """Takes a condition as measured."""
        gradient = self.gradient[:, place]
        along = np.einsum("sij,sj->si", self.covariance, gradient)
        noisy = 1.0 + (along * gradient).sum(axis=1)
        self.covariance = self.covariance - along[:, :, None] * along[:, None, :] / noisy[:, None, None]

    @property
    def width_decades(self) -> float:
        """The 95 % interval of the EC50 to be expected."""
        return float(2 * _Z * np.sqrt(self.covariance[:, 0, 0]).mean())


class PlateDesignPlanner:
    """Chooses doses, compound by compound, so that the 95 % intervals of all log10 EC50s are expected to shrink most.

    For each compound on each line, curves are drawn from the mechanistic posterior. Were one of them true, the wells
    measured and chosen so far would leave an interval that follows from their Fisher information; the next condition is
    the one that shrinks it by the largest factor, in the geometric mean over these curves and over all compounds
    together. (Their arithmetic mean would be ruled by the few drawn curves that no well can tell.) So the first plate
    is spread where the prior expects EC50s, and later ones close in; compounds that are known well, or inert, get fewer
    wells. A fine grid of doses (`n_doses` of 24 or more) gives it room, and a small first plate (`n_initial`) leaves
    most wells for the plates that know where to look.

    Source: Chaloner & Verdinelli 1995, doi:10.1214/ss/1177009939 (Bayesian optimality for one parameter of interest,
    averaged over the posterior).
    """

    name = "plate_design"

    def __init__(self, settings: PlannerSettings | None = None) -> None:
        self._n_initial = None if settings is None else settings.n_initial

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """See `Planner.propose`."""
        return self.propose_and_tell(config, history, iteration, n)[0]

    def propose_and_tell(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[tuple[ExperimentProposal, ...], dict[str, Any]]:
        """See `TellingPlanner.propose_and_tell`; tells the interval to be expected of each EC50, in decades."""
        pool = CandidatePool.of(config, history)
        if self._n_initial is not None and len(pool.results) < self._n_initial:
            n = min(n, self._n_initial - len(pool.results))
        model = fit_results(config, pool)
        curves = _curves(pool, model, np.random.default_rng([config.seed, iteration, 6]))
        rows, gains = _fill(pool, curves, n)
        mean, sd = model.predict(*pool.conditions())
        intent: Intent = "explore" if pool.results else "initial"
        proposals = tuple(
            pool.proposal(row, self.name, intent, (float(mean[row]), float(sd[row]), gain))
            for row, gain in zip(rows, gains, strict=True)
        )
        widths = {f"{compound} on {line}": curve.width_decades for (compound, line), curve in curves.items()}
        return proposals, {"noise_sd": _noise(pool, model), "expected_interval_decades": widths}


def _curves(pool: CandidatePool, model: DoseResponseGP, rng: np.random.Generator) -> dict[tuple[str, str], _Curve]:
    lines, compounds, doses = pool.conditions()
    members: dict[tuple[str, str], list[int]] = {}
    for row, pair in enumerate(zip(compounds, lines, strict=True)):
        members.setdefault(pair, []).append(row)
    measured: dict[tuple[str, str], list[float]] = {}
    for result in pool.results:
        measured.setdefault((result.proposal.compound, result.proposal.cell_line), []).append(result.proposal.dose_um)
    noise = _noise(pool, model)
    prior = np.diag(np.square(PRIOR_SD))
    found = {}
    for (compound, line), rows in members.items():
        parameters, weights = model.curves(line, compound)
        is_active = parameters[:, 2] != 0
        active = np.where(is_active, weights, 0.0) + 1e-12 * is_active
        picked = parameters[rng.choice(len(active), N_CURVES, p=active / active.sum())]
        known = np.log10(measured.get((compound, line), []))
        gradient = response_gradient(picked, np.log10(doses[rows])) / noise
        curve = _Curve(
            np.array(rows), gradient, np.repeat(prior[None], N_CURVES, axis=0), float(weights[is_active].sum())
        )
        if known.size:
            information = response_gradient(picked, known) / noise
            precision = np.linalg.inv(prior) + np.einsum("sri,srj->sij", information, information)
            curve.covariance = np.linalg.inv(precision)
        found[compound, line] = curve
    return found


def response_gradient(parameters: Array, log10_doses: Array) -> Array:
    """Of the response by log10 EC50, ln slope, plateau and baseline; shape (n_curves, n_doses, 4).

    Args:
        parameters: rows as in `CurveLibrary.parameters`; the falling arm of a window is taken as known.
        log10_doses: shape (n_doses,), µM.
    """
    ec50, slope, plateau = (column[:, None] for column in parameters.T[:3])
    away = log10_doses[None] - ec50
    share = share_of_plateau(parameters, log10_doses)
    rising = 1.0 / (1.0 + np.exp(np.clip(-np.log(10.0) * slope * away, -500.0, 500.0)))
    steep = plateau * share * (1.0 - rising) * np.log(10.0)
    return np.stack([-steep * slope, steep * slope * away, share, np.ones_like(share)], axis=2)


def _noise(pool: CandidatePool, model: DoseResponseGP) -> float:
    """Of one experiment: what the model estimates, and the mean of the standard errors."""
    errors = [result.standard_error for result in pool.results if result.standard_error is not None]
    known = float(np.mean(np.square(errors))) if errors else 0.0
    estimated = model.noise_sd if pool.results else 0.0
    return max(float(np.hypot(estimated, np.sqrt(known))), LEAST_NOISE)


def _fill(pool: CandidatePool, curves: dict[tuple[str, str], _Curve], n: int) -> tuple[list[int], list[float]]:
    """The conditions that narrow the intervals most, one after another, and what each told when it was chosen.

    Where lines are compared, a dose is chosen by what it tells on all of them, and measured on all of them.
    """
    n_rows = pool.is_open.size
    gain, home, place = np.zeros(n_rows), [next(iter(curves.values()))] * n_rows, np.zeros(n_rows, dtype=np.int64)
    for curve in curves.values():
        gain[curve.rows] = curve.gains()
        for i, row in enumerate(curve.rows.tolist()):
            home[row], place[row] = curve, i
    is_open = pool.is_open.ravel().copy()
    chosen: list[int] = []
    gains: list[float] = []
    while len(chosen) < n and is_open.any():
        value = np.where(is_open, gain, 0.0)
        if pool.is_comparison:
            of_option = value.reshape(-1, pool.n_lines).sum(axis=1)
            of_option[~is_open.reshape(-1, pool.n_lines).any(axis=1)] = -np.inf
            rows = [row for row in pool.open_of(int(of_option.argmax())) if is_open[row]][: n - len(chosen)]
        else:
            rows = [int(np.where(is_open, gain, -np.inf).argmax())]
        for row in rows:
            chosen.append(row)
            gains.append(float(gain[row]))
            is_open[row] = False
            home[row].measure(int(place[row]))
            gain[home[row].rows] = home[row].gains()
    return chosen, gains
