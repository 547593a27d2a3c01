"""Floor: the machines that a daemon has open, each with what executes runs on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cellos_nb.execution.conductor import Conductor, Task
from cellos_nb.execution.control import flags_of
from cellos_nb.execution.due import campaign_of, paused_campaigns
from cellos_nb.execution.events import Event, OnEvent
from cellos_nb.execution.executor import WorkflowExecutor
from cellos_nb.execution.jobs import Job
from cellos_nb.execution.pool import RobotPool, executor_for
from cellos_nb.execution.runs import campaign_resource
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.store.store import Store


class Crew(Protocol):
    """What the daemon needs from above; `Lab` is one."""

    def machine_of(self, campaign_id: str | None) -> tuple[str, HardwareInterface]:
        """The machine of a campaign with its name in the queue; that for experiments outside any campaign when None.

        Raises:
            CellosError: it cannot be opened now; its runs are tried again later, those of other machines go on.
        """
        ...

    def close_machine(self, name: str) -> None:
        """Stops a machine that `machine_of` opened, when nothing needs it any more."""
        ...

    def hear(self, event: Event) -> None:
        """Told of everything that happens, to pass on what people should know."""
        ...

    def go_on(self, campaign_id: str, iteration: int) -> None:
        """Queues the planning of what follows an iteration that was concluded."""
        ...


class Floor:
    """Opens a machine for the first run that needs it, and closes it when nothing does any more."""

    def __init__(
        self,
        store: Store,
        crew: Crew,
        conductor: Conductor,
        *,
        on_event: OnEvent,
        on_fault: Callable[[Job, Exception], None],
    ) -> None:
        """The machines of a crew, whose work one conductor brings forward; `on_fault` as for `WorkflowExecutor`."""
        self._store, self._crew, self._conductor = store, crew, conductor
        self._on_event, self._on_fault = on_event, on_fault
        self._executors: dict[str, WorkflowExecutor | RobotPool] = {}

    def take_up(self, job: Job) -> None:
        """Begins or continues a run that was claimed and started, on the machine of its campaign.

        Raises:
            CellosError: its machine cannot be opened, or its workflow cannot be read.
        """
        campaign_id = campaign_of(self._store, job.job_id)
        name, machine = self._crew.machine_of(campaign_id)
        if name not in self._executors:
            self._executors[name] = executor_for(
                self._store,
                machine,
                name=name,
                conductor=self._conductor,
                may_be_real=lambda: flags_of(self._store).is_real,
                on_fault=self._on_fault,
            )
            self._executors[name].on_event = self._on_event
        self._executors[name].take_up(job, hold=lambda: self._why_paused(campaign_id))

    def busy(self) -> frozenset[str]:
        """The resources that cannot be used now: machines without room, and campaigns that are paused."""
        full = (name for name, executor in self._executors.items() if executor.room <= 0)
        return paused_campaigns(self._store).union(full)

    def has(self, job_id: int) -> bool:
        """Whether a run is in hand on one of the machines."""
        return any(executor.has(job_id) for executor in self._executors.values())

    def flush(self, *, only_if_due: bool) -> None:
        """Stores what is in memory.

        Raises:
            LeaseError: another dispatcher took over.
        """
        for executor in self._executors.values():
            executor.flush(only_if_due=only_if_due)

    def leave(self, dropped: Sequence[Task]) -> None:
        """Puts back what was in hand, and closes the machines; `dropped` as for `WorkflowExecutor.leave`."""
        for executor in self._executors.values():
            executor.leave(dropped)
        self.close_idle()

    def close_idle(self) -> None:
        """Closes the machines that have nothing in hand, so that other processes may open them."""
        for name in [name for name, executor in self._executors.items() if executor.is_idle]:
            del self._executors[name]
            self._crew.close_machine(name)

    def _why_paused(self, campaign_id: str | None) -> str | None:
        if campaign_id is not None and campaign_resource(campaign_id) in paused_campaigns(self._store):
            return f"{campaign_id} is paused"
        return None
