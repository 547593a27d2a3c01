"""Wells from their sites: counts, viability and flags; as a table, as a reader's file, and as channels of a reading."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.domain.reading import Channel
from cellos_nb.hardware.imaging.measure import Field
from cellos_nb.hardware.imaging.settings import ImagingSettings

_ORDER = {name: number for number, name in enumerate(well_names(max(PLATE_FORMATS)))}

Fields = Mapping[tuple[str, int], Field]
"""By well and site."""


@dataclass(frozen=True, slots=True)
class WellImages:
    """One well over its sites; means of the sites in focus, NaN where there is none."""

    well: str
    n_sites: int
    n_used: int
    """Sites in focus."""
    cell_count: float
    """Living cells of a site."""
    nuclei: float
    """All cells of a site."""
    viability: float
    """Living among all cells that were seen."""
    intensity: Mapping[str, float]
    """By channel; inf where a site was at the camera's limit."""
    flags: tuple[str, ...]
    """`out of focus: site 3`."""


def wells_of(fields: Fields, settings: ImagingSettings) -> tuple[WellImages, ...]:
    """One row for each well, in plate order."""
    wells = sorted({well for well, _ in fields}, key=_ORDER.__getitem__)
    return tuple(
        _well(name, {site: one for (well, site), one in fields.items() if well == name}, settings) for name in wells
    )


def _well(name: str, sites: Mapping[int, Field], settings: ImagingSettings) -> WellImages:
    used = [one for one in sites.values() if one.is_sharp]
    nuclei = sum(one.n_nuclei for one in used)
    flags: dict[str, list[int]] = {}
    for site, one in sorted(sites.items()):
        for flag in one.flags:
            flags.setdefault(flag, []).append(site)
    return WellImages(
        well=name,
        n_sites=len(sites),
        n_used=len(used),
        cell_count=_mean([one.n_live for one in used]),
        nuclei=_mean([one.n_nuclei for one in used]),
        viability=sum(one.n_live for one in used) / nuclei if nuclei else math.nan,
        intensity={channel: _mean([one.intensity[channel] for one in used]) for channel in settings.stains.channels},
        flags=tuple(f"{flag}: site{'s' * (len(at) > 1)} {', '.join(map(str, at))}" for flag, at in flags.items()),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def wells_csv(wells: Iterable[WellImages], settings: ImagingSettings) -> str:
    """A table that `cellos bench done --file` takes as it is: one row for each well."""
    channels = settings.stains.channels
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["Well", "cell_count", "nuclei", "viability", *channels, "sites", "used", "flags"])
    for one in wells:
        numbers = [one.cell_count, one.nuclei, one.viability, *(one.intensity[name] for name in channels)]
        row = [one.well, *map(_text, numbers), one.n_sites, one.n_used, "; ".join(one.flags)]
        writer.writerow(row)
    return out.getvalue()


def sites_csv(fields: Fields, settings: ImagingSettings) -> str:
    """One row for each site, with what its flags rest on."""
    channels = settings.stains.channels
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    saturated = [f"saturated_{name}" for name in channels]
    writer.writerow(["Well", "site", "nuclei", "live", "dead", *channels, "edge_um", *saturated, "flags"])
    for (well, site), one in sorted(fields.items(), key=lambda item: (_ORDER[item[0][0]], item[0][1])):
        counts = [one.n_nuclei, one.n_live, one.n_dead]
        numbers = [
            *(one.intensity[name] for name in channels),
            one.edge_um,
            *(one.saturated[name] for name in channels),
        ]
        writer.writerow([well, site, *counts, *map(_text, numbers), "; ".join(one.flags)])
    return out.getvalue()


def _text(value: float) -> str:
    if math.isnan(value):
        return ""
    return "OVER" if math.isinf(value) else f"{value:.6g}"


def channels_of(fields: Fields, wells: Sequence[str], asked: Sequence[str]) -> tuple[Channel, ...]:
    """The channels of a reading, site by site; no number where a field is out of focus or the camera at its limit.

    Args:
        fields: of all wells asked for.
        wells: in the order of the reading.
        asked: `cell_count`, or channels of the images.
    """
    sites = sorted({site for _, site in fields})
    extra = [name for name in ("nuclei", "viability") if name not in asked]
    return tuple(
        Channel(
            name,
            {"cell_count": "cells", "nuclei": "cells", "viability": "fraction"}.get(name, "RFU"),
            tuple(_value(fields.get((well, site)), name) for well in wells),
            site,
        )
        for name in (*asked, *extra)
        for site in sites
    )


def _value(one: Field | None, name: str) -> float | None:
    if one is None or not one.is_sharp:
        return None
    if name == "cell_count":
        return float(one.n_live)
    if name == "nuclei":
        return float(one.n_nuclei)
    value = one.viability if name == "viability" else one.intensity[name]
    return value if math.isfinite(value) else None
