"""The bench: what a person is asked to do next, and their answer."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.errors import InputError
from cellos_nb.execution.process import person
from cellos_nb.hardware.bench.changes import read_changes
from cellos_nb.hardware.bench.desk import Answer, ReaderFile
from cellos_nb.hardware.bench.protocol import STYLE
from cellos_nb.lab import Lab
from cellos_nb.panels.arrange import offer, row, show_if
from cellos_nb.panels.bench.model import BenchShown, TaskKey, mark_of, read
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import markup

if TYPE_CHECKING:
    from ipywidgets import Widget


@dataclass(frozen=True, slots=True)
class BenchChoice:
    """The task in view; the oldest when None."""

    task: TaskKey | None = None


class BenchPanel(Panel[BenchChoice, BenchShown]):
    """Shows what waits for a person, as a page, and takes "done" with what was done otherwise and the reader's file.

    >>> BenchPanel("lab.db")  # doctest: +SKIP
    """

    title = "Bench"

    def __init__(self, lab: Lab | str | Path | None = None, *, static: bool | None = None) -> None:
        """A panel on all benches of a database.

        Raises:
            StoreError: the database cannot be opened.
        """
        super().__init__(lab, BenchChoice(), static=static)

    def stamp(self) -> Hashable:
        """Changes with every question and every answer."""
        return mark_of(self.lab.handwork)

    def read(self) -> BenchShown:
        """The tasks as they stand."""
        return read(self.lab.handwork, self.choice.task)

    def summary(self, shown: BenchShown) -> str:
        """How much waits, and what is in view."""
        if shown.chosen is None:
            return "Nothing waits for a person."
        first = shown.chosen
        marked = f", barcode {first.barcode}" if first.barcode else ""
        n = len(shown.waiting)
        return (
            f"{n} {'task waits' if n == 1 else 'tasks wait'} for a person. In view: step {first.step_uid} of "
            f"{first.plate_id}{marked}, asked {first.asked}."
        )

    def static_form(self, shown: BenchShown) -> StaticForm:
        """The tasks as a table."""
        import pandas as pd

        columns = ["task", "bench", "plate", "step", "barcode", "asked"]
        rows = [(one.key[1], one.key[0], one.plate_id, one.step_uid, one.barcode, one.asked) for one in shown.waiting]
        table = StaticTable("What waits for a person", pd.DataFrame(rows, columns=columns))
        return StaticForm(self.title, self.summary(shown), tables=(table,))

    def body(self) -> Widget:
        """The list, the page, the answer."""
        from ipywidgets import Button, Dropdown, FileUpload, Text, VBox

        def text(name: str, hint: str) -> Any:
            return Text(description=name, placeholder=hint, style={"description_width": "initial"})

        self.tasks = Dropdown(description="task", style={"description_width": "initial"}, layout={"width": "auto"})
        self.tasks.observe(lambda change: self.choose(task=change.new), "value")
        self.by, self.barcode = text("by", "who did it"), text("barcode", "as read from the plate")
        self.by.value = person()
        self.skip, self.volumes = text("left out", "B4, B5"), text("other volumes", "B6=1.5 C2=40")
        self.note = text("note", "kept with the step; the reason of a failure")
        self.file = FileUpload(description="reader's file", multiple=False)
        self.done_button = Button(description="Done", button_style="success")
        self.fail_button = Button(description="Failed", button_style="danger", tooltip="The note says why")
        self.done_button.on_click(lambda _: self.do(self._done))
        self.fail_button.on_click(lambda _: self.do(self._failed))
        self._page = html_widget(Markup())
        self._answer = VBox(
            [
                row(self.by, self.barcode, self.file),
                row(self.skip, self.volumes, self.note),
                row(self.done_button, self.fail_button),
            ]
        )
        return VBox([self.tasks, self._page, self._answer])

    def draw(self, shown: BenchShown) -> None:
        """Writes list and page; the answer is empty for each task."""
        offer(self.tasks, [(one.label, one.key) for one in shown.waiting], shown.chosen.key if shown.chosen else None)
        style = markup("<style>{}</style>", Markup(STYLE))  # noqa: S704 — a constant of ours
        write_html(self._page, markup('{}<div class="cellos-bench">{}</div>', style, shown.page))
        show_if(self._answer, shown.chosen is not None)
        show_if(self.file, shown.chosen is not None and shown.chosen.reads)

    def _done(self) -> None:
        work, (name, number) = self.lab.handwork, self._in_view()
        brought = [ReaderFile(one["name"], bytes(one["content"])) for one in self.file.value]
        changes = read_changes([self.skip.value], self.volumes.value.replace(",", " ").split())
        answer = Answer(self.by.value, self.barcode.value, self.note.value, changes, brought[0] if brought else None)
        work.done(work.desk(name), number, answer)
        self._clear()

    def _failed(self) -> None:
        work, (name, number) = self.lab.handwork, self._in_view()
        work.failed(work.desk(name), number, person=self.by.value, reason=self.note.value)
        self._clear()

    def _in_view(self) -> TaskKey:
        """The task that the person has read."""
        if self.shown is None or self.shown.chosen is None:
            raise InputError("Nothing waits for a person.")
        return self.shown.chosen.key

    def _clear(self) -> None:
        for field in (self.barcode, self.skip, self.volumes, self.note):
            field.value = ""
        self.file.value = ()
