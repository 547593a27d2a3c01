"""FacilityPanel: months of a laboratory, and what other capacities would bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.lab import Lab
from cellos_nb.operations.facility.config import FacilityConfig
from cellos_nb.operations.facility.tables import (
    bottleneck_text,
    change_table,
    load_table,
    resource_table,
    signed_text,
)
from cellos_nb.panels.arrange import part, parts, row
from cellos_nb.panels.facility.figures import days_figure, queue_figure, weeks_figure
from cellos_nb.panels.facility.model import REPLICATIONS, FacilityChoice, FacilityShown, load_facility, look
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm, StaticTable, static_figure
from cellos_nb.panels.svg_figure import image_widget, write_figure
from cellos_nb.panels.text import frame_table, markup

if TYPE_CHECKING:
    from ipywidgets import Widget


class FacilityPanel(Panel[FacilityChoice, FacilityShown]):
    """What work waits for over months, and what a second robot would bring, with intervals.

    >>> FacilityPanel("lab.db", "examples/facility.yaml")  # doctest: +SKIP
    """

    title = "Facility"

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        facility: FacilityConfig | str | Path | None = None,
        *,
        static: bool | None = None,
    ) -> None:
        """A panel on one facility.

        Args:
            lab: an open lab, or the URL or file of a database, in which it remembers what was chosen.
            facility: a facility, or its YAML file; that of `examples/facility.yaml` when left out.
            static: no widget, figures and tables instead; as `CELLOS_STATIC` says when None.

        Raises:
            ConfigError: the file cannot be read or is refused.
        """
        self._facility = load_facility(facility)
        super().__init__(lab, FacilityChoice.of(self._facility), static=static)

    def subtitle(self) -> str:
        """The facility."""
        return self._facility.name

    def read(self) -> FacilityShown:
        """Its months as chosen, and as its file has it."""
        return look(self._facility, self.choice)

    def body(self) -> Widget:
        """Capacities above, then what there is, what is asked, and what the change brings."""
        from ipywidgets import BoundedFloatText, BoundedIntText, Dropdown, VBox

        self._resources, self._loads, self._change = (html_widget(Markup()) for _ in range(3))
        self._queues, self._days, self._weeks = (image_widget() for _ in range(3))
        self._capacities = [
            BoundedIntText(value=one.capacity, min=1, max=100_000, description=one.name, continuous_update=False)
            for one in self._facility.resources
        ]
        for place, widget in enumerate(self._capacities):
            widget.observe(lambda change, place=place: self._set(place, change.new), "value")
        self._months = BoundedFloatText(value=self.choice.months, min=0.1, max=60, description="Months")
        self._months.observe(lambda change: self.choose(months=change.new), "value")
        offered = sorted({*REPLICATIONS, self.choice.replications})
        self._replications = Dropdown(options=offered, value=self.choice.replications, description="Replications")
        self._replications.observe(lambda change: self.choose(replications=change.new), "value")
        fields = [*self._capacities, self._months, self._replications]
        for widget in fields:
            widget.style.description_width = "initial"
            widget.layout.width = "13em"
        return VBox(
            [
                row(*fields),
                parts(
                    part("What there is", self._resources, self._queues),
                    part("What is asked", self._loads, self._days),
                    part("What the change brings", self._change),
                    part("The bottleneck, week by week", self._weeks),
                ),
            ]
        )

    def _set(self, place: int, capacity: int) -> None:
        def update(choice: FacilityChoice) -> FacilityChoice:
            capacities = (*choice.capacities[:place], capacity, *choice.capacities[place + 1 :])
            return FacilityChoice(capacities, choice.months, choice.replications, choice.seed)

        self.change(update)

    def draw(self, shown: FacilityShown) -> None:
        """Tables and pictures."""
        fields: list[tuple[Any, Any]] = [
            *zip(self._capacities, self.choice.capacities, strict=True),
            (self._months, self.choice.months),
            (self._replications, self.choice.replications),
        ]
        for widget, value in fields:
            if widget.value != value:
                widget.value = value
        plan = shown.plan
        write_html(self._resources, frame_table(resource_table(plan)))
        write_html(self._loads, frame_table(load_table(plan)))
        if shown.change is None:
            write_html(self._change, markup("<p>{}</p>", "Change a capacity, and it is compared with the file's."))
        else:
            write_html(self._change, frame_table(change_table([shown.change])))
        write_figure(self._queues, queue_figure(plan), _queue_words(shown))
        write_figure(self._days, days_figure(plan, shown.change), _days_words(shown))
        write_figure(self._weeks, weeks_figure(plan, _watched(shown)), _weeks_words(shown))

    def summary(self, shown: FacilityShown) -> str:
        """The bottleneck, the days, and what the change brings."""
        plan = shown.plan
        days = "; ".join(f"{one.name} {one.flow_days.mean:.1f} days" for one in plan.loads)
        said = f"{plan.config.months:g} months, {plan.config.replications} times: {days}. {bottleneck_text(plan)}"
        if shown.change is None:
            return said
        saved = "; ".join(f"{load} {signed_text(flow)} days" for load, flow in shown.change.flow_days.items())
        return f"{said} With {shown.change.change}: {saved}."

    def static_form(self, shown: FacilityShown) -> StaticForm:
        """All tables and pictures."""
        plan = shown.plan
        tables = [StaticTable("What there is", resource_table(plan)), StaticTable("What is asked", load_table(plan))]
        if shown.change is not None:
            tables.append(StaticTable("What the change brings", change_table([shown.change])))
        figures = (
            static_figure(queue_figure(plan), _queue_words(shown)),
            static_figure(days_figure(plan, shown.change), _days_words(shown)),
            static_figure(weeks_figure(plan, _watched(shown)), _weeks_words(shown)),
        )
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), figures, tuple(tables))


def _watched(shown: FacilityShown) -> str:
    """The bottleneck, or the first resource where nothing waits."""
    found = shown.plan.bottleneck
    return found.name if found is not None else shown.plan.resources[0].name


def _queue_words(shown: FacilityShown) -> str:
    return f"Bars of what is asked of each resource and of the hours that steps wait. {bottleneck_text(shown.plan)}"


def _days_words(shown: FacilityShown) -> str:
    changed = " as it is and changed" if shown.change is not None else ""
    return f"Share of the jobs of each kind that are done within so many days{changed}."


def _weeks_words(shown: FacilityShown) -> str:
    return f"Use of {_watched(shown)} in each week, median and 5 to 95 % of the replications."
