"""How a folder of images is named, what its channels show, and when a field is not to be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from cellos_nb.domain.config_errors import checked
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.errors import ConfigError

DEFAULT_PATTERN = "{well}_s{site}_{channel}.tif"
Fraction = Annotated[float, Field(ge=0, le=1)]


class StainSettings(Settings):
    """Which channel shows what, by the words that the file names have for it."""

    nuclei: Name = "DAPI"
    """All nuclei: they are what is counted."""
    live: Name | None = "GFP"
    """Living cells; null where there is no such stain."""
    dead: Name | None = "RFP"
    """Dead cells; null where there is no such stain, and every nucleus counts as living."""

    @model_validator(mode="after")
    def _check_apart(self) -> Self:
        names = [name for name in (self.nuclei, self.live, self.dead) if name is not None]
        if len(set(names)) < len(names):
            raise ValueError("nuclei|two stains cannot be in one channel; name another")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that are there, nuclei first."""
        return tuple(name for name in (self.nuclei, self.live, self.dead) if name is not None)


class ImagingSettings(Settings):
    """Everything that reading images needs to know about them."""

    pattern: Name = DEFAULT_PATTERN
    """Name of the files within the folder: {well} or {row} and {column}, {site}, {channel}; * for anything else."""
    stains: StainSettings = StainSettings()
    um_per_px: PositiveFloat = 1.3
    """Size of a pixel on the sample, in µm: the camera's pixel over the magnification."""
    nucleus_um: PositiveFloat = 13.0
    """Typical diameter of a nucleus, in µm; what is much smaller is debris."""
    positive_at: PositiveFloat | None = None
    """Grey values above background from which a nucleus has the stain for dead cells; five times the noise when left
    out."""
    dead_over_live: PositiveFloat = 0.2
    """The stain for dead cells must be so bright against that for living ones: what spills over is less."""
    max_edge_um: PositiveFloat = 8.0
    """The rims of nuclei seem 4 to 5 µm wide in focus; a field in which they are wider than this has no count."""
    saturated_at: PositiveFloat | None = None
    """Grey value of the camera's limit; the largest that the file can hold when left out."""
    max_saturated: Fraction = 0.02
    """Share of the stained area at the camera's limit, from which a channel of a field has no intensity."""

    @model_validator(mode="after")
    def _check_resolution(self) -> Self:
        if self.nucleus_um < 4 * self.um_per_px:
            raise ValueError(
                f"um_per_px|a nucleus of {self.nucleus_um:g} µm is {self.nucleus_um / self.um_per_px:.1f} pixels wide; "
                "at least 4 are needed. Use a higher magnification, or correct the pixel's size"
            )
        return self

    @property
    def nucleus_px(self) -> float:
        """Diameter of a nucleus in pixels."""
        return self.nucleus_um / self.um_per_px


class MicroscopeSettings(Settings):
    """What a simulated microscope takes images with."""

    folder: Name
    """Where the images of each plate go, in a folder of their own."""
    n_px: Annotated[int, Field(ge=128, le=4096)] = 512
    """Pixels along each side of an image."""
    exposure: PositiveFloat = 1.0
    """As a factor; from about 10 on, nuclei are at the camera's limit."""
    out_of_focus: Fraction = 0.0
    """Share of the fields whose focus is lost, for practising."""


def load_imaging(path: str | Path) -> ImagingSettings:
    """Settings from a YAML file.

    Raises:
        ConfigError: the file is missing or malformed, or a value in it is refused; the message has its line.
    """
    document = read_yaml(path)
    return checked(ImagingSettings, document.content, document)


def need_imaging() -> None:
    """Makes sure that scikit-image and tifffile are there.

    Raises:
        ConfigError: they are not; says what to install.
    """
    try:
        import skimage  # noqa: F401 — to know that it is there
        import tifffile  # noqa: F401
    except ImportError as error:
        raise ConfigError("Images are read by scikit-image. Run `pip install 'cellos-nb[imaging]'`.") from error
