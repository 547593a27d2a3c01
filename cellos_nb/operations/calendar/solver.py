"""The calendar, solved: OR-Tools CP-SAT over all plates at once, never worse than the best of the plain lists."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cellos_nb.errors import InputError
from cellos_nb.operations.calendar.grid import Grid, cells
from cellos_nb.operations.calendar.listing import kept_of, list_schedule, orders
from cellos_nb.operations.calendar.problem import CELL_MIN, Problem
from cellos_nb.operations.calendar.schedule import Placement, Schedule, dated_jobs
from cellos_nb.operations.calendar.tasks import Task

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

log = logging.getLogger(__name__)

SOLVED = "CP-SAT"
EFFORT = 2.0
"""Of the solver, in its own deterministic units, each a few seconds of one core: the same effort, the same schedule."""
N_LISTS = 8
"""Plain lists that are tried before the solver is asked."""
HINT_EFFORT = 0.5
"""At most, to work out all that follows from a plain list."""
NEAR_ENOUGH = 0.005
"""The solver ends when no schedule can be better by more than this part."""
ON_BENCH, OUTSIDE, LAST, EACH, OFF = 20_000, 2_000, 50, 2, 1
"""What a cell costs: beyond the limit on the bench, beyond a tolerance, of the make-span, of a job's end, and off the
nominal duration or date."""


def has_solver() -> bool:
    """Whether the extra `planning` is installed."""
    return find_spec("ortools") is not None


def solve(problem: Problem, *, effort: float = EFFORT, seed: int = 0) -> Schedule:
    """The schedule that ends soonest within all tolerances; where one cannot be kept, as little beyond it as possible.

    Args:
        problem: what to plan.
        effort: how long to look, in the solver's deterministic units, each a few seconds.
        seed: of the search; equal problems, efforts and seeds give equal schedules on any machine.

    Raises:
        InputError: OR-Tools is not installed.
    """
    if not has_solver():
        raise InputError(
            "The calendar is solved with OR-Tools, which is not installed. Install it with "
            "`pip install 'cellos-nb[planning]'`, or plan first come, first served (`--first-come`)."
        )
    if not problem.open_tasks:
        return problem.schedule([], SOLVED, 0.0)
    cost = _Cost(problem).of
    best = _best_list(problem, cost)
    found = _Model(problem).solve(best, effort=effort, seed=seed)
    if found is None or cost(found[0]) > cost(best):
        log.info("the solver found nothing better than a list in %g units of effort", effort)
        return problem.schedule(best, SOLVED)
    return problem.schedule(found[0], SOLVED, found[1])


def _best_list(problem: Problem, cost: Callable[[Sequence[Placement]], int]) -> list[Placement]:
    """The best of some lists: in the usual orders, then with the job that ends last moved to the front."""
    order, best = min(
        ((order, list_schedule(problem, order)) for order in orders(problem).values()), key=lambda pair: cost(pair[1])
    )
    order, tried, dated = list(order), set(), dated_jobs(problem.tasks)
    for _ in range(N_LISTS):
        ends = {job: one.end for one in best if (job := problem.task[one.task_id].job_id) not in dated}
        late = [job for job in sorted(ends, key=lambda job: ends[job], reverse=True) if job not in tried]
        if not late:
            break
        tried.add(late[0])
        other = [late[0], *(one for one in order if one != late[0])]
        placements = list_schedule(problem, other)
        if cost(placements) < cost(best):
            order, best, tried = other, placements, set()
    return best


def plan(problem: Problem, *, effort: float = EFFORT, seed: int = 0) -> Schedule:
    """Solved where the extra `planning` is installed, else first come, first served, with a warning."""
    if has_solver():
        return solve(problem, effort=effort, seed=seed)
    log.warning("OR-Tools is not installed (extra `planning`): planned first come, first served")
    return problem.schedule(list_schedule(problem, problem.jobs), "first come, first served")


@dataclass(slots=True)
class _Cost:
    """What the solver makes small, of any placements."""

    problem: Problem

    def of(self, placements: Sequence[Placement]) -> int:
        """The cost; huge where a task has no place."""
        problem, grid = self.problem, Grid(self.problem)
        by_id = {**problem.begun, **{one.task_id: one for one in placements}}
        if len(placements) < len(problem.open_tasks):
            return 2**60
        cost, last, dated = 0, 0, dated_jobs(problem.tasks)
        ends: dict[str, int] = {}
        for task in problem.tasks:
            one = by_id[task.task_id]
            start, end = grid.cell(one.start), grid.cell(one.end)
            if task.task_id not in problem.begun and task.job_id not in dated:
                last = max(last, end)
                ends[task.job_id] = max(ends.get(task.job_id, 0), end)
            if task.due is not None and task.task_id not in problem.begun:
                off = abs(start - grid.cell(task.due))
                allowed = cells(task.later_min if start >= grid.cell(task.due) else task.earlier_min)
                cost += OFF * off + OUTSIDE * max(0, off - allowed)
            for after in task.after if task.task_id not in problem.begun else ():
                if after.at_most_min and after.task_id in by_id:
                    waits = grid.cell(one.start) - grid.cell(by_id[after.task_id].end)
                    cost += ON_BENCH * max(0, waits - after.at_most_min // CELL_MIN)
            follower = problem.ended_by.get(task.task_id)
            if follower is not None and follower.task_id not in problem.begun:
                lasts = grid.cell(by_id[follower.task_id].start) - grid.cell(one.start, up=False)
                cost += OFF * abs(lasts - cells(task.minutes))
                cost += OUTSIDE * max(0, lasts - (task.minutes + task.longer_min) // CELL_MIN)
        return cost + LAST * last + EACH * sum(ends.values())


@dataclass(slots=True)
class _Model:
    """The problem in the solver's words; times are in cells."""

    problem: Problem
    grid: Grid = field(init=False)
    model: Any = field(init=False)
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    chosen: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """By task and number of the need: a truth value for each resource."""
    used: dict[str, list[tuple[Any, int]]] = field(default_factory=lambda: defaultdict(list))
    """By resource: each interval in which it is used, and how much of it."""
    bound: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = field(default_factory=dict)
    costs: list[Any] = field(default_factory=list)

    def solve(self, hint: Sequence[Placement], *, effort: float, seed: int) -> tuple[list[Placement], float] | None:
        """Placements of what is open, and how far they may be from the best; None when none were found."""
        from ortools.sat.python import cp_model

        self.model, self.grid = cp_model.CpModel(), Grid(self.problem)
        for task in self.problem.tasks:
            self._task(task)
        for task in self.problem.open_tasks:
            self._links(task)
        for resource in self.problem.resources:
            self._capacity(resource.name, resource.capacity)
        self._objective()
        self._hint(hint, seed)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.interleave_search = True
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = effort
        solver.parameters.relative_gap_limit = NEAR_ENOUGH
        status = solver.solve(self.model)
        if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            return None
        best, bound = solver.objective_value, solver.best_objective_bound
        gap = 0.0 if status == cp_model.OPTIMAL else (best - bound) / max(best, 1.0)
        return [self._read(solver, task) for task in self.problem.open_tasks], gap

    def _task(self, task: Task) -> None:
        """Its times, and what it uses."""
        begun = self.problem.begun.get(task.task_id)
        if begun is not None and not self.problem.is_open_ended(task):
            self.start[task.task_id] = self.grid.cell(begun.start, up=False)
            self.end[task.task_id] = self.grid.cell(begun.end)
            return
        name, n = task.task_id, self.grid.n
        if begun is not None:
            self.start[name] = self.grid.cell(begun.start, up=False)
        else:
            low = 0 if task.arrived_at is None else max(0, self.grid.cell(task.arrived_at))
            self.start[name] = self.model.new_int_var(min(low, n), n, f"{name} begins")
        if task.is_elastic:
            self.end[name] = self.model.new_int_var(0, n, f"{name} ends")
        else:
            self.end[name] = self.start[name] + cells(task.minutes)
        self._needs(task, begun)

    def _needs(self, task: Task, begun: Placement | None) -> None:
        for number, need in enumerate(task.needs):
            names = need.any_of if begun is None else (begun.resources[number],)
            if len(names) == 1:
                present = {names[0]: None}
            elif need.is_bound:
                present = self._bound(task.job_id, names)
            else:
                present = {one: self.model.new_bool_var(f"{task.task_id} on {one}") for one in names}
                self.model.add_exactly_one(present.values())
            self.chosen[task.task_id, number] = present
            for one, is_on in present.items():
                self.used[one].append((self._use(task, need.minutes, is_on), need.amount))

    def _bound(self, job: str, names: tuple[str, ...]) -> dict[str, Any]:
        kept = kept_of(self.problem, job).get(names)
        if kept is not None:
            return {kept: None}
        if (job, names) not in self.bound:
            present = {one: self.model.new_bool_var(f"{job} on {one}") for one in names}
            self.model.add_exactly_one(present.values())
            self.bound[job, names] = present
        return self.bound[job, names]

    def _use(self, task: Task, minutes: int | None, is_on: Any) -> Any:
        start, end, name = self.start[task.task_id], self.end[task.task_id], task.task_id
        if minutes is None and task.is_elastic:
            length = self.model.new_int_var(0, 2 * self.grid.n, f"{name} lasts")
            if is_on is None:
                return self.model.new_interval_var(start, length, end, name)
            return self.model.new_optional_interval_var(start, length, end, is_on, name)
        n = cells(task.minutes) if minutes is None else min(cells(minutes), cells(task.minutes))
        if is_on is None:
            return self.model.new_fixed_size_interval_var(start, n, name)
        return self.model.new_optional_fixed_size_interval_var(start, n, is_on, name)

    def _links(self, task: Task) -> None:
        start = self.start[task.task_id]
        if task.due is not None:
            due = self.grid.cell(task.due)
            off = self._off(start - due)
            self._slack(start - due, cells(task.later_min))
            self.model.add(start - due >= -cells(task.earlier_min))
            self.costs.append(OFF * off)
        for after in task.after:
            before = self.problem.task[after.task_id]
            if before.task_id not in self.end:
                continue
            if self.problem.ended_by.get(before.task_id) is task:
                self._incubation(before, start)
                continue
            waits = start - self.end[before.task_id]
            self.model.add(waits >= cells(after.at_least_min))
            if after.at_most_min is not None:
                self._slack(waits, after.at_most_min // CELL_MIN, ON_BENCH)

    def _incubation(self, before: Task, start: Any) -> None:
        self.model.add(self.end[before.task_id] == start)
        lasts = start - self.start[before.task_id]
        # One that is under way began between two cells; a cell more keeps it from being short by minutes.
        odd = before.task_id in self.problem.begun
        self.model.add(lasts >= cells(before.minutes - before.shorter_min) + odd)
        self._slack(lasts, (before.minutes + before.longer_min) // CELL_MIN)
        self.costs.append(OFF * self._off(lasts - cells(before.minutes)))

    def _slack(self, value: Any, most: int, cost: int = OUTSIDE) -> None:
        """Keeps a value below a limit, or pays for what is beyond it."""
        beyond = self.model.new_int_var(0, 2 * self.grid.n, "beyond")
        self.model.add(value - beyond <= most)
        self.costs.append(cost * beyond)

    def _off(self, value: Any) -> Any:
        size = self.model.new_int_var(0, 2 * self.grid.n, "off")
        self.model.add(size >= value)
        self.model.add(size >= -value)
        return size

    def _capacity(self, name: str, capacity: int) -> None:
        blocked = list(_runs(self.grid.taken(name)))
        fixed = [self.model.new_fixed_size_interval_var(a, b - a, f"{name} taken") for a, b, _ in blocked]
        intervals, amounts = [one for one, _ in self.used[name]], [amount for _, amount in self.used[name]]
        if capacity == 1:
            self.model.add_no_overlap([*intervals, *fixed])
        elif intervals:
            self.model.add_cumulative([*intervals, *fixed], [*amounts, *(taken for _, _, taken in blocked)], capacity)

    def _objective(self) -> None:
        last = self.model.new_int_var(0, self.grid.n + cells(24 * 60), "last")
        dated = dated_jobs(self.problem.tasks)
        for job, tasks in self.problem.jobs.items():
            if tasks and job not in dated:
                end = self.end[tasks[-1].task_id]
                self.model.add(last >= end)
                self.costs.append(EACH * end)
        self.model.minimize(LAST * last + sum(self.costs))

    def _hint(self, hint: Sequence[Placement], seed: int) -> None:
        """Has the search begin with a whole solution: a plain list, with all that follows from it worked out."""
        from ortools.sat.python import cp_model

        fixed = self.model.clone()
        decided: set[int] = set()
        for placed in hint:
            task = self.problem.task[placed.task_id]
            fixed.add(self.start[placed.task_id] == self.grid.cell(placed.start))
            if task.is_elastic:
                fixed.add(self.end[placed.task_id] == self.grid.cell(placed.end))
            for number, name in enumerate(placed.resources):
                for one, is_on in self.chosen[placed.task_id, number].items():
                    if is_on is not None and is_on.index not in decided:
                        decided.add(is_on.index)
                        fixed.add(is_on == (one == name))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = seed
        solver.parameters.max_deterministic_time = HINT_EFFORT
        if solver.solve(fixed) in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
            for index, value in enumerate(solver.response_proto.solution):
                self.model.add_hint(self.model.get_int_var_from_proto_index(index), value)

    def _read(self, solver: cp_model.CpSolver, task: Task) -> Placement:
        start, end = solver.value(self.start[task.task_id]), solver.value(self.end[task.task_id])
        resources = tuple(
            next(one for one, on in self.chosen[task.task_id, number].items() if on is None or solver.value(on))
            for number in range(len(task.needs))
        )
        return Placement(task.task_id, self.grid.moment(start), self.grid.moment(end), resources)


def _runs(taken: Any) -> Iterator[tuple[int, int, int]]:
    """Stretches of equal use above zero: first cell, last cell, how much."""
    edges = [0, *(np.flatnonzero(np.diff(taken)) + 1).tolist(), len(taken)]
    for start, end in pairwise(edges):
        if start < end and taken[start] > 0:
            yield start, end, int(taken[start])
