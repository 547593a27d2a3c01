"""A dispatcher's connection to a Dask cluster whose workers own robots."""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cellos_nb.errors import CellosError, ConfigError, MachineError, RobotAwayError

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

KNOCK_S = 1.0
"""How long the scheduler's host may take to accept a connection."""
CONNECT_S = 10.0
"""How long to wait for the scheduler."""
RETURN_S = 45.0
"""How long to wait for a worker that is away; less than what execution grants a question."""
LOOK_S = 5.0
"""How often to ask for the workers without being told of a change, in case the telling was lost."""


def motion_of(robot: str) -> str:
    """The resource that a step of this robot takes: one at a time."""
    return f"robot {robot}"


def question_to(robot: str) -> str:
    """The resource that a question takes, so that it is answered while the robot moves."""
    return f"question to {robot}"


class Connection:
    """Sends calls to the workers that own robots, and notices when one is lost."""

    def __init__(self, address: str, *, return_s: float = RETURN_S) -> None:
        """A connection, made when it is first used.

        Args:
            address: of the scheduler, e.g. `tcp://127.0.0.1:8786`.
            return_s: how long to wait for a worker that is away.
        """
        self.address = address
        self._return_s = return_s
        self._opened: Client | None = None
        self._said = ""
        self._was_open = False
        self._opening = threading.Lock()
        self._change = threading.Condition()
        self._n_changes = 0
        self._seen: tuple[float, int, dict[str, str]] = float("-inf"), 0, {}

    def worker_of(self, robot: str, *, max_age_s: float = 0.0) -> str | None:
        """The address of the worker that owns a robot; None when there is none.

        Args:
            robot: its name.
            max_age_s: how old the answer may be, unless a change of the workers was heard of since.

        Raises:
            RobotAwayError: the scheduler cannot be reached.
        """
        client = self._client()
        seen_at, n_changes, owners = self._seen
        if n_changes != self._n_changes or time.monotonic() - seen_at > max_age_s:
            n_changes, seen_at = self._n_changes, time.monotonic()
            workers: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
            owners = {resource: at for at, worker in workers.items() for resource in worker["resources"]}
            self._seen = seen_at, n_changes, owners
        return owners.get(motion_of(robot))

    def has_worker_of(self, robot: str) -> bool:
        """Whether a worker owns a robot, as last heard; not when nobody can say."""
        try:
            return self.worker_of(robot, max_age_s=LOOK_S) is not None
        except RobotAwayError as error:
            if str(error) != self._said:  # not at every look
                log.warning("%s", error)
            self._said = str(error)
            return False

    def ask(self, robot: str, resource: str, function: Callable[..., Any], *arguments: str) -> Any:
        """Has the robot's worker call a function, once at most as far as this side can tell, and returns its value.

        Raises:
            RobotAwayError: no worker came within `return_s`, and nothing was sent.
            MachineError: the worker or the scheduler was lost after the call was sent.
            CellosError: what the function raised.
        """
        worker = self._wait_for_worker(robot)
        client = self._client()
        key = f"{robot}-{function.__name__}-{uuid.uuid4().hex}"
        resources = {resource: 1}
        # The robot's own log is what makes a repeated call harmless; these keep Dask from trying in the first place.
        future = client.submit(function, robot, *arguments, key=key, resources=resources, retries=0, pure=False)
        future.add_done_callback(lambda _: self._changed())
        try:
            while not self._wait(future.done, LOOK_S):
                if self.worker_of(robot) != worker:
                    raise MachineError(f"{robot}: its worker {worker} was lost during {function.__name__}.")
            return self._value(robot, future)
        finally:
            if not future.done():
                future.cancel(force=True)
            future.release()

    def close(self) -> None:
        """Closes the connection; calls in progress go on at their robots. May be called twice."""
        with self._opening:
            if self._opened is not None:
                if self._opened.status == "running":
                    self._opened.unsubscribe_topic("all")
                self._opened.close()
                self._opened = None

    def _client(self) -> Client:
        with self._opening:
            if self._opened is None or self._opened.status == "closed":
                self._opened = self._connect()
            return self._opened

    def _connect(self) -> Client:
        try:
            from distributed import Client
        except ImportError as error:
            raise ConfigError(
                "machine.kind: robots on a cluster need the extra `cluster`. Run `pip install 'cellos-nb[cluster]'`."
            ) from error
        try:
            # Dask's client would try for its whole time-out where nobody listens, and hold up other machines meanwhile.
            where = urlsplit(self.address)
            socket.create_connection((where.hostname or "", where.port or 0), timeout=KNOCK_S).close()
            client = Client(self.address, timeout=CONNECT_S, set_as_default=False, name="cellos")
        except (OSError, ValueError) as error:
            raise RobotAwayError(
                f"{self.address}: no scheduler answers there ({error}). Start one by `cellos scheduler`, or correct "
                "machine.address."
            ) from error
        client.subscribe_topic("all", self._on_event)
        self._was_open = True
        return client

    def _on_event(self, event: tuple[float, Any]) -> None:
        _, what = event
        if isinstance(what, dict) and what.get("action") in {"add-worker", "remove-worker"}:
            self._changed(is_cluster=True)

    def _changed(self, *, is_cluster: bool = False) -> None:
        with self._change:
            self._n_changes += is_cluster
            self._change.notify_all()

    def _wait(self, is_over: Callable[[], bool], seconds: float) -> bool:
        """Waits until something is over, the workers have changed, or the time has passed; whether it is over."""
        with self._change:
            before = self._n_changes
            self._change.wait_for(lambda: is_over() or self._n_changes != before, seconds)
        return is_over()

    def _wait_for_worker(self, robot: str) -> str:
        end = time.monotonic() + self._return_s
        while (worker := self._worker_or_none(robot)) is None:
            left = end - time.monotonic()
            if left <= 0:
                raise RobotAwayError(
                    f"{robot}: no worker of {self.address} has owned this robot for {self._return_s:g} s. "
                    f"Start it by `cellos worker --scheduler {self.address} --robot {robot} …`."
                )
            self._wait(lambda: False, min(left, LOOK_S))
        return worker

    def _worker_or_none(self, robot: str) -> str | None:
        """As `worker_of`; none also when a scheduler that was there before is away.

        Raises:
            RobotAwayError: no scheduler was ever reached, so that the address may be wrong.
        """
        try:
            return self.worker_of(robot)
        except RobotAwayError:
            if not self._was_open:
                raise
            return None

    def _value(self, robot: str, future: Future[Any]) -> Any:
        if future.status == "finished":
            return future.result()
        error = future.exception() if future.status == "error" else None
        if isinstance(error, CellosError):
            raise error
        if error is not None and not _is_of_dask(error):
            raise error  # a fault in the machine's driver, for whoever wrote it
        raise MachineError(f"{robot}: the call was lost on the cluster {self.address} ({error or future.status}).")


def _is_of_dask(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in {"distributed", "dask"}
