"""The settings of a campaign that begins with the results of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ConfigError

_MEANING = {
    "assay": "another assay measures something else",
    "machine": "another machine's results cannot be told from a change of the biology",
}
"""Settings that inherited results rest on, and why none of them may change."""


def forked_config(parent: CampaignConfig, changes: Mapping[str, Any]) -> CampaignConfig:
    """The parent's settings with changes; a key with dots names what stands inside, as in `planner.acquisition`.

    Raises:
        ConfigError: a key or value is impossible, or would make the inherited results meaningless.
    """
    values = parent.to_dict()
    for key, value in changes.items():
        _put(values, key, value)
    config = CampaignConfig.from_dict(values)
    for key, why in _MEANING.items():
        if getattr(config, key) != getattr(parent, key):
            raise ConfigError(
                f"{key}: cannot change in a fork, because {why}; the inherited results would be meaningless. "
                "Run a new campaign instead."
            )
    for key, before, after in (
        ("cell_lines", parent.cell_lines, config.cell_lines),
        ("compounds", parent.compound_names, config.compound_names),
    ):
        missing = [name for name in before if name not in after]
        if missing:
            raise ConfigError(
                f"{key}: {', '.join(missing)} cannot be left out of a fork, which inherits results of it; "
                "add others, or run a new campaign."
            )
    return config


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets what a dotted key names; the last part need not be there, so that the configuration itself refuses it."""
    *outer, last = key.split(".")
    inside: Any = values
    for depth, part in enumerate(outer, start=1):
        inside = inside.get(part)
        if not isinstance(inside, dict):
            raise ConfigError(f"{key}: {'.'.join(outer[:depth])} holds no settings of its own; give it as a whole.")
    inside[last] = value
