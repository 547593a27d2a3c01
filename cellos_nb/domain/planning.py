"""How a planner chooses: acquisition, batch, constraints, costs, and when the model says that enough is known."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cellos_nb.domain.setting import Name, PositiveFloat, Settings

Acquisition = Literal["nei", "ei", "log_ei", "ucb", "pi", "thompson", "entropy", "hypervolume"]
BatchPolicy = Literal["joint", "believer", "penalise"]

BATCHES: dict[str, tuple[BatchPolicy, ...]] = {
    "nei": ("joint", "penalise"),
    "ei": ("believer", "penalise"),
    "log_ei": ("believer", "penalise"),
    "ucb": ("believer", "penalise"),
    "pi": ("believer", "penalise"),
    "thompson": ("joint",),
    "entropy": ("believer", "penalise"),
    "hypervolume": ("joint",),
}
"""The batch policies that go with each acquisition; the first is taken where none is named."""


class Exclusion(Settings):
    """Experiments that must not be made."""

    compound: Name
    """By its name in the campaign."""
    cell_line: Name | None = None
    """On this cell line alone; on all when left out."""
    above_um: PositiveFloat | None = None
    """Above this dose alone, in µM; at every dose when left out."""


class WellLimit(Settings):
    """How many wells of one compound may be filled."""

    compound: Name
    """By its name in the campaign."""
    max_wells: Annotated[int, Field(ge=1)]
    """In the whole campaign, replicates counted, control wells not."""


class ConstraintSettings(Settings):
    """What may not be asked for."""

    exclude: tuple[Exclusion, ...] = ()
    """Compounds, pairs of compound and cell line, or doses that are out of the question."""
    max_wells: tuple[WellLimit, ...] = ()
    """Limits of single compounds."""
    max_wells_per_compound: Annotated[int, Field(ge=1)] | None = None
    """The limit of every compound that has none of its own."""
    min_viability: Annotated[float, Field(gt=0, le=1)] | None = None
    """Living cells as a fraction of vehicle that an answer must leave; where that holds is learnt from the results."""


class StockPrice(Settings):
    """What one compound costs."""

    compound: Name
    """By its name in the campaign."""
    usd_per_ul: PositiveFloat
    """Of its stock, in USD per µL."""


class CostSettings(Settings):
    """What an experiment costs the planner, so that it asks for most gain per dollar; 1 each when left out."""

    plate_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """One plate with its medium and reagents; every well bears its share."""
    robot_usd_per_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """One second of the robot."""
    robot_s_per_well: PositiveFloat = 6.0
    """Seconds of the robot that one well takes: a transfer with a fresh tip."""
    stocks: tuple[StockPrice, ...] = ()
    """Prices of stocks; a compound that is not listed costs nothing."""

    @model_validator(mode="after")
    def _check_something_costs(self) -> CostSettings:
        if not (self.plate_usd or self.robot_usd_per_s):
            raise ValueError("planner.cost|every well would be free; give plate_usd or robot_usd_per_s above 0")
        return self


class StoppingSettings(Settings):
    """When the model says that enough is known; each rule holds by itself, and a rule that is left out never stops."""

    ec50_interval_decades: PositiveFloat | None = None
    """Stop when the 95 % interval of log10 EC50 of the best compound (on the target line) is no wider than this."""
    out_of_range_probability: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    """Stop when each compound on each cell line is inactive, or has its EC50 above its highest dose, with at least this
    probability, and was measured at one of its two highest doses."""
    min_expected_improvement: PositiveFloat | None = None
    """Stop when no experiment left is expected to improve the best score by this much."""
    min_improvement_per_usd: PositiveFloat | None = None
    """Stop when no experiment left is expected to improve the best score by this much for each dollar that it costs, as
    `planner.cost` states it."""

    @model_validator(mode="after")
    def _check_some_rule(self) -> StoppingSettings:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError(
                f"planner.stop|no rule is given; give {', '.join(type(self).model_fields)}, or leave it out"
            )
        return self


class PlannerSettings(Settings):
    """Which planner proposes, and how."""

    kind: Name = "mechanistic"
    """`mechanistic`, `plate_design` (narrows EC50 intervals), `random`, `space_filling`, `botorch`, or a plug-in's."""
    acquisition: Acquisition = "nei"
    """Noisy expected improvement, expected improvement and its logarithm, upper confidence bound, probability of
    improvement, Thompson sampling, max-value entropy, or hypervolume of killing the target and sparing the others."""
    batch: Literal["auto", "joint", "believer", "penalise"] = "auto"
    """How experiments of one batch mind each other: by joint samples, by believing the predictions of those before, or
    by a penalty around them; `auto`: as goes with the acquisition."""
    n_initial: Annotated[int, Field(ge=1)] | None = None
    """Experiments before the model is asked, for `plate_design` those of a first plate; one batch when left out."""
    prior: Name = "default"
    """What is known of viability curves before: `default`, `vague`, or a file that `cellos learn-prior` wrote. A file
    is laid aside for `vague` where the results deny it, and so are the wells that it remembers by name."""
    noise: Literal["normal", "heavy_tailed"] = "normal"
    """Noise of measurements beyond their standard errors; `heavy_tailed` gives single outliers little weight."""
    constraints: ConstraintSettings | None = None
    cost: CostSettings | None = None
    stop: StoppingSettings | None = None

    @property
    def batch_policy(self) -> BatchPolicy:
        """How experiments of one batch mind each other, the default spelled out."""
        return BATCHES[self.acquisition][0] if self.batch == "auto" else self.batch

    @model_validator(mode="after")
    def _check_batch(self) -> PlannerSettings:
        possible = BATCHES[self.acquisition]
        if self.batch not in {"auto", *possible}:
            raise ValueError(
                f"planner.batch|{self.batch} does not go with the acquisition {self.acquisition}; "
                f"possible: {', '.join(possible)}"
            )
        return self

    @model_validator(mode="after")
    def _check_prices(self) -> PlannerSettings:
        if self.stop is not None and self.stop.min_improvement_per_usd is not None and self.cost is None:
            raise ValueError("planner.stop.min_improvement_per_usd|nothing has a price; state planner.cost as well")
        return self
