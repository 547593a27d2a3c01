"""A simulated microscope: renders the fields of simulated cells, keeps them as TIFFs, and reads those files back."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.random import Generator

from cellos_nb.domain.plate import plate_format, well_names
from cellos_nb.domain.reading import Channel
from cellos_nb.domain.step import Readout, Step
from cellos_nb.errors import MachineError
from cellos_nb.hardware.biology_parameters import BiologyParameters
from cellos_nb.hardware.chance import lognormal
from cellos_nb.hardware.contents import Floats
from cellos_nb.hardware.culture import Culture
from cellos_nb.hardware.imaging.folder import measured_sites, write_image
from cellos_nb.hardware.imaging.render import Camera, render
from cellos_nb.hardware.imaging.scene import Scene, draw_scene, side_of
from cellos_nb.hardware.imaging.settings import DEFAULT_PATTERN, ImagingSettings, MicroscopeSettings, need_imaging
from cellos_nb.hardware.imaging.wells import channels_of, sites_csv, wells_csv, wells_of

SETTINGS, TRUTH, WELLS, SITES = "imaging.yaml", "truth.csv", "wells.csv", "sites.csv"
_USUAL_DEFOCUS_UM, _LOST_DEFOCUS_UM = 0.5, 6.0
_STAINS = ("DAPI", "GFP", "RFP")


def take_images(
    folder: Path,
    settings: MicroscopeSettings,
    fields: Iterator[tuple[str, int, Scene, dict[str, float]]],
    random: Generator,
) -> ImagingSettings:
    """Renders fields into a folder, with a table of every cell that is truly there, and how they are to be read.

    Args:
        folder: made when it is not there.
        settings: of the microscope.
        fields: well, site, cells, and how strong each stain is.
        random: chance of the noise.

    Raises:
        MachineError: the folder cannot be written.
        ConfigError: scikit-image is not installed.
    """
    need_imaging()
    camera = Camera(n_px=settings.n_px, exposure=settings.exposure)
    reading = ImagingSettings()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / TRUTH).open("w", encoding="utf-8", newline="") as file:
            truth = csv.writer(file, lineterminator="\n")
            truth.writerow(["Well", "site", "x_um", "y_um", "is_live"])
            for well, site, scene, light in fields:
                reading = ImagingSettings(um_per_px=round(scene.side_um / settings.n_px, 6))
                for channel, image in render(scene, random, camera, light).items():
                    name = DEFAULT_PATTERN.format(well=well, site=site, channel=channel)
                    write_image(folder / name, image, reading.um_per_px)
                inside = scene.is_inside
                for x, y, is_live in zip(
                    scene.x_um[inside], scene.y_um[inside], scene.is_live[inside].tolist(), strict=True
                ):
                    truth.writerow([well, site, f"{x:.2f}", f"{y:.2f}", int(is_live)])
        (folder / SETTINGS).write_text(yaml.safe_dump(reading.model_dump(mode="json")), encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{folder}: images cannot be written ({error.strerror or error}). Free space.") from error
    return reading


def image_plate(
    step: Step,
    readout: Readout,
    culture: Culture,
    *,
    settings: MicroscopeSettings,
    parameters: BiologyParameters,
    mishaps: Floats,
    on_plate: Callable[[Floats], Floats],
    random: Generator,
) -> tuple[Channel, ...]:
    """Takes the images of a step, and reads its channels from the files: from the same pixels that a person sees.

    Args:
        step: for the folder's name.
        readout: wells, sites and channels.
        culture: the cells.
        settings: of the microscope.
        parameters: of cells, stains and noise.
        mishaps: factors of each well.
        on_plate: faults that were put into the plate on purpose.
        random: chance of this reading.

    Raises:
        MachineError: the images cannot be written.
    """
    folder = Path(settings.folder) / step.plate_id.replace("/", "_") / step.uid
    fields = _fields(readout, culture, settings, parameters, mishaps=mishaps, on_plate=on_plate, random=random)
    reading = take_images(folder, settings, fields, random)
    found = {(site.well, site.number): field for site, field in measured_sites(folder, reading)}
    (folder / WELLS).write_text(wells_csv(wells_of(found, reading), reading), encoding="utf-8")
    (folder / SITES).write_text(sites_csv(found, reading), encoding="utf-8")
    return channels_of(found, readout.wells, readout.channels)


def _fields(
    readout: Readout,
    culture: Culture,
    settings: MicroscopeSettings,
    parameters: BiologyParameters,
    *,
    mishaps: Floats,
    on_plate: Callable[[Floats], Floats],
    random: Generator,
) -> Iterator[tuple[str, int, Scene, dict[str, float]]]:
    """Every field with its cells; chance is that of the field's place, whatever else is imaged."""
    noise, signal = parameters.noise, parameters.signals
    n = len(culture.line)
    area_cm2 = plate_format(n).well_area_cm2
    field_cm2 = min(signal.field_area_cm2.value, area_cm2 / readout.n_sites)
    live = on_plate(culture.live * culture.attached * field_cm2 / area_cm2 * mishaps)
    dead = on_plate(culture.dead * signal.dead_retained.value * field_cm2 / area_cm2 * mishaps)
    root = int(random.integers(2**62))
    names = well_names(n)
    for position in (names.index(well) for well in readout.wells):
        stains = lognormal(np.random.default_rng([root, position]), noise.stain_cv.value, len(_STAINS))
        for site in range(1, readout.n_sites + 1):
            own = np.random.default_rng([root, position, site])
            crowd = float(lognormal(own, noise.cell_count_cv.value))
            is_lost = own.random() < settings.out_of_focus
            defocus = _LOST_DEFOCUS_UM if is_lost else abs(float(own.normal(0.0, _USUAL_DEFOCUS_UM)))
            scene = draw_scene(
                own, side_of(field_cm2), float(live[position]) * crowd, float(dead[position]) * crowd, defocus
            )
            yield names[position], site, scene, dict(zip(_STAINS, stains.tolist(), strict=True))


def practice_fields(
    wells: Sequence[str],
    n_sites: int,
    n_cells: float,
    *,
    dead: Sequence[float],
    settings: MicroscopeSettings,
    seed: int,
) -> Iterator[tuple[str, int, Scene, dict[str, float]]]:
    """Fields without a plate: the share of dead cells goes through `dead` from well to well."""
    side_um = side_of(0.0044)
    for position, well in enumerate(wells):
        share = dead[position % len(dead)]
        for site in range(1, n_sites + 1):
            own = np.random.default_rng([seed, position, site])
            defocus = _LOST_DEFOCUS_UM if own.random() < settings.out_of_focus else _USUAL_DEFOCUS_UM
            yield well, site, draw_scene(own, side_um, n_cells * (1 - share), n_cells * share, defocus), {}
