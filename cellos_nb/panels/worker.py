"""The thread behind one panel: it carries out what was clicked and looks for news, never more often than it should."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable

LOOK_S = 0.04
"""Time between two looks for news; one without news costs a kernel that sleeps in between some 0.2 ms."""

Action = Callable[[], None]


def _wake() -> None:
    """Nothing to be done but to look again."""


class Worker:
    """Runs actions one after the other in a thread of its own, and a refresh after each burst of them.

    What thread a click arrives in differs between releases of ipykernel, and asyncio stands still while a cell runs;
    so callbacks only put an action here. Before `start`, and after `stop`, an action runs in the caller's thread.
    """

    def __init__(self, refresh: Callable[[bool], float | None], interval_s: float = LOOK_S) -> None:
        """A worker at rest.

        Args:
            refresh: called with whether something was clicked since the last time; says in how many seconds it wants
                to be called again, or nothing for `interval_s`.
            interval_s: seconds between two calls when nothing is clicked.
        """
        self._interval_s = interval_s
        actions: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._actions = actions
        # Weak, so that a panel that nobody holds is collected and its thread ends, be it at rest.
        self._refresh = weakref.WeakMethod(refresh, lambda _: actions.put(None))
        self._is_resting = False
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begins to look for news; once is enough."""
        if not self.is_running:
            self._is_stopping = False
            self._thread = threading.Thread(target=self._run, name="cellos-panel", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Looks for no news until `wake`; what is asked for is still carried out and shown."""
        self._is_resting = True

    def wake(self) -> None:
        """Looks for news again, at once."""
        self._is_resting = False
        self._actions.put(_wake)

    def submit(self, action: Action) -> None:
        """Has an action carried out, and what it changed shown."""
        if self.is_running and threading.current_thread() is not self._thread:
            self._actions.put(action)
            return
        action()
        self._call_refresh(is_forced=True)

    def stop(self, wait_s: float = 5.0) -> None:
        """Ends the thread after the action under way; may be called twice."""
        self._is_stopping = True
        self._actions.put(None)
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join(wait_s)

    def _run(self) -> None:
        is_forced = True
        while not self._is_stopping and self._refresh() is not None:
            begun, wanted_s = time.monotonic(), None
            if is_forced or not self._is_resting:
                wanted_s = self._call_refresh(is_forced=is_forced)
            is_forced = self._act_until(begun + (self._interval_s if wanted_s is None else wanted_s))

    def _act_until(self, then: float) -> bool:
        """Carries out what comes until a moment, or until the first burst is done; whether anything was asked for."""
        was_asked = False
        try:
            action = self._actions.get(timeout=None if self._is_resting else max(then - time.monotonic(), 0.0))
            while action is not None and not self._is_stopping:
                action()
                was_asked = was_asked or action is not _wake
                action = self._actions.get_nowait()
        except queue.Empty:
            pass
        return was_asked

    def _call_refresh(self, *, is_forced: bool) -> float | None:
        refresh = self._refresh()
        return None if refresh is None else refresh(is_forced)
