"""What the facility panel shows: the months of a facility as its file has it, and as a person changed it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cellos_nb.operations.facility.config import FacilityConfig
from cellos_nb.operations.facility.plan import FacilityPlan, WhatIf, plan_facility, what_if

REPLICATIONS = (4, 8, 20, 50)
"""What is offered: the more, the narrower the intervals, and the longer it takes."""


@dataclass(frozen=True, slots=True)
class FacilityChoice:
    """What a person chose."""

    capacities: tuple[int, ...]
    """Of the resources, in the order of the file."""
    months: float
    replications: int = 8
    seed: int = 1

    @classmethod
    def of(cls, config: FacilityConfig) -> FacilityChoice:
        """As the file has it, looked at a few times."""
        return cls(tuple(one.capacity for one in config.resources), config.months, seed=config.seed)


@dataclass(frozen=True, slots=True, eq=False)
class FacilityShown:
    """What the panel shows."""

    plan: FacilityPlan
    """As the file has it."""
    change: WhatIf | None
    """As it was changed; None while nothing is."""


def load_facility(facility: FacilityConfig | str | Path | None) -> FacilityConfig:
    """A facility, the one in a file, or the example.

    Raises:
        ConfigError: the file cannot be read or is refused.
    """
    if facility is None:
        return FacilityConfig.shipped()
    return facility if isinstance(facility, FacilityConfig) else FacilityConfig.from_yaml(facility)


def look(config: FacilityConfig, choice: FacilityChoice) -> FacilityShown:
    """The facility as chosen.

    Raises:
        ConfigError: a bank's file, or a number, is refused.
        InputError: a capacity cannot be.
    """
    settings = {"months": choice.months, "replications": choice.replications, "seed": choice.seed}
    plan = _planned(config.with_settings(settings))
    changed = [
        f"{one.name}={capacity}"
        for one, capacity in zip(config.resources, choice.capacities, strict=True)
        if one.capacity != capacity
    ]
    return FacilityShown(plan, _changed(plan, ", ".join(changed)) if changed else None)


@lru_cache(maxsize=4)
def _planned(config: FacilityConfig) -> FacilityPlan:
    return plan_facility(config)


@lru_cache(maxsize=8)
def _changed(plan: FacilityPlan, change: str) -> WhatIf:
    return what_if(plan, change)
