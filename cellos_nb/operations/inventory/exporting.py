"""The stock written as a table that can be read in again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC

from cellos_nb.domain.amounts import quantity_of, usd, value_of
from cellos_nb.domain.stock import Lot, Resource
from cellos_nb.operations.inventory.columns import COLUMNS, LOT_COLUMNS, RESOURCE_COLUMNS
from cellos_nb.operations.inventory.spreadsheet import csv_text


def stock_table(resources: Sequence[Resource], lots: Sequence[Lot]) -> str:
    """Everything that is declared with what is on hand of it, as `import_table` reads it back.

    Lots of which nothing is left are left out.
    """
    of: dict[str, list[Lot]] = defaultdict(list)
    for lot in (lot for lot in lots if lot.balance.on_hand):
        of[lot.resource].append(lot)
    rows = (
        [*_resource_cells(resource), *cells]
        for resource in resources
        for cells in [_lot_cells(lot) for lot in of[resource.name]] or [[None] * len(LOT_COLUMNS)]
    )
    return csv_text(COLUMNS, rows)


def _resource_cells(resource: Resource) -> list[object]:
    values = resource.model_dump(mode="json")
    exact = {name: getattr(resource, name) for name in ("pack_size", "pack_price_usd", "reorder_point")}
    shown = values | exact | ({} if resource.n_wells else {"plate_use": None})
    return [shown[column] for column in RESOURCE_COLUMNS]


def _lot_cells(lot: Lot) -> list[object]:
    count = lot.balance.on_hand
    expires = lot.expires_at
    ends_a_day = expires is not None and f"{expires.astimezone(UTC):%H:%M:%S}" == "23:59:59"
    cells: dict[str, object] = {
        "lot_number": lot.lot_number,
        "quantity": quantity_of(count, lot.unit),
        "expires": None if expires is None else (expires.date().isoformat() if ends_a_day else expires.isoformat()),
        "received": lot.received_at.isoformat(),
        "location": lot.location,
        "barcode": lot.barcode,
        "passage": lot.passage,
        "freeze_thaws": lot.balance.freeze_thaws,
        "lot_price_usd": usd(value_of(count, lot.received, lot.price_micro_usd)),
        "lot_price_source": lot.price_source,
        "lot_price_as_of": lot.price_as_of.isoformat(),
    }
    return [cells[column] for column in LOT_COLUMNS]
