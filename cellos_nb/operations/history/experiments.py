"""Measured wells as experiments with their uncertainty, and the configuration that they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np

from cellos_nb.analysis.noise import Scatter, pooled_scatter, scale_of
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.constraints import n_permitted
from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus, WellResult
from cellos_nb.domain.settings import IMPORTED
from cellos_nb.operations.history.mapping import HistoryMapping
from cellos_nb.operations.history.rows import Measured

MAX_DOSES = 200
"""Doses of a question; those of a table may be more, since each experiment keeps its own."""
_MEDIAN_LOSS = float(np.sqrt(np.pi / 2))
"""How much less a median of vehicle wells tells than their mean, for normal scatter."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """The replicate wells of one condition on one plate and day."""

    iteration: int
    wells: tuple[Measured, ...]

    @property
    def proposal(self) -> tuple[str, str, float]:
        """Cell line, compound and dose in µM."""
        first = self.wells[0]
        return first.cell_line, first.compound, first.dose_um


def experiments_of(wells: Sequence[Measured]) -> tuple[Experiment, ...]:
    """Wells by condition, plate and day; the days are iterations, ascending, and all else is in the order of lines."""
    days = sorted({well.day for well in wells if well.day is not None})
    number: dict[date | None, int] = {day: n for n, day in enumerate(days, start=1)}
    groups: dict[tuple[Any, ...], list[Measured]] = {}
    for well in wells:
        key = (number.get(well.day, 1), well.plate, well.cell_line, well.compound, well.dose_um)
        groups.setdefault(key, []).append(well)
    found = [Experiment(key[0], tuple(members)) for key, members in groups.items()]
    return tuple(sorted(found, key=lambda each: each.iteration))


def results_of(experiments: Sequence[Experiment], assay: str, campaign_id: str) -> Iterator[ExperimentResult]:
    """Each experiment concluded: the mean of its wells, with a standard error from the scatter of all replicates.

    Without replicates anywhere there is no standard error.
    """
    values = np.array([well.value for each in experiments for well in each.wells])
    group = np.repeat(np.arange(len(experiments)), [len(each.wells) for each in experiments])
    scatter = pooled_scatter(values, group, len(experiments))
    counted: dict[int, int] = {}
    for each in experiments:
        counted[each.iteration] = counted.get(each.iteration, 0) + 1
        cell_line, compound, dose_um = each.proposal
        proposal_id = f"i{each.iteration:03d}-e{counted[each.iteration]:03d}"
        mean = float(np.mean([well.value for well in each.wells]))
        day = each.wells[0].day
        at = None if day is None else datetime.combine(day, time(), UTC)
        yield ExperimentResult(
            proposal=ExperimentProposal(cell_line, compound, dose_um, assay, proposal_id),
            status=ResultStatus.OK,
            measurement=mean,
            standard_error=None if scatter is None else _standard_error(scatter, mean, each.wells),
            degrees_of_freedom=0 if scatter is None else scatter.degrees_of_freedom,
            viability=mean if assay == "viability" else None,
            wells=tuple(
                WellResult(f"{campaign_id}/{well.plate}", well.well, well.replicate or n, well.signal, well.value)
                for n, well in enumerate(each.wells, start=1)
            ),
            iteration=each.iteration,
            started_at=at,
            finished_at=at,
        )


def config_of(experiments: Sequence[Experiment], mapping: HistoryMapping) -> CampaignConfig:
    """The question that these experiments answer, as a configuration that no machine can run.

    Raises:
        ConfigError: a value of the table cannot stand in a configuration.
    """
    conditions = [each.proposal for each in experiments]
    doses = sorted({dose for _, _, dose in conditions})
    iterations = [each.iteration for each in experiments]
    values: dict[str, Any] = {
        "name": mapping.name,
        "cell_lines": list(dict.fromkeys(line for line, _, _ in conditions)),
        "compounds": list(dict.fromkeys(compound for _, compound, _ in conditions)),
        "dose_range_um": [doses[0], doses[-1]],
        "n_doses": min(len(doses), MAX_DOSES),
        "assay": mapping.assay,
        "objective": mapping.goal,
        "batch_size": 1,
        "max_iterations": max(iterations),
        "plate_format": _plate_format(experiments),
        "replicates": min(max(len(each.wells) for each in experiments), 96),
        "machine": IMPORTED,
    }
    largest = max(iterations.count(n) for n in set(iterations))
    values["batch_size"] = min(largest, n_permitted(CampaignConfig.from_dict(values)), 20_000)
    return CampaignConfig.from_dict(values)


def _standard_error(scatter: Scatter, mean: float, wells: Sequence[Measured]) -> float:
    """Of the mean of the wells, and of the vehicle's median where it is known how many wells it has."""
    n_vehicle = wells[0].n_vehicle
    own = float(scale_of(np.array([mean]))[0]) / len(wells) ** 0.5
    loss = _MEDIAN_LOSS if n_vehicle > 2 else 1.0
    of_vehicle = 0.0 if n_vehicle == 0 else abs(mean) * loss / n_vehicle**0.5
    return scatter.relative_sd * float(np.hypot(own, of_vehicle))


def _plate_format(experiments: Sequence[Experiment]) -> int:
    """The smallest usual plate, of 96 wells or more, that has all wells that are named."""
    named = {well.well for each in experiments for well in each.wells if not well.well.startswith("line ")}
    usual = sorted(n for n in PLATE_FORMATS if n >= 96)
    return next((n for n in usual if named <= set(well_names(n))), usual[-1])
