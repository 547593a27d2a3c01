"""Which campaigns can be compared: those that ask the same."""

from __future__ import annotations

from collections.abc import Mapping

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import InputError


def check_same_question(configs: Mapping[str, CampaignConfig]) -> None:
    """Refuses campaigns, by name, whose scores do not mean the same.

    Raises:
        InputError: one has another goal, assay or target line than the first; names the campaign.
    """
    (first, ours), *others = configs.items()
    for name, theirs in others:
        for what, one, other in (
            ("goal", ours.objective.goal, theirs.objective.goal),
            ("assay", ours.assay.name, theirs.assay.name),
            ("target line", _target(ours), _target(theirs)),
        ):
            if one != other:
                raise InputError(
                    f"{name}: its {what} is {other}, that of {first} is {one}; "
                    "their scores do not mean the same. Compare campaigns with one question."
                )


def _target(config: CampaignConfig) -> str:
    return config.target_line if config.objective.goal == "selectivity" else "any"
