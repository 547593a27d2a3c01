"""Which experiments a campaign's known constraints permit, and how many of each compound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from cellos_nb.domain.planning import ConstraintSettings, Exclusion, PlannerSettings
from cellos_nb.domain.settings import ObjectiveSettings

if TYPE_CHECKING:
    from cellos_nb.domain.proposal import ExperimentProposal
    from cellos_nb.domain.result import ExperimentResult

_WEIGH_NOTHING = {"random", "space_filling", "botorch"}
"""Planners that keep to known constraints, and weigh neither costs nor probabilities."""


class Question(Protocol):
    """What is asked of a campaign's configuration here; the configuration itself is built on these checks."""

    @property
    def cell_lines(self) -> Sequence[str]:
        """By name."""

    @property
    def compound_names(self) -> Sequence[str]:
        """In the order given."""

    @property
    def objective(self) -> ObjectiveSettings:
        """What is to be made large or small."""

    @property
    def planner(self) -> PlannerSettings:
        """With its constraints and costs."""

    @property
    def replicates(self) -> int:
        """Wells of one experiment."""

    def doses_um(self, compound: str) -> Sequence[float]:
        """The doses to choose from for one compound, in µM."""


def is_permitted(constraints: ConstraintSettings | None, cell_line: str, compound: str, dose_um: float) -> bool:
    """Whether no exclusion speaks of this experiment."""
    return constraints is None or not any(_excludes(one, cell_line, compound, dose_um) for one in constraints.exclude)


def max_wells(constraints: ConstraintSettings | None, compound: str) -> int | None:
    """How many wells of a compound the campaign may fill; None where there is no limit."""
    if constraints is None:
        return None
    own = (limit.max_wells for limit in constraints.max_wells if limit.compound == compound)
    return next(own, constraints.max_wells_per_compound)


def rooms(
    config: Question, results: Sequence[ExperimentResult], pending: Sequence[ExperimentProposal]
) -> dict[str, int]:
    """How many further experiments each limited compound allows, after what was done and what is under way."""
    constraints = config.planner.constraints
    left = {name: limit for name in config.compound_names if (limit := max_wells(constraints, name)) is not None}
    for result in results:
        if result.proposal.compound in left:
            left[result.proposal.compound] -= len(result.wells) or config.replicates
    for proposal in pending:
        if proposal.compound in left:
            left[proposal.compound] -= config.replicates
    return {name: max(wells, 0) // config.replicates for name, wells in left.items()}


def refusals(config: Question) -> Iterator[str]:
    """What is wrong with a campaign's planner settings, each as `key|what and what to do`."""
    settings = config.planner
    if settings.acquisition == "hypervolume" and config.objective.goal != "selectivity":
        yield (
            "planner.acquisition|hypervolume weighs killing the target against sparing the others; "
            "choose the goal selectivity, or another acquisition"
        )
    if settings.cost is not None and settings.kind in _WEIGH_NOTHING:
        yield f"planner.cost|the planner {settings.kind} weighs no costs; choose mechanistic, or leave the cost out"
    constraints = settings.constraints
    if settings.cost is not None:
        yield from _unknown("planner.cost.stocks", (each.compound for each in settings.cost.stocks), config)
    if constraints is None:
        return
    yield from _unknown("planner.constraints.exclude", (each.compound for each in constraints.exclude), config)
    yield from _unknown("planner.constraints.max_wells", (each.compound for each in constraints.max_wells), config)
    for index, each in enumerate(constraints.exclude):
        key = f"planner.constraints.exclude.{index}.cell_line"
        if each.cell_line is not None and each.cell_line not in config.cell_lines:
            yield f"{key}|{each.cell_line} is not among cell_lines; possible: {', '.join(config.cell_lines)}"
        elif each.cell_line is not None and config.objective.goal == "selectivity":
            yield f"{key}|selectivity compares all cell lines at each dose; leave cell_line out, or change the goal"
    for name in config.compound_names:
        limit = max_wells(constraints, name)
        needed = config.replicates * (len(config.cell_lines) if config.objective.goal == "selectivity" else 1)
        if limit is not None and limit < needed:
            yield f"planner.constraints|{limit} wells of {name} hold no experiment; one takes {needed} wells"


def n_permitted(config: Question) -> int:
    """Experiments (cell line × compound × dose) that no exclusion speaks of."""
    constraints = config.planner.constraints
    return sum(
        is_permitted(constraints, line, compound, dose)
        for compound in config.compound_names
        for dose in config.doses_um(compound)
        for line in config.cell_lines
    )


def _excludes(one: Exclusion, cell_line: str, compound: str, dose_um: float) -> bool:
    is_meant = one.compound == compound and one.cell_line in {None, cell_line}
    return is_meant and (one.above_um is None or dose_um > one.above_um)


def _unknown(key: str, named: Iterable[str], config: Question) -> Iterator[str]:
    for index, name in enumerate(named):
        if name not in config.compound_names:
            yield f"{key}.{index}.compound|{name} is not among compounds; possible: {', '.join(config.compound_names)}"
