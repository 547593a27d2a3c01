"""A layout tried on paper: what edge, drift and plate effects would do to its results, and what it could still see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array, IntArray
from cellos_nb.analysis.normalise import normalise
from cellos_nb.analysis.signals import PlateWells, plate_wells
from cellos_nb.domain.plate import PlateLayout, WellRole, outer_wells, plate_format, well_position
from cellos_nb.errors import ConfoundedLayoutError
from cellos_nb.units import format_dose

Mask = NDArray[np.bool_]
MAX_BIAS = 0.1
"""A shift of a whole comparison by position alone, as a share of vehicle, beyond which the layout is confounded: as
large as the effects that a screen calls a hit, and no number of replicates would average it away."""
_FAR = 3.3
"""Standard deviations that one random placement in a thousand exceeds: less is chance, which the power tells of."""
N_DRAWS = 400
_POWER_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class NuisanceEffects:
    """What is not to matter, as shares of a well's signal."""

    edge: float = 0.12
    """Loss of rim wells. Source: the evaporation of the shipped simulated biology."""
    drift: float = 0.15
    """Loss from the first column to the last, or from the first row to the last. Below what quality control notes."""
    plate_cv: float = 0.1
    """From plate to plate; what the vehicle wells of each plate cancel."""
    well_cv: float = 0.1
    """From well to well. Source: a cell-based assay at its best, Iversen et al. 2012, NCBI NBK83783."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One contrast that the campaign will draw: wells of one kind beside wells of another."""

    name: str
    n: int
    n_others: int
    bias: float
    """Shift by edge and drift together, as a share of vehicle; the worse of the drift's two directions."""
    by_chance: float
    """Standard deviation of that shift over random placements of the same wells."""
    cause: str
    """The nuisance that contributes most to the bias."""

    @property
    def is_confounded(self) -> bool:
        """Whether position alone could pass for an effect, and no random placement would have it so."""
        return abs(self.bias) > max(MAX_BIAS, _FAR * self.by_chance)


@dataclass(frozen=True, slots=True)
class LayoutRehearsal:
    """What a layout would make of its wells."""

    comparisons: tuple[Comparison, ...]
    """The vehicle wells of each cell line, each compound and each dose, beside the line's samples."""
    power: tuple[tuple[float, float], ...]
    """For true effects as shares of vehicle: the chance that one experiment is told from vehicle at 5 %."""
    bias_sd: float
    """Standard deviation of one experiment's error by position, over all experiments."""
    noise_sd: float
    """Of one experiment with position and noise together."""

    @property
    def confounded(self) -> tuple[Comparison, ...]:
        """The comparisons that the layout spoils."""
        return tuple(each for each in self.comparisons if each.is_confounded)

    def check(self) -> None:
        """Refuses a layout that position alone could make an effect of.

        Raises:
            ConfoundedLayoutError: names the comparison, the cause, and what to change.
        """
        if self.confounded:
            worst = max(self.confounded, key=lambda each: abs(each.bias))
            more = len(self.confounded) - 1
            also = f" ({more} more are confounded.)" if more else ""
            raise ConfoundedLayoutError(
                f"{worst.name}: {worst.cause} alone would shift it by {worst.bias:+.0%} of vehicle, and "
                f"{MAX_BIAS:.0%} is the most that passes. {_CURES[worst.cause]}{also}"
            )


_CURES = {
    "the edge effect": "Keep the rim for medium (outer_wells: medium), or spread these wells over rim and inside.",
    "drift along the columns": "Randomise the columns, or give these wells places in more of them (more replicates).",
    "drift down the rows": "Randomise the rows, or give these wells places in more of them (more replicates).",
}


def rehearse_layout(
    layouts: Sequence[PlateLayout],
    effects: NuisanceEffects | None = None,
    *,
    sizes: Sequence[float] = (0.1, 0.2, 0.3, 0.5),
    seed: int = 0,
) -> LayoutRehearsal:
    """Simulates plates on which no compound does anything, so that all that is seen is position and chance.

    Args:
        layouts: one for each plate, of a compiled campaign or made by hand.
        effects: the nuisances; typical ones when left out.
        sizes: true effects for which the power is wanted, as shares of vehicle.
        seed: of the simulation.
    """
    assumed = effects or NuisanceEffects()
    rng = np.random.default_rng(seed)
    plates = [_Plate(plate_wells(layout), layout, assumed) for layout in layouts]
    comparisons = tuple(each for plate in plates for each in plate.comparisons())
    biases, errors = zip(*(plate.errors(rng) for plate in plates), strict=True)
    bias, error = np.concatenate(biases), np.concatenate(errors, axis=1)
    noise_sd = float(np.nanstd(error)) if error.size else math.nan
    return LayoutRehearsal(
        comparisons=comparisons,
        power=tuple((size, _power(size, error)) for size in sizes),
        bias_sd=float(np.nanstd(bias)) if bias.size else math.nan,
        noise_sd=noise_sd,
    )


