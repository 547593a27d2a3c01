"""From pixels to nuclei: background, threshold, and neighbours that touch taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellos_nb.hardware.contents import Floats

_TILES = 16
"""Along each side, for the background."""
_QUARTILE = 25
"""Percent of a tile's pixels below its background; cells may fill most of the rest."""
_LEAST_CONTRAST = 6.0
"""Of a nucleus over the noise."""
_DEBRIS = 0.12
"""Share of a typical nucleus' area, below which something is debris."""
_SPLIT = 0.35
"""Of a typical diameter: centres that are closer belong to one nucleus."""


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """One image without its background."""

    grey: NDArray[np.float32]
    """Above the background."""
    noise: float
    """Standard deviation of a pixel between cells."""


def flatten(image: NDArray[Any]) -> Flat:
    """Takes away the background: the dark quarter of each of 16 × 16 tiles, smoothed."""
    pixels = np.asarray(image, np.float32)
    n = [max(1, min(_TILES, side // 8)) for side in pixels.shape]
    even = np.pad(pixels, [(0, -side % count) for side, count in zip(pixels.shape, n, strict=True)], "symmetric")
    tiles = even.reshape(n[0], even.shape[0] // n[0], n[1], even.shape[1] // n[1])
    dark = ndimage.median_filter(np.percentile(tiles, _QUARTILE, axis=(1, 3)), 3, mode="nearest")
    zoom = [side / count for side, count in zip(even.shape, n, strict=True)]
    background = ndimage.zoom(dark, zoom, order=1, mode="nearest", grid_mode=True)
    grey = pixels - background[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    # Neighbouring pixels differ by noise alone where nothing is; cells cover less than half of most images.
    steps = np.abs(np.diff(pixels, axis=1))
    return Flat(grey, max(float(np.median(steps)) / 0.6745 / np.sqrt(2), 1e-6))


def nuclei_of(flat: Flat, diameter_px: float) -> NDArray[np.int32]:
    """Labels of nuclei: 0 for background, then 1, 2, … ; all 0 where nothing stands out of the noise.

    Args:
        flat: the channel of all nuclei.
        diameter_px: typical diameter of a nucleus.
    """
    from skimage.filters import threshold_otsu
    from skimage.morphology import remove_small_objects
    from skimage.segmentation import watershed

    smooth = ndimage.gaussian_filter(flat.grey, 0.1 * diameter_px)
    least = _LEAST_CONTRAST * flat.noise
    none = np.zeros(smooth.shape, np.int32)
    if float(np.percentile(smooth, 99.9)) < least:
        return none
    # Nuclei differ in brightness, so that half of what parts dark from bright parts nuclei from background.
    mask = smooth > max(0.5 * float(threshold_otsu(smooth)), least)
    mask = ndimage.binary_fill_holes(mask)
    debris = _DEBRIS * np.pi / 4 * diameter_px**2
    mask = remove_small_objects(mask, max_size=max(1, int(debris)))
    if not mask.any():
        return none
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 0.06 * diameter_px)
    around = 2 * max(1, round(_SPLIT * diameter_px)) + 1
    seeds, _ = ndimage.label(mask & (depth == ndimage.maximum_filter(depth, around)), np.ones((3, 3)))
    return np.asarray(watershed(-depth, seeds, mask=mask), np.int32)


def edge_width_px(flat: Flat, labels: NDArray[np.int32]) -> float:
    """How wide the rims of nuclei are: their height over their steepness; NaN where there is no nucleus."""
    if not labels.any():
        return float("nan")
    inside = labels > 0
    height = float(np.percentile(flat.grey[inside], 75))
    slope = ndimage.gaussian_gradient_magnitude(flat.grey, 1.0)
    rim = ndimage.binary_dilation(inside) & ~ndimage.binary_erosion(inside)
    return height / max(float(np.percentile(slope[rim], 75)), 1e-9)


def means_within(grey: NDArray[np.float32], labels: NDArray[np.int32]) -> Floats:
    """Mean of each nucleus, in the order of labels."""
    n = int(labels.max())
    return np.asarray(ndimage.mean(grey, labels, np.arange(1, n + 1)), float) if n else np.empty(0)
