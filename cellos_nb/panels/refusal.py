"""What stands in a tab whose panel cannot be opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cellos_nb.panels.html import heading, html_widget
from cellos_nb.panels.static import StaticForm
from cellos_nb.panels.text import join
from cellos_nb.panels.theme import style

if TYPE_CHECKING:
    from ipywidgets import VBox

    from cellos_nb.panels.log import ErrorLog
    from cellos_nb.panels.tabs import RoomTab


def refusal(tab: RoomTab, errors: ErrorLog, *, again: Callable[[], None]) -> VBox:
    """What is wrong, whose it is, and a button that tries once more."""
    from ipywidgets import Button, VBox

    button = Button(description="Try again", tooltip=f"Open {tab.name} once more")
    button.on_click(lambda _: again())
    said = html_widget(join([style(), heading(tab.name, tab.brought_by, _said(tab)), errors.html()]))
    box = VBox([said, button])
    box.add_class("cellos-panel")
    return box


def refusal_form(tab: RoomTab, errors: ErrorLog) -> StaticForm:
    """The same where nobody can click."""
    return StaticForm(tab.name, " ".join([_said(tab), *(line.message for line in errors.lines)]))


def _said(tab: RoomTab) -> str:
    whose = f"It comes from {tab.brought_by} ({tab.value}); tell those who keep it. " if tab.brought_by else ""
    return f"This panel cannot be opened. {whose}The other tabs work without it."
