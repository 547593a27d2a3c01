"""A Cytation as a microscope: its images as TIFFs, and the reading that is read from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellos_nb.domain.plate import well_position
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Readout, Step
from cellos_nb.errors import MachineError, MachineRefusedError
from cellos_nb.hardware.imaging.folder import measured_sites, write_image
from cellos_nb.hardware.imaging.settings import DEFAULT_PATTERN, ImagingSettings, need_imaging
from cellos_nb.hardware.imaging.wells import channels_of, sites_csv, wells_csv, wells_of
from cellos_nb.hardware.pylabrobot.commands import Command
from cellos_nb.hardware.pylabrobot.labware import chosen, make, need_pylabrobot
from cellos_nb.hardware.pylabrobot.readers import made_or_refused, quiet
from cellos_nb.hardware.pylabrobot.settings import ImagerSettings

_DARK_PX, _DARK_GREY, _DARK_NOISE = 256, 10.0, 1.5


class Imager:
    """An imager. Before each step the plate lies in its open tray."""

    def __init__(self, settings: ImagerSettings) -> None:
        """An imager that is not connected yet.

        Raises:
            ConfigError: PyLabRobot or scikit-image is not installed.
            MachineError: what its connection needs is not installed.
        """
        need_pylabrobot()
        need_imaging()
        from pylabrobot.plate_reading import ImageReader

        self._settings = settings
        self.front = ImageReader("imager", size_x=0, size_y=0, size_z=0, backend=_backend(settings))

    async def connect(self) -> None:
        """Connects to the instrument and, where it has one of its own, to its camera."""
        await (self.front.setup() if self._settings.model == "chatterbox" else self.front.setup(use_cam=True))

    def commands(self, step: Step) -> Iterator[Command]:
        """Takes the plate in, images well by well and channel by channel, and gives it out again."""
        readout = _need_readout(step)
        n_wells, folder = self._put_in(step), self.folder_of(step)
        folder.mkdir(parents=True, exist_ok=True)
        yield Command("take the plate in", self.front.close)
        for well in readout.wells:
            for channel in self._settings.reading.stains.channels:
                place = well_position(well, n_wells)
                capture = partial(self._capture, place, well, channel, readout.n_sites, folder)
                yield Command(f"image {well}, {channel}", capture)
        yield Command("give the plate out", self.front.open)

    def reading(self, step: Step) -> Reading:
        """What the images say.

        Raises:
            ReaderFileError: an image cannot be read.
        """
        readout, folder = _need_readout(step), self.folder_of(step)
        how = self._how()
        wanted = set(readout.wells)
        found = {(at.well, at.number): field for at, field in measured_sites(folder, how) if at.well in wanted}
        (folder / "wells.csv").write_text(wells_csv(wells_of(found, how), how), encoding="utf-8")
        (folder / "sites.csv").write_text(sites_csv(found, how), encoding="utf-8")
        channels = channels_of(found, readout.wells, readout.channels)
        return Reading(step.plate_id, step.uid, readout.wells, channels, instrument=self._settings.model)

    def folder_of(self, step: Step) -> Path:
        """Where the images of a step go."""
        return Path(self._settings.folder) / step.plate_id.replace("/", "_") / step.uid

    def _how(self) -> ImagingSettings:
        return self._settings.reading.model_copy(update={"pattern": DEFAULT_PATTERN})

    async def _capture(self, place: tuple[int, int], well: str, channel: str, n_sites: int, folder: Path) -> None:
        """One channel of one well, all its sites; they are on the disk before the next one is taken."""
        from pylabrobot.plate_reading.standard import ImagingMode, Objective

        exposure, side = self._settings.channels[channel], math.isqrt(n_sites)
        result = await self.front.capture(
            well=place,  # not the well itself: PyLabRobot 0.2 takes B2 for A10
            mode=ImagingMode[exposure.mode],
            objective=Objective[self._settings.objective],
            exposure_time=exposure.exposure_ms,
            focal_height=exposure.focal_height_mm,
            gain=exposure.gain,
            coverage=(side, side),
        )
        if len(result.images) != n_sites:
            raise MachineError(f"{len(result.images)} images came of {well}, {channel}, not {n_sites}")
        for site, image in enumerate(result.images, 1):
            name = DEFAULT_PATTERN.format(well=well, site=site, channel=channel)
            write_image(folder / name, np.asarray(image), self._how().um_per_px)

    def _put_in(self, step: Step) -> int:
        """Says which plate lies in the tray; gives the number of its wells."""
        for child in list(self.front.children):
            child.unassign()
        n_wells = step.labware_named("plate").n_wells
        plate = make(chosen(self._settings.plate, n_wells, f"Step {step.uid}, imager"), "plate")
        self.front.assign_child_resource(plate)
        return n_wells


def check_images(step: Step, settings: ImagerSettings, machine: str) -> None:
    """Returns when the imager can take the images of a step.

    Raises:
        MachineRefusedError: a channel that it does not have, or sites that make no square.
    """
    readout = _need_readout(step)
    possible = ("cell_count", *settings.reading.stains.channels)
    unknown = next((name for name in readout.channels if name not in possible), None)
    if unknown is not None:
        raise MachineRefusedError(
            f"Step {step.uid}: the imager of {machine} has no channel {unknown!r}; possible: {', '.join(possible)}. "
            "Add it to `stains` and `channels` in the machine file."
        )
    if math.isqrt(readout.n_sites) ** 2 != readout.n_sites:
        raise MachineRefusedError(
            f"Step {step.uid}: {readout.n_sites} sites make no square, which is what the imager of {machine} takes. "
            "Set the assay's n_sites to 1, 4, 9 or 16."
        )


def _need_readout(step: Step) -> Readout:
    if step.readout is None:
        raise AssertionError(f"{step.uid}: is refused in preflight")
    return step.readout


def _backend(settings: ImagerSettings) -> Any:
    if settings.model == "chatterbox":
        return _dark_imager()
    from pylabrobot.plate_reading import CytationBackend

    given = {"device_id": settings.port} if settings.port else {}
    return made_or_refused(settings.model, lambda: CytationBackend(**given))


def _dark_imager() -> Any:
    """A camera that sees nothing but its own noise; PyLabRobot has a stand-in for readers alone."""
    from pylabrobot.plate_reading import PlateReaderChatterboxBackend
    from pylabrobot.plate_reading.standard import ImagingResult

    class DarkImager(quiet(PlateReaderChatterboxBackend)):  # type: ignore[misc]
        async def capture(self, **asked: Any) -> Any:
            rows, columns = asked["coverage"]
            random = np.random.default_rng([asked["row"], asked["column"]])
            frames = random.normal(_DARK_GREY, _DARK_NOISE, (rows * columns, _DARK_PX, _DARK_PX))
            return ImagingResult(list(np.rint(frames).clip(0, 255).astype(np.uint8)), asked["exposure_time"], 0.0)

    return DarkImager()
