"""The ledger as rows that people and spreadsheets read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cellos_nb.domain.amounts import format_count, quantity_of, usd
from cellos_nb.domain.stock import Lot, Transaction
from cellos_nb.operations.inventory.spreadsheet import csv_text

COLUMNS = (
    *("number", "at", "entry", "resource", "lot", "unit", "on_hand", "reserved", "in_doubt", "freeze_thaws"),
    *("value_usd", "on_hand_after", "reserved_after", "in_doubt_after", "freeze_thaws_after", "person", "reason"),
)
"""Of the ledger as CSV; what a transaction changed, and what there was after it."""


def ledger_table(entries: Iterable[Transaction], lots: Mapping[int, Lot]) -> str:
    """The ledger as CSV, exact to the last digit.

    Args:
        entries: in the order in which they stand.
        lots: by number, at least those of the entries.
    """
    return csv_text(COLUMNS, ([*ledger_cells(each, lots[each.lot_id]).values()] for each in entries))


def ledger_cells(entry: Transaction, lot: Lot) -> dict[str, object]:
    """One transaction by the names of `COLUMNS`."""
    unit, after = lot.unit, entry.after
    return {
        "number": entry.transaction_id,
        "at": entry.at.isoformat(),
        "entry": entry.kind.value,
        "resource": lot.resource,
        "lot": lot.lot_number,
        "unit": unit,
        "on_hand": quantity_of(entry.on_hand, unit),
        "reserved": quantity_of(entry.reserved, unit),
        "in_doubt": quantity_of(entry.uncertain, unit),
        "freeze_thaws": entry.freeze_thaws,
        "value_usd": usd(entry.value_micro_usd),
        "on_hand_after": quantity_of(after.on_hand, unit),
        "reserved_after": quantity_of(after.reserved, unit),
        "in_doubt_after": quantity_of(after.uncertain, unit),
        "freeze_thaws_after": after.freeze_thaws,
        "person": entry.person,
        "reason": entry.reason,
    }


def what_changed(entry: Transaction, lot: Lot) -> str:
    """What a transaction changed, in words.

    As in '-12.5 mL on hand, -12.5 mL reserved'.
    """
    amounts = (("on hand", entry.on_hand), ("reserved", entry.reserved), ("in doubt", entry.uncertain))
    said = [f"{'+' if n > 0 else ''}{format_count(n, lot.unit)} {name}" for name, n in amounts if n]
    if entry.freeze_thaws:
        said.append(f"{entry.freeze_thaws:+d} thawed")
    return ", ".join(said)
