"""Commands that look at the stock: what there is, what to order, who used it, and whether the books balance."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli import inventory_changes
from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellos_nb.operations.inventory import Inventory

app = typer.Typer(help="What the lab has, what runs take of it, and what to order.", no_args_is_help=True)

Csv = Annotated[Path | None, typer.Option("--csv", help="Write it as CSV; - for standard output.", show_default=False)]
_NOTHING = "Nothing is kept in stock. Begin with `cellos inventory import STOCK.csv`."


@app.command("list")
def list_stock(db: Database = None, as_json: AsJson = False) -> None:
    """List every resource: how much a new run can have, and what to do about it."""
    from cellos_nb.domain.amounts import format_count

    with _inventory(db) as inventory:
        found = inventory.standings()
    rows = [
        {
            "resource": each.resource.name,
            "kind": each.resource.kind.value,
            "usable": format_count(each.usable, each.resource.unit),
            "reserved": format_count(each.reserved, each.resource.unit),
            "in doubt": format_count(each.uncertain, each.resource.unit),
            "lots": len(each.lots),
            "act": "-" if each.light == "good" else each.light.value,
            "state": each.words,
        }
        for each in found
    ]
    print_table(rows, as_json=as_json, empty=_NOTHING)


@app.command()
def lots(
    resource: Annotated[str | None, typer.Argument(help="Only of this resource.", show_default=False)] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Also those that are used up.")] = False,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the lots, what expires first first: that is also the order in which runs take of them."""
    from cellos_nb.domain.amounts import format_count
    from cellos_nb.errors import InventoryError

    with _inventory(db) as inventory:
        names = [each.name for each in inventory.resources()]
        if resource is not None and resource not in names:
            raise InventoryError(
                f"{resource}: no such resource is declared; there is {', '.join(names) or 'none yet'}."
            )
        words = {each.lot.lot_id: each.words for of in inventory.standings() for each in of.lots}
        found = inventory.lots(resource, is_empty_shown=empty)
    rows = [
        {
            "number": lot.lot_id,
            "resource": lot.resource,
            "lot": lot.lot_number,
            "on hand": format_count(lot.balance.on_hand, lot.unit),
            "free": format_count(lot.balance.free, lot.unit),
            "in doubt": format_count(lot.balance.uncertain, lot.unit),
            "expires": None if lot.expires_at is None else f"{lot.expires_at:%Y-%m-%d}",
            "thawed": _thawed(lot.balance.freeze_thaws, lot.max_freeze_thaws),
            "passage": lot.passage,
            "location": lot.location or None,
            "barcode": lot.barcode,
            "state": words.get(lot.lot_id, "used up"),
        }
        for lot in found
    ]
    print_table(rows, as_json=as_json, empty="There is no lot.")


