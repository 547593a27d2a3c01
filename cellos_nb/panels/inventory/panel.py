"""InventoryPanel: the stock with its lights, what to order, and what a person does to a lot, with the reason."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.domain.amounts import format_usd
from cellos_nb.errors import InputError
from cellos_nb.lab import Lab
from cellos_nb.operations.inventory.columns import moment_of
from cellos_nb.operations.inventory.standing import Light
from cellos_nb.panels.arrange import offer, part, parts, row, show_if
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import cards, html_widget, write_html
from cellos_nb.panels.inventory.model import (
    DOUBT_COLUMNS,
    ENTRY_COLUMNS,
    EVERYTHING,
    LOT_COLUMNS,
    ORDER_COLUMNS,
    RESOURCE_COLUMNS,
    Deed,
    InventoryChoice,
    InventoryShown,
    inventory_for,
    look,
    mark_of,
    settle,
)
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import join, markup, table
from cellos_nb.panels.theme import GOOD, SOON, WRONG
from cellos_nb.units import counted, now_utc

if TYPE_CHECKING:
    from ipywidgets import Widget

_SIGNS = {Light.GOOD: ("●", GOOD), Light.SOON: ("▲", SOON), Light.NOW: ("■", WRONG)}
"""A shape and a colour for each light; the word stands beside them."""
_NAMED = {"description_width": "initial"}
"""Labels as wide as they are."""


class InventoryPanel(Panel[InventoryChoice, InventoryShown]):
    """What the lab has, what runs have reserved of it, and what to order; deliveries and counts with a click.

    >>> InventoryPanel("lab.db")  # doctest: +SKIP
    """

    title = "Inventory"

    def __init__(self, lab: Lab | str | Path | None = None, *, static: bool | None = None) -> None:
        """A panel on the stock of one database.

        Raises:
            StoreError: the database cannot be opened.
        """
        super().__init__(lab, InventoryChoice(), static=static)

    def subtitle(self) -> str:
        """The database."""
        return self.lab.store.where

    def stamp(self) -> Hashable:
        """Changes with every booking, and with the day."""
        return mark_of(self.lab.store, now_utc())

    def read(self) -> InventoryShown:
        """The stock as it is booked."""
        return look(self.lab.store, self.choice.resource, now_utc())

    def body(self) -> Widget:
        """Resources and orders above, then lots and bookings of what is chosen, then what a person does."""
        from ipywidgets import Dropdown, VBox

        names = ("cards", "resources", "orders", "doubts", "lots", "entries", "said")
        self._html = {name: html_widget(Markup()) for name in names}
        self.resource = Dropdown(
            options=[("everything", EVERYTHING)], value=EVERYTHING, description="show", style=_NAMED
        )
        self.resource.observe(lambda change: self.choose(resource=change.new), "value")
        self._doubts = part("In doubt", self._html["doubts"], is_wide=True)
        self._deeds = parts(part("A delivery", *self._delivery()), part("What was done to a lot", *self._deed()))
        return VBox(
            [
                self._html["cards"],
                parts(
                    part("Resources", self._html["resources"], is_wide=True),
                    part("To order", self._html["orders"], is_wide=True),
                    self._doubts,
                    part("Lots", self.resource, self._html["lots"], is_wide=True),
                    part("Booked last", self._html["entries"], is_wide=True),
                ),
                self._deeds,
                self._html["said"],
            ]
        )

    def draw(self, shown: InventoryShown) -> None:
        """Writes all tables; forms are left as they are."""
        names = [each.resource.name for each in shown.standings]
        offer(self.resource, [("everything", EVERYTHING), *((name, name) for name in names)], self.choice.resource)
        write_html(self._html["cards"], _cards(shown))
        stock = _link("stock.csv", shown.table) if shown.standings else Markup()
        write_html(self._html["resources"], join([_lit(RESOURCE_COLUMNS, shown.resource_rows()), stock]))
        write_html(self._html["orders"], _orders(shown))
        write_html(self._html["doubts"], table(DOUBT_COLUMNS, shown.doubt_rows()))
        show_if(self._doubts, bool(shown.doubts))
        write_html(self._html["lots"], _lit(LOT_COLUMNS, shown.lot_rows(self.choice.resource)))
        write_html(self._html["entries"], table(ENTRY_COLUMNS, shown.entries))
        show_if(self._deeds, bool(shown.standings))
        offer(self.received, [(name, name) for name in names], _kept(self.received.value, names))
        lots = [(f"{each.lot.resource}, {each.lot.lot_number}", each.lot.lot_id) for each in shown.lots]
        offer(self.lot, lots, _kept(self.lot.value, [number for _, number in lots]))

    def summary(self, shown: InventoryShown) -> str:
        """How much is good, what needs somebody, and who waits."""
        if not shown.standings:
            return "Nothing is kept in stock. Begin with `cellos inventory import STOCK.csv`."
        said = [f"{counted(len(shown.standings), 'resource')} in {counted(len(shown.lots), 'lot')}"]
        said.append(f"{counted(shown.n(Light.NOW), 'needs', 'need')} somebody now, {shown.n(Light.SOON)} soon")
        said.append(f"{len(shown.orders)} to order for {format_usd(_price(shown))}")
        if shown.doubts:
            said.append(f"{counted(len(shown.doubts), 'amount is', 'amounts are')} in doubt")
        if shown.waiting:
            said.append(f"campaigns that wait for stock: {', '.join(shown.waiting)}")
        return f"{'; '.join(said)}."

    def static_form(self, shown: InventoryShown) -> StaticForm:
        """The tables, without what a person does."""
        import pandas as pd

        made = (
            ("Resources", RESOURCE_COLUMNS, shown.resource_rows()),
            ("To order", ORDER_COLUMNS, shown.order_rows()),
            ("In doubt", DOUBT_COLUMNS, shown.doubt_rows()),
            ("Lots", LOT_COLUMNS, shown.lot_rows(self.choice.resource)),
        )
        tables = tuple(
            StaticTable(name, pd.DataFrame(rows, columns=list(columns)))
            for name, columns, rows in made
            if rows or name == "Resources"
        )
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), tables=tables)

    def _delivery(self) -> list[Widget]:
        from ipywidgets import Button, Dropdown

        self.received = Dropdown(options=[], description="what", style=_NAMED)
        self.amount, self.lot_number = _text("how much", "one pack"), _text("lot number", "the maker's")
        self.expires, self.location = _text("expires", "2027-03-31"), _text("stands in", "fridge 2")
        self.price, self.price_source = _text("price in USD", "as declared"), _text("price from", "invoice 881")
        self.receive_button = Button(description="Receive", button_style="success")
        self.receive_button.on_click(lambda _: self.do(self._receive))
        return [
            row(self.received, self.amount, self.lot_number),
            row(self.expires, self.location, self.price, self.price_source),
            row(self.receive_button),
        ]

    def _deed(self) -> list[Widget]:
        from ipywidgets import Button, Dropdown

        self.lot = Dropdown(options=[], description="lot", style=_NAMED)
        self.deed = Dropdown(
            options=[(each.value, each) for each in Deed], value=Deed.COUNTED, description="was", style=_NAMED
        )
        self.how_much = _text("how much", "in its unit; all when discarded")
        self.reason = _text("why", "the books keep it")
        self.book_button = Button(description="Book", button_style="warning")
        self.book_button.on_click(lambda _: self.do(self._book))
        return [row(self.lot, self.deed, self.how_much), row(self.reason), row(self.book_button)]

    def _receive(self) -> None:
        try:
            expires = moment_of(self.expires.value.strip()) if self.expires.value.strip() else None
        except ValueError as error:
            raise InputError(f"expires: {self.expires.value!r} is {error}.") from None
        if self.received.value is None:
            raise InputError("Nothing is declared that could be received.")
        lot = inventory_for(self.lab.store).receive(
            self.received.value,
            self.amount.value.strip() or None,
            lot_number=self.lot_number.value.strip(),
            expires=expires,
            location=self.location.value.strip(),
            price_usd=self.price.value.strip() or None,
            price_source=self.price_source.value.strip() or None,
        )
        for field in (self.amount, self.lot_number, self.expires, self.location, self.price, self.price_source):
            field.value = ""
        write_html(self._html["said"], markup("<p>{} is received, as lot {}.</p>", lot.resource, lot.lot_number))

    def _book(self) -> None:
        if self.lot.value is None:
            raise InputError("There is no lot.")
        # What steps took counts first: somebody who counts sees the bottle as it is.
        self.lab.inventory.catch_up()
        done, why = self.deed.value, self.reason.value
        lot = settle(self.lab.inventory, done, self.lot.value, self.how_much.value, why)
        self.how_much.value = self.reason.value = ""
        write_html(self._html["said"], markup("<p>{}, lot {}: booked as {}.</p>", lot.resource, lot.lot_number, done))


def _text(name: str, hint: str) -> Any:
    from ipywidgets import Text

    return Text(description=name, placeholder=hint, style=_NAMED)


def _kept(value: Any, offered: Sequence[Any]) -> Any:
    """What a form had chosen, while it is there; else the first."""
    return value if value in offered else next(iter(offered), None)


def _price(shown: InventoryShown) -> int:
    return sum(order.price_micro_usd for order in shown.orders)


def _cards(shown: InventoryShown) -> Markup:
    if not shown.standings:
        return Markup()
    return cards(
        [
            ("resources", len(shown.standings)),
            ("act now", shown.n(Light.NOW)),
            ("act soon", shown.n(Light.SOON)),
            ("to order", format_usd(_price(shown))),
            ("in doubt", len(shown.doubts)),
        ]
    )


def _lit(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table whose first column is a light: a shape, its colour, and the word."""
    return table(columns, [(_sign(Light(first)), *others) for first, *others in rows])


def _sign(light: Light) -> Markup:
    shape, colour = _SIGNS[light]
    return markup('<span aria-hidden="true" style="color:{}">{}</span> {}', colour, shape, light.value)


def _orders(shown: InventoryShown) -> Markup:
    if not shown.orders:
        return markup("<p>Nothing has to be ordered.</p>")
    total = markup("<p>in all {}</p>", format_usd(_price(shown)))
    return join([table(ORDER_COLUMNS, shown.order_rows()), total, _link("order.csv", shown.order_table())])


def _link(name: str, text: str) -> Markup:
    """A file to download; with a mark of UTF-8, without which Excel misreads µ."""
    content = base64.b64encode(text.encode("utf-8-sig")).decode()
    style = "text-decoration: underline; color: var(--cellos-accent)"
    template = '<p><a style="{}" download="{}" href="data:text/csv;base64,{}">Save {}</a></p>'
    return markup(template, style, name, content, name)
