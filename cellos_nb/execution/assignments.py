"""Which of several equal robots has a plate: noted on the disk before the robot is asked for anything."""

from __future__ import annotations

from collections.abc import Callable, Collection

from sqlalchemy import Connection, bindparam, func, select, update

from cellos_nb.execution.approvals import allowed_machines
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.queue import Job
from cellos_nb.execution.station import Station
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.store.prepared import Prepared
from cellos_nb.store.schema import runs, steps
from cellos_nb.store.store import Store


class Assignments:
    """The robot of each run, in the run's row; a robot that began a step stands in the journal as well.

    As `Notes`: what is noted is stored with the next intents of all robots, before any of the plate's own calls.
    """

    is_strict = True

    def __init__(self, store: Store, robots: EqualRobots) -> None:
        self._store, self._robots, self._lease = store, robots, lease_of(store)
        self._noted: dict[int, str] = {}
        self._known: Station | None = None

    def robot_of(self, job: Job) -> str | None:
        """The robot that has, or may have, the plate; None when no robot was given anything of it."""
        if job.job_id in self._noted:
            return self._noted[job.job_id]
        with self._store.read() as tx:
            ((noted, n_steps, last),) = _ROBOT.rows(tx, {"of_run": job.job_id})
        name: str | None = noted or last
        if name is None or n_steps > 0 or name not in self._robots.machines or name in (there := self._robots.there):
            return name
        # Strict journals have every intent on the disk, so a run without entries was never sent to its robot.
        return None if there and self._station.is_strict else name

    def allowed(self, job: Job, names: Collection[str]) -> Collection[str]:
        """Those robots that may execute a run now: real ones under the approval of a person, who named them."""
        if not names or self._station.capabilities.is_simulated:
            return names
        return allowed_machines(self._store, job.job_id) & set(names)

    def note(self, job: Job, name: str) -> None:
        """Notes which robot has the plate from now on."""
        self._noted[job.job_id] = name

    @property
    def is_due(self) -> bool:
        """Whether a plate was given to a robot since."""
        return bool(self._noted)

    def write(self, tx: Connection) -> None:
        """Stores the robot of each run; as `Notes`."""
        self._lease.check(tx)
        if self._noted:
            _NOTE(tx, [{"of_run": run_id, "on": name} for run_id, name in self._noted.items()])

    def stored(self) -> Callable[[], None]:
        """Forgets what was written; as `Notes`."""
        self.forget()
        return _nothing

    def forget(self) -> None:
        """Forgets what is noted."""
        self._noted = {}

    @property
    def _station(self) -> Station:
        """One for all: they are equal."""
        self._known = self._known or Station.of(self._robots)
        return self._known


def _nothing() -> None:
    """Nobody follows where plates go; the events of their runs are told by the robots' executors."""


_STEPS = select(steps).where(steps.c.run_id == bindparam("of_run"))
_ROBOT = Prepared(
    select(
        runs.c.machine,
        _STEPS.with_only_columns(func.count()).scalar_subquery(),
        _STEPS.with_only_columns(steps.c.machine).limit(1).scalar_subquery(),
    ).where(runs.c.run_id == bindparam("of_run"))
)
_NOTE = Prepared(update(runs).where(runs.c.run_id == bindparam("of_run")).values(machine=bindparam("on")))
