"""The thread behind one panel: it carries out what was clicked and looks for news, never more often than it should."""

from __future__ import annotations

import queue
import threading
import time
import weakref
from collections.abc import Callable

REFRESH_S = 0.5
"""Time between two looks at the store; a page follows 5 a second at most."""

Action = Callable[[], None]


class Worker:
    """Runs actions one after the other in a thread of its own, and a refresh after each burst of them.

    What thread a click arrives in differs between releases of ipykernel, and asyncio stands still while a cell runs;
    so callbacks only put an action here. Before `start`, and after `stop`, an action runs in the caller's thread.
    """

    def __init__(self, refresh: Callable[[bool], None], interval_s: float = REFRESH_S) -> None:
        """A worker at rest; `refresh` is called with whether something was clicked since the last time."""
        # Weak, so that a panel that nobody holds is collected and its thread ends.
        self._refresh = weakref.WeakMethod(refresh)
        self._interval_s = interval_s
        self._actions: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
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
        while not self._is_stopping:
            begun = time.monotonic()
            if not self._call_refresh(is_forced=is_forced):
                return
            is_forced = self._act_until(begun + self._interval_s)

    def _act_until(self, then: float) -> bool:
        """Carries out what comes until a moment, or until the first burst is done; whether there was anything."""
        try:
            action = self._actions.get(timeout=max(then - time.monotonic(), 0.0))
        except queue.Empty:
            return False
        while action is not None and not self._is_stopping:
            action()
            try:
                action = self._actions.get_nowait()
            except queue.Empty:
                return True
        return True

    def _call_refresh(self, *, is_forced: bool) -> bool:
        refresh = self._refresh()
        if refresh is None:
            return False
        refresh(is_forced)
        return True