class _Plate:
    """One plate's wells and what their places do to them."""

    def __init__(self, wells: PlateWells, layout: PlateLayout, effects: NuisanceEffects) -> None:
        self.wells, self.effects = wells, effects
        fmt, rim = plate_format(layout.n_wells), outer_wells(layout.n_wells)
        places = np.array([well_position(w.well, layout.n_wells) for w in wells.assignments], float).reshape(-1, 2)
        is_rim = np.array([w.well in rim for w in wells.assignments], float)
        self.causes: dict[str, Array] = {
            "the edge effect": -effects.edge * is_rim,
            "drift along the columns": -effects.drift * places[:, 1] / max(fmt.n_columns - 1, 1),
            "drift down the rows": -effects.drift * places[:, 0] / max(fmt.n_rows - 1, 1),
        }
        asked = [w.proposal_id for w in wells.assignments]
        known = {name: i for i, name in enumerate(dict.fromkeys(name for name in asked if name is not None))}
        self.experiment: IntArray = np.array([-1 if name is None else known[name] for name in asked], dtype=np.intp)
        self.n_experiments = len(known)

    def comparisons(self) -> list[Comparison]:
        """Vehicle, compounds and doses of each line, where there are other samples of the line to compare with."""
        found = []
        for index, line in enumerate(self.wells.lines):
            samples = self.wells.is_sample & (self.wells.line == index)
            kinds: dict[str, Mask] = {f"vehicle of {line}": self.wells.controls(index, WellRole.VEHICLE)}
            for position in np.flatnonzero(samples).tolist():
                well = self.wells.assignments[position]
                for name in (f"{well.compound} on {line}", f"{format_dose(well.dose_um or 0.0)} on {line}"):
                    kinds.setdefault(name, np.zeros(samples.size, dtype=np.bool_))[position] = True
            for name, mask in kinds.items():
                others = samples & ~mask
                if mask.sum() >= 3 and others.sum() >= 3:
                    found.append(self._compare(name, mask, others))
        return found

    def _compare(self, name: str, mask: Mask, others: Mask) -> Comparison:
        shifts = {cause: float(shift[mask].mean() - shift[others].mean()) for cause, shift in self.causes.items()}
        edge, columns, rows = shifts.values()
        # Only one direction drifts at a time.
        total = max((edge + columns, edge + rows, edge - columns, edge - rows), key=abs)
        n, n_others, here = int(mask.sum()), int(others.sum()), mask | others
        spread = math.hypot(*(float(shift[here].std()) for shift in list(self.causes.values())[:2]))
        by_chance = spread * math.sqrt(1 / n + 1 / n_others)
        return Comparison(name, n, n_others, total, by_chance, max(shifts, key=lambda cause: abs(shifts[cause])))

    def errors(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Of every experiment's result: by position alone (n,), and with noise in each draw (draws, n)."""
        edge, columns, rows = self.causes.values()
        drawn = []
        for draw in range(N_DRAWS + 1):
            along = columns if draw % 2 else rows
            signal = (1.0 + edge) * (1.0 + along)
            if draw:
                noise = rng.standard_normal(signal.size) * self.effects.well_cv
                signal = signal * (1.0 + noise) * (1.0 + self.effects.plate_cv * rng.standard_normal())
            drawn.append(self._results(signal) - 1.0)
        return drawn[0], np.array(drawn[1:])

    def _results(self, signal: Array) -> Array:
        value = normalise(self.wells, signal, is_normalised=False).value
        mine = self.experiment >= 0
        total = np.bincount(self.experiment[mine], weights=value[mine], minlength=self.n_experiments)
        mean: Array = total / np.bincount(self.experiment[mine], minlength=self.n_experiments)
        return mean


def _power(size: float, error: Array) -> float:
    """The chance that an effect is told at 5 %, two-sided, when what is called one is set by inert wells."""
    if not error.size:
        return math.nan
    limit = float(np.nanquantile(np.abs(error), 1 - _POWER_LEVEL))
    # A smaller signal has a smaller noise in proportion; constant below a tenth.
    shifted = -size + error * max(1 - size, 0.1)
    return float(np.nanmean(np.abs(shifted) > limit))
