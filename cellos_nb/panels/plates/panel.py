"""The plates panel: choose a plate and a way to colour it; a click on a well tells its history."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellos_nb.analysis.artefacts import ArtefactFinding
from cellos_nb.errors import InputError
from cellos_nb.execution.story import PlateRecord, attempts, plate_records
from cellos_nb.execution.under_way import results_mark
from cellos_nb.lab import Lab
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.plates.drawn import (
    artefacts_html,
    artefacts_table,
    legend_html,
    picture_figure,
    quality_html,
    quality_table,
    story_html,
)
from cellos_nb.panels.plates.model import Plate, find_artefacts, load_plate
from cellos_nb.panels.plates.picture import WAYS, ColourBy, Picture, describe, paint
from cellos_nb.panels.plates.story import Event, well_story
from cellos_nb.panels.static import StaticForm, StaticTable, static_figure
from cellos_nb.panels.text import esc, join

if TYPE_CHECKING:
    from ipywidgets import Widget

NEWEST = "the newest"


@dataclass(frozen=True, slots=True)
class PlatesChoice:
    """What a person chose."""

    plate: str | None = None
    """A plate's barcode; the newest plate when None, which follows a running campaign."""
    colour: ColourBy = "role"
    well: str | None = None


@dataclass(frozen=True, slots=True)
class PlatesShown:
    """What the panel shows."""

    records: tuple[PlateRecord, ...]
    """All plates of the campaign, in the order submitted."""
    plate: Plate | None
    """The chosen one; None before the campaign has any."""
    picture: Picture | None
    story: tuple[Event, ...]
    """Of the chosen well."""
    artefacts: tuple[ArtefactFinding, ...] = ()
    """Edge, drift and other faults that like wells betray."""


