"""What a well tells of better wells on the same curve: the second step of an improvement, without sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellos_nb.planner.curves import Array
from cellos_nb.planner.likelihood import Index
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.promise import Layout

_MOST_DOSES = 12
"""More are thinned out; what lies between is interpolated."""
_N_OUTCOMES = 12
"""Intervals that what may be measured at a dose is sorted into."""
_MOST_CURVES = 12
"""Compounds on cell lines that are looked at, those first that would promise most if their curve were known."""
_LEAST_NOISE = 1e-6
_N_BISECTIONS = 6
_LEAST_PROBABILITY = 1e-6
"""Of a curve, relative to the likeliest, that is still looked at."""


@dataclass(frozen=True)
class Lookahead:
    """Scores of one model's curves at some doses, and what a measurement would say of them.

    A score is `offset + sign × response`, and larger is better. Departures from the curves are left out.
    """

    model: DoseResponseGP
    """Fitted."""
    layout: Layout
    offset: Array
    """Shape (n_doses,), of the scores at each of the layout's doses."""
    sign: float

    def gains(self, allowed: NDArray[np.bool_], incumbent: float, first: Array, n: int) -> Array:
        """Shape (n_wells,): what the best next well on the same curve is expected to add, beyond what others would.

        It is chosen after the well was measured, and only where it is worth more than the going rate: what the n-th
        best of all wells adds, by itself and later. The improvement of the first well itself is not counted.

        Args:
            allowed: shape (n_wells,), wells that are open.
            incumbent: the best score so far.
            first: shape (n_wells,), the improvement that each well is expected to be.
            n: wells of the batch, as many are open at least.

        Source: Ginsbourger & Le Riche 2010, doi:10.1007/978-3-7908-2410-0_12, the improvement of two steps; Gittins
        1979, doi:10.1111/j.2517-6161.1979.tb01068.x, for the rate at which a well is worth following up.
        """
        open_ = np.flatnonzero(allowed)
        low = float(np.partition(first[open_], -n)[-n])
        follow_ups = self._follow_ups(allowed, incumbent, low)
        result = self._beyond(follow_ups, low, len(first))
        high = float(np.partition((first + result)[open_], -n)[-n])
        for _ in range(_N_BISECTIONS if follow_ups else 0):
            rate = (low + high) / 2
            result = self._beyond(follow_ups, rate, len(first))
            is_low = float(np.partition((first + result)[open_], -n)[-n]) > rate
            low, high = (rate, high) if is_low else (low, rate)
        return result

    def _follow_ups(self, allowed: NDArray[np.bool_], incumbent: float, rate: float) -> list[_FollowUp]:
        """Of the curves that may be worth more than the rate."""
        scores = self._scores.astype(np.float32)
        best = np.maximum(scores, np.float32(incumbent))
        perfect = (best - np.float32(incumbent)).max(axis=1)
        groups = self._groups(allowed)
        hopes = np.array([float(group.weights @ perfect) for group in groups])
        found = []
        for number in np.argsort(-hopes, kind="stable")[:_MOST_CURVES].tolist():
            if hopes[number] <= rate:
                break
            group = groups[number]
            known = np.flatnonzero(group.weights > _LEAST_PROBABILITY * group.weights.max())
            weights, following = group.weights[known], scores[np.ix_(known, group.is_open)]
            probability, added = np.zeros((2, len(self._doses), _N_OUTCOMES))
            for i in np.flatnonzero(group.is_open).tolist():
                outcomes = self._outcomes[i][known] * weights[:, None]
                after = np.maximum(following - best[known, i, None], 0.0)
                probability[i], added[i] = outcomes.sum(axis=0), (outcomes.T @ after).max(axis=1)
            found.append(_FollowUp(group.wells, probability, added))
        return found

    def _beyond(self, follow_ups: list[_FollowUp], rate: float, n_wells: int) -> Array:
        """Shape (n_wells,): what follow-ups add where they are worth more than the rate."""
        result, doses = np.zeros(n_wells), self.layout.log10_doses[self.layout.dose]
        for one in follow_ups:
            value = np.maximum(one.added - rate * one.probability, 0.0).sum(axis=1)
            result[one.wells] = np.interp(doses[one.wells], self._doses, value)
        return result

    @cached_property
    def _doses(self) -> Array:
        """Those looked at, log10 µM."""
        doses = self.layout.log10_doses
        return doses if len(doses) <= _MOST_DOSES else np.linspace(doses[0], doses[-1], _MOST_DOSES)

    @cached_property
    def _scores(self) -> Array:
        """Shape (n_curves, n_doses_looked_at)."""
        offset = np.interp(self._doses, self.layout.log10_doses, self.offset)
        return offset + self.sign * self.model.posterior.library.responses(self._doses)

    @cached_property
    def _outcomes(self) -> list[NDArray[np.float32]]:
        """By dose: shape (n_curves, n_outcomes), how probable it is that each curve gives each outcome there."""
        from scipy.special import ndtr

        result = []
        for scores in self._scores.T:
            edges = np.linspace(scores.min(), scores.max(), _N_OUTCOMES + 1)[1:-1]
            below = ndtr((edges - scores[:, None]) / max(self.model.noise_sd, _LEAST_NOISE))
            steps = np.diff(below, axis=1, prepend=0.0, append=1.0)
            result.append(steps.astype(np.float32))
        return result

    def _groups(self, allowed: NDArray[np.bool_]) -> list[_Group]:
        """Open wells that share what is known of their curve and its open doses."""
        known, layout = self.model.posterior, self.layout
        nearest = np.abs(layout.log10_doses[:, None] - self._doses).argmin(axis=1)[layout.dose]
        members: dict[tuple[object, ...], list[tuple[tuple[str, str], Index]]] = {}
        for (compound, line), rows in layout.wells.items():
            wells = rows[allowed[rows]]
            if not len(wells):
                continue
            alike: tuple[object, ...] = (compound in known.compounds and compound,)
            if known.seen(compound, line) is not None:
                alike = (compound, line)
            doses = nearest[wells]
            members.setdefault((*alike, doses.min(), doses.max()), []).append(((compound, line), wells))
        groups = []
        for parts in members.values():
            compound, line = parts[0][0]
            wells = np.concatenate([part[1] for part in parts])
            is_open = np.zeros(len(self._doses), dtype=bool)
            is_open[nearest[wells]] = True
            weights = known.curve_weights(compound, line).astype(np.float32)
            groups.append(_Group(wells, is_open, weights))
        return groups


@dataclass(frozen=True, slots=True)
class _Group:
    """Wells whose curves are equally little known."""

    wells: Index
    is_open: NDArray[np.bool_]
    """Shape (n_doses_looked_at,)."""
    weights: NDArray[np.float32]
    """Shape (n_curves,): probability of every curve."""


@dataclass(frozen=True, slots=True)
class _FollowUp:
    """What may be measured first, and what the best well after it adds."""

    wells: Index
    probability: Array
    """Shape (n_doses_looked_at, n_outcomes): of each outcome of the first well."""
    added: Array
    """Shape (n_doses_looked_at, n_outcomes): by the second well on average, times the probability of the outcome."""
