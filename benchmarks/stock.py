"""How fast the stock is kept: bookings each in a durable transaction, and how long the lists of a large ledger take.

    uv run python benchmarks/stock.py [--entries 100000] [--bookings 200]

Each booking is one transaction that the disk has before it returns, as `cellos inventory use` makes it. The lists are
read from a ledger of so many entries over 100 lots, on an SQLite file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from cellos_nb.domain.stock import EntryKind, Resource
from cellos_nb.lab import Lab
from cellos_nb.operations.inventory import Inventory
from cellos_nb.operations.inventory.journal import ledger_table
from cellos_nb.store.stock_ledger import Change, Ledger

N_LOTS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--bookings", type=int, default=200)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder, Lab.open(Path(folder) / "lab.db") as lab:
        inventory = lab.inventory
        _fill(lab, asked.entries)
        print(f"a ledger of {asked.entries:,} entries over {N_LOTS} lots\n")
        print(f"{'':<36}{'by the clock':>15}{'processor':>15}{'':>15}")
        lot = inventory.lots()[0].lot_id
        _line(f"one booking ({asked.bookings} of them)", lambda: _book(inventory, lot, asked.bookings), asked.bookings)
        _line("all resources with their lights", inventory.standings)
        _line("the list to order", inventory.reorder_list)
        _line("the newest 40 entries", lambda: inventory.transactions(last=40))
        _line("the whole ledger of one lot", lambda: inventory.transactions(lot))
        _line("the whole ledger", inventory.transactions)
        _line("the whole ledger as CSV", lambda: _csv(inventory))
        _line("usage", inventory.usage)
        _line("the books added up anew", inventory.reconcile)


def _fill(lab: Lab, n_entries: int) -> None:
    """Lots of tips of which one piece at a time is taken."""
    inventory = lab.inventory
    inventory.declare(
        Resource.model_validate(
            {
                "name": "tips",
                "kind": "tips",
                "unit": "pcs",
                "pack_size": 10**6,
                "pack_price_usd": 9000,
                "price_as_of": date(2026, 11, 1),
                "price_source": "made up",
            }
        )
    )
    lots = [inventory.receive("tips", lot_number=f"T{n}") for n in range(N_LOTS)]
    with lab.store.write() as tx:
        ledger = Ledger(tx, lab.store.now(tx), "benchmark")
        for n in range(n_entries):
            ledger.book(lots[n % N_LOTS], EntryKind.USE, Change(on_hand=-1), reason="filled")


def _book(inventory: Inventory, lot: int, n: int) -> None:
    for _ in range(n):
        inventory.use(lot, 1, "benchmark")


def _csv(inventory: Inventory) -> str:
    lots = {lot.lot_id: lot for lot in inventory.lots(is_empty_shown=True)}
    return ledger_table(inventory.transactions(), lots)


def _line(what: str, call: Callable[[], object], n: int = 1) -> None:
    begun, used = time.perf_counter(), time.process_time()
    call()
    each, cpu = (time.perf_counter() - begun) / n, (time.process_time() - used) / n
    print(f"{what:<36}{each * 1e3:>12,.2f} ms{cpu * 1e3:>12,.2f} ms{1 / each:>12,.1f} /s", flush=True)


if __name__ == "__main__":
    main()
