"""Inventory: what a person does with the stock; what workflows take of it is booked by the execution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime

from sqlalchemy import Connection, delete

from cellos_nb.domain.audit import Act
from cellos_nb.domain.stock import EntryKind, Lot, Resource, Transaction
from cellos_nb.errors import InventoryError
from cellos_nb.operations.inventory.deliveries import Delivery, Quantity, book_delivery, count_in
from cellos_nb.operations.inventory.exporting import stock_table
from cellos_nb.operations.inventory.importing import Imported, import_table
from cellos_nb.operations.inventory.reconcile import Reconciliation, reconcile
from cellos_nb.operations.inventory.reorder import Order, reorder_list
from cellos_nb.operations.inventory.standing import ResourceStanding, standings
from cellos_nb.operations.inventory.usage import Use, usage
from cellos_nb.store import stock_shelf
from cellos_nb.store.audit import note
from cellos_nb.store.stock_claims import let_go, open_claims
from cellos_nb.store.stock_ledger import Change, Ledger
from cellos_nb.store.stock_low import tell_if_low
from cellos_nb.store.stock_tables import resources
from cellos_nb.store.store import Store


class Inventory:
    """The stock of one database. Any process may use it, also while campaigns run.

    Nothing is kept in stock until a resource is declared. From then on a kind of which at least one resource is
    declared is kept in stock, and a run takes no more of that kind than there is; other kinds are taken as before.
    """

    def __init__(self, store: Store, *, catch_up: Callable[[], int], who: Callable[[], str]) -> None:
        """The stock of a store.

        Args:
            store: the database.
            catch_up: books what steps took since it was last called.
            who: the name of the person in whose name is booked when none is given.
        """
        self._store, self._catch_up, self._who = store, catch_up, who

    @property
    def store(self) -> Store:
        """The database."""
        return self._store

    @property
    def is_kept(self) -> bool:
        """Whether anything is kept in stock: whether a resource is declared."""
        with self._store.read() as tx:
            return bool(stock_shelf.kept_kinds(tx))

    def catch_up(self) -> int:
        """Books what the journal says and the books do not; returns of how many claims. Looking does it as well."""
        return self._catch_up()

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A consistent view of the stock, brought up to date with the journal first."""
        self._catch_up()
        with self._store.read() as tx:
            yield tx

    def declare(self, resource: Resource, *, by: str | None = None) -> None:
        """Notes what the lab keeps, or what is new about a resource of that name.

        Raises:
            InventoryError: it has lots, and its kind, unit or use would change.
        """
        with self._store.write(durable=True) as tx:
            who = by or self._who()
            stock_shelf.declare(tx, resource, at=self._store.now(tx), person=who)
            note(tx, Act.STOCK_DECLARED, resource.name, who=who, facts=resource.model_dump(mode="json"))

    def withdraw(self, name: str, *, by: str | None = None) -> None:
        """Takes back the declaration of a resource of which there was never a lot.

        Raises:
            InventoryError: there is no such resource, or it has lots.
        """
        with self._store.write(durable=True) as tx:
            number = stock_shelf.resource_id(tx, name)
            if stock_shelf.lots_of(tx, resource=name):
                raise InventoryError(f"{name}: has lots, and their books are kept. Discard what is left of them.")
            tx.execute(delete(resources).where(resources.c.resource_id == number))
            note(tx, Act.STOCK_WITHDRAWN, name, who=by or self._who())

    def receive(
        self,
        resource: str,
        amount: Quantity | None = None,
        *,
        lot_number: str,
        expires: date | datetime | None = None,
        location: str = "",
        barcode: str | None = None,
        price_usd: Quantity | None = None,
        price_source: str | None = None,
        price_as_of: date | None = None,
        passage: int | None = None,
        freeze_thaws: int = 0,
        received_at: datetime | None = None,
        by: str | None = None,
    ) -> Lot:
        """Books a delivery and returns its lot.

        Args:
            resource: which, by name.
            amount: how much, in its unit; one pack when left out.
            lot_number: the maker's.
            expires: the last day on which it may be used, or the moment; it keeps for ever when left out.
            location: where it stands.
            barcode: on it; no other lot has it.
            price_usd: of all of it; at the resource's price for a pack when left out.
            price_source: where the price stands; as the resource's when left out.
            price_as_of: the price's date; as the resource's when left out, or today's with a price of its own.
            passage: of cells.
            freeze_thaws: how often a compound was thawed before it came under these books.
            received_at: now when left out.
            by: who receives it.

        Raises:
            InventoryError: no such resource, a quantity that cannot be, or a lot number or barcode that is taken.
        """
        delivery = Delivery(
            resource,
            lot_number,
            amount,
            expires=expires,
            location=location,
            barcode=barcode,
            price_usd=price_usd,
            price_source=price_source,
            price_as_of=price_as_of,
            passage=passage,
            freeze_thaws=freeze_thaws,
            received_at=received_at,
        )
        with self._store.write(durable=True) as tx:
            ledger = Ledger(tx, self._store.now(tx), by or self._who())
            found = book_delivery(tx, ledger, delivery)
            _note(tx, Act.STOCK_RECEIVED, ledger, found, "")
            tell_if_low(tx, ledger.at, {found.serves})
            return found

    def adjust(self, lot: str | int, counted: Quantity, reason: str, *, by: str | None = None) -> Lot:
        """Books that so much of a lot was counted, whatever the books say.

        Args:
            lot: by barcode, lot number, or number in these books.
            counted: what is there, in the unit of the resource.
            reason: why the books were wrong.
            by: who counted.

        Raises:
            InventoryError: no such lot, no reason, or less than runs have reserved.
        """
        with self._changing(lot, reason, by) as (tx, ledger, found):
            count = count_in(found.resource, counted, found.unit)
            if count < 0:
                raise InventoryError(
                    f"{found.resource}: {counted} {found.unit} cannot be there. Give what you counted."
                )
            change = Change(on_hand=count - found.balance.on_hand)
            ledger.book(found, EntryKind.ADJUST, change, reason=reason)
            _note(tx, Act.STOCK_ADJUSTED, ledger, found, reason)
            tell_if_low(tx, ledger.at, {found.serves})
        return self.lot(found.lot_id)

    def use(self, lot: str | int, amount: Quantity, reason: str, *, by: str | None = None) -> Lot:
        """Books that a person took so much of a lot by hand; what a workflow takes is booked by itself.

        Raises:
            InventoryError: no such lot, no reason, nothing taken, or more than is free.
        """
        with self._changing(lot, reason, by) as (tx, ledger, found):
            count = count_in(found.resource, amount, found.unit)
            if count <= 0:
                raise InventoryError(
                    f"{found.resource}: {amount} {found.unit} cannot be taken; give more than nothing."
                )
            ledger.book(found, EntryKind.USE, Change(on_hand=-count), reason=reason)
            _note(tx, Act.STOCK_USED, ledger, found, reason)
            tell_if_low(tx, ledger.at, {found.serves})
        return self.lot(found.lot_id)

    def discard(self, lot: str | int, reason: str, amount: Quantity | None = None, *, by: str | None = None) -> Lot:
        """Books that a lot, or so much of it, went into the waste.

        Runs that were to have it look for another lot before they begin.

        Raises:
            InventoryError: no such lot, no reason, more than is free, or a plate in doubt may have taken of it.
        """
        with self._changing(lot, reason, by) as (tx, ledger, found):
            if amount is None:
                _take_back(tx, ledger, found, reason)
                count = ledger.balance(found.lot_id).on_hand
            else:
                count = count_in(found.resource, amount, found.unit)
            if count <= 0:
                raise InventoryError(f"{found.resource}, lot {found.lot_number}: there is nothing to discard.")
            ledger.book(found, EntryKind.DISCARD, Change(on_hand=-count), reason=reason)
            _note(tx, Act.STOCK_DISCARDED, ledger, found, reason)
            tell_if_low(tx, ledger.at, {found.serves})
        return self.lot(found.lot_id)

    def thaw(self, lot: str | int, reason: str, *, by: str | None = None) -> Lot:
        """Books that a lot was thawed outside a workflow, which books its own.

        Raises:
            InventoryError: no such lot, or no reason.
        """
        with self._changing(lot, reason, by) as (tx, ledger, found):
            ledger.book(found, EntryKind.THAW, Change(freeze_thaws=1), reason=reason)
            _note(tx, Act.STOCK_THAWED, ledger, found, reason)
            tell_if_low(tx, ledger.at, {found.serves})
        return self.lot(found.lot_id)

    def resources(self) -> tuple[Resource, ...]:
        """What is declared, by kind and name."""
        with self._store.read() as tx:
            return stock_shelf.all_resources(tx)

    def lots(self, resource: str | None = None, *, is_empty_shown: bool = False) -> tuple[Lot, ...]:
        """Lots with what there is of them, what expires first first: all, or those of a resource."""
        with self.look() as tx:
            return stock_shelf.lots_of(tx, resource=resource, is_empty_shown=is_empty_shown)

    def lot(self, name: str | int) -> Lot:
        """One lot: by barcode, lot number, or number in these books.

        Raises:
            InventoryError: there is none, or there are several.
        """
        with self.look() as tx:
            return stock_shelf.find_lot(tx, str(name))

    def transactions(
        self, lot: str | int | None = None, *, resource: str | None = None, last: int | None = None
    ) -> tuple[Transaction, ...]:
        """The ledger, oldest first: all of it, or that of a lot or of a resource; the last so many, or all.

        Raises:
            InventoryError: there is no such lot.
        """
        with self.look() as tx:
            lot_id = None if lot is None else stock_shelf.find_lot(tx, str(lot)).lot_id
            return stock_shelf.entries(tx, lot_id=lot_id, resource=resource, last=last)

    def import_table(self, text: str, where: str, *, is_checked_only: bool = False, by: str | None = None) -> Imported:
        """Declares and receives what a table says (`COLUMNS`), all of it or nothing.

        Args:
            text: as CSV, with semicolons or tabs as well.
            where: the file, for messages.
            is_checked_only: nothing is kept.
            by: who received it.

        Raises:
            InventoryError: names every line that has to be corrected, and why.
        """
        try:
            with self._store.write(durable=True) as tx:
                ledger = Ledger(tx, self._store.now(tx), by or self._who())
                found = import_table(tx, ledger, text, where)
                for lot in found.lots:
                    _note(tx, Act.STOCK_RECEIVED, ledger, lot, f"from {where}")
                tell_if_low(tx, ledger.at, {lot.serves for lot in found.lots})
                if is_checked_only:
                    raise _TriedError(found)
        except _TriedError as tried:
            return tried.found
        return found

    def table(self) -> str:
        """What is declared and on hand as CSV, which `import_table` reads back."""
        with self.look() as tx:
            return stock_table(stock_shelf.all_resources(tx), stock_shelf.lots_of(tx, is_empty_shown=False))

    def standings(self) -> tuple[ResourceStanding, ...]:
        """Every resource with its lots, how much a new run can have, and what to do about it."""
        with self.look() as tx:
            return standings(tx, self._store.now(tx))

    def reorder_list(self) -> tuple[Order, ...]:
        """What to order now, by vendor."""
        with self.look() as tx:
            now = self._store.now(tx)
            return reorder_list(standings(tx, now), now)

    def reconcile(self) -> Reconciliation:
        """The books, added up anew."""
        with self.look() as tx:
            return reconcile(tx)

    def usage(self, campaign_id: str | None = None) -> tuple[Use, ...]:
        """What left the stock, by campaign and resource."""
        with self.look() as tx:
            return usage(tx, campaign_id)

    @contextmanager
    def _changing(self, lot: str | int, reason: str, by: str | None) -> Iterator[tuple[Connection, Ledger, Lot]]:
        if not reason.strip():
            raise InventoryError(f"{lot}: say why, as in --reason 'bottle found empty'; the books keep it.")
        self._catch_up()
        with self._store.write(durable=True) as tx:
            found = stock_shelf.find_lot(tx, str(lot))
            yield tx, Ledger(tx, self._store.now(tx), by or self._who()), found


