"""A number for each well and signal, as files of plate readers hold them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One number of a file."""

    well: str
    signal: str
    text: str
    """As it stands there: a number, or what a reader writes in its place."""
    where: str
    """The cell, for people."""


@dataclass(frozen=True, slots=True)
class Export:
    """All that is known of one plate from one file."""

    name: str
    entries: tuple[Entry, ...]
    barcode: str | None = None
    barcode_at: str = ""
    """The cell that the barcode stands in."""
    decimal: str = "."


def well_name(text: str) -> str | None:
    """A well as this project writes it, from what readers write: `a01` is A1; None when it is no well."""
    match = _WELL.fullmatch(text.strip())
    return f"{match[1].upper()}{int(match[2])}" if match else None