@app.command()
def ledger(  # noqa: PLR0917 - typer's parameters are options, given by name
    lot: Annotated[
        str | None, typer.Argument(help="Only of this lot: its number here, lot number or barcode.", show_default=False)
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="So many of the newest.")] = 40,
    everything: Annotated[bool, typer.Option("--all", help="All that was ever booked.")] = False,
    csv: Csv = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show what was booked, by whom and why; nothing in it is ever changed."""
    from cellos_nb.operations.inventory.journal import ledger_cells, ledger_table, what_changed

    with _inventory(db) as inventory:
        entries = inventory.transactions(lot, last=None if everything or csv else last)
        of = {each.lot_id: each for each in inventory.lots(is_empty_shown=True)}
    if csv is not None:
        _write(ledger_table(entries, of), csv)
        return
    if as_json:
        print_json([ledger_cells(each, of[each.lot_id]) for each in entries])
        return
    rows = [
        {
            "number": each.transaction_id,
            "at": f"{each.at:%Y-%m-%d %H:%M}",
            "lot": f"{of[each.lot_id].resource}, {of[each.lot_id].lot_number}",
            "entry": each.kind.value.replace("_", " "),
            "change": what_changed(each, of[each.lot_id]),
            "person": each.person,
            "reason": each.reason or None,
        }
        for each in entries
    ]
    print_table(rows, as_json=False, empty="Nothing was booked.")


@app.command()
def reorder(csv: Csv = None, db: Database = None, as_json: AsJson = False) -> None:
    """List what to order: of whom, under which number, how many packs, for how much, and why."""
    from cellos_nb.domain.amounts import format_count, format_usd
    from cellos_nb.operations.inventory.reorder import order_cells, reorder_table

    with _inventory(db) as inventory:
        orders = inventory.reorder_list()
    if csv is not None:
        _write(reorder_table(orders), csv)
        return
    if as_json:
        print_json([order_cells(order) for order in orders])
        return
    rows = [
        {
            "vendor": order.resource.vendor or None,
            "number": order.resource.catalogue_number or None,
            "resource": order.resource.name,
            "order": f"{order.packs} × {format_count(order.resource.pack, order.resource.unit)}",
            "price": format_usd(order.price_micro_usd),
            "price of": f"{order.resource.price_as_of}, {order.resource.price_source}",
            "days": order.resource.lead_time_days,
            "why": order.why,
        }
        for order in orders
    ]
    print_table(rows, as_json=False, empty="Nothing has to be ordered.")
    if orders:
        typer.echo(f"in all {format_usd(sum(order.price_micro_usd for order in orders))}")


@app.command()
def usage(
    campaign: Annotated[
        str | None, typer.Argument(help="Only of this campaign, as `cellos list` names it.", show_default=False)
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show what was used and what it cost: by campaign, by hand, and thrown away.

    Of one campaign also for each well, each condition and each answer (an EC50 that was found).
    """
    from cellos_nb.domain.amounts import format_count, format_usd
    from cellos_nb.lab import Lab
    from cellos_nb.operations.costs import shares_of

    with Lab.open(db, must_exist=True) as lab:
        shares = None if campaign is None else shares_of(lab.store, campaign)
        used = lab.inventory.usage(campaign)
    rows: list[dict[str, Any]] = [
        {
            **({"used by": each.user} if campaign is None else {}),
            "resource": each.resource,
            "kind": each.kind,
            "used": format_count(each.count, each.unit),
            "cost": format_usd(each.cost_micro_usd),
            **({} if shares is None else {f"per {of}": shares.amount(each, of) for of in shares.parts}),
        }
        for each in used
    ]
    if shares is not None and not as_json:
        print_facts(shares.rows(sum(each.cost_micro_usd for each in used)))
    print_table(rows, as_json=as_json, empty="Nothing was used.")
    if rows and not as_json:
        typer.echo(f"in all {format_usd(sum(each.cost_micro_usd for each in used))}")


@app.command()
def reconcile(db: Database = None, as_json: AsJson = False) -> None:
    """Check the books: add up every lot's ledger anew, and name what is in doubt. Ends with 1 when they differ."""
    from cellos_nb.domain.amounts import format_count, format_usd

    with _inventory(db) as inventory:
        found = inventory.reconcile()
    differences = [{"lot": each.lot_id, "name": each.name, "what": each.what} for each in found.differences]
    doubts = [
        {
            "plate": each.plate_id,
            "step": each.step_uid,
            "lot": f"{each.lot.resource}, {each.lot.lot_number}",
            "in doubt": format_count(each.count, each.lot.unit),
            "settle by": each.cure,
        }
        for each in found.doubts
    ]
    if as_json:
        print_json({"is_balanced": found.is_balanced, "differences": differences, "in_doubt": doubts})
    else:
        paid, left = format_usd(found.paid_micro_usd), format_usd(found.on_hand_micro_usd)
        print_facts(
            (
                ("lots", f"{found.n_lots:,}, with {found.n_transactions:,} transactions"),
                ("paid for them", f"{paid}, of which {left} is on hand"),
                ("books", "balance" if found.is_balanced else "do not balance"),
            )
        )
        if differences:
            print_table(differences, as_json=False, empty="")
        if doubts:
            typer.echo("\nIn doubt")
            print_table(doubts, as_json=False, empty="")
    if not found.is_balanced:
        raise typer.Exit(1)


@app.command()
def export(csv: Csv = Path("-"), db: Database = None) -> None:
    """Write what is declared and on hand as a table that `cellos inventory import` reads."""
    with _inventory(db) as inventory:
        _write(inventory.table(), csv or Path("-"))


@contextmanager
def _inventory(db: str | None) -> Iterator[Inventory]:
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        yield lab.inventory


def _thawed(n: int, at_most: int | None) -> str | None:
    if at_most is None:
        return str(n) if n else None
    return f"{n} of {at_most}"


def _write(text: str, path: Path) -> None:
    """Text to a file that appears whole; with a mark of UTF-8, without which Excel misreads µ."""
    from cellos_nb.records.atomic import new_file

    if str(path) == "-":
        sys.stdout.write(text)
        return
    with new_file(path) as partial:
        partial.write_text(text, encoding="utf-8-sig", newline="")
    typer.echo(f"wrote {path}", err=True)


for _change in (
    inventory_changes.import_table,
    inventory_changes.declare,
    inventory_changes.withdraw,
    inventory_changes.receive,
    inventory_changes.use,
    inventory_changes.thaw,
    inventory_changes.adjust,
    inventory_changes.discard,
):
    app.command("import" if _change is inventory_changes.import_table else None)(_change)
