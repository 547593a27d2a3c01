"""A week before it begins: what its campaigns will ask for first, and what to expect of their later iterations."""

from __future__ import annotations

from cellos_nb.loop import first_plates
from cellos_nb.operations.calendar.problem import Problem
from cellos_nb.week.banks import calendar_tasks
from cellos_nb.week.clock import Clock
from cellos_nb.week.config import WeekConfig
from cellos_nb.week.machine import TimedMachine
from cellos_nb.week.work import Work


def first_problem(config: WeekConfig) -> Problem:
    """What the calendar is asked before the week begins; no database is made and no device is opened.

    The first plates are those that each campaign's planner proposes; later ones are expected to be like them.

    Raises:
        InputError: a campaign cannot be compiled.
    """
    from cellos_nb.hardware.biology import BiologicalVirtualMachine

    inner = BiologicalVirtualMachine(None, seed=config.seed)
    speed = config.seconds_per_transfer
    can = TimedMachine(inner, Clock(config.starts_at), config.rules, seconds_per_transfer=speed).describe()
    work = Work(config.rules, can)
    for bank in config.banks:
        work.banks += calendar_tasks(bank.name, config.moment(bank.begins), bank.tasks, config.rules, config.cabinets)
    for number, entry in enumerate(config.campaigns):
        campaign = config.campaign(number)
        name = campaign.name.lower().replace(" ", "-")
        _, plates = first_plates(name, campaign, can)
        work.n_iterations[name] = campaign.max_iterations
        for run_id, workflow in enumerate(plates):
            work.add(run_id, workflow, name, 1, config.moment(entry.arrives))
    return work.problem(
        config.starts_at,
        config.ends_at,
        config.resources(),
        {},
        started_at=config.starts_at,
        with_forecast=True,
    )
