"""Autonomy: what the laboratory does by itself, and the decisions that it leaves to a person."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellos_nb.errors import InputError
from cellos_nb.execution.control import FlagName, flags_of
from cellos_nb.execution.logbook import LEVELS
from cellos_nb.execution.process import person
from cellos_nb.execution.recovery import Doubt, continue_after, discard, mark_done, requeue
from cellos_nb.lab import Lab
from cellos_nb.panels.arrange import offer, part, parts, row, show_if
from cellos_nb.panels.autonomy import words
from cellos_nb.panels.autonomy.model import AutonomyChoice, AutonomyShown, Reader, approve_run
from cellos_nb.panels.frame import Panel
from cellos_nb.panels.html import html_widget, write_html
from cellos_nb.panels.static import StaticForm

if TYPE_CHECKING:
    from ipywidgets import Widget

_NAMED: dict[str, Any] = {"style": {"description_width": "initial"}}


class AutonomyPanel(Panel[AutonomyChoice, AutonomyShown]):
    """Lease, mode, flags, queue, ticks, dead letters, doubts, approvals and log of one database.

    >>> AutonomyPanel("lab.db")  # doctest: +SKIP
    """

    title = "Autonomy"

    def __init__(self, lab: Lab | str | Path | None = None, *, static: bool | None = None) -> None:
        """A panel on one database.

        Raises:
            StoreError: it cannot be opened.
        """
        super().__init__(lab, AutonomyChoice(), static=static)
        self._reader = Reader(self.lab)
        self._ticked_for: dict[str, Hashable] = {}

    def subtitle(self) -> str:
        """The database."""
        return self.lab.store.where

    def stamp(self) -> Hashable:
        """Changes with the queue, the flags, the ticks and the log, and with each second of the lease."""
        return self._reader.stamp()

    def read(self) -> AutonomyShown:
        """The state of the execution now."""
        return self._reader.read(self.choice)

    def summary(self, shown: AutonomyShown) -> str:
        """Who executes, what holds it up, and what waits for a person."""
        return words.summary(shown)

    def static_form(self, shown: AutonomyShown) -> StaticForm:
        """Everything as tables."""
        return words.static_form(self.title, shown)

    def body(self) -> Widget:
        """State and queue above, what waits for a person below, ticks and log last."""
        self._html = {name: html_widget(Markup()) for name in _WRITERS}
        return parts(
            part("Who executes", self._html["state"], *self._switches()),
            part("Queue", self._html["queue"]),
            part("In doubt", self._html["doubts"], self._doubt_form()),
            part("Waiting for an approval", self._html["held"], self._approval_form()),
            part("Dead letters", self._html["letters"], self._letter_form()),
            part("Who decided what", self._html["acts"], is_wide=True),
            part("Ticks", self._html["ticks"], is_wide=True),
            part("Log", self._log_form(), self._html["log"], is_wide=True),
        )

    def draw(self, shown: AutonomyShown) -> None:
        """Writes lists before values; what did not change is not sent."""
        for name, write in _WRITERS.items():
            write_html(self._html[name], write(shown))
        set_flags = {flag.name for flag in shown.flags}
        self.pause_button.disabled = "paused" in set_flags
        self.kill_button.disabled = "killed" in set_flags
        self.allow_button.disabled = not set_flags
        self.mode_button.description = "Back to PROOF" if shown.is_real else "Switch to REAL"
        self.mode_button.disabled = not (shown.is_real or self.is_sure.value)
        show_if(self.is_sure, not shown.is_real)
        self._draw_doubt(shown.doubt, shown)
        run = shown.held_run
        offer(self.held, [(one.plate_id, one.plate_id) for one in shown.held], run.plate_id if run else None)
        show_if(self._approval_box, run is not None)
        # What was read or looked at is this plate, and no other that takes its place in the list.
        self._read_anew(self.has_read, run and (run.plate_id, run.manifest_sha256))
        self.prove_button.disabled = run is None or run.manifest_sha256 is not None
        letter = shown.letter
        letters = [(f"{job.job_id}: {words.what_of(job)}", job.job_id) for job in shown.letters]
        offer(self.letter, letters, letter.job_id if letter else None)
        show_if(self._letter_box, letter is not None)

    def _draw_doubt(self, doubt: Doubt | None, shown: AutonomyShown) -> None:
        offer(self.doubt, [(d.plate_id, d.plate_id) for d in shown.doubts], doubt.plate_id if doubt else None)
        show_if(self._doubt_box, doubt is not None)
        self._read_anew(self.has_looked, doubt and (doubt.plate_id, doubt.step_uid))
        if doubt is None:
            return
        can_continue = doubt.n_transfers > 1
        self.continue_button.disabled = self.n_done.disabled = not can_continue
        # The widest bounds first: a value outside them would be moved.
        highest = max(doubt.n_transfers - 1, doubt.n_done)
        if (self.n_done.min, self.n_done.max) != (doubt.n_done, highest):
            with self.n_done.hold_sync():
                self.n_done.max, self.n_done.min = max(highest, self.n_done.min), doubt.n_done
                self.n_done.max, self.n_done.value = highest, doubt.n_done

    def _read_anew(self, tick: Any, subject: Hashable) -> None:
        """Takes a tick back when it is about something else than what was ticked."""
        if self._ticked_for.get(tick.model_id, subject) != subject:
            tick.value = False
        self._ticked_for[tick.model_id] = subject

    def _button(self, name: str, tooltip: str, action: Callable[[], None], style: str = "") -> Any:
        from ipywidgets import Button

        made = Button(description=name, tooltip=tooltip, button_style=style)
        made.on_click(lambda _: self.do(action))
        return made

    def _dropdown(self, name: str, field: str, options: Any = (), value: Any = None) -> Any:
        from ipywidgets import Dropdown

        made = Dropdown(options=options, value=value, description=name, **_NAMED)
        made.observe(lambda change: self.choose(**{field: change.new}), "value")
        return made

    def _switches(self) -> list[Widget]:
        from ipywidgets import Checkbox, Text

        self.reason = Text(description="reason", placeholder="for those who look later", **_NAMED)
        self.pause_button = self._button(
            "Pause all", "Nothing more is begun, in any process", lambda: self._set("paused")
        )
        self.kill_button = self._button(
            "Kill", "End whoever executes, after the step in progress", lambda: self._set("killed"), "danger"
        )
        self.allow_button = self._button(
            "Allow work", "Take pause and kill back; a killed daemon is started anew", self._allow
        )
        self.is_sure = Checkbox(description="real machines may move, under approvals", indent=False, **_NAMED)
        self.is_sure.observe(lambda _: self.do(lambda: None), "value")
        self.mode_button = self._button("Switch to REAL", "PROOF writes what would be done; REAL does it", self._switch)
        flags = row(self.pause_button, self.kill_button, self.allow_button, self.reason)
        return [flags, row(self.is_sure, self.mode_button)]

    def _doubt_form(self) -> Widget:
        from ipywidgets import BoundedIntText, Checkbox

        self.doubt = self._dropdown("plate", "doubt")
        self.has_looked = Checkbox(description="I have looked at the plate", indent=False, **_NAMED)
        self.done_button = self._button("Mark done", "The step took effect; go on after it", self._mark_done)
        self.n_done = BoundedIntText(description="made transfers N", min=0, max=0, **_NAMED)
        self.continue_button = self._button(
            "Continue after N", "Make the other transfers as a new step", self._continue
        )
        self.discard_button = self._button(
            "Discard plate", "Into the waste; its experiments count as failed", self._discard, "danger"
        )
        decisions = (self.done_button, self.n_done, self.continue_button, self.discard_button)
        self._doubt_box = row(self.doubt, self.has_looked, *decisions)
        return self._doubt_box

    def _approval_form(self) -> Widget:
        from ipywidgets import Checkbox, FloatText, Text

        self.held = self._dropdown("plate", "held")
        self.person = Text(description="approved by", placeholder="your name", **_NAMED)
        self.hours = FloatText(value=24.0, description="for hours", **_NAMED)
        self.has_read = Checkbox(description="I have read its protocol", indent=False, **_NAMED)
        self.approve_button = self._button("Approve", "Allow the machine to execute this workflow", self._approve)
        self.prove_button = self._button("Write proof", "Rehearse it and write what it will do", self._prove)
        form = (self.held, self.prove_button, self.person, self.hours, self.has_read, self.approve_button)
        self._approval_box = row(*form)
        return self._approval_box

    def _letter_form(self) -> Widget:
        self.letter = self._dropdown("job", "letter")
        self.requeue_button = self._button("Requeue", "Give it its attempts anew", self._requeue)
        self._letter_box = row(self.letter, self.requeue_button)
        return self._letter_box

    def _log_form(self) -> Widget:
        from ipywidgets import Text

        self.level = self._dropdown("at least", "at_least", LEVELS, self.choice.at_least)
        self.text = Text(self.choice.text, description="holding", placeholder="a plate, a person, a word", **_NAMED)
        self.text.observe(lambda change: self.choose(text=change.new), "value")
        return row(self.level, self.text)

    def _set(self, flag: FlagName) -> None:
        said, self.reason.value = self.reason.value.strip(), ""
        flags_of(self.lab.store).set(flag, said)

    def _allow(self) -> None:
        said, self.reason.value = self.reason.value.strip(), ""
        with self.lab.store.write():
            flags_of(self.lab.store).clear("paused", said)
            flags_of(self.lab.store).clear("killed", said)

    def _switch(self) -> None:
        flags = flags_of(self.lab.store)
        if not flags.is_real and not self.is_sure.value:
            raise InputError("REAL lets real machines move: tick that they may, then switch.")
        flags.set_mode(is_real=not flags.is_real)
        self.is_sure.value = False

    def _doubted(self) -> str:
        """The plate that is decided about."""
        if not self.has_looked.value:
            raise InputError("What stands on the plate decides: look at it, then tick that you have.")
        self.has_looked.value = False
        return str(self.doubt.value)

    def _mark_done(self) -> None:
        mark_done(self.lab.store, self._doubted(), person=person())

    def _continue(self) -> None:
        n_done = self.n_done.value
        continue_after(self.lab.store, self._doubted(), n_done, person=person())

    def _discard(self) -> None:
        discard(self.lab.store, self._doubted(), person=person())

    def _prove(self) -> None:
        self.lab.prove_plate(self.held.value)

    def _approve(self) -> None:
        if not self.has_read.value:
            raise InputError("The protocol decides what moves: read it, then tick that you have.")
        run = self.shown.held_run if self.shown else None
        self.has_read.value = False
        approve_run(self.lab, run, person=self.person.value, hours=self.hours.value)

    def _requeue(self) -> None:
        if self.letter.value is None:
            raise InputError("There is no dead letter any more.")
        requeue(self.lab.store, self.letter.value)


_WRITERS: dict[str, Callable[[AutonomyShown], Markup]] = {
    "state": words.state_html,
    "queue": words.queue_html,
    "doubts": words.doubts_html,
    "held": words.held_html,
    "letters": words.letters_html,
    "acts": words.acts_html,
    "ticks": words.ticks_html,
    "log": words.log_html,
}
