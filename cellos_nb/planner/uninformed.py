"""Planners that learn nothing: chance, and an even spread over cell lines, compounds and doses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.planner.candidates import CandidatePool

_SAME_LINE, _SAME_COMPOUND, _DOSE_LENGTH = 1.0, 3.0, 0.25
"""How much a shared line or compound adds to the repulsion of two experiments, and its reach over the dose range."""


class RandomPlanner:
    """Every open condition with equal chance; for selectivity every treatment, on all its cell lines."""

    name = "random"

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """See `Planner.propose`."""
        pool = CandidatePool.of(config, history)
        rng = np.random.default_rng([config.seed, iteration, 1])
        rows = choose_at_random(pool, n, rng)
        return tuple(pool.proposal(row, self.name, "explore") for row in rows)


class SpaceFillingPlanner:
    """Keeps away from what was measured and asked: new compounds first, then other lines and distant doses."""

    name = "space_filling"

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """See `Planner.propose`."""
        pool = CandidatePool.of(config, history)
        rng = np.random.default_rng([config.seed, iteration, 2])
        rows = choose_evenly(pool, n, rng)
        return tuple(pool.proposal(row, self.name, "explore") for row in rows)


def choose_at_random(pool: CandidatePool, n: int, rng: np.random.Generator) -> list[int]:
    """`n` open conditions; comparisons that were begun are completed first."""
    if not pool.is_comparison:
        rows: list[int] = rng.permutation(np.flatnonzero(pool.is_open)).tolist()
        return within_room(pool, rows)[:n]
    begun, untouched = _split(pool)
    return pool.expand([*begun.tolist(), *within_room(pool, rng.permutation(untouched).tolist())], n)


def within_room(pool: CandidatePool, options: list[int]) -> list[int]:
    """The options (conditions, or treatments where lines are compared) that each compound still allows, in order."""
    if not pool.rooms:
        return options
    size, left, kept = pool.n_lines if pool.is_comparison else 1, dict(pool.rooms), []
    for option in options:
        compound = pool.compounds[option if pool.is_comparison else option // pool.n_lines]
        if compound in left:
            left[compound] -= size
        if left.get(compound, 0) >= 0:
            kept.append(option)
    return kept


def choose_evenly(pool: CandidatePool, n: int, rng: np.random.Generator) -> list[int]:
    """`n` open conditions, each where it is repelled least by all before it.

    Experiments repel each other as in minimum-energy designs: more when they share compound or line, less with
    distance in log dose. Comparisons that were begun are completed first.
    """
    compound = np.unique(np.array(pool.compounds), return_inverse=True)[1]
    log_dose = np.log10(pool.doses_um)
    position = (log_dose - log_dose.min()) / max(float(np.ptp(log_dose)), 1e-9)
    if not pool.is_comparison:
        line = np.tile(np.arange(pool.n_lines), len(compound))
        compound, position = np.repeat(compound, pool.n_lines), np.repeat(position, pool.n_lines)
        known, allowed = np.flatnonzero(pool.is_measured), np.flatnonzero(pool.is_open)
        known, room = np.union1d(known, pool.pending).astype(np.int64), np.repeat(pool.room, pool.n_lines)
        return _least_repelled((line, compound, position), known, allowed, room=room, n=n, rng=rng)
    begun, untouched = _split(pool)
    n_units = max(n - int(pool.is_open[begun].sum()), 0)
    n_units = -(-n_units // pool.n_lines)
    line = np.zeros(len(compound), dtype=np.int64)
    known = np.union1d(np.flatnonzero(pool.is_measured.any(axis=1)), begun)
    room = np.floor(pool.room / pool.n_lines)
    treatments = _least_repelled((line, compound, position), known, untouched, room=room, n=n_units, rng=rng)
    return pool.expand([*begun.tolist(), *treatments], n)


def _split(pool: CandidatePool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Treatments with open conditions: those measured on some cell lines, and those on none."""
    is_open = pool.is_open.any(axis=1)
    begun = pool.is_measured.any(axis=1)
    return np.flatnonzero(is_open & begun), np.flatnonzero(is_open & ~begun)


def _least_repelled(
    features: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    known: NDArray[np.int64],
    allowed: NDArray[np.int64],
    *,
    room: NDArray[np.float64],
    n: int,
    rng: np.random.Generator,
) -> list[int]:
    """The options chosen; `room` says of each option how many of its compound may be."""
    line, compound, position = features
    energy = 1e-6 * rng.random(len(line))
    blocked = np.ones(len(line), dtype=bool)
    blocked[allowed] = False

    def repulsion(i: int) -> NDArray[np.float64]:
        shared = (1 + _SAME_LINE * (line == line[i])) * (1 + _SAME_COMPOUND * (compound == compound[i]))
        weights: NDArray[np.float64] = shared * np.exp(-np.abs(position - position[i]) / _DOSE_LENGTH)
        return weights

    for i in known.tolist():
        energy += repulsion(i)
    energy[blocked | (room < 1)] = np.inf
    chosen: list[int] = []
    while len(chosen) < n and np.isfinite(energy).any():
        pick = int(np.argmin(energy))
        chosen.append(pick)
        energy += repulsion(pick)
        same = compound == compound[pick]
        energy[pick] = np.inf
        if same[chosen].sum() >= room[pick]:
            energy[same] = np.inf
    return chosen
