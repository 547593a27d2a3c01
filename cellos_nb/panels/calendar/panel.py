"""CalendarPanel: what is planned for when and on what, and how far the database is with it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.lab import Lab
from cellos_nb.operations.calendar.live import live_mark
from cellos_nb.operations.calendar.schedule import Schedule
from cellos_nb.operations.calendar.svg import colour_of, svg_of
from cellos_nb.panels.arrange import offer
from cellos_nb.panels.calendar.figure import calendar_figure
from cellos_nb.panels.calendar.model import EVERYTHING, CalendarChoice, CalendarShown, load_schedule, look
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm, StaticTable, static_figure
from cellos_nb.panels.text import join, markup, table
from cellos_nb.units import counted, now_utc

if TYPE_CHECKING:
    from ipywidgets import Widget

_COLUMNS = ("begins", "ends", "task", "on", "state")
MAX_ROWS = 150
"""Lines of the table; the picture has all tasks."""
_MINUTE_S = 60.0


class CalendarPanel(Panel[CalendarChoice, CalendarShown]):
    """A plan over all resources, or what happened in a database where there is no plan.

    >>> CalendarPanel("lab.db", plan="plan.json")  # doctest: +SKIP
    """

    title = "Calendar"

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        plan: Schedule | str | Path | None = None,
        *,
        static: bool | None = None,
    ) -> None:
        """A panel on one plan and one database.

        Args:
            lab: an open lab, or the URL or file of a database.
            plan: a schedule, or the file that `cellos calendar plan --out` wrote; without one, what happened.
            static: no widget, a figure and tables instead; as `CELLOS_STATIC` says when None.

        Raises:
            InputError: the file is no schedule.
        """
        self._plan = load_schedule(plan)
        super().__init__(lab, CalendarChoice(), static=static)

    def subtitle(self) -> str:
        """The database, and who made the plan."""
        made_by = f" · planned by {self._plan.made_by}" if self._plan is not None else ""
        return f"{self.lab.store.where}{made_by}"

    def stamp(self) -> Hashable:
        """Changes with every step and run, and with the minute: what was in time may be late now."""
        return live_mark(self.lab.store), int(now_utc().timestamp() // _MINUTE_S) if self._plan is not None else 0

    def read(self) -> CalendarShown:
        """The plan beside what the database says now."""
        return look(self.lab.store, self._plan, now_utc())

    def body(self) -> Widget:
        """Key and picture above, then what is wrong, then the table."""
        from ipywidgets import Dropdown, VBox

        self._key, self._picture, self._wrong, self._rows = (html_widget(Markup()) for _ in range(4))
        self._owner = Dropdown(
            options=[("everything", EVERYTHING)],
            value=EVERYTHING,
            description="show",
            style={"description_width": "initial"},
        )
        self._owner.observe(lambda change: self.choose(owner=change.new), "value")
        return VBox([self._key, self._picture, self._wrong, self._owner, self._rows])

    def draw(self, shown: CalendarShown) -> None:
        """Picture, conflicts and table."""
        chart = shown.chart
        offer(self._owner, [("everything", EVERYTHING), *((owner, owner) for owner in chart.owners)], self.choice.owner)
        key = '<span class="cellos-key"><i style="background:{}"></i>{}</span> '
        write_html(self._key, join(markup(key, colour_of(chart, owner), owner) for owner in chart.owners))
        picture = Markup(svg_of(chart, now=shown.now))  # noqa: S704 - ElementTree escaped its text
        write_html(self._picture, markup('<div style="overflow-x:auto">{}</div>', picture))
        write_html(self._wrong, _wrong(shown))
        rows = shown.rows(self.choice.owner)
        more = markup("<p>{}</p>", f"and {len(rows) - MAX_ROWS} more") if len(rows) > MAX_ROWS else Markup()
        listed = markup(
            '<div class="cellos-scroll cellos-list" tabindex="0">{}</div>', table(_COLUMNS, rows[:MAX_ROWS])
        )
        write_html(self._rows, join([listed, more]))

    def summary(self, shown: CalendarShown) -> str:
        """How much is planned and done, what is late, and what is wrong."""
        n_plates = len({task.job_id for task in shown.schedule.tasks})
        if not shown.is_planned:
            return (
                f"No plan is given; this is what happened: {counted(len(shown.schedule.placements), 'step')} of "
                f"{counted(n_plates, 'plate')} on {counted(len(shown.schedule.resources), 'machine')}. {_others(shown)}"
            ).rstrip()
        n_done = sum(one.state == "done" for one in shown.standings)
        return (
            f"{counted(len(shown.standings), 'task is', 'tasks are')} planned, of "
            f"{counted(n_plates, 'plate or culture', 'plates and cultures')}, make-span "
            f"{shown.schedule.makespan_h:.1f} h; {n_done} done, {len(shown.late)} late, "
            f"{counted(len(shown.conflicts), 'conflict')}. {_others(shown)}"
        ).rstrip()

    def static_form(self, shown: CalendarShown) -> StaticForm:
        """The picture, and everything as tables."""
        import pandas as pd

        figure = static_figure(calendar_figure(shown.chart), f"Gantt chart. {self.summary(shown)}")
        frames: list[Any] = [pd.DataFrame(shown.rows(self.choice.owner), columns=list(_COLUMNS))]
        tables = [StaticTable("Tasks", frames[0])]
        if shown.conflicts:
            wrong = [(one.kind.value, one.message) for one in shown.conflicts]
            tables.append(StaticTable("Conflicts", pd.DataFrame(wrong, columns=["conflict", "what"])))
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), (figure,), tuple(tables))


def _others(shown: CalendarShown) -> str:
    n = len(shown.unplanned)
    return f"{counted(n, 'plate is', 'plates are')} queued or under way and in no plan." if n else ""


def _wrong(shown: CalendarShown) -> Markup:
    """Conflicts, late tasks and nights, each as a line."""
    lines = [f"⚠ {one.kind.value}: {one.message}" for one in shown.conflicts]
    lines += [f"⚠ late: {one.task_id}: {one}" for one in shown.late[:20]]
    lines += [f"night: {note}" for note in shown.nights]
    lines += [f"in no plan: {plate}" for plate in shown.unplanned[:20]]
    return markup("<ul>{}</ul>", join(markup("<li>{}</li>", line) for line in lines)) if lines else Markup()
