"""The processes of a cluster: the scheduler, and a robot's host, which is a Dask worker that owns that robot."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from cellos_nb.errors import ConfigError, MachineError
from cellos_nb.hardware.cluster.connection import motion_of, question_to
from cellos_nb.hardware.cluster.robot import Robot
from cellos_nb.hardware.cluster.service import serve

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
WORKER_TTL_S = 30.0
"""A worker that was not heard of for so long is lost, as the lease of a dispatcher is."""

OnReady = Callable[[str], None]
"""Called with the address once others can reach it."""


def run_scheduler(host: str = LOOPBACK, port: int = 8786, *, on_ready: OnReady) -> None:
    """Runs a scheduler until SIGTERM or Ctrl-C.

    Raises:
        MachineError: the address cannot be used.
    """
    need_dask()
    asyncio.run(_schedule(host, port, on_ready))


def run_robot(robot: Robot, scheduler: str, *, host: str = LOOPBACK, on_ready: OnReady) -> None:
    """Serves a robot until SIGTERM or Ctrl-C, and then until the step in hand has ended.

    When the scheduler is lost, its step goes on and is recorded, and the robot joins again as soon as one answers.

    Raises:
        MachineError: the scheduler has another worker for this robot, or the host cannot be used.
    """
    need_dask()
    serve(robot)
    asyncio.run(_serve(robot, scheduler, host, on_ready))


def need_dask() -> None:
    """Makes sure that Dask is there.

    Raises:
        ConfigError: it is not; says what to install.
    """
    try:
        import distributed  # noqa: F401 — to know that it is there
    except ImportError as error:
        raise ConfigError(
            "A cluster needs the extra `cluster`. Run `pip install 'cellos-nb[cluster]'` on every host."
        ) from error


async def _schedule(host: str, port: int, on_ready: OnReady) -> None:
    from distributed import Scheduler

    told = _told_to_end()
    # A step whose worker was lost is never given to the next one: what became of it is asked first.
    scheduler = Scheduler(
        host=host,
        port=port,
        allowed_failures=0,
        worker_ttl=WORKER_TTL_S,
        dashboard=False,
        dashboard_address=f"{LOOPBACK}:0",
    )
    try:
        await scheduler
    except (OSError, ValueError, RuntimeError) as error:
        raise MachineError(
            f"{host}:{port}: no scheduler can be started there ({error.__cause__ or error}). Choose another port."
        ) from error
    on_ready(scheduler.address)
    await told.wait()
    await scheduler.close()


async def _serve(robot: Robot, scheduler: str, host: str, on_ready: OnReady) -> None:
    told = _told_to_end()
    ending = asyncio.create_task(told.wait())
    while not told.is_set():
        worker = await _join(robot, scheduler, host, ending)
        if worker is None:
            break
        on_ready(worker.address)
        finished = asyncio.create_task(worker.finished())
        await asyncio.wait({ending, finished}, return_when=asyncio.FIRST_COMPLETED)
        if not told.is_set():
            log.warning("%s: the scheduler %s was lost; joining again", robot.name, scheduler)
            continue
        await asyncio.to_thread(robot.finish)
        await worker.close(executor_wait=False, reason="told to end")
        return
    await asyncio.to_thread(robot.finish)


async def _join(robot: Robot, scheduler: str, host: str, ending: asyncio.Task[Any]) -> Any:
    """A worker that has joined the cluster; None when told to end before."""
    from distributed import Worker

    worker = Worker(
        scheduler,
        executor=_Calls(),
        nthreads=2,  # one for the step, which the resource limits to one at a time, and one for questions
        name=robot.name,
        resources={motion_of(robot.name): 1, question_to(robot.name): 1},
        host=host,
        memory_limit=0,  # a robot is not paused because its host is short of memory
        dashboard=False,
        dashboard_address=f"{LOOPBACK}:0",
    )
    joining = asyncio.ensure_future(worker)
    await asyncio.wait({joining, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not joining.done():
        joining.cancel()
        return None
    try:
        return await joining
    except (OSError, ValueError, RuntimeError) as error:
        raise MachineError(
            f"{robot.name}: this worker could not join {scheduler} ({error.__cause__ or error}). If another worker "
            "owns the robot, stop that one first; otherwise look at --scheduler and --host."
        ) from error


class _Calls(Executor):
    """A thread for each call, which a worker that loses its scheduler does not wait for: the step goes on without it.

    Dask's own pool would keep the robot out of the cluster for as long as its step takes.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Begins a call; how many run at a time is the worker's to decide."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def call() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 — whatever it is, who asked must hear of it
                future.set_exception(error)

        threading.Thread(target=call, name="cellos-robot", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 — its signature
        """Does nothing: threads end by themselves."""


def _told_to_end() -> asyncio.Event:
    """Is set by SIGTERM or Ctrl-C; the second one ends the process at once."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> None:
        told.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, tell)
        except NotImplementedError:  # Windows: Ctrl-C ends the process; the log makes that harmless
            log.debug("signal %s cannot be handled here", number)
    return told
