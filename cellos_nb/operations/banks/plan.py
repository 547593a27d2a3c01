"""What making a bank asks of people and places: its run as tasks with times, for calendars and facilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.outcome import BankRuns, StageRuns
from cellos_nb.operations.banks.parameters import WorkParameters, load_bank_parameters
from cellos_nb.operations.banks.simulate import rehearse
from cellos_nb.operations.banks.tasks import BankTask, TaskKind

if TYPE_CHECKING:
    import pandas as pd

_DAY_H = 24.0
_WINDOW_H = {
    TaskKind.THAW: 24.0,
    TaskKind.FEED: 24.0,
    TaskKind.PASSAGE: 24.0,
    TaskKind.FREEZE: 12.0,
    TaskKind.QC: 72.0,
}
"""How long each may wait: typical values. Cells that are ready to freeze soon overgrow."""


def plan_tasks(config: BankConfig) -> dict[str, tuple[BankTask, ...]]:
    """The tasks of each bank, by name, when everything is as it is on average.

    Raises:
        ConfigError: as `simulate`.
    """
    return tasks_of_run(rehearse(config))


def tasks_of_run(runs: BankRuns, run: int = 0) -> dict[str, tuple[BankTask, ...]]:
    """The tasks of each bank in one of the runs, by name, counted from its own first task."""
    work = load_bank_parameters(runs.config.parameters).work
    return {stage.name: _tasks(stage, run, work) for stage in runs.stages}


def plan_table(config: BankConfig) -> pd.DataFrame:
    """The tasks of each bank when everything is as it is on average: day, what is done, hours of hands, flasks then.

    Raises:
        ConfigError: as `simulate`.
    """
    import pandas as pd

    rows = [
        (bank, task.earliest_h / _DAY_H, task.name, task.person_h, task.incubator_slots)
        for bank, tasks in plan_tasks(config).items()
        for task in tasks
    ]
    return pd.DataFrame(rows, columns=["bank", "day", "task", "hours of hands", "flasks afterwards"])


def _tasks(stage: StageRuns, run: int, work: WorkParameters) -> tuple[BankTask, ...]:
    found: list[BankTask] = []
    n_of_kind: dict[TaskKind, int] = {}
    for day, what, n in stage.diary(run):
        kind = TaskKind(what)
        n_of_kind[kind] = n_of_kind.get(kind, 0) + 1
        is_last = kind is TaskKind.FREEZE
        name = what if is_last else f"{what} {n_of_kind[kind]}"
        found.append(_task(name, kind, day, _hours(kind, n, work), slots=0 if is_last else n))
        if is_last:
            found.append(_task("samples for tests", TaskKind.QC, day + 1, work.qc_h.value))
    return tuple(found)


def _hours(kind: TaskKind, n: int, work: WorkParameters) -> float:
    """Of hands, for so many flasks or vials; as in `Books`."""
    match kind:
        case TaskKind.THAW:
            return work.thaw_h.value
        case TaskKind.FEED:
            return work.feed_h.value + n * work.feed_flask_h.value
        case TaskKind.PASSAGE:
            return work.passage_h.value + n * work.passage_flask_h.value
        case TaskKind.FREEZE:
            return work.freeze_h.value + n * work.freeze_vial_h.value
        case TaskKind.QC:
            return work.qc_h.value


def _task(name: str, kind: TaskKind, day: int, hours: float, *, slots: int = 0) -> BankTask:
    begins, hours = day * _DAY_H, round(hours, 3)
    return BankTask(name, kind, begins, begins + _WINDOW_H[kind], hours, hours, hours, slots)
