"""A folder of images by the pattern of its file names: which file is which well, site and channel."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cellos_nb.domain.plate import PLATE_FORMATS, row_label, well_names
from cellos_nb.errors import ConfigError, ReaderFileError
from cellos_nb.hardware.imaging.measure import Field, measure_field
from cellos_nb.hardware.imaging.settings import ImagingSettings, need_imaging

_FIELDS = {
    "well": r"(?P<well>[A-Za-z]{1,2}[0-9]{1,2})",
    "row": r"(?P<row>[0-9]{1,2}|[A-Za-z]{1,2})",
    "column": r"(?P<column>[0-9]{1,2})",
    "site": r"(?P<site>[0-9]{1,4})",
    "channel": "",
}
_CHANNEL = "[A-Za-z0-9]+"
_LARGEST = {name: number for number, name in enumerate(well_names(max(PLATE_FORMATS)))}
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Site:
    """One field of one well, with a file for each channel."""

    well: str
    number: int
    """Counted as the files count."""
    files: Mapping[str, Path]


def expression_of(pattern: str, channels: Sequence[str] = ()) -> re.Pattern[str]:
    """A pattern as a regular expression.

    Args:
        pattern: of file names.
        channels: looked for first, so that `w{channel}*` finds channel 1 in `w1A5F2`.

    Raises:
        ConfigError: it names a field twice, one that there is not, or none for the well or the channel.
    """
    known = [re.escape(name) for name in sorted(channels, key=len, reverse=True)]
    fields = _FIELDS | {"channel": f"(?P<channel>{'|'.join([*known, _CHANNEL])})"}
    parts: list[str] = []
    for part in re.split(r"(\{[^}]*\}|\*)", pattern):
        name = part[1:-1] if part.startswith("{") else None
        if name is not None and name not in _FIELDS:
            raise ConfigError(
                f"pattern: there is no {part}; possible: {', '.join('{' + key + '}' for key in _FIELDS)}, *."
            )
        parts.append(fields[name] if name is not None else ".*?" if part == "*" else re.escape(part))
    named = re.findall(r"\{([^}]*)\}", pattern)
    has_well = "well" in named or {"row", "column"} <= set(named)
    if len(set(named)) < len(named) or not has_well or "channel" not in named:
        raise ConfigError(
            f"pattern: {pattern!r} must name {{channel}}, and {{well}} or {{row}} and {{column}}, each once; a "
            "{{site}} where a well has several."
        )
    return re.compile("".join(parts), re.IGNORECASE)


def sites_in(folder: Path, settings: ImagingSettings) -> tuple[Site, ...]:
    """The imaged sites of a folder, in plate order; channels that the settings do not name are passed over.

    Raises:
        ReaderFileError: there is no such folder, no file has such a name, two files are one image, or a site lacks a
            channel.
        ConfigError: the pattern is none.
    """
    expression = expression_of(settings.pattern, settings.stains.channels)
    if not folder.is_dir():
        raise ReaderFileError(f"{folder}: there is no such folder. Check the path.")
    wanted = {name.casefold(): name for name in settings.stains.channels}
    found: dict[tuple[str, int], dict[str, Path]] = defaultdict(dict)
    others: set[str] = set()
    for path in sorted(folder.rglob("*")):
        match = expression.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        channel = wanted.get(match["channel"].casefold())
        if channel is None:
            others.add(match["channel"])
            continue
        place = _well_of(match, path), int(match.groupdict().get("site") or 1)
        twin = found[place].setdefault(channel, path)
        if twin != path:
            raise ReaderFileError(
                f"{path}: is {channel} of well {place[0]}, site {place[1]}, and so is {twin.name}. Name what tells "
                "them apart in the pattern, or keep one of them."
            )
    if not found:
        raise ReaderFileError(_nothing_found(folder, settings, others))
    sites = [Site(well, number, files) for (well, number), files in found.items()]
    for site in sites:
        missing = [name for name in settings.stains.channels if name not in site.files]
        if missing:
            raise ReaderFileError(
                f"{folder}: well {site.well}, site {site.number} has no {missing[0]}. Export it, or write null for a "
                "stain that was not used under `stains`."
            )
    return tuple(sorted(sites, key=lambda site: (_LARGEST[site.well], site.number)))


def read_image(path: Path) -> NDArray[Any]:
    """One TIFF as an array of grey values.

    Raises:
        ReaderFileError: it is no TIFF, or cut short.
    """
    import tifffile

    try:
        return tifffile.imread(path)  # type: ignore[no-any-return]
    except (OSError, ValueError, RuntimeError, tifffile.TiffFileError) as error:
        raise ReaderFileError(f"{path}: cannot be read as a TIFF ({error}). Export it again.") from error


def write_image(path: Path, image: NDArray[Any], um_per_px: float) -> None:
    """One image as a TIFF with the size of its pixels, the same bytes for the same image."""
    import tifffile

    tifffile.imwrite(
        path,
        image,
        compression="zlib",
        resolution=(1e4 / um_per_px, 1e4 / um_per_px),
        resolutionunit="CENTIMETER",
        metadata=None,
        software="cellos-nb",
    )


def measured_sites(folder: Path, settings: ImagingSettings) -> Iterator[tuple[Site, Field]]:
    """Reads the images of a folder, one site after the other.

    Raises:
        ReaderFileError: as `sites_in` and `measure_field`, or an image cannot be read.
        ConfigError: scikit-image is not installed, or the pattern is none.
    """
    need_imaging()
    for site in sites_in(folder, settings):
        images = {name: read_image(path) for name, path in site.files.items()}
        yield site, measure_field(images, settings, f"{folder.name}, well {site.well}, site {site.number}")


def _well_of(match: re.Match[str], path: Path) -> str:
    named = match.groupdict()
    if named.get("well"):
        row, column = re.fullmatch(r"([A-Za-z]+)0*([0-9]+)", named["well"]).groups()  # type: ignore[union-attr]
        well = f"{row.upper()}{int(column)}"
    else:
        row = named["row"]
        well = f"{row_label(int(row) - 1) if row.isdigit() else row.upper()}{int(named['column'])}"
    if well not in _LARGEST:
        raise ReaderFileError(f"{path}: {well} is no well of any plate. Correct the pattern.")
    return well


def _nothing_found(folder: Path, settings: ImagingSettings, others: set[str]) -> str:
    if others:
        wanted = ", ".join(settings.stains.channels)
        return (
            f"{folder}: has images of the channels {', '.join(sorted(others))}, but {wanted} are looked for. Name them "
            "under `stains`."
        )
    there = [path.name for path in sorted(folder.rglob("*")) if path.is_file()][:SHOWN]
    seen = f"there are files such as {', '.join(there)}" if there else "it is empty"
    return f"{folder}: no file is named like {settings.pattern}; {seen}. Give the pattern of their names."
