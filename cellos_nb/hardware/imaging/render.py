"""Images of a field as a camera would take them: optics, uneven light, noise, and the limit of the detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cellos_nb.hardware.contents import Floats
from cellos_nb.hardware.imaging.scene import Scene

Image = NDArray[np.uint16]
LIMIT = 65_535


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera and what it is set to; typical values of a 16-bit sCMOS on a widefield microscope."""

    n_px: int = 512
    """Pixels along each side of the square image."""
    exposure: float = 1.0
    """As a factor; from about 5 on, nuclei of dead cells are at the detector's limit."""
    offset: float = 200.0
    """Grey value without light."""
    scatter: float = 300.0
    """Grey values of the light between cells."""
    nucleus: float = 6000.0
    """Grey values of a living cell's nucleus in the channel of all nuclei."""
    cytoplasm: float = 4000.0
    """Of a living cell in the channel of living cells."""
    dead: float = 7000.0
    """Of a dead cell's nucleus in the channel of dead cells."""
    shading: float = 0.2
    """What the corners lack in light."""
    grey_per_photon: float = 0.5
    read_noise: float = 4.0
    """Grey values, of each pixel."""
    blur_um: float = 0.8
    """Of the optics in focus, as a standard deviation."""


CONDENSED = 1.6
"""How much brighter a shrunken nucleus is."""
_SPILL = 0.01
"""Of living cells' light that gets into the channel of dead ones."""


def render(
    scene: Scene, random: Generator, camera: Camera | None = None, light: Mapping[str, float] | None = None
) -> dict[str, Image]:
    """The three images of a field: `DAPI` all nuclei, `GFP` living cells, `RFP` dead cells.

    Args:
        scene: the cells.
        random: chance of the noise.
        camera: and its settings; the usual one when left out.
        light: for each channel how strong its stain is, as a factor; 1 where it is left out.
    """
    camera = camera or Camera()
    per_um = camera.n_px / scene.side_um
    layers = {name: np.zeros((camera.n_px, camera.n_px), np.float32) for name in ("DAPI", "GFP", "RFP")}
    for x, y, is_live, diameter, bright in zip(
        scene.x_um * per_um,
        scene.y_um * per_um,
        scene.is_live.tolist(),
        scene.diameter_um * per_um,
        scene.brightness,
        strict=True,
    ):
        if is_live:
            _disc(layers["DAPI"], x, y, diameter / 2, camera.nucleus * bright)
            _disc(layers["GFP"], x, y, diameter, camera.cytoplasm * bright)
            _disc(layers["RFP"], x, y, diameter, _SPILL * camera.cytoplasm * bright)
        else:
            _disc(layers["DAPI"], x, y, diameter / 2, CONDENSED * camera.nucleus * bright)
            _disc(layers["RFP"], x, y, diameter / 2, camera.dead * bright)
    blur_px = np.hypot(camera.blur_um, scene.defocus_um) * per_um
    lamp = _lamp(camera)
    return {
        name: _exposed(layer, random, camera, blur_px, lamp * (light or {}).get(name, 1.0))
        for name, layer in layers.items()
    }


def _disc(image: NDArray[np.float32], x: float, y: float, radius: float, grey: float) -> None:
    """Adds a round thing with a rim of two pixels; where it reaches beyond the image, that part is not seen."""
    reach = int(np.ceil(radius)) + 3
    row, column = int(np.floor(y)), int(np.floor(x))
    rows = np.arange(max(row - reach, 0), min(row + reach + 1, image.shape[0]))
    columns = np.arange(max(column - reach, 0), min(column + reach + 1, image.shape[1]))
    if not len(rows) or not len(columns):
        return
    distance = np.hypot(rows[:, None] + 0.5 - y, columns[None, :] + 0.5 - x)
    image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += grey * np.clip(radius + 0.5 - distance, 0.0, 1.0)


def _lamp(camera: Camera) -> Floats:
    """Light that falls off to the corners with the square of the distance from the middle."""
    axis = np.linspace(-1.0, 1.0, camera.n_px)
    return np.asarray(1.0 - camera.shading * (axis[:, None] ** 2 + axis[None, :] ** 2) / 2)


def _exposed(layer: NDArray[np.float32], random: Generator, camera: Camera, blur_px: float, light: Floats) -> Image:
    seen = (gaussian_filter(layer, blur_px) + camera.scatter) * light * camera.exposure
    noise = random.standard_normal(seen.shape, np.float32) * np.sqrt(
        camera.grey_per_photon * seen + camera.read_noise**2
    )
    return np.asarray(np.clip(np.rint(seen + noise + camera.offset), 0, LIMIT).astype(np.uint16))
