"""How well a plate's controls are told apart, and how well its replicates agree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.analysis.curves import Array
from cellos_nb.analysis.signals import PlateWells, plate_wells, read_signal
from cellos_nb.domain.plate import PlateLayout, WellRole
from cellos_nb.domain.reading import Reading
from cellos_nb.errors import AnalysisError

_MAD_TO_SD = 1.4826
_SMALL_SAMPLE = (math.nan, math.nan, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
"""Factors that make the MAD of 2 to 9 normal values right on average. Source: Croux & Rousseeuw 1992,
doi:10.1007/978-3-662-26811-7_58."""


@dataclass(frozen=True, slots=True)
class LineQuality:
    """The controls of one cell line on one plate; None where there are too few wells to tell."""

    cell_line: str
    n_vehicle: int
    """Vehicle wells that gave a number."""
    n_positive: int
    """Positive-control wells that gave a number."""
    vehicle_median: float | None
    """In the unit of the reading."""
    vehicle_cv: float | None
    """Standard deviation over mean of the vehicle wells."""
    robust_vehicle_cv: float | None
    """The same from median and MAD: one bad well does not change it."""
    z_prime: float | None
    robust_z_prime: float | None
    ssmd: float | None
    signal_window: float | None


@dataclass(frozen=True, slots=True)
class PlateQuality:
    """The quality of one signal of one plate."""

    plate_id: str
    channel: str
    lines: tuple[LineQuality, ...]
    """In the order in which the layout names them."""
    replicate_cv: float | None
    """Median coefficient of variation of the replicates of one experiment; None without replicates."""

    def of(self, cell_line: str) -> LineQuality:
        """The quality of one cell line.

        Raises:
            AnalysisError: the plate has no such line.
        """
        for line in self.lines:
            if line.cell_line == cell_line:
                return line
        known = ", ".join(line.cell_line for line in self.lines) or "none"
        raise AnalysisError(f"{cell_line}: no such cell line on plate {self.plate_id}; it has {known}.")


def plate_quality(layout: PlateLayout, reading: Reading, channel: str) -> PlateQuality:
    """The quality of one channel of a plate, cell line by cell line.

    A source that gives fractions of its own vehicle (`Reading.is_normalised`) has vehicle wells of exactly 1: they
    carry no information, and no statistic is made of them.

    Raises:
        AnalysisError: the reading has no such channel, or a channel of the wrong length.
    """
    wells = plate_wells(layout)
    signal = read_signal(wells, reading, channel)
    if signal is None:
        known = ", ".join(dict.fromkeys(c.name for c in reading.channels)) or "none"
        raise AnalysisError(f"Plate {reading.plate_id}: the reading has no channel {channel!r}; it has {known}.")
    lines = line_qualities(wells, signal.usable, is_normalised=reading.is_normalised)
    return PlateQuality(reading.plate_id, channel, lines, _replicate_cv(wells, signal.usable))


def line_qualities(wells: PlateWells, usable: Array, *, is_normalised: bool) -> tuple[LineQuality, ...]:
    """The controls of every line, from a signal over `wells` with NaN for what cannot be used."""
    return tuple(
        _line_quality(
            name,
            _present(usable[wells.controls(index, WellRole.VEHICLE)]),
            _present(usable[wells.controls(index, WellRole.POSITIVE)]),
            is_normalised=is_normalised,
        )
        for index, name in enumerate(wells.lines)
    )


def _line_quality(name: str, vehicle: Array, positive: Array, *, is_normalised: bool) -> LineQuality:
    # Constant vehicle wells of a normalised source are a definition, no measurement.
    is_judged = vehicle.size >= 2 and not (is_normalised and float(np.ptp(vehicle)) == 0.0)
    both = is_judged and positive.size >= 2
    return LineQuality(
        cell_line=name,
        n_vehicle=vehicle.size,
        n_positive=positive.size,
        vehicle_median=float(np.median(vehicle)) if vehicle.size else None,
        vehicle_cv=coefficient_of_variation(vehicle) if is_judged else None,
        robust_vehicle_cv=robust_coefficient_of_variation(vehicle) if is_judged else None,
        z_prime=z_prime(vehicle, positive) if both else None,
        robust_z_prime=robust_z_prime(vehicle, positive) if both else None,
        ssmd=ssmd(vehicle, positive) if both else None,
        signal_window=signal_window(vehicle, positive) if both else None,
    )


def z_prime(negative: ArrayLike, positive: ArrayLike) -> float | None:
    """Z′ = 1 - 3 (s₊ + s₋) / |m₊ - m₋|; 1 is perfect, above 0.5 excellent, below 0 the controls overlap.

    None when either control has fewer than 2 wells or both have one mean.

    Source: Zhang, Chung & Oldenburg 1999, doi:10.1177/108705719900400206.
    """
    low, high = _pair(negative, positive)
    return None if low is None or high is None else _separation(low.mean(), _sd(low), high.mean(), _sd(high))


def robust_z_prime(negative: ArrayLike, positive: ArrayLike) -> float | None:
    """Z′ from medians and MADs, which one bad well does not change; None as for `z_prime`.

    Source: Birmingham et al. 2009, doi:10.1038/nmeth.1351.
    """
    low, high = _pair(negative, positive)
    if low is None or high is None:
        return None
    return _separation(float(np.median(low)), robust_sd(low), float(np.median(high)), robust_sd(high))


def ssmd(negative: ArrayLike, positive: ArrayLike) -> float | None:
    """Strictly standardised mean difference (m₊ - m₋) / √(s₊² + s₋²); beyond ±3 a strong control.

    None when either control has fewer than 2 wells or neither varies.

    Source: Zhang 2007, doi:10.1016/j.ygeno.2006.12.014.
    """
    low, high = _pair(negative, positive)
    if low is None or high is None:
        return None
    spread = math.hypot(_sd(low), _sd(high))
    return (float(high.mean()) - float(low.mean())) / spread if spread > 0 else None


def signal_window(negative: ArrayLike, positive: ArrayLike) -> float | None:
    """Distance between the controls' 3-SD bands in standard deviations of the higher control; above 2 is accepted.

    (|m₊ - m₋| - 3 (s₊ + s₋)) / s of the higher; None when that is 0 or a control has fewer than 2 wells.

    Source: Sittampalam et al. 1997, doi:10.1177/108705719700200306.
    """
    low, high = _pair(negative, positive)
    if low is None or high is None:
        return None
    top = low if low.mean() >= high.mean() else high
    gap = abs(float(low.mean()) - float(high.mean())) - 3 * (_sd(low) + _sd(high))
    return gap / _sd(top) if _sd(top) > 0 else None


def coefficient_of_variation(values: ArrayLike) -> float | None:
    """Standard deviation over mean; None with fewer than 2 values or a mean that is not above 0."""
    present = _present(values)
    if present.size < 2 or present.mean() <= 0:
        return None
    return _sd(present) / float(present.mean())


def robust_coefficient_of_variation(values: ArrayLike) -> float | None:
    """MAD-based standard deviation over median; None with fewer than 2 values or a median that is not above 0."""
    present = _present(values)
    if present.size < 2 or float(np.median(present)) <= 0:
        return None
    return robust_sd(present) / float(np.median(present))


def robust_sd(values: ArrayLike) -> float:
    """The standard deviation of normal values by their median absolute deviation; NaN with fewer than 2 values."""
    present = _present(values)
    n = present.size
    if n < 2:
        return math.nan
    factor = _SMALL_SAMPLE[n] if n < len(_SMALL_SAMPLE) else n / (n - 0.8)
    return factor * _MAD_TO_SD * float(np.median(np.abs(present - np.median(present))))


def _replicate_cv(wells: PlateWells, usable: Array) -> float | None:
    groups: dict[str, list[float]] = {}
    for well, is_sample, value in zip(wells.assignments, wells.is_sample, usable, strict=True):
        if is_sample and well.proposal_id is not None and math.isfinite(value):
            groups.setdefault(well.proposal_id, []).append(value)
    found = [coefficient_of_variation(np.array(group)) for group in groups.values() if len(group) >= 2]
    known = [cv for cv in found if cv is not None]
    return float(np.median(known)) if known else None


def _separation(mean_a: float, sd_a: float, mean_b: float, sd_b: float) -> float | None:
    distance = abs(float(mean_a) - float(mean_b))
    return 1 - 3 * (sd_a + sd_b) / distance if distance > 0 else None


def _pair(negative: ArrayLike, positive: ArrayLike) -> tuple[Array | None, Array | None]:
    low, high = _present(negative), _present(positive)
    return (low, high) if min(low.size, high.size) >= 2 else (None, None)


def _present(values: ArrayLike) -> Array:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[np.isfinite(numbers)]


def _sd(values: Array) -> float:
    return float(values.std(ddof=1))
