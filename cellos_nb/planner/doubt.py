"""When a learnt prior or memory is laid aside, because what was measured denies it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.posterior import Posterior, kind_weights, log_evidence_of

ODDS = 1.6
"""So many times as well the vague prior has to explain the measurements; what other odds cost stands in decision 36."""
MEMORY_ODDS = 3.0
"""So many times as well the measurements have to be explained without what is remembered of their compounds."""
CHECKS = (2, 16, 24, 32, 48)
"""Measurements after which it is asked; a lie that agrees with itself takes some of them to be seen."""
CHECKED_AT_MOST = 200
"""Measurements, told at once, from which the shares of the learnt classes learn enough by themselves."""
_SURE = 1 / 60
"""Logarithm of the odds, per measurement, that an estimate must be away from the border to be trusted."""


def is_denied(learnt: Posterior, n_measured: int, fit_vague: Callable[[], DoseResponseGP]) -> bool:
    """Whether the measurements speak against a learnt prior.

    Args:
        learnt: after the measurements.
        n_measured: how many they are.
        fit_vague: to the same measurements; called only where an estimate of its evidence cannot tell.
    """
    border = math.log(ODDS)
    estimate = log_odds_of_vague(learnt)
    if abs(estimate - border) < _SURE * n_measured:
        estimate = fit_vague().log_evidence - learnt.log_evidence
    return estimate > border


def is_memory_denied(with_memory: DoseResponseGP, memory_alone: DoseResponseGP, without: DoseResponseGP) -> bool:
    """Whether the measurements speak against what is remembered of their compounds by name.

    Args:
        with_memory: fitted to the measurements, with the remembered wells.
        memory_alone: fitted to the remembered wells.
        without: fitted to the measurements alone.
    """
    return without.log_evidence - (with_memory.log_evidence - memory_alone.log_evidence) > math.log(MEMORY_ODDS)


def log_odds_of_vague(learnt: Posterior) -> float:
    """About the log evidence of the vague prior minus that of the learnt one, with the noise of the latter.

    Compounds of no learnt class are what the vague prior expects, so its evidence is that of their kinds alone. They
    are fewer kinds than the vague prior has: on the screen, over true and false priors, this is off by 0.4 at 16
    measurements, 1.1 at 60 and 5 at 200 (root mean squares), where it is mostly too low.
    """
    library, vague = learnt.library, learnt.prior.without_classes()
    shares = np.zeros_like(library.class_shares)
    shares[:2] = vague.inactive_share, 1 - vague.inactive_share
    unlearnt, all_ = (kind_weights(library, each) for each in (shares, library.class_shares))
    return log_evidence_of(learnt.by_kind, unlearnt) - log_evidence_of(learnt.by_kind, all_)
