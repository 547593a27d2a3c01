"""The numbers that a simulated bank runs on: one value for all runs, or one for each."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellos_nb.errors import ConfigError
from cellos_nb.operations.banks.config import BankConfig, StageSettings
from cellos_nb.operations.banks.parameters import BankParameters

Floats = NDArray[np.float64]
Number = float | Floats
"""One value, or an array of shape (n_runs,)."""
Values = TypeVar("Values", bound=Number)
"""`Number`, or arrays alone once the inputs are spread over the runs."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs(Generic[Values]):
    """What a run depends on and what can be varied in it; numbers as in the parameter file."""

    doubling_time_h: Values
    batch_cv: Values
    thaw_cells: Values
    thaw_cells_sd: Values
    thaw_viability: Values
    thaw_viability_sd: Values
    at_confluence: Values
    seeding_confluence: Values
    stress_low: Values
    stress_high: Values
    overgrown_from: Values
    overgrown_loss_per_day: Values
    feed_every_days: Values
    contamination_per_flask_day: Values
    incubator_failure_per_day: Values
    limit_doublings: Values
    """Infinite for a line that does not age."""
    limit_sd: Values
    cell_loss: Values
    count_cv: Values
    margin: Values
    spare_vials: Values
    breakage: Values
    post_thaw_viability: Values
    post_thaw_sd: Values
    min_viability: Values
    sterility_sensitivity: Values
    mycoplasma_sensitivity: Values
    mixed_up: Values
    qc_days: Values

    def with_values(self, values: dict[str, Number]) -> Inputs[Number]:
        """The same with other values for some, by field."""
        changed: dict[str, Any] = dict(values)
        return replace(self, **changed)  # type: ignore[return-value]

    def spread(self, n_runs: int) -> Inputs[Floats]:
        """Every number as an array of shape (n_runs,)."""
        values: dict[str, Any] = {
            field.name: np.broadcast_to(np.asarray(getattr(self, field.name), float), (n_runs,))
            for field in fields(self)
        }
        return Inputs(**values)


@dataclass(frozen=True, slots=True)
class Line:
    """What is fixed about a cell line in its flasks."""

    confluent_cells: float
    """Cells in one flask that is full."""
    limit: float
    """Of these, where growth ends."""
    contact_slowdown: float
    """What a full flask loses of its growth rate beside the limit; 0 in suspension."""
    is_adherent: bool
    lag_start_h: float
    lag_end_h: float
    baseline_death_per_h: float
    ageing_width: float
    """In doublings."""


def inputs_of(config: BankConfig, parameters: BankParameters) -> Inputs[Number]:
    """The numbers of a bank's file and its parameters, one for all runs.

    Raises:
        ConfigError: the parameters do not know its cell line.
    """
    line = _line(config, parameters)
    ageing = parameters.ageing_of(config.cell_line)
    thaw, passage = parameters.thaw, parameters.passage
    freezing, qc = parameters.freezing, parameters.qc
    return Inputs(
        doubling_time_h=line.doubling_time_h.value,
        batch_cv=parameters.growth.batch_cv.value,
        thaw_cells=thaw.cells_per_vial.value,
        thaw_cells_sd=thaw.cells_sd.value,
        thaw_viability=thaw.viability.value,
        thaw_viability_sd=thaw.viability_sd.value,
        at_confluence=passage.at_confluence.value,
        seeding_confluence=passage.seeding_confluence.value,
        stress_low=passage.stress_low.value,
        stress_high=passage.stress_high.value,
        overgrown_from=passage.overgrown_from.value,
        overgrown_loss_per_day=passage.overgrown_loss_per_day.value,
        feed_every_days=passage.feed_every_days.value,
        contamination_per_flask_day=parameters.contamination.hazard_per_flask_day.value,
        incubator_failure_per_day=parameters.incubator.failure_per_day.value,
        limit_doublings=ageing.limit_doublings.value if ageing else math.inf,
        limit_sd=ageing.limit_sd.value if ageing else 0.0,
        cell_loss=freezing.cell_loss.value,
        count_cv=freezing.count_cv.value,
        margin=freezing.margin.value,
        spare_vials=freezing.spare_vials.value,
        breakage=freezing.breakage.value,
        post_thaw_viability=freezing.post_thaw_viability.value,
        post_thaw_sd=freezing.post_thaw_sd.value,
        min_viability=qc.min_viability.value,
        sterility_sensitivity=qc.sterility_sensitivity.value,
        mycoplasma_sensitivity=qc.mycoplasma_sensitivity.value,
        mixed_up=qc.mixed_up.value,
        qc_days=qc.duration_days.value,
    )


def line_of(config: BankConfig, parameters: BankParameters) -> Line:
    """What is fixed about a bank's cell line.

    Raises:
        ConfigError: the parameters do not know it.
    """
    line = _line(config, parameters)
    growth, ageing = parameters.growth, parameters.ageing_of(config.cell_line)
    is_adherent = line.growth_form == "adherent"
    return Line(
        confluent_cells=line.confluent_density_per_cm2.value * config.flask_cm2,
        limit=line.confluence_limit.value,
        contact_slowdown=growth.contact_slowdown.value if is_adherent else 0.0,
        is_adherent=is_adherent,
        lag_start_h=growth.lag_start_h.value,
        lag_end_h=growth.lag_end_h.value,
        baseline_death_per_h=growth.baseline_death_per_h.value,
        ageing_width=ageing.width_doublings.value if ageing else 1.0,
    )


def vials_to_fill(stage: StageSettings, parameters: BankParameters, spare: Number) -> Floats:
    """Vials that are filled so that those wanted are left: with spare ones and those that the tests use up."""
    wanted = stage.vials * (1.0 + np.asarray(spare, float))
    return np.asarray(np.ceil(wanted - 1e-9) + tested_vials(wanted, parameters))


def tested_vials(filled: Number, parameters: BankParameters) -> Floats:
    """Vials of a bank that its tests use up."""
    qc = parameters.qc
    sterility = np.maximum(
        np.ceil(np.asarray(filled, float) * qc.sterility_share.value), qc.sterility_vials_least.value
    )
    return np.asarray(sterility + qc.mycoplasma_vials.value + qc.viability_vials.value)


def require_room(config: BankConfig, parameters: BankParameters) -> None:
    """Refuses a bank whose flasks can never hold the cells that its vials take.

    Raises:
        ConfigError: with the number of flasks that would do.
    """
    inputs, line = inputs_of(config, parameters), line_of(config, parameters)
    per_flask = line.confluent_cells * line.limit * float(inputs.overgrown_from)
    for name, stage in config.stages:
        n_vials = float(vials_to_fill(stage, parameters, inputs.spare_vials))
        cells = n_vials * stage.cells_per_vial * (1.0 + float(inputs.margin))
        least = math.ceil(cells / per_flask)
        if least > config.max_flasks:
            raise ConfigError(
                f"max_flasks: {config.max_flasks} flasks of {config.flask_cm2:g} cm² hold "
                f"{config.max_flasks * per_flask:.3g} {config.cell_line} cells before they overgrow, but the {name} "
                f"bank needs {cells:.3g} for {n_vials:.0f} vials. Give at least {least} flasks, larger ones, or ask "
                "for fewer vials or cells."
            )


def _line(config: BankConfig, parameters: BankParameters) -> Any:
    known = parameters.known_lines
    if config.cell_line not in known:
        raise ConfigError(
            f"cell_line: {config.cell_line!r} is not known; possible: {', '.join(known)}. Another one is added under "
            "`cell_lines` of a parameter file, which the bank names under `parameters`."
        )
    return known[config.cell_line]
