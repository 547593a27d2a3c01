"""A record as a folder of files: what is read back needs no database and no machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import COLUMNS, History
from cellos_nb.domain.summary import CampaignSummary, summarise
from cellos_nb.errors import InputError
from cellos_nb.records.exports import csv_text, text_columns

# What `exports.csv_text` does to cells that a spreadsheet would run.
_ESCAPED_FORMULA = r"^'([=+\-@\t\r])"
CONFIG, HISTORY, RUN, MANIFEST = "campaign.yaml", "history.csv", "run.json", "manifest.json"
RESULTS = "results.json"
"""Every result whole, wall-clock times and superseded iterations as well."""
INPUTS = "inputs"
"""Folder of the files that a simulated machine answered from."""


@dataclass(frozen=True)
class Lap:
    """One own iteration of a recorded campaign, whether it counts or not."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    iteration: int
    is_concluded: bool
    superseded_since: int | None = None
    """The first iteration that no longer saw it; None when it counts."""


@dataclass(frozen=True)
class RunFacts:
    """What a record says of the run beside its configuration and its results."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    campaign_id: str
    status: str
    stop_reason: str
    duration_s: float
    machine: str
    data_source: str
    """Citation of the measurements or parameters that a simulated machine answered from; empty for a real one."""
    seed: int
    versions: dict[str, str]
    """Of Python and of the packages that shape the numbers."""
    spent_usd: float | None = None
    """By the campaign itself, superseded iterations included; None: what the history cost."""
    parent: str = ""
    """The campaign and iteration that it was forked from; the history begins with the parent's results."""
    inherited_until: int = 0
    """The last iteration that is the parent's."""
    superseded: tuple[str, ...] = ()
    """The iterations that no longer count: number, who, when, why."""
    overruled: tuple[str, ...] = ()
    """Quarantined plates that a person let count: who, when, why; and who took it back."""
    is_simulated: bool | None = None
    """Whether the machine touched nothing real; None in records of the first form."""
    laps: tuple[Lap, ...] = ()
    """The campaign's own iterations in order, superseded ones among them; empty in records of the first form."""


@dataclass(frozen=True)
class RecordedCampaign:
    """A campaign as its record holds it."""

    config: CampaignConfig
    history: History
    run: RunFacts

    @property
    def summary(self) -> CampaignSummary:
        """The campaign in a few numbers."""
        return summarise(
            self.run.campaign_id,
            self.config,
            self.history,
            status=self.run.status,
            stop_reason=self.run.stop_reason,
            duration_s=self.run.duration_s,
            spent_usd=self.run.spent_usd,
            parent=self.run.parent,
            superseded=self.run.superseded,
            overruled=self.run.overruled,
        )


def read_csv(path: Path) -> History:
    """The history in a `history.csv`.

    Raises:
        InputError: the file is missing or is no history.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
        # pandas' own float parser may be off by one in the last digit; Python's is exact.
        for column in frame.columns.intersection([name for name, kind in COLUMNS.items() if kind == "float64"]):
            frame[column] = frame[column].map(float, na_action="ignore")
        frame = frame.astype({name: kind for name, kind in COLUMNS.items() if name in frame.columns})
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a history: {error}.") from error
    for column in text_columns():
        frame[column] = frame[column].str.replace(_ESCAPED_FORMULA, r"\1", regex=True)
    return History.from_frame(frame)


def write_sources(campaign: RecordedCampaign, folder: Path) -> None:
    """Writes the three files that everything else in a record is made from, and what the configuration refers to."""
    config = _with_inputs(campaign.config, folder)
    (folder / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
    (folder / HISTORY).write_text(csv_text(campaign.history), encoding="utf-8", newline="")
    write_json(asdict(campaign.run), folder / RUN)


def _with_inputs(config: CampaignConfig, folder: Path) -> CampaignConfig:
    """Copies the files that a simulated machine answered from into a record, and names the copies."""
    copied = {}
    for key in ("screen", "parameters"):
        named = getattr(config.machine, key)
        if named is not None:
            (folder / INPUTS).mkdir(exist_ok=True)
            copied[key] = f"{INPUTS}/{key}{Path(named).suffix}"
            shutil.copyfile(named, folder / copied[key])
    return config.model_copy(update={"machine": config.machine.model_copy(update=copied)}) if copied else config


def read_record(folder: str | Path) -> RecordedCampaign:
    """The campaign in a record's folder.

    Raises:
        InputError: the folder is no record, or a file of it cannot be read.
    """
    folder = Path(folder)
    missing = [name for name in (CONFIG, HISTORY, RUN) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: is no record of a campaign; {', '.join(missing)} is missing.")
    try:
        run = TypeAdapter(RunFacts).validate_json((folder / RUN).read_bytes())
    except ValidationError as error:
        raise InputError(f"{folder / RUN}: is damaged: {error.errors()[0]['msg']}.") from error
    return RecordedCampaign(CampaignConfig.from_yaml(folder / CONFIG), read_csv(folder / HISTORY), run)


def write_json(value: Any, path: Path) -> None:
    """Writes indented JSON with sorted keys and a closing newline."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
