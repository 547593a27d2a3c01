"""The columns of a stock table: a line for each lot, with what it is a lot of."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, InstanceOf

from cellos_nb.domain.amounts import quantity as number_of
from cellos_nb.domain.setting import Settings
from cellos_nb.domain.stock import Resource
from cellos_nb.operations.inventory.deliveries import Delivery


def moment_of(text: str) -> date | datetime:
    """A day, or a moment, UTC where it names no zone.

    Raises:
        ValueError: it is neither.
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("no date; write it as 2026-11-30") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day_of(text: str) -> date:
    """A day as a table writes it.

    Raises:
        ValueError: it is none.
    """
    found = moment_of(text)
    if isinstance(found, datetime):
        raise ValueError("no day; write it as 2026-11-30")
    return found


_Number = Annotated[Decimal, BeforeValidator(number_of)]
_Moment = Annotated[date, InstanceOf(), BeforeValidator(moment_of)]
_Day = Annotated[date, BeforeValidator(day_of)]


class LotColumns(Settings):
    """What a line of a stock table says of one lot."""

    lot_number: str = ""
    """The maker's; unique among the lots of the resource."""
    quantity: _Number | None = None
    """How much of it there is, in the unit of the resource; one pack when empty."""
    expires: _Moment | None = None
    """The last day on which it may be used; it keeps for ever when empty."""
    received: _Moment | None = None
    """When it came; now when empty."""
    location: str = ""
    """Where it stands."""
    barcode: str | None = None
    """On it; no other lot has it."""
    passage: Annotated[int, Field(ge=0)] | None = None
    """Of cells."""
    freeze_thaws: Annotated[int, Field(ge=0)] = 0
    """How often a compound was thawed so far."""
    lot_price_usd: _Number | None = None
    """What all of it cost; at the price of a pack when empty."""
    lot_price_source: str | None = None
    """Where that price stands."""
    lot_price_as_of: _Day | None = None
    """Of when that price is."""

    def delivery(self, resource: str) -> Delivery:
        """The lot as something that comes in."""
        came = self.received
        if isinstance(came, date) and not isinstance(came, datetime):
            came = datetime(came.year, came.month, came.day, tzinfo=UTC)
        return Delivery(
            resource,
            self.lot_number,
            self.quantity,
            expires=self.expires,
            location=self.location,
            barcode=self.barcode,
            price_usd=self.lot_price_usd,
            price_source=self.lot_price_source,
            price_as_of=self.lot_price_as_of,
            passage=self.passage,
            freeze_thaws=self.freeze_thaws,
            received_at=came,
        )


RESOURCE_COLUMNS = tuple(Resource.model_fields)
LOT_COLUMNS = tuple(LotColumns.model_fields)
COLUMNS = RESOURCE_COLUMNS + LOT_COLUMNS
"""Of a stock table, in the order in which it is written; only `name` has to be there."""
