"""Which of several equal robots has a plate: noted on the disk before the robot is asked for anything."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from cellos_nb.errors import ApprovalError
from cellos_nb.execution.approvals import require_approval
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.queue import Job
from cellos_nb.execution.runs import load_workflow
from cellos_nb.execution.station import Station
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.store.schema import runs, steps
from cellos_nb.store.store import Store


class Assignments:
    """The robot of each run, in the run's row; a robot that began a step stands in the journal as well."""

    def __init__(self, store: Store, robots: EqualRobots) -> None:
        self._store, self._robots, self._lease = store, robots, lease_of(store)

    def robot_of(self, job: Job) -> str | None:
        """The robot that has, or may have, the plate; None when no robot was given anything of it."""
        begun = select(func.count()).where(steps.c.run_id == job.job_id).scalar_subquery()
        last = select(steps.c.machine).where(steps.c.run_id == job.job_id).limit(1).scalar_subquery()
        with self._store.read() as tx:
            row = tx.execute(select(runs.c.machine, begun.label("n"), last.label("last")).where(_is(job))).one()
        name: str | None = row.machine or row.last
        if name is None or row.n > 0 or name not in self._robots.machines or name in (there := self._robots.there):
            return name
        # Strict journals have every intent on the disk, so a run without entries was never sent to its robot.
        return None if there and self._is_strict else name

    def may(self, job: Job, name: str) -> bool:
        """Whether a robot may execute a run now: a real one under the approval of a person, who named it."""
        capabilities = self._robots.machines[name].describe()
        if capabilities.is_simulated:
            return True
        try:
            require_approval(self._store, load_workflow(self._store, job.job_id), capabilities)
        except ApprovalError:
            return False
        return True

    def note(self, job: Job, name: str) -> None:
        """Notes which robot has the plate from now on; on the disk when this returns."""
        with self._store.read() as tx:
            if tx.scalar(select(runs.c.machine).where(_is(job))) == name:
                return
        with self._store.write(durable=True) as tx:
            self._lease.check(tx)
            tx.execute(update(runs).where(_is(job)), {"machine": name})

    @property
    def _is_strict(self) -> bool:
        return Station.of(self._robots).is_strict


def _is(job: Job) -> Any:
    return runs.c.run_id == job.job_id
