"""Panel: what all panels have in common, whatever they show."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from markupsafe import Markup

from cellos_nb.domain import codec
from cellos_nb.errors import InputError, StoreError
from cellos_nb.lab import Lab
from cellos_nb.panels import cells
from cellos_nb.panels.html import heading, html_widget, write_html
from cellos_nb.panels.log import ErrorLog
from cellos_nb.panels.memory import Memory
from cellos_nb.panels.pace import SETTLE_S, Burst, Pace
from cellos_nb.panels.source import Source
from cellos_nb.panels.static import StaticForm, is_static, show_static
from cellos_nb.panels.theme import style
from cellos_nb.panels.worker import LOOK_S, Worker

if TYPE_CHECKING:
    from ipywidgets import HTML, VBox, Widget

    from cellos_nb.panels.seat import Begun, Seat

Choice = TypeVar("Choice")
"""What a person chose in the panel: a frozen dataclass."""
_NEVER = object()
"""Equal to no stamp."""
LONGEST_S = 1.0
"""After which the stamp is asked for though nothing was stored: a lease runs out by itself."""
Shown = TypeVar("Shown")
"""What the panel shows: a frozen value, made by `read`."""


class Panel(ABC, Generic[Choice, Shown]):
    """A panel in a notebook cell: it reads the store in a thread of its own and never writes without a click.

    A subclass says what to read and how to draw it; threads, errors, closing and the static form are done here.

        something was stored ──► stamp ──(changed, or something was chosen)──► read ──► draw   (widgets)
                                                                                   └──► static_form   (headless)

    `read` is the model: it takes the store and the choice and returns a frozen value. `body` builds the widgets once;
    `draw` writes into them and decides nothing. A widget's callback calls `choose` or `do`, nothing else.
    """

    title: ClassVar[str]
    is_remembered: ClassVar[bool] = True
    """Whether a choice comes back after a kernel restart."""
    is_of_campaign: ClassVar[bool] = False
    """Whether it shows one campaign, which the second argument names; another one in the room then opens it anew."""
    launched: Begun | None = None
    """A campaign that was begun from here; the control room brings it into view."""

    def __init__(
        self, lab: Lab | str | Path | None, choice: Choice, *, static: bool | None = None, interval_s: float = LOOK_S
    ) -> None:
        """A panel that is not shown yet.

        Args:
            lab: an open lab, or the URL or file of a database; `CELLOS_DATABASE_URL` or `lab.db` when None.
            choice: what is chosen at first.
            static: no widget, a figure and a table instead; as `CELLOS_STATIC` says when None.
            interval_s: seconds between two looks for news.
        """
        self.source = Source.of(lab)
        self.choice = choice
        self.static = is_static(static)
        self.errors = ErrorLog()
        self.shown: Shown | None = None
        """What was drawn last; None before."""
        self._stamp: Hashable = _NEVER
        self._refused_at: Hashable = _NEVER
        self._root: VBox | None = None
        self._head: HTML | None = None
        self._foot: HTML | None = None
        self._lock = threading.RLock()
        self._drawn_by: int | None = None
        self._is_closed = False
        self._has_failed = False
        self._memory: Memory | None = None
        self._kept = choice
        self._mark = ""
        self._stamped_at = 0.0
        self._pace = Pace()
        self._burst = Burst()
        self._worker = Worker(self._follow_up, interval_s)

    @classmethod
    def for_room(cls, seat: Seat) -> Panel[Any, Any]:
        """The panel as a tab of the control room; to be replaced by one that is opened with something else."""
        make: Callable[..., Panel[Any, Any]] = cls
        return make(seat.lab, *([seat.campaign_id] if cls.is_of_campaign else []), static=seat.static)

    def stamp(self) -> Hashable:
        """Something cheap to read that changes whenever `read` would give another value."""
        return None

    @abstractmethod
    def read(self) -> Shown:
        """What is to be shown, from the store and `self.choice`; called in the panel's thread."""

    def complete(self, shown: Shown) -> Shown | None:  # noqa: ARG002 - for those who replace it
        """The same with what takes long, read after the rest was drawn; None where `read` gave everything."""
        return None

    @abstractmethod
    def body(self) -> Widget:
        """The widgets between heading and error log; called once."""

    @abstractmethod
    def draw(self, shown: Shown) -> None:
        """Writes a value into the widgets; decides nothing."""

    @abstractmethod
    def summary(self, shown: Shown) -> str:
        """The panel in a sentence or two of plain text: figures cannot be read aloud."""

    @abstractmethod
    def static_form(self, shown: Shown) -> StaticForm:
        """The panel without widgets."""

    def subtitle(self) -> str:
        """What stands beside the title: the campaign, say."""
        return ""

    @property
    def lab(self) -> Lab:
        """The lab that the panel reads."""
        return self.source.lab

    @property
    def widget(self) -> VBox:
        """The panel as one widget, read and drawn when it is first asked for.

        It follows the store once it is displayed.
        """
        if self._root is None:
            self._root = self._build()
            self.refresh()
        return self._root

    def follow(self) -> VBox:
        """The panel as a widget that follows the store from now on, for a place inside another widget.

        The frame is there at once; its first reading, which may be of 100,000 results, comes from the panel's thread.
        """
        self._root = self._root or self._build()
        if self._worker.is_running:
            self._worker.wake()
        else:
            self._worker.start()
        return self._root

    def remember(self, place: str) -> None:
        """Takes up what was chosen at this place by an earlier kernel, and keeps what is chosen from now on.

        Only for a panel that is opened with the same arguments: whoever changes them in the cell means them.
        """
        if self.is_remembered:
            opened_with = codec.to_json(self.choice)
            self._memory = Memory.of(place, self.lab.store.identity, type(self).__name__, self.subtitle(), opened_with)
            self._kept = self.choice = self._memory.recall(type(self.choice)) or self.choice

    def rest(self) -> None:
        """Looks for no news while nobody sees the panel, until `follow`."""
        self._worker.rest()

    def choose(self, **changes: Any) -> None:
        """Changes what is chosen, by fields of the choice, and shows it; does nothing while the panel draws itself."""
        self.change(lambda choice: replace(choice, **changes))  # type: ignore[type-var]

    def change(self, update: Callable[[Choice], Choice]) -> None:
        """The same by a function of the choice as it will be then: two quick changes of one field both count."""
        if self._drawn_by != threading.get_ident():
            self.do(lambda: setattr(self, "choice", update(self.choice)))

    def do(self, action: Callable[[], None]) -> None:
        """Carries out what a click asks for, in the panel's thread; an error stands in the panel."""

        def guarded() -> None:
            with self._lock, self.errors.caught():
                self.errors.clear()
                action()
                self._keep()

        self._worker.submit(guarded)

    def refresh(self) -> None:
        """Reads and draws at once, in the caller's thread."""
        self._refresh(is_forced=True)

    def close(self) -> None:
        """Ends the panel's thread and gives its widgets back, in kernel and page; may be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self._worker.stop()
        with self._lock:
            if self._root is not None:
                cells.close_tree(self._root)
            self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ipython_display_(self) -> None:
        if self.static:
            show_static(self.static_form(self.read()))
            return
        from IPython.display import display

        cell = cells.this_cell()
        cells.register(self, cell)
        if cell is not None:
            self.remember(cell[0])
        display(self.follow())

    def _keep(self) -> None:
        if self._memory is not None and self.choice != self._kept:
            self._memory.keep(self.choice)
            self._kept = self.choice

    def _follow_up(self, is_forced: bool) -> float | None:  # noqa: FBT001 - the worker's callback
        """Refreshes when something was clicked or stored; never busy for more than half of the time.

        Returns:
            Seconds until the next look where it is to come early: more may be stored in the same breath.
        """
        begun = time.monotonic()
        if not is_forced:
            if not self._pace.is_open(begun):
                return None
            mark = self._store_mark()
            if mark != self._mark:
                if not self._burst.is_over(mark, begun):
                    return SETTLE_S
            elif begun < self._stamped_at + LONGEST_S:
                return None
            self._mark, self._stamped_at = mark, begun
        self._refresh(is_forced)
        self._pace.take(begun, time.monotonic())
        return None

    def _store_mark(self) -> str:
        try:
            return self.lab.store.stamp()
        except StoreError:
            # To be said by the next refresh, and not twenty times a second.
            return self._mark

    def _refresh(self, is_forced: bool = False) -> None:  # noqa: FBT001, FBT002
        with self._lock:
            if self._is_closed or self._root is None:
                return
            before, has_failed = self.errors.lines, True
            self._drawn_by = threading.get_ident()
            with self.errors.caught():
                has_failed = not self._look(is_forced=is_forced)
            self._drawn_by = None
            if self._has_failed and not has_failed:
                # What was wrong is over; an error that a click gave stays until the next one.
                self.errors.clear()
            self._has_failed = has_failed
            if is_forced or self.errors.lines != before:
                self._write_foot()

    def _look(self, *, is_forced: bool) -> bool:
        """Draws what is new; whether the panel shows what was chosen."""
        with self.lab.store.one_state():
            stamp = self.stamp()
            if not is_forced and stamp == self._refused_at:
                return False
            if not (is_forced or self._has_failed or stamp != self._stamp or self.shown is None):
                return True
            try:
                shown = self.shown = self.read()
            except InputError:
                # What was chosen cannot be shown; asking again before anything changes would say the same.
                self._refused_at = stamp
                raise
        self._refused_at = _NEVER
        self._show(shown)
        whole = self.complete(shown)
        if whole is not None:
            self.shown = whole
            self._show(whole)
        self._stamp = stamp
        return True

    def _show(self, shown: Shown) -> None:
        self.draw(shown)
        if self._head is not None:
            write_html(self._head, heading(self.title, self.subtitle(), self.summary(shown)))

    def _build(self) -> VBox:
        from ipywidgets import VBox

        sheet = html_widget(style())
        sheet.layout.display = "none"
        self._head, self._foot = html_widget(heading(self.title, self.subtitle(), "Reading …")), html_widget(Markup())
        root = VBox([sheet, self._head, self._foot])
        root.add_class("cellos-panel")
        try:
            root.children = (sheet, self._head, self.body(), self._foot)
        except Exception:
            cells.close_tree(root)
            raise
        return root

    def _write_foot(self) -> None:
        if self._foot is not None:
            write_html(self._foot, self.errors.html())
