"""How far what was read from images agrees with what was in them: cell by cell, and well by well, as a figure."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cellos_nb.errors import ReaderFileError
from cellos_nb.hardware.contents import Floats
from cellos_nb.hardware.imaging.folder import measured_sites
from cellos_nb.hardware.imaging.measure import Field
from cellos_nb.hardware.imaging.microscope import TRUTH
from cellos_nb.hardware.imaging.settings import ImagingSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEAR_UM = 6.0
"""A nucleus that was found so near to a true one is that one."""
_RIM_UM = 15.0
"""Cells at the rim are seen in part, and not held against the reader."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The cells of one field that are truly there; arrays of shape (n_cells,)."""

    x_um: Floats
    y_um: Floats
    is_live: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Compared:
    """One field, read against the truth."""

    well: str
    site: int
    true_live: int
    true_dead: int
    live: int
    dead: int
    is_sharp: bool
    n_true: int
    """Cells away from the rim."""
    n_found: int
    """Nuclei away from the rim."""
    n_matched: int
    """Of those, how many are the same."""
    n_right: int
    """Of the same, how many are rightly called living or dead."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """All fields together; those out of focus stand apart, because no count is taken from them."""

    fields: tuple[Compared, ...]

    @property
    def sharp(self) -> tuple[Compared, ...]:
        """The fields that are counted."""
        return tuple(field for field in self.fields if field.is_sharp)

    @property
    def recall(self) -> float:
        """Share of true cells that were found."""
        return _share(sum(f.n_matched for f in self.sharp), sum(f.n_true for f in self.sharp))

    @property
    def precision(self) -> float:
        """Share of found nuclei that are true cells."""
        return _share(sum(f.n_matched for f in self.sharp), sum(f.n_found for f in self.sharp))

    @property
    def called_right(self) -> float:
        """Share of found cells that are rightly called living or dead."""
        return _share(sum(f.n_right for f in self.sharp), sum(f.n_matched for f in self.sharp))

    @property
    def count_error_percent(self) -> float:
        """By how much the count of a field is wrong in the middle, of fields with 20 cells or more."""
        errors = [
            abs(f.live + f.dead - f.true_live - f.true_dead) / (f.true_live + f.true_dead) * 100
            for f in self.sharp
            if f.true_live + f.true_dead >= 20
        ]
        return float(np.median(errors)) if errors else float("nan")

    @property
    def viability_error_percent(self) -> float:
        """Largest error of a well's viability, in percentage points."""
        by_well: dict[str, Floats] = defaultdict(lambda: np.zeros(4))
        for f in self.sharp:
            by_well[f.well] += (f.true_live, f.true_dead, f.live, f.dead)
        errors = [
            abs(live / (live + dead) - true_live / (true_live + true_dead)) * 100
            for true_live, true_dead, live, dead in by_well.values()
            if true_live + true_dead > 0 and live + dead > 0
        ]
        return max(errors, default=float("nan"))


def compare(folder: Path, settings: ImagingSettings) -> Agreement:
    """Reads a folder of rendered images and compares it with the table of true cells beside them.

    Raises:
        ReaderFileError: there is no such table, or as `measured_sites`.
    """
    truth = read_truth(folder / TRUTH)
    none = Truth(np.empty(0), np.empty(0), np.empty(0, bool))
    return Agreement(
        tuple(
            _compared(site.well, site.number, truth.get((site.well, site.number), none), field, settings)
            for site, field in measured_sites(folder, settings)
        )
    )


def read_truth(path: Path) -> dict[tuple[str, int], Truth]:
    """The true cells by well and site; fields without any are not in it.

    Raises:
        ReaderFileError: there is no such file.
    """
    rows: dict[tuple[str, int], list[tuple[float, float, bool]]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                cell = float(row["x_um"]), float(row["y_um"]), row["is_live"] == "1"
                rows[row["Well"], int(row["site"])].append(cell)
    except (OSError, KeyError, ValueError) as error:
        raise ReaderFileError(
            f"{path}: cannot be read ({error}). Only images that were rendered here have a table of true cells."
        ) from error
    return {place: _truth(cells) for place, cells in rows.items()}


def _truth(cells: list[tuple[float, float, bool]]) -> Truth:
    x_um, y_um, is_live = zip(*cells, strict=True)
    return Truth(np.array(x_um), np.array(y_um), np.array(is_live))


def _compared(well: str, site: int, truth: Truth, field: Field, settings: ImagingSettings) -> Compared:
    true = np.column_stack([truth.x_um, truth.y_um])
    found = np.column_stack([field.x_px, field.y_px]) * settings.um_per_px
    pairs = _matched(true, found)
    side = field.side_px * settings.um_per_px
    kept_true, kept_found = _away_from_rim(true, side), _away_from_rim(found, side)
    both = [(i, j) for i, j in pairs if kept_true[i] or kept_found[j]]
    # A pair that lies on both sides of the line counts on both.
    for i, j in both:
        kept_true[i] = kept_found[j] = True
    return Compared(
        well=well,
        site=site,
        true_live=int(truth.is_live.sum()),
        true_dead=int((~truth.is_live).sum()),
        live=field.n_live,
        dead=field.n_dead,
        is_sharp=field.is_sharp,
        n_true=int(kept_true.sum()),
        n_found=int(kept_found.sum()),
        n_matched=len(both),
        n_right=sum(bool(truth.is_live[i]) != bool(field.is_dead[j]) for i, j in both),
    )


def _matched(true: Floats, found: Floats) -> list[tuple[int, int]]:
    """Pairs of cells, the nearest first, each cell in one pair at most."""
    if not len(true) or not len(found):
        return []
    near = cKDTree(true).sparse_distance_matrix(cKDTree(found), _NEAR_UM, output_type="ndarray")
    pairs: list[tuple[int, int]] = []
    seen_true: set[int] = set()
    seen_found: set[int] = set()
    for row in np.sort(near, order="v"):
        i, j = int(row["i"]), int(row["j"])
        if i not in seen_true and j not in seen_found:
            pairs.append((i, j))
            seen_true.add(i)
            seen_found.add(j)
    return pairs


def _away_from_rim(place: Floats, side_um: float) -> NDArray[np.bool_]:
    return np.asarray(((place > _RIM_UM) & (place < side_um - _RIM_UM)).all(axis=1), np.bool_)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def draw(agreement: Agreement) -> Figure:
    """Counts and viabilities, read against true; a field out of focus is a cross."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    counts, shares = figure.subplots(1, 2)
    for is_sharp, marker, label in ((True, "o", "in focus"), (False, "x", "out of focus, not used")):
        some = [f for f in agreement.fields if f.is_sharp is is_sharp]
        if not some:
            continue
        true, read = [f.true_live + f.true_dead for f in some], [f.live + f.dead for f in some]
        counts.scatter(true, read, s=14, marker=marker, label=label, alpha=0.7)
        both = [f for f in some if f.true_live + f.true_dead and f.live + f.dead]
        shares.scatter(
            [100 * f.true_live / (f.true_live + f.true_dead) for f in both],
            [100 * f.live / (f.live + f.dead) for f in both],
            s=14,
            marker=marker,
            label=label,
            alpha=0.7,
        )
    for axes, what in ((counts, "Cells of a field"), (shares, "Viability of a field, %")):
        top = max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([0, top], [0, top], color="0.6", linewidth=1, zorder=0)
        axes.set(xlabel=f"{what}: true", ylabel="read from the images", title=what)
        axes.legend()
    return figure
