"""Planners by kind: those built in, and those that plug-ins bring under the entry point group `cellos_nb.planners`."""

from __future__ import annotations

from importlib.metadata import entry_points

from cellos_nb.domain.settings import PlannerSettings
from cellos_nb.errors import ConfigError
from cellos_nb.planner.interface import Planner
from cellos_nb.planner.mechanistic import MechanisticPlanner
from cellos_nb.planner.plate_design import PlateDesignPlanner
from cellos_nb.planner.uninformed import RandomPlanner, SpaceFillingPlanner

ENTRY_POINT_GROUP = "cellos_nb.planners"
"""An entry of this group is a callable that takes `PlannerSettings` and returns a `Planner`."""

BUILT_IN = ("mechanistic", "plate_design", "random", "space_filling")


def kinds() -> tuple[str, ...]:
    """All kinds that `make_planner` knows: the built-in ones, then those of plug-ins."""
    plugins = sorted(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))
    return tuple(dict.fromkeys((*BUILT_IN, *plugins)))


def make_planner(settings: PlannerSettings) -> Planner:
    """The planner that a configuration names.

    Raises:
        ConfigError: there is no such kind, or the plug-in that brings it cannot be loaded.
    """
    if settings.kind == "mechanistic":
        return MechanisticPlanner(settings)
    if settings.kind == "plate_design":
        return PlateDesignPlanner(settings)
    if settings.kind == "random":
        return RandomPlanner()
    if settings.kind == "space_filling":
        return SpaceFillingPlanner()
    plugins = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if settings.kind not in plugins:
        raise ConfigError(f"planner.kind: there is no planner {settings.kind!r}; possible: {', '.join(kinds())}.")
    try:
        factory = plugins[settings.kind].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"planner.kind: the plug-in that brings {settings.kind!r} cannot be loaded ({error}); "
            "reinstall it or choose another planner."
        ) from error
    planner: Planner = factory(settings)
    return planner
