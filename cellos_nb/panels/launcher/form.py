"""The form's widgets: one control for each field of a configuration, with what is wrong beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.launcher.draft import COLUMN_MARK, Draft, Raw
from cellos_nb.panels.launcher.fields import Field, Path, all_fields
from cellos_nb.panels.text import join, markup

if TYPE_CHECKING:
    from ipywidgets import HTML, Box, SelectMultiple, Tab, Widget

SECTIONS: dict[str, tuple[str, ...]] = {
    "Question": ("name", "cell_lines", "compounds", "dose_range_um", "n_doses", "assay", "objective"),
    "Extent": ("batch_size", "max_iterations", "budget_usd", "convergence"),
    "Plates": ("plate_format", "replicates", "controls", "outer_wells", "stock_mm", "max_solvent_percent"),
    "Machine and planner": ("machine", "planner", "seed"),
}
"""Tabs and the keys on each; a key that none names stands on the last."""
SUGGESTED: frozenset[Path] = frozenset(
    {("machine", "kind"), ("planner", "kind"), ("objective", "target"), ("controls", "positive", "compound")}
)
"""Texts for which the panel knows what is possible."""
LISTED: frozenset[Path] = frozenset({("cell_lines",), ("compounds",)})
"""Lists for which the machine may know what is possible."""
SHOWN_NAMES = 5
"""Rows of a list of names to choose from."""

OnChange = Callable[[Path, Raw], None]
OnAdd = Callable[[Path, tuple[str, ...]], None]


def section_of(field: Field) -> str:
    """The tab that a field stands on."""
    return next((title for title, keys in SECTIONS.items() if field.path[0] in keys), list(SECTIONS)[-1])


class Form:
    """Controls by field; it tells what was typed and shows what it is told, and decides nothing."""

    def __init__(self, on_change: OnChange, on_add: OnAdd) -> None:
        """A form that is empty.

        Args:
            on_change: called with a field and what its control holds now.
            on_add: called with a list and the names that a person picked for it.
        """
        from ipywidgets import Tab, VBox

        self.controls: dict[Path, tuple[Widget, ...]] = {}
        """One for each field; two for a range."""
        self.pickers: dict[Path, SelectMultiple] = {}
        self.adders: dict[Path, Widget] = {}
        self._choosers: dict[Path, Box] = {}
        self._notes: dict[Path, HTML] = {}
        self._on_change, self._on_add = on_change, on_add
        rows: dict[str, list[Widget]] = {title: [] for title in SECTIONS}
        for field in all_fields():
            rows[section_of(field)].append(self._row(field))
        self.tabs: Tab = Tab([VBox(each) for each in rows.values()], titles=tuple(rows))
        self.tabs.add_class("cellos-form")

    def fill(self, draft: Draft) -> None:
        """Writes a draft into all controls."""
        for field in all_fields():
            value, controls = draft.values[field.path], self.controls[field.path]
            for control, part in zip(controls, value if isinstance(value, tuple) else (value,), strict=True):
                control.value = part

    def mark(self, problems: Mapping[Path, tuple[str, ...]]) -> None:
        """Writes beside each field what is wrong with it, or else what it means; counts it on the tabs."""
        counts = dict.fromkeys(SECTIONS, 0)
        for field in all_fields():
            wrong = problems.get(field.path, ())
            counts[section_of(field)] += len(wrong)
            write_html(self._notes[field.path], _note(field, wrong))
            for control in self.controls[field.path]:
                control.add_class("cellos-wrong") if wrong else control.remove_class("cellos-wrong")
        self.tabs.titles = tuple(f"{title} ({n} wrong)" if n else title for title, n in counts.items())

    def suggest(self, path: Path, names: Iterable[str]) -> None:
        """Offers names for a text field, or for a list; none hides a list's offer."""
        offered = tuple(names)
        if path in self.pickers:
            # Only when it changed: writing a list forgets what a person selected in it.
            if tuple(self.pickers[path].options) != offered:
                self.pickers[path].options = offered
            self._choosers[path].layout.display = "" if offered else "none"
        else:
            self.controls[path][0].options = offered

    def switch(self, draft: Draft) -> None:
        """Greys out what belongs to a group that is off."""
        off = [path for path, value in draft.values.items() if value is False]
        for path, controls in self.controls.items():
            is_off = any(path[: len(group)] == group and path != group for group in off)
            for control in controls:
                control.disabled = is_off

    def _row(self, field: Field) -> Widget:
        from ipywidgets import Box, VBox

        controls = _controls(field)
        self.controls[field.path] = controls
        self._notes[field.path] = html_widget(_note(field, ()))
        for control in controls:
            control.observe(lambda _, field=field: self._on_change(field.path, self._held(field)), "value")
        left: Widget = VBox([*controls, *self._chooser(field)])
        left.add_class("cellos-control")
        self._notes[field.path].add_class("cellos-note")
        row = Box([left, self._notes[field.path]])
        row.add_class("cellos-field")
        return row

    def _held(self, field: Field) -> Raw:
        values = tuple(control.value for control in self.controls[field.path])
        held: Raw = values if field.kind == "range" else values[0]
        return held

    def _chooser(self, field: Field) -> tuple[Widget, ...]:
        if field.path not in LISTED:
            return ()
        from ipywidgets import Box, Button, SelectMultiple

        picker = SelectMultiple(description=f"{field.label} known to the machine", rows=SHOWN_NAMES, style=_initial())
        adder = Button(description=f"Add selected {field.label}", tooltip="Adds the names selected on the left")
        adder.on_click(lambda _: self._on_add(field.path, picker.value))
        self.pickers[field.path], self.adders[field.path] = picker, adder
        self._choosers[field.path] = Box([picker, adder])
        self._choosers[field.path].add_class("cellos-chooser")
        return (self._choosers[field.path],)


