"""From cells to counts: luminescence, reporter and images, with the noise of measuring."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from cellos_nb.domain.plate import plate_format
from cellos_nb.domain.reading import Channel
from cellos_nb.domain.step import Readout
from cellos_nb.hardware.biology_parameters import BiologyParameters
from cellos_nb.hardware.chance import Mishaps, lognormal
from cellos_nb.hardware.contents import Floats
from cellos_nb.hardware.culture import CellModel, Culture, rim
from cellos_nb.hardware.faults import PlateFaults

CHANNELS: dict[str, tuple[str, ...]] = {
    "viability": ("luminescence",),
    "reporter": ("reporter", "viability"),
    "imaging": ("cell_count", "DAPI", "GFP", "RFP"),
}
"""What each assay can be read by."""
UNITS = {"cell_count": "cells"}
"""Of imaged channels that are no intensity."""


def channels(
    assay: str,
    readout: Readout,
    positions: list[int],
    culture: Culture,
    *,
    model: CellModel,
    mishaps: Mishaps,
    faults: PlateFaults,
    random: Generator,
) -> tuple[Channel, ...]:
    """The channels asked for, in that order.

    Args:
        assay: viability, reporter or imaging.
        readout: what is asked for; its channels are among the assay's.
        positions: of the wells to read, in plate order.
        culture: the cells.
        model: the parameters.
        mishaps: what stays with the plate.
        faults: what was put into it on purpose.
        random: chance of this reading.
    """
    if assay == "imaging":
        images = _images(readout, culture, parameters=model.parameters, mishaps=mishaps, random=random)
        return tuple(
            Channel(name, UNITS.get(name, "RFU"), _listed(faults.on(images[name][site])[positions]), site + 1)
            for name in readout.channels
            for site in range(readout.n_sites)
        )
    signals = _whole_well(assay, culture, model, mishaps, random)
    unit = "RFU" if readout.mode == "fluorescence" else "RLU"
    return tuple(Channel(name, unit, _listed(faults.on(signals[name])[positions])) for name in readout.channels)


def _whole_well(
    assay: str, culture: Culture, model: CellModel, mishaps: Mishaps, random: Generator
) -> dict[str, Floats]:
    """ATP luminescence, linear in living cells; beside it the reporter, linear in cells and induction."""
    noise, signal = model.parameters.noise, model.parameters.signals
    n = len(culture.line)
    common = mishaps.plate * mishaps.well * (1.0 - noise.edge_evaporation.value * rim(n))
    common = common * lognormal(random, noise.well_cv.value, n)
    atp = signal.background_rlu.value + model.rlu_per_cell[culture.line] * culture.live
    glow = signal.background_rlu.value + signal.reporter_rlu_per_cell.value * culture.live * culture.induced
    atp = atp * common * lognormal(random, noise.viability_cv.value, n)
    glow = glow * common * lognormal(random, noise.viability_cv.value, n)
    return {"luminescence": atp} if assay == "viability" else {"viability": atp, "reporter": glow}


def _images(
    readout: Readout,
    culture: Culture,
    *,
    parameters: BiologyParameters,
    mishaps: Mishaps,
    random: Generator,
) -> dict[str, Floats]:
    """Counts and mean intensities, each (sites, wells); a site sees its share of the well's area."""
    noise, signal = parameters.noise, parameters.signals
    n, sites = len(culture.line), readout.n_sites
    area = plate_format(n).well_area_cm2
    share = min(signal.field_area_cm2.value, area / sites) / area
    live = culture.live * culture.attached * share
    dead = culture.dead * signal.dead_retained.value * share
    seen = live * mishaps.well * lognormal(random, noise.cell_count_cv.value, (sites, n))
    level = mishaps.plate * mishaps.well * (1.0 - noise.edge_evaporation.value * rim(n))
    focus = lognormal(random, noise.focus_cv.value, (sites, n))
    # Every channel is drawn whether or not it is asked for, so that one channel's noise does not depend on another.
    found: dict[str, Floats] = {"cell_count": random.poisson(seen).astype(float)}
    for name, light in (
        ("DAPI", signal.nucleus_rfu.value * (live + dead)),
        ("GFP", signal.live_cell_rfu.value * live),
        ("RFP", signal.dead_cell_rfu.value * dead),
    ):
        stain = lognormal(random, noise.stain_cv.value, n)
        found[name] = (signal.background_rfu.value + light) * level * stain * focus
    return found


def _listed(values: Floats) -> tuple[float, ...]:
    """Whole counts, as a reader writes them."""
    return tuple(np.rint(values).tolist())
