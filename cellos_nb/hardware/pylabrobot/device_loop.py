"""One event loop in one thread for one instrument: PyLabRobot's calls are coroutines, ours are not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as LateError
from typing import Any, TypeVar

from cellos_nb.errors import StuckError

T = TypeVar("T")


class DeviceLoop:
    """Runs the coroutines of one instrument, one after the other, and gives up waiting after a while."""

    def __init__(self, name: str, timeout_s: float) -> None:
        """A loop for an instrument; its thread starts with the first call."""
        self.name, self._timeout_s = name, timeout_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def call(self, make: Callable[[], Coroutine[Any, Any, T]], what: str) -> T:
        """Runs a coroutine to its end.

        Raises:
            StuckError: it did not come back in time; the instrument may still be at it.
        """
        with self._turn:
            future = asyncio.run_coroutine_threadsafe(make(), self._started())
            try:
                return future.result(timeout=self._timeout_s)
            except LateError as error:
                if future.done():
                    raise  # the instrument's own time-out, which says more
                future.cancel()
                raise StuckError(f"{self.name}: {what} has not come back after {self._timeout_s:g} s.") from error

    def close(self) -> None:
        """Ends the thread; may be called twice."""
        with self._turn:
            if self._loop is None or self._thread is None:
                return
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)
            if not self._thread.is_alive():
                self._loop.close()
            self._loop = self._thread = None

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(loop,), name=f"cellos-{self.name}", daemon=True)
            self._thread.start()
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_forever()
