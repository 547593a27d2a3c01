"""BankPanel: a cell bank made many times on paper, with what a person changes about it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.lab import Lab
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.outcome import MEASURES
from cellos_nb.operations.banks.tables import crash_table, ending_table, measure_table
from cellos_nb.panels.arrange import part, parts, row
from cellos_nb.panels.bank import words
from cellos_nb.panels.bank.figures import crash_figure, fan_figure, histogram_figure, tornado_figure
from cellos_nb.panels.bank.model import N_RUNS, NOTHING, WRONG, BankChoice, BankShown, load_bank, look
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm, StaticTable, static_figure
from cellos_nb.panels.svg_figure import image_widget, write_figure
from cellos_nb.panels.text import frame_table, join, markup, rows_table

if TYPE_CHECKING:
    from ipywidgets import Widget


class BankPanel(Panel[BankChoice, BankShown]):
    """How likely a master or working bank succeeds, what if something goes wrong, and what it depends on.

    >>> BankPanel("lab.db", "bank.yaml")  # doctest: +SKIP
    """

    title = "Cell bank"

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        bank: BankConfig | str | Path | None = None,
        *,
        static: bool | None = None,
    ) -> None:
        """A panel on one bank.

        Args:
            lab: an open lab, or the URL or file of a database, whose stock of the line is shown.
            bank: a bank, or its YAML file; the one that `cellos bank template` prints when left out.
            static: no widget, figures and tables instead; as `CELLOS_STATIC` says when None.

        Raises:
            ConfigError: the file cannot be read or is refused.
        """
        self._bank = load_bank(bank)
        super().__init__(lab, BankChoice.of(self._bank), static=static)

    def subtitle(self) -> str:
        """The bank and its line."""
        return f"{self._bank.name} · {self._bank.cell_line}"

    def stamp(self) -> Hashable:
        """Changes when anything is stored: the stock of the line is shown."""
        return self.lab.store.stamp()

    def read(self) -> BankShown:
        """The bank as it was chosen, made many times."""
        return look(self.lab.store, self._bank, self.choice)

    def body(self) -> Widget:
        """What is chosen above, then what comes out, what if, and what it depends on."""
        from ipywidgets import VBox

        self._facts, self._stages, self._crash_words = (html_widget(Markup()) for _ in range(3))
        self._fan, self._histogram, self._tornado, self._crash = (image_widget() for _ in range(4))
        self._fields = self._inputs()
        bank = ("master_vials", "working_vials", "max_flasks", "incubators", "restarts", "weekends", "n_runs", "seed")
        trouble = ("wrong", "on_day", "for_days", "in_bank")
        return VBox(
            [
                row(*(self._fields[name] for name in bank)),
                parts(
                    part("What comes out", self._facts, self._histogram),
                    part("How it grows", self._fan, self._stages),
                    part("What if", row(*(self._fields[name] for name in trouble)), self._crash_words, self._crash),
                    part("What it depends on", self._fields["measure"], self._tornado),
                ),
            ]
        )

    def _inputs(self) -> dict[str, Any]:
        """One widget for each field of the choice."""
        from ipywidgets import BoundedIntText, Checkbox, Dropdown

        def number(label: str, value: int, low: int, high: int) -> BoundedIntText:
            return BoundedIntText(value=value, min=low, max=high, description=label, continuous_update=False)

        choice = self.choice
        fields: dict[str, Any] = {
            "master_vials": number("Master vials", choice.master_vials, 0, 5000),
            "working_vials": number("Working vials", choice.working_vials, 0, 5000),
            "max_flasks": number("Flasks", choice.max_flasks, 1, 2000),
            "incubators": number("Incubators", choice.incubators, 1, 100),
            "restarts": number("Restarts", choice.restarts, 0, 20),
            "weekends": Checkbox(value=choice.weekends, description="People at weekends", indent=False),
            "n_runs": Dropdown(options=N_RUNS, value=choice.n_runs, description="Runs"),
            "seed": number("Seed", choice.seed, 0, 2**31 - 1),
            "measure": Dropdown(
                options=[(label, name) for name, label in MEASURES.items()], value=choice.measure, description="Of"
            ),
            "wrong": Dropdown(options=WRONG, value=choice.wrong, description="What if"),
            "on_day": number("On day", choice.on_day, 0, 730),
            "for_days": number("For days", choice.for_days, 1, 60),
            "in_bank": Dropdown(options=("master", "working"), value=choice.in_bank, description="In bank"),
        }
        for name, widget in fields.items():
            widget.observe(lambda change, name=name: self.choose(**{name: change.new}), "value")
            widget.style.description_width = "initial"
            widget.layout.width = "max-content" if name == "weekends" else "11.5em"
        return fields

    def draw(self, shown: BankShown) -> None:
        """Facts and pictures."""
        for name, widget in self._fields.items():
            value = getattr(self.choice, name)
            if widget.value != value:
                widget.value = value
        self._fields["for_days"].disabled = self.choice.wrong != "nobody comes"
        for name in ("on_day", "in_bank"):
            self._fields[name].disabled = self.choice.wrong == NOTHING
        write_html(self._facts, join([rows_table(words.facts(shown)), frame_table(measure_table(shown.summary))]))
        write_html(self._stages, frame_table(ending_table(shown.summary)))
        write_figure(self._histogram, histogram_figure(shown.runs), words.histogram_text(shown))
        write_figure(self._fan, fan_figure(shown.runs), words.fan_text(shown))
        write_figure(self._tornado, tornado_figure(shown.sensitivity), words.tornado_text(shown))
        if shown.crash is None:
            write_html(self._crash_words, markup("<p>{}</p>", "Choose what goes wrong, and on which day."))
            self._crash.layout.display = "none"
        else:
            said = markup("<p>{}</p>", words.crash_text(shown.crash))
            write_html(self._crash_words, join([said, frame_table(crash_table(shown.crash))]))
            write_figure(self._crash, crash_figure(shown.crash), words.crash_text(shown.crash))
            self._crash.layout.display = None

    def summary(self, shown: BankShown) -> str:
        """How likely it succeeds, with how many vials, how long and for how much."""
        return words.summary(shown)

    def static_form(self, shown: BankShown) -> StaticForm:
        """All pictures and tables."""
        figures = [
            static_figure(histogram_figure(shown.runs), words.histogram_text(shown)),
            static_figure(fan_figure(shown.runs), words.fan_text(shown)),
            static_figure(tornado_figure(shown.sensitivity), words.tornado_text(shown)),
        ]
        tables = [
            StaticTable("All runs", measure_table(shown.summary)),
            StaticTable("How they ended", ending_table(shown.summary)),
        ]
        if shown.crash is not None:
            figures.append(static_figure(crash_figure(shown.crash), words.crash_text(shown.crash)))
            tables.append(StaticTable("With the trouble", crash_table(shown.crash)))
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), tuple(figures), tuple(tables))