class PlatesPanel(Panel[PlatesChoice, PlatesShown]):
    """Every plate of a campaign, well by well."""

    title = "Plates"
    is_of_campaign = True

    def __init__(
        self,
        lab: Lab | str | Path | None = None,
        campaign_id: str | None = None,
        *,
        plate: str | None = None,
        colour: ColourBy = "role",
        static: bool | None = None,
    ) -> None:
        """A panel on one campaign.

        Args:
            lab: an open lab, or the URL or file of a database.
            campaign_id: the campaign begun last when None.
            plate: the plate shown first; the newest when None.
            colour: one of `WAYS`.
            static: no widget, a figure and a table instead; as `CELLOS_STATIC` says when None.

        Raises:
            InputError: no such campaign, or no such way to colour.
        """
        if colour not in WAYS:
            raise InputError(f"colour: a plate is not coloured by {colour!r}; possible: {', '.join(WAYS)}.")
        super().__init__(lab, PlatesChoice(plate, colour), static=static)
        self.campaign = self.source.campaign(campaign_id)
        self._searched: tuple[int, tuple[ArtefactFinding, ...]] | None = None

    def subtitle(self) -> str:
        """The campaign."""
        return f"{self.campaign.config.name} · {self.campaign.campaign_id}"

    def stamp(self) -> Hashable:
        """Changes with any plate's state, any result, and any step of the plate in view."""
        records = plate_records(self.lab.store, self.campaign.campaign_id)
        chosen = self._record(records)
        of_steps = attempts(self.lab.store, chosen.run_id) if chosen else ()
        return records, of_steps, results_mark(self.lab.store, self.campaign.campaign_id)

    def read(self) -> PlatesShown:
        """The chosen plate from the store."""
        records = plate_records(self.lab.store, self.campaign.campaign_id)
        chosen = self._record(records)
        if chosen is None:
            return PlatesShown(records, None, None, ())
        plate = load_plate(self.lab.store, chosen)
        well = self.choice.well
        story = well_story(plate, well) if well in plate.wells and well is not None else ()
        return PlatesShown(records, plate, paint(plate, self.choice.colour), story, self._artefacts_of(plate))

    def _artefacts_of(self, plate: Plate) -> tuple[ArtefactFinding, ...]:
        """Looked for once for each reading, which never changes."""
        if plate.reading is None:
            return ()
        if self._searched is None or self._searched[0] != plate.record.run_id:
            self._searched = (plate.record.run_id, find_artefacts(plate))
        return self._searched[1]

    def _record(self, records: tuple[PlateRecord, ...]) -> PlateRecord | None:
        if self.choice.plate is None:
            begun = [record for record in records if record.started_at is not None]
            return next(reversed(begun or records), None)
        named = next((record for record in records if record.plate_id == self.choice.plate), None)
        if named is None:
            known = ", ".join(record.plate_id for record in records[-5:]) or "none yet"
            raise InputError(f"plate: there is no plate {self.choice.plate!r} in this campaign; it has {known}.")
        return named

    def body(self) -> Widget:
        """Two choices, the picture with its legend, and the words beside it."""
        from ipywidgets import Dropdown, HBox, Layout, VBox

        from cellos_nb.panels.grid.widget import GridPicture

        initial = {"description_width": "initial"}
        wide = Layout(width="auto", min_width="260px", max_width="100%")
        self._plates = Dropdown(options=[(NEWEST, "")], value="", description="Plate", style=initial, layout=wide)
        self._colour = Dropdown(options=WAYS, value=self.choice.colour, description="Colour by", style=initial)
        self._colour.layout.width = "190px"
        self._picture = GridPicture()
        self._legend, self._quality, self._story = (html_widget(esc("")) for _ in range(3))
        self._plates.observe(lambda change: self.choose(plate=change.new or None, well=None), "value")
        self._colour.observe(lambda change: self.choose(colour=change.new), "value")
        self._picture.observe(lambda change: self.choose(well=change.new or None), "selected")
        above = HBox([self._plates, self._colour], layout=Layout(flex_flow="row wrap"))
        left = VBox([self._picture, self._legend], layout=Layout(flex="3 1 430px", min_width="280px"))
        right = VBox([self._quality, self._story], layout=Layout(flex="2 1 300px", min_width="260px"))
        below = HBox([left, right], layout=Layout(flex_flow="row wrap", grid_gap="4px 20px"))
        return VBox([above, below])

    def draw(self, shown: PlatesShown) -> None:
        """Picture, legend, quality and the story of the chosen well."""
        options = [(NEWEST, ""), *((_plate_label(record), record.plate_id) for record in reversed(shown.records))]
        if tuple(options) != tuple(self._plates.options):
            self._plates.options = options
        self._plates.value, self._colour.value = self.choice.plate or "", self.choice.colour
        if shown.plate is None or shown.picture is None:
            write_html(self._story, esc("No plate has been submitted yet; this panel follows by itself."))
            return
        caption = f"Plate {shown.plate.record.plate_id}, coloured by {self.choice.colour}"
        picture = shown.picture
        self._picture.show(
            picture.row_names, picture.column_names, picture.cells, caption=caption, selected=self.choice.well
        )
        write_html(self._legend, legend_html(shown.picture))
        write_html(self._quality, join([quality_html(shown.plate), artefacts_html(shown.artefacts)]))
        write_html(self._story, story_html(shown.plate, self.choice.well, shown.story))

    def summary(self, shown: PlatesShown) -> str:
        """Which plate, how far it is, and how many wells of it are in doubt."""
        if shown.plate is None:
            return "No plate has been submitted yet."
        record, wells = shown.plate.record, shown.plate.wells.values()
        n_doubted = sum(1 for well in wells if well.flags or well.status in {"failed", "quarantined"})
        done = {a.step_uid for a in shown.plate.attempts if a.status == "done"}
        return (
            f"Plate {record.plate_id} of {len(shown.records)}: {record.status}, iteration {record.iteration}, "
            f"{len(done)} of {len(shown.plate.workflow.steps)} steps done, {record.n_wells} wells with cells, "
            f"{n_doubted} of them in doubt. {shown.plate.verdict}".rstrip()
            + _betrayed(shown.artefacts)
        )

    def static_form(self, shown: PlatesShown) -> StaticForm:
        """The picture and the quality of its controls, well by well in the table."""
        if shown.plate is None or shown.picture is None:
            return StaticForm(self.title, self.summary(shown))
        import pandas as pd

        caption = f"Plate {shown.plate.record.plate_id}, coloured by {self.choice.colour}"
        figure = static_figure(picture_figure(shown.picture, caption), f"{caption}. {self.summary(shown)}")
        wells = pd.DataFrame({"well": [describe(well) for well in shown.plate.wells.values()]})
        tables = (
            StaticTable("Controls", quality_table(shown.plate)),
            StaticTable("Place and time", artefacts_table(shown.artefacts)),
            StaticTable("Wells", wells),
        )
        return StaticForm(f"{self.title}: {self.subtitle()}", self.summary(shown), (figure,), tables)


def _betrayed(artefacts: tuple[ArtefactFinding, ...]) -> str:
    found = "; ".join(one.verdict for one in artefacts if one.is_found)
    return f" Found: {found}." if found else ""


def _plate_label(record: PlateRecord) -> str:
    return f"{record.plate_id} · {record.status}"
