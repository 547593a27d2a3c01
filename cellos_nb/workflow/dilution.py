"""The arithmetic of dilutions: from which concentration a mixture can be pipetted, and with the fewest dilutions.

A mixture is made of a compound's source (dissolved in solvent), of pure solvent and of diluent. Its solvent fraction
is given, so source and solvent together have a fixed volume, and each must be nothing or what the machine delivers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SLACK = 1e-9
"""Relative difference below which two volumes or concentrations are the same."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is to be made, in a volume that may be chosen between two limits."""

    concentration_um: float
    solvent_fraction: float
    """Volume of source and solvent together per volume of mixture, 0 to 1."""
    min_volume_ul: float
    max_volume_ul: float

    def undiluted_um(self) -> float:
        """The one source concentration that leaves no room for further solvent; no lower one can do."""
        return self.concentration_um / self.solvent_fraction

    def window_um(self, min_transfer_ul: float) -> tuple[float, float]:
        """The source concentrations that leave room for solvent beside them; none when the first exceeds the second."""
        amount = self.concentration_um * self.max_volume_ul
        most = self.solvent_fraction * self.max_volume_ul - min_transfer_ul
        return (amount / most if most > 0 else math.inf, amount / min_transfer_ul)

    def can_use(self, source_um: float, min_transfer_ul: float) -> bool:
        """Whether the mixture can be made from a source of this concentration."""
        if is_same(source_um, self.undiluted_um()):
            return self.solvent_fraction * self.max_volume_ul >= min_transfer_ul * (1 - SLACK)
        low, high = self.window_um(min_transfer_ul)
        return low * (1 - SLACK) <= source_um <= high * (1 + SLACK)

    def volume_from(self, source_um: float, min_transfer_ul: float) -> float:
        """The smallest volume, in µL, in which the mixture can be made from a source; may exceed `max_volume_ul`."""
        share, solvent = self.concentration_um / source_um, self.solvent_fraction
        parts = [share] if is_same(share, solvent) else [share, solvent - share]
        if solvent < 1:
            parts.append(1 - solvent)
        if min(parts) <= 0:
            return math.inf
        return max(self.min_volume_ul, min_transfer_ul / min(parts))

    def parts_ul(self, source_um: float, volume_ul: float, min_transfer_ul: float) -> tuple[float, float]:
        """Volumes of source and of pure solvent in a volume of the mixture."""
        source = _snap(volume_ul * self.concentration_um / source_um, min_transfer_ul)
        solvent = volume_ul * self.solvent_fraction - source
        return source, 0.0 if solvent <= 2 * SLACK * source else _snap(solvent, min_transfer_ul)


def is_same(a: float, b: float) -> bool:
    """Whether two quantities differ by rounding alone."""
    return abs(a - b) <= SLACK * max(a, b)


def choose_sources(stock_um: float, mixtures: Sequence[Mixture], min_transfer_ul: float) -> list[float]:
    """For each mixture the concentration to make it from: the stock, or one of as few dilutions as possible.

    Each mixture accepts an interval of concentrations; the fewest points that hit every interval are found greedily
    from the highest lower end down, and each point is then moved to a round number that hits the same intervals.

    Args:
        stock_um: the stock, in µM; no mixture may need more.
        mixtures: of one compound.
        min_transfer_ul: the smallest volume that the machine delivers.
    """
    chosen: dict[int, float] = {}
    windows: list[tuple[float, float, int]] = []
    for index, mixture in enumerate(mixtures):
        if mixture.can_use(stock_um, min_transfer_ul):
            chosen[index] = stock_um
            continue
        low, high = mixture.window_um(min_transfer_ul)
        high = min(high, stock_um * (1 - SLACK))
        if low > high:
            chosen[index] = mixture.undiluted_um()
        else:
            windows.append((low, high, index))
    points = {point for point in chosen.values() if not is_same(point, stock_um)}
    for low, high, index in windows:
        hit = [point for point in points if low <= point <= high]
        if hit:
            chosen[index] = min(hit)
    open_windows = sorted((window for window in windows if window[2] not in chosen), reverse=True)
    while open_windows:
        point = open_windows[0][0]
        group = [window for window in open_windows if window[1] >= point]
        point = round_between(point, min(window[1] for window in group))
        chosen.update((window[2], point) for window in group)
        open_windows = [window for window in open_windows if window[2] not in chosen]
    return [chosen[index] for index in range(len(mixtures))]


def choose_parent(
    made: Mixture, sources_um: Iterable[float], min_transfer_ul: float, capacity_ul: float
) -> tuple[float, float] | None:
    """The source that makes a dilution in the smallest volume, and that volume; the most concentrated of equals.

    Returns:
        Concentration in µM and volume in µL, or None when no source can do within the capacity.
    """
    possible = [
        (made.volume_from(source, min_transfer_ul), -source) for source in sources_um if source > made.concentration_um
    ]
    volume, negative = min(possible, default=(math.inf, 0.0))
    return (-negative, volume) if volume <= capacity_ul * (1 + SLACK) else None


def step_between(low_um: float, high_um: float, max_factor: float) -> float | None:
    """The lowest concentration on the way down from one to the other in equal steps; None when one step suffices."""
    ratio, n_steps = high_um / low_um, 1
    while ratio > max_factor**n_steps:
        n_steps += 1
    if n_steps == 1:
        return None
    next_um = low_um * ratio ** (1 / n_steps)
    return round_between(0.8 * next_um, next_um)


def round_between(low: float, high: float) -> float:
    """The number with the fewest digits at or just above `low` and not above `high`.

    >>> round_between(3.2, 9.0), round_between(0.317, 0.33), round_between(1.23456, 1.23456)
    (4.0, 0.32, 1.23456)
    """
    exponent = int(f"{low:.16e}".partition("e")[2])
    for digits in range(1, 5):
        power = exponent - digits + 1
        steps = math.ceil(low / 10.0**power * (1 - SLACK))
        rounded = float(f"{steps}e{power}")
        if low * (1 - SLACK) <= rounded <= high:
            return rounded
    return low


def _snap(volume_ul: float, min_transfer_ul: float) -> float:
    """A volume that is below the machine's minimum by rounding alone is that minimum."""
    return min_transfer_ul if min_transfer_ul * (1 - 1e-8) <= volume_ul < min_transfer_ul else volume_ul
