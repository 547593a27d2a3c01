"""What is believed of a compound's EC50 on a cell line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cellos_nb.planner.model import DoseResponseGP


@dataclass(frozen=True, slots=True)
class Potency:
    """Belief in an EC50, from the model's posterior over whole curves."""

    log10_ec50_um: float
    """Expected, given that the compound acts and its EC50 lies within the doses."""
    interval_um: tuple[float, float]
    """95 % of the belief in EC50s, given that the compound acts, in µM; 0 and infinity stand for beyond the doses."""
    within_doses: float
    """Probability that the compound acts and its EC50 lies within the doses."""


def potency_of(model: DoseResponseGP, cell_line: str, compound: str, doses_um: tuple[float, float]) -> Potency:
    """What a model believes; `doses_um` are the lowest and the highest dose that can be asked for, in µM."""
    parameters, weights = model.curves(cell_line, compound)
    log10_ec50 = parameters[:, 0]
    # Where all data speak against it, the prior's EC50 is what remains.
    acts = (weights + 1e-12) * (parameters[:, 2] != 0)
    low, high = np.log10(doses_um)
    ends = _quantiles(log10_ec50, acts, (0.025, 0.975))
    interval = (
        0.0 if ends[0] < low else 10 ** min(ends[0], high),
        math.inf if ends[1] > high else 10 ** max(ends[1], low),
    )
    within = acts[(log10_ec50 >= low) & (log10_ec50 <= high)].sum() / weights.sum()
    mean = model.log10_ec50_um(cell_line, compound, doses_um)[0]
    return Potency(mean, interval, float(min(within, 1.0)))


def _quantiles(values: np.ndarray, weights: np.ndarray, shares: tuple[float, float]) -> list[float]:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    last = len(values) - 1
    return [float(values[order[min(int(np.searchsorted(reached, share)), last)]]) for share in shares]
