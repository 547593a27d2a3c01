"""The shipped campaigns on a real screen: what `cellos demo` runs, and what a template shows by itself."""

from __future__ import annotations

import atexit
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import InputError
from cellos_nb.lab import Lab
from cellos_nb.records.evidence import write_evidence
from cellos_nb.records.folder import RecordedCampaign, write_sources
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


def example_sources() -> Path:
    """The files of a small campaign's record, all but notebook and page; run now, removed when this process ends."""
    return _sources(example_config(max_iterations=3))


def example_plates() -> Path:
    """The same of a campaign on simulated cells, whose plates have controls that vary."""
    config = CampaignConfig(
        name="simulated plates",
        cell_lines=["A549", "HepG2"],
        compounds=["staurosporine", "doxorubicin", "paclitaxel"],
        dose_range_um=[0.01, 10],
        n_doses=6,
        batch_size=12,
        max_iterations=2,
        replicates=3,
        controls={"vehicle": 8, "positive": {"compound": "staurosporine", "dose_um": 10, "wells": 6}},
        machine="biology",
        planner="space_filling",
        seed=3,
    )
    return _sources(config)


def example_rivals() -> tuple[RecordedCampaign, ...]:
    """One question asked by a model and by chance, on the shipped screen; run now."""
    with tempfile.TemporaryDirectory() as folder, Lab.open(Path(folder) / "lab.db") as lab:
        ran = [
            lab.run(example_config("potency", name=f"asked by {how}", planner=kind, max_iterations=4))
            for how, kind in (("the model", "mechanistic"), ("chance", "random"))
        ]
        return tuple(recorded_campaign(lab, campaign.campaign_id) for campaign in ran)


def _sources(config: CampaignConfig) -> Path:
    """Runs a campaign and writes what a record is made from."""
    place = tempfile.TemporaryDirectory(prefix="cellos-example-")
    atexit.register(place.cleanup)
    folder = Path(place.name) / "record"
    folder.mkdir()
    with Lab.open(Path(place.name) / "lab.db") as lab:
        campaign = lab.run(config)
        write_sources(recorded_campaign(lab, campaign.campaign_id), folder)
        write_evidence(lab, campaign.campaign_id, folder)
    return folder
