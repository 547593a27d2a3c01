"""Units of doses and responses: what a mapping may name, and what a header says by itself."""

from __future__ import annotations

import re
from typing import Literal

from cellos_nb.units import NM_PER_UM, UM_PER_M, UM_PER_MM

DoseUnit = Literal["pM", "nM", "µM", "mM", "M"]
ResponseKind = Literal["fraction", "percent", "raw"]

UM_PER_UNIT: dict[str, float] = {"pM": 1e-6, "nM": 1 / NM_PER_UM, "µM": 1.0, "mM": UM_PER_MM, "M": UM_PER_M}
"""µM in one of each unit."""
MIN_DOSE_UM, MAX_DOSE_UM = 1e-9, 1e5
"""A femtomole per litre and 100 mM: a dose beyond is one in another unit."""

# A unit stands alone, as in "Dose (nM)", "conc_um" or "IC [µM]"; both signs for micro.
_DOSE = re.compile(r"(?<![A-Za-zµμ])(pM|nM|[uµμ]M|mM|M|pm|nm|um|mm)(?![A-Za-z])")
_PERCENT = re.compile(r"%|percent|\bpct\b", re.IGNORECASE)
_FRACTION = re.compile(r"fraction", re.IGNORECASE)


def dose_unit_named(text: object) -> object:
    """The unit that a person may have written with another letter for micro; anything else as it is.

    >>> dose_unit_named("uM"), dose_unit_named("nM"), dose_unit_named("mg")
    ('µM', 'nM', 'mg')
    """
    return "µM" if text in {"uM", "um", "μM", "µm", "μm"} else text


def dose_unit_in(header: str) -> DoseUnit | None:
    """The unit that a header names; None when it names none, or several.

    >>> dose_unit_in("Dose (nM)"), dose_unit_in("conc_um"), dose_unit_in("Medium dose")
    ('nM', 'µM', None)
    """
    found = {_dose_unit(each) for each in _DOSE.findall(header.replace("_", " "))}
    return found.pop() if len(found) == 1 else None


def response_kind_in(header: str) -> ResponseKind | None:
    """What a header says of its responses; None when it does not say.

    >>> response_kind_in("Viability (%)"), response_kind_in("fraction alive"), response_kind_in("Viability")
    ('percent', 'fraction', None)
    """
    if _PERCENT.search(header):
        return "percent"
    return "fraction" if _FRACTION.search(header) else None


def _dose_unit(text: str) -> DoseUnit:
    by_letter: dict[str, DoseUnit] = {"p": "pM", "n": "nM", "u": "µM", "µ": "µM", "μ": "µM", "m": "mM", "M": "M"}
    return by_letter[text[0]]