def _controls(field: Field) -> tuple[Widget, ...]:
    """The fitting widget: text where a number may be left out or is too long for a stepper, since it must say so."""
    from ipywidgets import Checkbox, Combobox, Dropdown, IntText, Text, Textarea

    named: dict[str, Any] = {"description": field.label, "style": _initial(), "layout": {"width": "auto"}}
    empty = "left out" if field.is_optional else ""
    if field.kind == "range":
        ends = ("lowest", "highest")
        return tuple(Text(**(named | {"description": f"{field.label}, {end}"})) for end in ends)
    if field.kind in {"names", "table"}:
        columns = f" {COLUMN_MARK} ".join(column.short_label for column in field.columns)
        control = Textarea(placeholder=f"one in each line{': ' if columns else ''}{columns}", rows=4, **named)
    elif field.kind in {"group", "flag"}:
        control = Checkbox(indent=False, **named)
    elif field.kind == "choice":
        control = Dropdown(options=field.choices, **named)
    elif field.has_stepper:
        control = IntText(continuous_update=True, **named)
    elif field.path in SUGGESTED:
        control = Combobox(ensure_option=False, placeholder=empty, **named)
    else:
        control = Text(placeholder=empty, **named)
    return (control,)


def _initial() -> dict[str, str]:
    return {"description_width": "initial"}


def _note(field: Field, wrong: tuple[str, ...]) -> Markup:
    """What is wrong with a field, and what it means."""
    # The description speaks of YAML; a table's columns are said in full below.
    said = "" if field.kind == "table" else field.meaning.replace("`", "").replace("null ", "left out ")
    meaning = " ".join(part for part in (said, _possible(field)) if part)
    lines = join(markup('<div class="cellos-problem" role="alert">{}</div>', line) for line in wrong)
    return markup('{}<div class="cellos-quiet">{}</div>', lines, meaning)


def _possible(field: Field) -> str:
    if field.kind == "table":
        columns = f" {COLUMN_MARK} ".join(column.short_label for column in field.columns)
        return f"One in each line: {columns}. Only the first is needed; cells of a spreadsheet may be pasted."
    if field.kind == "names":
        return "One in each line."
    return f"Possible: {field.limits}." if field.limits else ""
