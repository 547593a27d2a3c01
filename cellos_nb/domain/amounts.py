"""Amounts and money as whole numbers, so that books balance to the last drop and the last cent.

A volume is counted in picolitres, money in millionths of a dollar, everything else in pieces or cells.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum

PL_PER_UL = 10**6
MICRO_PER_USD = 10**6


class Dimension(StrEnum):
    """What is counted."""

    VOLUME = "volume"
    PIECES = "pieces"
    CELLS = "cells"


UNITS: dict[str, tuple[Dimension, int]] = {
    "nL": (Dimension.VOLUME, 10**3),
    "µL": (Dimension.VOLUME, PL_PER_UL),
    "mL": (Dimension.VOLUME, 10**9),
    "L": (Dimension.VOLUME, 10**12),
    "pcs": (Dimension.PIECES, 1),
    "cells": (Dimension.CELLS, 1),
    "Mcells": (Dimension.CELLS, 10**6),
}
"""Units by name: what they count, and how many of the smallest there are in one."""

_SPELLINGS = {"ul": "µL", "nl": "nL", "ml": "mL", "l": "L", "μl": "µL", "µl": "µL", "pc": "pcs", "pieces": "pcs"}


def unit_named(text: str) -> str:
    """A unit as it is written here; `uL` and `ml` are understood.

    Raises:
        ValueError: there is no such unit.
    """
    text = text.strip()
    unit = text if text in UNITS else _SPELLINGS.get(text.lower(), text)
    if unit not in UNITS:
        raise ValueError(f"{text!r} is no unit of stock; choose {', '.join(UNITS)}")
    return unit


def count_of(quantity: Decimal, unit: str) -> int:
    """A quantity in the smallest units.

    >>> count_of(Decimal("12.5"), "mL")
    12500000000

    Raises:
        ValueError: it is no whole number of them.
    """
    per_unit = UNITS[unit][1]
    if not quantity.is_finite():
        raise ValueError(f"{quantity} is no quantity; give a number")
    count = quantity * per_unit
    if count != int(count):
        smallest = Decimal(1) / per_unit
        raise ValueError(f"{quantity} {unit} is not a whole multiple of {smallest:f} {unit}, the smallest that is kept")
    return int(count)


def quantity_of(count: int, unit: str) -> Decimal:
    """A number of smallest units as a quantity, exactly; `count_of` gives it back."""
    return _plain(Decimal(count) / UNITS[unit][1])


def quantity(text: str | float | Decimal) -> Decimal:
    """A quantity as a person or a program writes it; of a float its shortest text counts, so that 0.1 is 0.1.

    Raises:
        ValueError: it is no number.
    """
    try:
        found = Decimal(str(text).strip().replace(" ", ""))
    except InvalidOperation:
        raise ValueError(f"{text!r} is no number; write it as 12.5") from None
    if not found.is_finite():
        raise ValueError(f"{text!r} is no finite number; write it as 12.5")
    return found


def picolitres(volume_ul: float) -> int:
    """A volume that was computed in µL, to the nearest picolitre."""
    return round(volume_ul * PL_PER_UL)


def format_count(count: int, unit: str) -> str:
    """An amount for people, in the unit of its resource, to the µL or the thousandth of its unit.

    >>> format_count(12_500_000_000, "mL"), format_count(-3, "pcs")
    ('12.5 mL', '-3 pcs')
    """
    shown = Decimal(count) / UNITS[unit][1]
    rounded = round(shown, 3)
    if rounded == 0 != count:
        rounded = round(shown, 9)
    return f"{_plain(rounded):,f} {unit}"


def micro_usd(text: str | float | Decimal) -> int:
    """An amount of US dollars in millionths.

    Raises:
        ValueError: it is no number, or finer than that.
    """
    amount = quantity(text) * MICRO_PER_USD
    if amount != int(amount):
        raise ValueError(f"{text} USD is finer than a millionth of a dollar")
    return int(amount)


def usd(micro: int) -> Decimal:
    """Millionths of a dollar as dollars, exactly."""
    return _plain(Decimal(micro) / MICRO_PER_USD)


def format_usd(micro: int) -> str:
    """Money for people, to the cent.

    >>> format_usd(1_234_567_890)
    '1,234.57 USD'
    """
    return f"{Decimal(micro) / MICRO_PER_USD:,.2f} USD"


def value_of(count: int, whole: int, price_micro_usd: int) -> int:
    """What so much of a lot is worth, in millionths of a dollar, when the whole of it cost its price.

    Rounded down. What is taken out is booked as the difference of two such values, so that all that was ever taken and
    what is left add up to the price, whatever the rounding.
    """
    return count * price_micro_usd // whole


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent."""
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
