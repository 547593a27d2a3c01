"""Commands that change the stock: each is booked with who and why, and nothing that was booked is edited."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import Database

if TYPE_CHECKING:
    from cellos_nb.domain.stock import Lot

LotName = Annotated[
    str, typer.Argument(help="The lot: its number in `cellos inventory lots`, lot number or barcode.", metavar="LOT")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; the books keep it.")]
By = Annotated[str | None, typer.Option("--by", help="Who; you when left out.", show_default=False)]


def import_table(
    file: Annotated[Path, typer.Argument(help="A CSV with a line for each lot.", metavar="STOCK.csv")],
    check: Annotated[bool, typer.Option("--check", help="Say what would come of it; keep nothing.")] = False,
    by: By = None,
    db: Database = None,
) -> None:
    """Declare resources and receive lots from a table: all of it, or nothing and every bad line named."""
    from cellos_nb.lab import Lab
    from cellos_nb.operations.inventory.spreadsheet import read_text

    text = read_text(file)
    with Lab.open(db) as lab:
        found = lab.inventory.import_table(text, str(file), is_checked_only=check, by=by)
    done = "would be" if check else "were"
    typer.echo(
        f"{file}: {len(found.declared)} resources {done} declared, {len(found.changed)} changed, "
        f"{len(found.lots)} lots received."
    )


def declare(
    name: Annotated[str, typer.Argument(help="What the lab calls it.", metavar="RESOURCE")],
    settings: Annotated[
        list[str],
        typer.Option(
            "--set",
            help="What is known of it, as in kind=plate; repeat. Needed: kind, unit, pack_size, pack_price_usd, "
            "price_as_of, price_source. What was declared before stays.",
            metavar="KEY=VALUE",
        ),
    ],
    db: Database = None,
) -> None:
    """Declare something that is kept in stock, or what is new about it.

    From then on runs take no more of its kind than there is, and everything of that kind has to be declared.
    """
    from cellos_nb.errors import InputError
    from cellos_nb.lab import Lab
    from cellos_nb.operations.inventory.columns import RESOURCE_COLUMNS
    from cellos_nb.operations.inventory.spreadsheet import csv_text

    cells: dict[str, str] = {"name": name}
    for each in settings:
        key, equals, value = each.partition("=")
        if not equals or key not in RESOURCE_COLUMNS[1:]:
            raise InputError(f"--set {each}: write KEY=VALUE, with one of {', '.join(RESOURCE_COLUMNS[1:])}.")
        cells[key] = value
    with Lab.open(db) as lab:
        found = lab.inventory.import_table(csv_text(list(cells), [list(cells.values())]), "declare")
    typer.echo(f"{name}: {'declared' if found.declared else 'changed' if found.changed else 'nothing is new'}.")


def withdraw(
    name: Annotated[str, typer.Argument(help="The resource, as `cellos inventory list` names it.", metavar="RESOURCE")],
    db: Database = None,
) -> None:
    """Take back the declaration of a resource of which there was never a lot."""
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        lab.inventory.withdraw(name)
    typer.echo(f"{name}: is no longer declared.")


def receive(  # noqa: PLR0917 - typer's parameters are options, given by name
    resource: Annotated[str, typer.Argument(help="What came, as `cellos inventory list` names it.")],
    amount: Annotated[
        str | None, typer.Argument(help="How much, in its unit; one pack when left out.", show_default=False)
    ] = None,
    lot: Annotated[str, typer.Option("--lot", help="The maker's lot number.")] = "",
    expires: Annotated[
        str | None, typer.Option("--expires", help="Last day of use, as 2027-03-31.", show_default=False)
    ] = None,
    location: Annotated[str, typer.Option("--location", help="Where it stands.")] = "",
    barcode: Annotated[str | None, typer.Option("--barcode", help="On it.", show_default=False)] = None,
    price: Annotated[
        str | None,
        typer.Option("--price", help="USD for all of it; by the price of a pack when left out.", show_default=False),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where that price stands: an invoice.", show_default=False)
    ] = None,
    passage: Annotated[int | None, typer.Option("--passage", help="Of cells.", show_default=False)] = None,
    thawed: Annotated[int, typer.Option("--thawed", min=0, help="How often a compound was thawed before.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Hand campaigns that wait for stock to `cellos daemon`.")
    ] = False,
    by: By = None,
    db: Database = None,
) -> None:
    """Book a delivery, and say which campaigns wait for stock."""
    from cellos_nb.lab import Lab
    from cellos_nb.stockroom import waiting_for_stock

    with Lab.open(db, must_exist=True) as lab:
        found = lab.inventory.receive(
            resource,
            amount,
            lot_number=lot,
            expires=_moment("--expires", expires),
            location=location,
            barcode=barcode,
            price_usd=price,
            price_source=source,
            passage=passage,
            freeze_thaws=thawed,
            by=by,
        )
        _print(found, "received")
        for campaign_id in waiting_for_stock(lab.store):
            if resume:
                lab.hand_over(campaign_id)
                typer.echo(f"{campaign_id}: handed over to `cellos daemon`.")
            else:
                typer.echo(f"{campaign_id} waits for stock: `cellos resume {campaign_id}` goes on.")


def use(
    lot: LotName,
    amount: Annotated[str, typer.Argument(help="How much, in the unit of the resource.")],
    reason: Reason,
    by: By = None,
    db: Database = None,
) -> None:
    """Book what a person took by hand; what runs take is booked by itself."""
    _change("use", lot, amount, reason=reason, by=by, db=db)


def thaw(lot: LotName, reason: Reason, by: By = None, db: Database = None) -> None:
    """Book that a lot was thawed by hand; runs book their own thaws, one for each batch."""
    _change("thaw", lot, reason=reason, by=by, db=db)


def adjust(
    lot: LotName,
    counted: Annotated[str, typer.Argument(help="What is there, in the unit of the resource.")],
    reason: Reason,
    by: By = None,
    db: Database = None,
) -> None:
    """Book what was counted or weighed, whatever the books say."""
    _change("adjust", lot, counted, reason=reason, by=by, db=db)


def discard(
    lot: LotName,
    reason: Reason,
    amount: Annotated[
        str | None, typer.Argument(help="How much, in the unit of the resource; all when left out.", show_default=False)
    ] = None,
    by: By = None,
    db: Database = None,
) -> None:
    """Book that a lot, or so much of it, went into the waste; runs that were to have it look for another one."""
    _change("discard", lot, reason=reason, by=by, db=db, **({} if amount is None else {"amount": amount}))


def _change(what: str, lot: str, *values: str, db: str | None, **named: Any) -> None:
    from cellos_nb.lab import Lab

    with Lab.open(db, must_exist=True) as lab:
        found = getattr(lab.inventory, what)(lot, *values, **named)
    _print(found, "now")


def _print(lot: Lot, what: str) -> None:
    from cellos_nb.domain.amounts import format_count

    have, free = format_count(lot.balance.on_hand, lot.unit), format_count(lot.balance.free, lot.unit)
    thaws = f", thawed {lot.balance.freeze_thaws} times" if lot.balance.freeze_thaws else ""
    typer.echo(
        f"{lot.resource}, lot {lot.lot_number} (number {lot.lot_id}): {what} {have} on hand, {free} free{thaws}."
    )


def _moment(option: str, text: str | None) -> Any:
    from cellos_nb.errors import InputError
    from cellos_nb.operations.inventory.columns import moment_of

    if text is None:
        return None
    try:
        return moment_of(text)
    except ValueError as error:
        raise InputError(f"{option}: {text!r} is {error}.") from None
