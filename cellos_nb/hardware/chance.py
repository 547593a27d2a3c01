"""What differs from plate to plate and from well to well without a reason: seeded, and tied to well positions.

Everything is drawn for the whole plate, so that a well's luck depends on the seeds and on its position alone, never on
which other wells are read, on the order of plates, or on the time.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from cellos_nb.hardware.biology_parameters import NoiseParameters
from cellos_nb.hardware.contents import Floats

_LIVES, _MEASURES, _FAULTS = 1, 2, 3
"""Streams of chance: what befalls the cells, what befalls a measurement, and faults put in on purpose."""


def of_life(machine_seed: int, plate_seed: int) -> Generator:
    """Chance that belongs to a plate, however often it is read."""
    return np.random.default_rng([_LIVES, machine_seed % 2**63, plate_seed % 2**63])


def of_measurement(machine_seed: int, step_seed: int, step_uid: str) -> Generator:
    """Chance that belongs to one reading."""
    return np.random.default_rng([_MEASURES, machine_seed % 2**63, step_seed % 2**63, zlib.crc32(step_uid.encode())])


def of_faults(machine_seed: int, plate_seed: int) -> Generator:
    """Chance of the faults that a plate is given; apart, so that a plate without any is as it would be otherwise."""
    return np.random.default_rng([_FAULTS, machine_seed % 2**63, plate_seed % 2**63])


def lognormal(random: Generator, cv: float, size: int | tuple[int, ...] | None = None) -> Floats:
    """Factors with mean 1 and the given coefficient of variation.

    With σ² = ln(1 + CV²) and a mean of −σ²/2 on the log scale, the mean of the factors is 1 exactly.
    """
    sigma2 = math.log1p(cv * cv)
    return np.asarray(np.exp(random.standard_normal(size) * math.sqrt(sigma2) - sigma2 / 2))


@dataclass(frozen=True, slots=True, eq=False)
class Mishaps:
    """Factors of a plate that stay with it: its own level, outliers and failed wells."""

    plate: float
    """Plate, day and operator together."""
    well: Floats
    """Shape (n_wells,): outliers and failures; 1 nearly everywhere."""


def draw_mishaps(random: Generator, noise: NoiseParameters, n_wells: int) -> Mishaps:
    """The level, outliers and failures of one plate."""
    cvs = (noise.plate_cv.value, noise.day_cv.value, noise.operator_cv.value)
    plate = math.prod(float(lognormal(random, cv)) for cv in cvs)
    uniform = random.random(n_wells)
    deviation = random.standard_t(noise.outlier_degrees_of_freedom.value, n_wells) * noise.outlier_scale.value
    low, high = math.log(noise.failure_lowest_factor.value), math.log(noise.failure_highest_factor.value)
    failure = np.exp(random.uniform(low, high, n_wells))
    outlier = np.exp(np.clip(deviation, low, high))
    p_outlier, p_failure = noise.outlier_fraction.value, noise.failure_fraction.value
    well = np.where(uniform < p_outlier, outlier, 1.0)
    well = np.where(uniform > 1 - p_failure, failure, well)
    return Mishaps(plate, well)
