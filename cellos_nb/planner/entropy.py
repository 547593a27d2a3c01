"""What a noisy measurement tells about the best value of a pool, in nats."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from cellos_nb.planner.curves import Array

_N_MAXIMA = 16
"""Values that stand for the distribution of the best one."""
_GAMMA = -6.0, 8.0
"""Standard deviations between a mean and the best value; beyond, nothing is told or nothing changes."""
_SHARP = 9.0
"""-log(1 - correlation²) from which a measurement counts as free of noise."""


def max_value_information(mean: Array, sd: Array, correlation: Array, maxima: Array) -> Array:
    """Shape (n,): mutual information of each measurement and the best value, in nats.

    A measurement is Gaussian, and its truth below the best value; one of another fidelity is correlated with the truth
    less than its own noise says, and nothing else changes.

    Args:
        mean: shape (n,), of the true scores.
        sd: shape (n,), of the true scores.
        correlation: shape (n,), of measurement and true score, in [0, 1].
        maxima: the best value in joint posterior samples, at least one.

    Source: Wang & Jegelka 2017, arXiv:1703.01968, equation 6; with noise and fidelities Takeno et al. 2020,
    arXiv:1901.08275, equation 9.
    """
    shares = (np.arange(_N_MAXIMA) + 0.5) / _N_MAXIMA
    best = np.quantile(maxima, shares)
    gamma = np.clip((best - mean[:, None]) / sd[:, None], *_GAMMA)
    sharpness = np.clip(-np.log1p(-(np.minimum(correlation, 1 - 1e-12) ** 2)), 0.0, _SHARP)
    told = _table().ev(gamma, np.broadcast_to(sharpness[:, None], gamma.shape))
    result: Array = np.maximum(told, 0.0).mean(axis=1)
    return result


def information_below(gamma: Array, correlation: Array) -> Array:
    """Nats that a measurement tells when its truth lies at most `gamma` standard deviations above its mean.

    The entropy of a Gaussian less that of the extended skew normal distribution, by quadrature; shapes are broadcast.
    """
    from scipy.special import log_ndtr

    z = np.linspace(-9.0, 7.0, 1601)
    gamma, correlation = (np.asarray(each, dtype=float)[..., None] for each in (gamma, correlation))
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    width = np.sqrt(np.maximum(1 - correlation**2, 1e-9))
    log_ratio = log_ndtr((gamma - correlation * z) / width) - log_ndtr(gamma)
    # p log p over z, where p = density * ratio; the Gaussian part of the logarithm is written out.
    weighted = density * np.exp(log_ratio)
    log_p = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) + np.maximum(log_ratio, -700.0)
    entropy = -(weighted * log_p).sum(axis=-1) * (z[1] - z[0])
    result: Array = 0.5 * np.log(2 * np.pi * np.e) - entropy
    return result


@lru_cache(maxsize=1)
def _table() -> Any:
    from scipy.interpolate import RectBivariateSpline

    gamma, sharpness = np.linspace(*_GAMMA, 113), np.linspace(0.0, _SHARP, 46)
    correlation = np.sqrt(-np.expm1(-sharpness))
    told = np.stack([information_below(gamma, np.full(len(gamma), each)) for each in correlation], axis=1)
    return RectBivariateSpline(gamma, sharpness, told)
