"""What the images of one field say: nuclei, living and dead cells, intensities, focus and saturation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellos_nb.errors import ReaderFileError
from cellos_nb.hardware.contents import Floats
from cellos_nb.hardware.imaging.segment import Flat, edge_width_px, flatten, means_within, nuclei_of
from cellos_nb.hardware.imaging.settings import ImagingSettings, need_imaging

_POSITIVE = 5.0
"""Times the noise, from which a nucleus has the stain for dead cells."""

Images = Mapping[str, NDArray[Any]]
"""By channel; all of one shape, grey values."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One imaged site, read."""

    n_nuclei: int
    n_dead: int
    """Nuclei with the stain for dead cells; 0 where there is no such channel."""
    intensity: Mapping[str, float]
    """By channel: mean grey value of the field above its background; inf where the camera was at its limit."""
    edge_um: float
    """Width of the rims of nuclei; NaN where there is no nucleus."""
    saturated: Mapping[str, float]
    """By channel: share of the stained area at the camera's limit."""
    flags: tuple[str, ...]
    """`out of focus`, `saturated DAPI`: what is not to be trusted; empty for a good field."""
    x_px: Floats
    y_px: Floats
    is_dead: NDArray[np.bool_]
    """Of each nucleus."""
    side_px: int
    """Of the image, the shorter one."""

    @property
    def is_sharp(self) -> bool:
        """Whether its cells can be counted."""
        return OUT_OF_FOCUS not in self.flags

    @property
    def n_live(self) -> int:
        """Nuclei without the stain for dead cells."""
        return self.n_nuclei - self.n_dead

    @property
    def viability(self) -> float:
        """Living among all cells; NaN where there is none."""
        return self.n_live / self.n_nuclei if self.n_nuclei else math.nan


OUT_OF_FOCUS = "out of focus"


def measure_field(images: Images, settings: ImagingSettings, where: str = "images") -> Field:
    """Counts and measures one field.

    A nucleus that the lower or right rim cuts is not counted, one that the upper or left rim cuts is: so that every
    cell counts once where fields touch, and the count is that of centres within the field on average.

    Args:
        images: of every channel that the settings name.
        settings: what shows what, and how large it is.
        where: for messages.

    Raises:
        ReaderFileError: a channel is missing, or the images are of different shapes or have colours.
        ConfigError: scikit-image is not installed.
    """
    need_imaging()
    _check(images, settings, where)
    stains = settings.stains
    flat = {name: flatten(images[name]) for name in stains.channels}
    labels = nuclei_of(flat[stains.nuclei], settings.nucleus_px)
    edge_um = edge_width_px(flat[stains.nuclei], labels) * settings.um_per_px
    saturated = {name: _saturated(images[name], flat[name], settings) for name in stains.channels}
    labels = _counted(labels)
    is_dead = _dead(flat, labels, settings)
    flags = [OUT_OF_FOCUS] if edge_um > settings.max_edge_um else []
    flags += [f"saturated {name}" for name, share in saturated.items() if share > settings.max_saturated]
    n = int(labels.max())
    centres = np.array(ndimage.center_of_mass(labels > 0, labels, np.arange(1, n + 1)), float).reshape(n, 2)
    return Field(
        n_nuclei=n,
        n_dead=int(is_dead.sum()),
        intensity={
            name: math.inf if saturated[name] > settings.max_saturated else max(0.0, float(one.grey.mean()))
            for name, one in flat.items()
        },
        edge_um=edge_um,
        saturated=saturated,
        flags=tuple(flags),
        x_px=centres[:, 1] + 0.5,
        y_px=centres[:, 0] + 0.5,
        is_dead=is_dead,
        side_px=min(labels.shape),
    )


def _check(images: Images, settings: ImagingSettings, where: str) -> None:
    missing = [name for name in settings.stains.channels if name not in images]
    if missing:
        there = ", ".join(images) or "none"
        raise ReaderFileError(
            f"{where}: has no image of channel {missing[0]!r}; there: {there}. Name the channels under `stains` as the "
            "files do, or null for a stain that was not used."
        )
    shapes = {name: images[name].shape for name in settings.stains.channels}
    first = next(iter(shapes.values()))
    for name, shape in shapes.items():
        if len(shape) != 2:
            raise ReaderFileError(
                f"{where}: the image of {name} has the shape {shape}, but one plane of grey values is read. Export "
                "each channel and site as a file of its own, without colours."
            )
        if shape != first:
            raise ReaderFileError(f"{where}: the images of its channels have the shapes {first} and {shape}.")


def _counted(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Without nuclei that the lower or the right rim cuts; numbered anew."""
    cut = np.union1d(labels[-1], labels[:, -1])
    kept = np.setdiff1d(np.unique(labels), np.append(cut, 0))
    number = np.zeros(int(labels.max()) + 1, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return np.asarray(number[labels], np.int32)


def _dead(flat: Mapping[str, Flat], labels: NDArray[np.int32], settings: ImagingSettings) -> NDArray[np.bool_]:
    """Nuclei with the stain for dead cells: above the noise, and not by light of living cells that spills over."""
    live, dead = settings.stains.live, settings.stains.dead
    if dead is None:
        return np.zeros(int(labels.max()), np.bool_)
    grey = means_within(flat[dead].grey, labels)
    least = settings.positive_at if settings.positive_at is not None else _POSITIVE * flat[dead].noise
    is_dead = grey >= least
    if live is not None:
        is_dead &= grey >= settings.dead_over_live * means_within(flat[live].grey, labels)
    return np.asarray(is_dead)


def _saturated(image: NDArray[Any], flat: Flat, settings: ImagingSettings) -> float:
    """Share of what is stained that is at the limit."""
    if settings.saturated_at is not None:
        limit = settings.saturated_at
    elif np.issubdtype(image.dtype, np.integer):
        limit = float(np.iinfo(image.dtype).max)
    else:
        return 0.0
    n_at_limit = int((image >= limit).sum())
    return n_at_limit / max(int((flat.grey > _POSITIVE * flat.noise).sum()), 1) if n_at_limit else 0.0
