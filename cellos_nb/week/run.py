"""A week from its first minute to the last reading: campaigns planned, executed and concluded in simulated time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cellos_nb.execution.batch import conclude_batch
from cellos_nb.execution.conductor import Conductor
from cellos_nb.execution.due import ended_batches
from cellos_nb.execution.events import Event, RunDone, StepDone, StepFailed
from cellos_nb.execution.jobs import Job, JobStatus
from cellos_nb.execution.lease import lease_of
from cellos_nb.execution.pool import RobotPool
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.recovery import discard, doubts
from cellos_nb.execution.runs import KIND, load_workflow, run_records
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.lab import Lab
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.operations.calendar.load import task_id_of
from cellos_nb.operations.calendar.problem import CELL_MIN, Problem
from cellos_nb.operations.calendar.resources import Resource, Span
from cellos_nb.operations.calendar.schedule import Schedule
from cellos_nb.operations.calendar.solver import solve
from cellos_nb.store import steering
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store
from cellos_nb.units import simulated_time
from cellos_nb.week.banks import calendar_tasks
from cellos_nb.week.clock import Clock, Place
from cellos_nb.week.config import LotSettings, WeekConfig
from cellos_nb.week.diary import Diary
from cellos_nb.week.machine import TimedMachine
from cellos_nb.week.roster import Roster
from cellos_nb.week.work import Plate, Work

log = logging.getLogger(__name__)

WEEK_EFFORT = 0.6
"""Of the solver, each time that the week is planned anew."""
LOOK_MIN = 15
"""How long a person takes to look at a plate that is in doubt."""


@dataclass(slots=True)
class WeekRun:
    """One simulation. Its database and the ledgers of its machines stay in a folder, to be looked at like any lab's."""

    config: WeekConfig
    folder: Path
    is_solved: bool = True
    """Whether the calendar is solved, looking ahead; otherwise first come, first served."""
    effort: float = WEEK_EFFORT
    say: Callable[[str], None] = log.info
    clock: Clock = field(init=False)
    lab: Lab = field(init=False)
    work: Work = field(init=False)
    roster: Roster = field(init=False)
    diary: Diary = field(init=False)
    machines: dict[str, BiologicalVirtualMachine] = field(default_factory=dict)
    _pool: RobotPool = field(init=False)
    _conductor: Conductor = field(init=False)
    gone: dict[str, list[Span]] = field(default_factory=dict)
    """By resource: when it was unexpectedly not there, as far as the lab knows."""
    _is_stale: bool = False
    """Whether the schedule has to be made anew."""
    _doubted: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = Clock(self.config.starts_at)
        robots = self._robots()
        self.lab = Lab(Store.open(self.folder / "week.db"), robots)
        self.work = Work(self.config.rules, robots.describe())
        self.roster, self.diary = Roster(self.clock), Diary(self.clock)
        self._conductor = Conductor(self.lab.store, is_time=self.roster.is_time)
        self._pool = RobotPool(
            self.lab.store,
            robots,
            conductor=self._conductor,
            place=partial(Place, self.clock),
            prefers=self._planned_robot,
        )
        self._pool.on_event = self._hear

    def run(self) -> Diary:
        """Lives through the week and returns what was noted of it.

        Raises:
            CellosError: the week came to a stand: something waits that will never come.
        """
        with simulated_time(self.clock), lease_of(self.lab.store).held():
            self._expect()
            while self._go_on():
                pass
            self._pool.flush()
        return self.diary

    def close(self) -> None:
        """Closes the database and the machines' ledgers."""
        self.lab.close()
        for machine in self.machines.values():
            machine.stop()

    def resources(self) -> tuple[Resource, ...]:
        """Everything there is, with what the lab knows by now of absences and breakdowns."""
        gone = self.gone
        return tuple(replace(one, away=(*one.away, *gone.get(one.name, ()))) for one in self.config.resources())

    def _robots(self) -> EqualRobots:
        timed = {}
        for handler in self.config.handlers:
            ledger = self.folder / f"{handler.name}.ledger"
            machine = BiologicalVirtualMachine(None, ledger, seed=self.config.seed)
            self.machines[handler.name] = machine
            breakdowns = [self.config.span(each) for each in handler.down]
            timed[handler.name] = TimedMachine(
                machine,
                self.clock,
                self.config.rules,
                seconds_per_transfer=self.config.seconds_per_transfer,
                breakdowns=breakdowns,
            )
        return EqualRobots(timed)

    def _expect(self) -> None:
        """Puts what the week brings onto the clock."""
        for number, entry in enumerate(self.config.campaigns):
            self.clock.at(self.config.moment(entry.arrives), partial(self._ask, number))
        self._stock()
        for bank in self.config.banks:
            begins = self.config.moment(bank.begins)
            self.work.banks += calendar_tasks(bank.name, begins, bank.tasks, self.work.rules, self.config.cabinets)
        self._is_stale = bool(self.config.banks)
        for name, span in self.config.surprises():
            self.clock.at(span.start, partial(self._surprise, name, span))

    def _go_on(self) -> bool:
        """Everything of this moment, then on to the next; False when the week is over."""
        while self._is_stale or self._move():
            # Before anything more begins: what the lab has just heard of counts from now on.
            if self._is_stale:
                self._plan()
        for task in self._conductor.tasks:
            if task.rests_until is not None:
                self.clock.wake_at(task.rests_until)
        due = JobQueue(self.lab.store).next_due(kind=KIND)
        if due is not None and due > self.clock():
            self.clock.wake_at(due)
        return self.clock.go_on()

    def _move(self) -> bool:
        """Begins and brings forward what can be; whether anything was."""
        has_moved = self._begin_runs()
        has_moved |= self._look_after_banks()
        self._conductor.turn(0.0)
        has_moved |= self._conductor.has_moved
        self._pool.flush()
        has_moved |= self._decide()
        return has_moved | self._conclude()

    # What the week brings

    def _ask(self, number: int) -> None:
        """Somebody asks for a campaign."""
        config = self.config.campaign(number)
        campaign_id = self.lab.store.add_campaign(config)
        self.work.n_iterations[campaign_id] = config.max_iterations
        with self.lab.store.write() as tx:
            steering.begin(tx, campaign_id)
        self._advance(campaign_id)

    def _stock(self) -> None:
        """Declares what is kept in stock, receives what is there, and expects what will be delivered."""
        kept = self.config.stock
        for resource in kept.resources if kept else ():
            self.lab.inventory.declare(resource, by="the week's file")
        for lot in kept.lots if kept else ():
            if lot.arrives is None:
                self.lab.inventory.receive(lot.resource, lot.quantity, lot_number=lot.lot, by="the week's file")
            else:
                self.clock.at(self.config.moment(lot.arrives), partial(self._deliver, lot))

    def _deliver(self, lot: LotSettings) -> None:
        """A delivery comes in, and the campaigns that wait for stock try again."""
        self.lab.inventory.receive(lot.resource, lot.quantity, lot_number=lot.lot, by="goods in")
        self.diary.note(f"{lot.resource} {lot.lot} is delivered")
        for campaign_id in self.work.n_iterations:
            standing = self.lab.store.standing(campaign_id)
            if standing.status is CampaignStatus.PAUSED:
                with self.lab.store.write() as tx:
                    steering.begin(tx, campaign_id)
                self.diary.release(campaign_id)
                self._advance(campaign_id)

    def _surprise(self, name: str, span: Span) -> None:
        """Somebody or something is not there all of a sudden; a person still ends what they have in their hands."""
        span = replace(span, start=max(span.start, self.roster.busy_until(name)))
        self.gone.setdefault(name, []).append(span)
        self.diary.note(f"{name} is not there until {span.end:%a %H:%M} UTC: {span.reason}")
        self.diary.held_for(self.roster, name, span)
        self._is_stale = True

    def _advance(self, campaign_id: str) -> None:
        """Has a campaign propose and queue its next plates."""
        said = self.lab.advance(campaign_id)
        self.diary.note(said)
        standing = self.lab.store.standing(campaign_id)
        if standing.status is CampaignStatus.PAUSED:
            self.diary.hold(campaign_id, "stock", standing.reason or "paused")
        for run in run_records(self.lab.store):
            if run.plate_id not in self.work.plates and run.plate_id.startswith(f"{campaign_id}/"):
                workflow = load_workflow(self.lab.store, run.run_id)
                iteration = int(run.plate_id.removeprefix(f"{campaign_id}/i").partition("-")[0])
                self.work.add(run.run_id, workflow, campaign_id, iteration, self.clock())
        self._is_stale = True

    # What the lab does

    def _plan(self) -> None:
        """Plans what was not begun, from now on."""
        self._is_stale = False
        now = self.clock()
        # From the next five minutes of the clock on, so that plans made at different times fit together.
        begins = now + (-((now - self.config.starts_at) % -timedelta(minutes=CELL_MIN)))
        problem = self.work.problem(
            begins,
            self.config.ends_at,
            self.resources(),
            self.roster.expect(now),
            started_at=self.config.starts_at,
            with_forecast=self.is_solved,
        )
        schedule = self._schedule(problem)
        self.diary.planned(self.roster.schedule, schedule)
        self.roster.follow(schedule)
        self.say(
            f"{now:%a %H:%M} UTC: {len(problem.open_tasks)} steps planned, to {schedule.makespan_h:.1f} h "
            f"({schedule.made_by})"
        )

    def _schedule(self, problem: Problem) -> Schedule:
        if not self.is_solved:
            return first_come_first_served(problem)
        return solve(problem, effort=self.effort, seed=self.config.seed)

    def _planned_robot(self, job: Job) -> str | None:
        schedule, plate = self.roster.schedule, self.work.plates[job.payload["plate_id"]]
        placed = schedule.placed.get(plate.tasks[0].task_id) if schedule else None
        return placed.resources[0] if placed else None

    def _begin_runs(self) -> bool:
        """Takes up the plates whose next step is due."""
        has_begun = False
        queue, lease = JobQueue(self.lab.store), lease_of(self.lab.store)
        for plate in self.work.plates.values():
            if plate.is_gone or self._pool.has(plate.run_id):
                continue
            following = next((task for task in plate.tasks if task.task_id not in self.roster.begun), None)
            if following is None or not self.roster.is_due(following.task_id):
                continue
            with self.lab.store.write() as tx:
                lease.check(tx)
                jobs = queue.claim_many(1, fencing=lease.fencing, kind=KIND, among=[plate.run_id], start=True)
            for job in jobs:
                self._pool.take_up(job)
                has_begun = True
        return has_begun

    def _look_after_banks(self) -> bool:
        """People begin what is due for the cell banks."""
        has_begun = False
        for task in self.work.banks:
            if task.task_id not in self.roster.begun and self.roster.begin(task.task_id):
                if not task.is_elastic:
                    end = self.clock() + timedelta(minutes=task.minutes)
                    self.clock.at(end, partial(self.roster.end, task.task_id))
                has_begun = True
        return has_begun

    def _hear(self, event: Event) -> None:
        """Follows what the executor tells."""
        if isinstance(event, StepDone):
            plate = self.work.plates[event.plate_id]
            name = task_id_of(event.plate_id, event.step_uid)
            task = next(one for one in plate.tasks if one.task_id == name)
            if not task.is_elastic:
                self.roster.end(name)
        elif isinstance(event, StepFailed):
            self.diary.note(f"{event.plate_id}, {event.name}: {event.error}")
            self.roster.take_back(task_id_of(event.plate_id, event.step_uid))
            self._is_stale = True
        elif isinstance(event, RunDone) and event.status is not JobStatus.SUCCEEDED:
            self._lose(self.work.plates[event.plate_id], event)

    def _lose(self, plate: Plate, event: RunDone) -> None:
        """A plate is held for a person to decide, or was given up."""
        self.diary.hold(plate.plate_id, "in doubt", event.error or str(event.status))
        self.roster.drop([task.task_id for task in plate.tasks])
        plate.is_gone, self._is_stale = True, True
        if event.status is JobStatus.IN_DOUBT:
            self.diary.doubted_steps |= {(doubt.plate_id, doubt.step_uid) for doubt in doubts(self.lab.store)}
            at = self._somebody_from(self.clock()) + timedelta(minutes=LOOK_MIN)
            self._doubted[plate.plate_id] = at
            self.clock.wake_at(at)

    def _somebody_from(self, moment: datetime) -> datetime:
        """When somebody is in the lab next."""
        people = [one for one in self.resources() if one.name in self.config.rules.people]
        spans = [span for one in people for span in one.open_spans(moment, self.config.ends_at)]
        return min((span.start for span in spans), default=moment)

    def _decide(self) -> bool:
        """People decide about plates in doubt, once they have looked at them: they are thrown away."""
        due = [name for name, at in self._doubted.items() if at <= self.clock()]
        for name in due:
            del self._doubted[name]
            discard(self.lab.store, name, person="the person on duty")
            self.diary.release(name)
        return bool(due)

    def _conclude(self) -> bool:
        """Concludes batches whose plates have ended, and has their campaigns go on."""
        ended = ended_batches(self.lab.store)
        for batch in ended:
            conclude_batch(self.lab.store, batch.batch_id)
            if batch.campaign_id is not None:
                self._advance(batch.campaign_id)
        return bool(ended)
