"""HistoryImportPanel: a table of earlier results becomes a finished campaign, by fields in place of a mapping file."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.errors import InputError
from cellos_nb.execution.process import person
from cellos_nb.lab import Lab
from cellos_nb.operations.history import import_history
from cellos_nb.panels.arrange import offer, part, parts, row, show_if
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.history_import.model import (
    FIELD_COLUMNS,
    PREVIEW_COLUMNS,
    PROBLEM_COLUMNS,
    Field,
    ImportChoice,
    ImportShown,
    look,
    mark_of,
)
from cellos_nb.panels.history_import.source import Source
from cellos_nb.panels.html import cards, html_widget, write_html
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import join, markup, table

if TYPE_CHECKING:
    from ipywidgets import HTML, Widget

_INITIAL: dict[str, Any] = {"style": {"description_width": "initial"}}


class HistoryImportPanel(Panel[ImportChoice, ImportShown]):
    """Guesses how a table is to be understood, checks it while it is corrected, and imports it with a click.

    >>> HistoryImportPanel("lab.db", "screen.csv")  # doctest: +SKIP
    """

    title = "Import"

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        file: str | Path = "",
        *,
        sheet: str = "",
        static: bool | None = None,
    ) -> None:
        """A panel that imports into one database.

        Args:
            lab: an open lab, or the URL or file of a database.
            file: the table, .csv or .xlsx; its mapping is guessed at once. The panel asks for one when left out.
            sheet: of a workbook; needed when it has several.
            static: no widget, tables instead.

        Raises:
            StoreError: the database cannot be opened.
        """
        super().__init__(lab, ImportChoice(str(file), sheet, is_guessed=bool(str(file))), static=static)
        self._file = Source()

    def subtitle(self) -> str:
        """The database."""
        return self.lab.store.where

    def stamp(self) -> Hashable:
        """Changes with the file and with every campaign that is stored."""
        return mark_of(self.lab.store, self.choice.file)

    def read(self) -> ImportShown:
        """The file by the mapping, checked."""
        return look(self.lab.store, self.choice, self._file)

    def summary(self, shown: ImportShown) -> str:
        """Where the import stands."""
        return shown.summary()

    def body(self) -> Widget:
        """The file, a field for each key with its reason, what is wrong, what would be imported."""
        from ipywidgets import Button, Text, VBox

        self._html = {name: html_widget(Markup()) for name in ("trouble", "problems", "cards", "preview", "next")}
        self.file = Text(description="file", placeholder="screen.csv or .xlsx", continuous_update=False, **_INITIAL)
        self.sheet = Text(description="sheet", placeholder="of several", continuous_update=False, **_INITIAL)
        self.file.observe(lambda change: self._filed(change.new, self.sheet.value), "value")
        self.sheet.observe(lambda change: self._filed(self.file.value, change.new), "value")
        self.guess_button = Button(description="Guess", tooltip="Fill the fields from headers and values")
        self.guess_button.on_click(lambda _: self.do(self._guess))
        self.import_button = Button(
            description="Import", button_style="success", disabled=True, tooltip="Store it as a finished campaign"
        )
        self.import_button.on_click(lambda _: self.do(self._import))
        self.inputs: dict[str, Any] = {}
        self._beside: dict[str, HTML] = {}
        self._lines = VBox([])
        self._mapping = part("Mapping", self._lines, is_wide=True)
        self._wrong = part("To be corrected", self._html["problems"], is_wide=True)
        self._understood = part("As it is understood", self._html["cards"], self._html["preview"], is_wide=True)
        return VBox(
            [
                row(self.file, self.sheet, self.guess_button),
                self._html["trouble"],
                parts(self._mapping, self._wrong, self._understood),
                row(self.import_button),
                self._html["next"],
            ]
        )

    def draw(self, shown: ImportShown) -> None:
        """Writes fields, reasons and tables."""
        self.file.value, self.sheet.value = self.choice.file, self.choice.sheet
        if not self.inputs:
            self._lines.children = tuple(self._line(field) for field in shown.fields)
        for field in shown.fields:
            self._write(field)
        show_if(self._mapping, shown.is_guessed)
        write_html(self._html["trouble"], join(markup('<p role="alert">{}</p>', said) for said in shown.trouble))
        more = markup("<p>… and {} more.</p>", shown.n_more) if shown.n_more else ""
        write_html(self._html["problems"], join([table(PROBLEM_COLUMNS, shown.problem_rows()), more]))
        show_if(self._wrong, bool(shown.problems))
        write_html(self._html["cards"], cards([*shown.counts()]))
        write_html(self._html["preview"], table(PREVIEW_COLUMNS, shown.preview_rows()))
        show_if(self._understood, shown.ready is not None)
        self.import_button.disabled = not shown.can_import
        write_html(self._html["next"], join(markup("<p>{}</p>", said) for said in shown.next_steps()))

    def static_form(self, shown: ImportShown) -> StaticForm:
        """Mapping, problems and preview as tables."""
        import pandas as pd

        made = (
            ("Mapping", FIELD_COLUMNS, shown.field_rows()),
            ("Wrong", ("what",), [(said,) for said in shown.trouble]),
            ("To be corrected", PROBLEM_COLUMNS, shown.problem_rows()),
            ("As it is understood", PREVIEW_COLUMNS, shown.preview_rows()),
            ("What can be done next", ("step",), [(said,) for said in shown.next_steps()]),
        )
        tables = tuple(
            StaticTable(name, pd.DataFrame(rows, columns=list(columns))) for name, columns, rows in made if rows
        )
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), tables=tables)

    def _line(self, field: Field) -> Widget:
        from ipywidgets import Box, Dropdown, Text, VBox

        named = {"description": field.key, "layout": {"width": "auto"}, **_INITIAL}
        if field.options:
            made = Dropdown(options=field.options, value=field.value, **named)
        else:
            made = Text(value=field.value, continuous_update=False, **named)
        made.observe(lambda change: self.change(lambda choice: choice.with_value(field.key, change.new)), "value")
        self.inputs[field.key], self._beside[field.key] = made, html_widget(Markup())
        line = Box([VBox([made]), self._beside[field.key]])
        for widget, name in zip((line, *line.children), ("field", "control", "note"), strict=True):
            widget.add_class(f"cellos-{name}")
        return line

    def _write(self, field: Field) -> None:
        widget = self.inputs[field.key]
        if field.options:
            offer(widget, field.options, field.value)
        else:
            widget.value = field.value
        wrong = join(markup('<div class="cellos-problem" role="alert">{}</div>', said) for said in field.wrong)
        write_html(self._beside[field.key], join([wrong, markup('<div class="cellos-quiet">{}</div>', field.reason)]))

    def _filed(self, file: str, sheet: str) -> None:
        self.change(lambda choice: choice.of_file(file, sheet))

    def _guess(self) -> None:
        if not self.choice.file:
            raise InputError("file: give the table of earlier results, .csv or .xlsx.")
        self.choice = ImportChoice(self.choice.file, self.choice.sheet, is_guessed=True)

    def _import(self) -> None:
        """Stores the file that the person has seen, by the fields as they are now."""
        # Read from the disk, whatever the file's clock says: what is stored is what was seen.
        now, seen = look(self.lab.store, self.choice, Source()).ready, None if self.shown is None else self.shown.ready
        if now is None or seen is None:
            raise InputError("Nothing can be imported while anything is wrong.")
        if now.table.sha256 != seen.table.sha256:
            raise InputError("The file is another one than was shown. Look at it again, then import it.")
        done = import_history(self.lab.store, now, by=person())
        if done.is_new:
            self.choice = replace(self.choice, imported=done.campaign_id)
            self.launched = done