class _TriedError(Exception):
    """Has a transaction given up that was made to see what would come of it."""

    def __init__(self, found: Imported) -> None:
        super().__init__("tried only")
        self.found = found


def _note(tx: Connection, act: Act, ledger: Ledger, lot: Lot, reason: str) -> None:
    """Has the audit log say what a person booked, in the smallest units, with the balance after it."""
    after = ledger.balance(lot.lot_id)
    facts = {"lot": lot.lot_number, "lot_id": lot.lot_id, "unit": lot.unit, "on_hand_after": after.on_hand}
    facts |= {"freeze_thaws_after": after.freeze_thaws}
    note(tx, act, lot.resource, who=ledger.person, why=reason, facts=facts)


def _take_back(tx: Connection, ledger: Ledger, lot: Lot, reason: str) -> None:
    """Frees what runs have reserved of a lot that is thrown away."""
    mine = open_claims(tx, lot_id=lot.lot_id)
    doubtful = sorted({each.plate_id for each in mine if each.uncertain})
    if doubtful:
        raise InventoryError(
            f"{lot.resource}, lot {lot.lot_number}: whether {doubtful[0]} took of it is in doubt. Decide about the "
            f"plate first: `cellos approve {doubtful[0]} --mark-done | --discard | --continue N`."
        )
    for each in mine:
        let_go(tx, ledger, each, lot, f"lot discarded: {reason}")
