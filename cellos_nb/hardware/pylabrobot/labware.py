"""PyLabRobot's labware definitions, by name."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from cellos_nb.errors import ConfigError, MachineRefusedError


def need_pylabrobot() -> None:
    """Makes sure that PyLabRobot is there.

    Raises:
        ConfigError: it is not; says what to install.
    """
    try:
        import pylabrobot  # noqa: F401 — to know that it is there
    except ImportError as error:
        raise ConfigError(
            "These instruments are driven by PyLabRobot. Run `pip install 'cellos-nb[instruments]'`."
        ) from error


def make(definition: str, name: str) -> Any:
    """A resource from its definition.

    Raises:
        ConfigError: PyLabRobot has no such definition.
    """
    need_pylabrobot()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of definitions that were renamed
        from pylabrobot import resources

        factory = getattr(resources, definition, None)
        if not callable(factory):
            raise ConfigError(
                f"{definition!r}: PyLabRobot defines no such labware. Look it up in its resource library."
            )
        return factory(name=name)


@cache
def n_wells_of(definition: str) -> int:
    """How many wells a plate has, by its definition.

    Raises:
        ConfigError: PyLabRobot has no such definition, or it is no plate.
    """
    made = make(definition, "plate")
    if not hasattr(made, "num_items"):
        raise ConfigError(f"{definition!r}: is no plate or rack. Name one with wells.")
    return int(made.num_items)


def trough_for(definitions: tuple[str, ...], n_used: int, volume_ul: float) -> str | None:
    """The first trough, a single row of wells, with enough of them for the tubes of a rack, each large enough.

    Args:
        definitions: as the machine file names them.
        n_used: positions of the rack that are used, counted from its first.
        volume_ul: what the fullest of them holds.
    """
    for definition in definitions:
        made = make(definition, "trough")
        is_row = 1 in {getattr(made, "num_items_x", 0), getattr(made, "num_items_y", 0)}
        if is_row and made.num_items >= n_used and float(made.get_item(0).max_volume) >= volume_ul:
            return definition
    return None


def chosen(definitions: tuple[str, ...], n_wells: int, what: str) -> str:
    """The definition with so many wells.

    Raises:
        MachineRefusedError: there is none.
    """
    for definition in definitions:
        if n_wells_of(definition) == n_wells:
            return definition
    there = ", ".join(definitions) or "none at all"
    raise MachineRefusedError(
        f"{what}: needs labware of {n_wells} wells, but the machine file names {there}. Add a definition to `labware`."
    )
