"""The shipped campaigns on a real screen: what `cellos demo` runs, and what a template shows by itself."""

from __future__ import annotations

import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import InputError
from cellos_nb.lab import Lab
from cellos_nb.records.folder import RecordedCampaign
from cellos_nb.records.record import recorded_campaign

QUESTIONS = ("selectivity", "potency")


def example_config(question: str = "selectivity", **changes: object) -> CampaignConfig:
    """A shipped campaign: `selectivity` (kills the first line, spares the others) or `potency` (lowest viability).

    Raises:
        InputError: there is no such campaign.
        ConfigError: a change is refused.
    """
    if question not in QUESTIONS:
        raise InputError(f"{question}: there is no such example; possible: {', '.join(QUESTIONS)}.")
    with as_file(files("cellos_nb.records") / "demo" / f"{question}.yaml") as path:
        config = CampaignConfig.from_yaml(path)
    return CampaignConfig.from_dict({**config.to_dict(), **changes}) if changes else config


def example_record() -> RecordedCampaign:
    """A small campaign, run now in a folder that is removed again."""
    config = example_config(max_iterations=3)
    with tempfile.TemporaryDirectory() as folder, Lab.open(Path(folder) / "lab.db") as lab:
        return recorded_campaign(lab, lab.run(config).campaign_id)
