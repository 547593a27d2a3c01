"""What every panel must do, as a check for the tests of whoever brings one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellos_nb.domain import codec
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.lab import Lab
from cellos_nb.panels.cells import tree_of
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.log import ErrorLog
from cellos_nb.panels.seat import Seat
from cellos_nb.panels.static import StaticForm, bundles

if TYPE_CHECKING:
    from ipywidgets import Widget

HOSTILE = "<img src=x onerror=alert(1)> & co"
"""A name that does something unless it is escaped."""
_LEAST_WORDS = 4
_EXECUTABLE = re.compile(r"<img src=x|<script", re.IGNORECASE)


@contextmanager
def hostile_lab(folder: Path) -> Iterator[Lab]:
    """A new laboratory with one small finished campaign, whose name is `HOSTILE`."""
    config = CampaignConfig(
        name=HOSTILE,
        cell_lines=["U2OS", "HepG2"],
        compounds=["staurosporine", "paclitaxel"],
        dose_range_um=[0.001, 10.0],
        n_doses=7,
        objective="minimise",
        batch_size=8,
        max_iterations=2,
        controls={"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
        machine="biology",
        planner="random",
        seed=3,
    )
    with Lab.open(folder / "hostile.db") as lab:
        lab.run(config)
        yield lab


def broken_promises(kind: type[Panel[Any, Any]], lab: Lab) -> list[str]:
    """What a panel does not do that every panel must, each in a sentence; empty when it keeps the contract.

    Args:
        kind: its class.
        lab: a laboratory with a campaign; `hostile_lab` gives one whose names show what is not escaped.

    >>> broken_promises(MyPanel, lab)  # doctest: +SKIP
    []
    """

    def opened(*, static: bool) -> Panel[Any, Any]:
        return kind.for_room(Seat(lab, lab, lab.store.campaign_ids()[-1], static=static))

    return [*_alive(opened), *_static(opened)]


def _alive(opened: Callable[..., Panel[Any, Any]]) -> Iterator[str]:
    threads, widgets = set(threading.enumerate()), _open_widgets()
    panel = opened(static=False)
    root = panel.widget
    yield from (f"it draws with an error: {line.message}" for line in panel.errors.lines)
    if panel.shown is None:
        yield "it reads nothing: `shown` is None after the first look"
    elif len(panel.summary(panel.shown).split()) < _LEAST_WORDS:
        yield "`summary` says less than a sentence; figures cannot be read aloud"
    if not panel.title:
        yield "it has no `title`"
    yield from _pages(tree_of(root))
    if panel.is_remembered and codec.from_json(type(panel.choice), codec.to_json(panel.choice)) != panel.choice:
        yield "its choice is not the same after it was kept: use a frozen dataclass of plain values"
    panel.follow()
    panel.close()
    panel.close()
    if left := _open_widgets() - widgets:
        yield f"`close` leaves {len(left)} widgets open"
    if set(threading.enumerate()) > threads:
        yield "`close` leaves a thread behind"


def _pages(parts: list[Widget]) -> Iterator[str]:
    """What is wrong with what the page gets."""
    from ipywidgets import HTML, Label
    from ipywidgets.widgets.widget_description import DescriptionWidget

    if any(_EXECUTABLE.search(each.value) for each in parts if isinstance(each, HTML)):
        yield "a name from the store reaches HTML unescaped: use `markup` and `esc`"
    for each in parts:
        if isinstance(each, DescriptionWidget) and not isinstance(each, HTML | Label):
            if not each.description and not each.tooltip:
                kind = type(each).__name__
                yield f"a {kind} has no name that can be read aloud: give it a `description` or a `tooltip`"
            if each.description_allow_html:
                yield f"the description of a {type(each).__name__} is taken for HTML"


def _open_widgets() -> set[str]:
    from ipywidgets import Widget

    return {*Widget.get_manager_state()["state"]}


def _static(opened: Callable[..., Panel[Any, Any]]) -> Iterator[str]:
    widgets, errors, form = _open_widgets(), ErrorLog(), None
    with opened(static=True) as panel, errors.caught():
        form = panel.static_form(panel.read())
    yield from (f"it has no static form: {line.message}" for line in errors.lines)
    if form is not None:
        yield from _form(form)
    if _open_widgets() - widgets:
        yield "in static mode it makes widgets, which a page without a kernel cannot show"


def _form(form: StaticForm) -> Iterator[str]:
    if not form.summary:
        yield "its static form says nothing in words"
    if not form.figures and not form.tables:
        yield "its static form has neither a figure nor a table"
    if not all(figure.description for figure in form.figures):
        yield "a figure of its static form has no description"
    if any(_EXECUTABLE.search(bundle.get("text/html", "")) for bundle, _ in bundles(form)):
        yield "a name from the store reaches the HTML of its static form unescaped"
