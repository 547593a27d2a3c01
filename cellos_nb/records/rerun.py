"""A recorded campaign run again, from its record alone, and compared with it digest by digest."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cellos_nb.campaign import Campaign
from cellos_nb.domain import codec
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.errors import InputError
from cellos_nb.execution.events import ignore
from cellos_nb.execution.lease import dispatcher
from cellos_nb.lab import Lab
from cellos_nb.loop import Ending, Loop, next_batch, run_iteration
from cellos_nb.planner.registry import make_planner
from cellos_nb.records.evidence import STATES, WORKFLOWS, model_states, short_name
from cellos_nb.records.exports import csv_text
from cellos_nb.records.folder import HISTORY, RESULTS, Lap, RecordedCampaign, read_record
from cellos_nb.records.manifest import verify_record
from cellos_nb.records.record import versions
from cellos_nb.store import steering
from cellos_nb.store.campaigns import add_campaign


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing that the record and the rerun both have, or should."""

    what: str
    """The file of the record that it stands in."""
    recorded: str | None
    """SHA-256; None when the record has none."""
    rerun: str | None
    """SHA-256; None when the rerun has none."""
    detail: str = ""
    """Where the two part, for a person; empty when they are equal."""

    @property
    def is_equal(self) -> bool:
        """Whether every byte is the same."""
        return self.recorded == self.rerun


@dataclass(frozen=True, slots=True)
class Rerun:
    """What came of running a recorded campaign again."""

    campaign_id: str
    n_iterations: int
    """That were run, superseded ones among them."""
    compared: tuple[Compared, ...]
    """History, workflows, model states."""
    other_versions: tuple[str, ...]
    """Packages of which this machine has another version than the record names, in words."""

    @property
    def is_equal(self) -> bool:
        """Whether everything came out as recorded."""
        return all(each.is_equal for each in self.compared)


def rerun_record(folder: str | Path, keep: str | Path | None = None) -> Rerun:
    """Runs a recorded campaign again, iteration by iteration, in a new database, and compares.

    What people did to the campaign is done again: iterations that they rolled back are run and rolled back, a fork
    begins with the inherited results of the record, and no more iterations are run than were recorded.

    Args:
        folder: the record; every byte must be as it was written.
        keep: a database file that does not exist yet, to look at what was run; removed again when None.

    Raises:
        InputError: the record was altered, was made on a real machine or by an earlier release, or `keep` exists.
        ConfigError: the machine or planner that it names is not installed.
    """
    folder = Path(folder)
    recorded = _checked(folder)
    if keep is not None and Path(keep).exists():
        raise InputError(f"{keep}: exists already. Name a database that does not, so that nothing is mixed with it.")
    with tempfile.TemporaryDirectory(prefix="cellos-rerun-") as place, Lab.open(keep or Path(place) / "lab.db") as lab:
        _check_machine(lab, recorded)
        campaign_id = _begin(lab, folder, recorded)
        ending = _repeat(lab, campaign_id, recorded.run.laps)
        campaign = lab.campaign(campaign_id)
        compared = (
            _history(folder, campaign, ending),
            *_workflows(folder, campaign, recorded.run.campaign_id),
            _states(folder, campaign),
        )
    here = versions()
    other = (
        f"{name} {here.get(name, 'is missing')} here, {was} in the record"
        for name, was in recorded.run.versions.items()
        if here.get(name) != was
    )
    return Rerun(recorded.run.campaign_id, len(_to_run(recorded.run.laps)), compared, tuple(other))


def _checked(folder: Path) -> RecordedCampaign:
    """The record, when it is whole and can be run again."""
    found = verify_record(folder).differences
    if found:
        named = ", ".join(f"{each.path} ({each.problem})" for each in found[:5])
        raise InputError(
            f"{folder}: is not as it was written: {named}{', …' if len(found) > 5 else ''}. "
            "Restore it from a copy; `cellos record verify` names every file."
        )
    recorded = read_record(folder)
    run = recorded.run
    if recorded.config.is_imported:
        raise InputError(
            f"{folder}: holds results that were measured elsewhere and imported; there is nothing to run again. "
            "`cellos record verify` checks that they are as they were."
        )
    if run.is_simulated is False:
        raise InputError(
            f"{folder}: {run.machine} is a real machine, whose plates cannot be made again by a command. Run the "
            "campaign anew with `cellos run campaign.yaml`, and compare the two records."
        )
    if run.is_simulated is None or not _to_run(run.laps):
        why = "has no iteration to run again" if run.is_simulated else "was written by an earlier release"
        raise InputError(f"{folder}: {why}. Write it again with `cellos record {run.campaign_id}`.")
    return recorded


def _check_machine(lab: Lab, recorded: RecordedCampaign) -> None:
    """Refuses a configuration that names another machine than the one that the campaign ran on."""
    here, run = lab.describe_machine(recorded.config), recorded.run
    if (here.machine, here.data_source) != (run.machine, run.data_source):
        raise InputError(
            f"machine: the campaign ran on {run.machine} ({run.data_source or 'no source'}), but its configuration "
            f"gives {here.machine} ({here.data_source or 'no source'}) here. Such a machine was given to the lab from "
            "Python, or this release's is another; run the campaign again from Python with that machine."
        )


def _begin(lab: Lab, folder: Path, recorded: RecordedCampaign) -> str:
    """Stores the campaign, under its own identifier where that can be, and for a fork what it inherited."""
    run = recorded.run
    config = _named(recorded.config, run.campaign_id)
    if not run.parent:
        return lab.store.add_campaign(config)
    try:
        everything = codec.from_json(History, (folder / RESULTS).read_bytes())
    except ValidationError as error:
        raise InputError(f"{folder / RESULTS}: cannot be read as results: {error.errors()[0]['msg']}.") from error
    inherited = [result for result in everything if result.iteration <= run.inherited_until]
    with lab.store.write() as tx:
        parent = add_campaign(tx, _named(config, run.parent.rpartition(" at iteration ")[0]))
        for iteration in sorted({result.iteration for result in inherited}):
            results = [result for result in inherited if result.iteration == iteration]
            lab.store.add_iteration(parent, iteration, [result.proposal for result in results])
            lab.store.add_results(parent, iteration, results)
        return steering.fork(tx, parent, run.inherited_until, config)


def _named(config: CampaignConfig, name: str) -> CampaignConfig:
    return CampaignConfig.from_dict(config.to_dict() | {"name": name})


def _to_run(laps: tuple[Lap, ...]) -> tuple[Lap, ...]:
    """The iterations whose results are on record; one that was begun and superseded gave later ones their numbers."""
    return tuple(lap for lap in laps if lap.is_concluded or lap.superseded_since is not None)


def _repeat(lab: Lab, campaign_id: str, laps: tuple[Lap, ...]) -> str:
    """Runs the iterations, going back where people went back; returns why it ended early, or nothing."""
    config = lab.campaign(campaign_id).config
    planner = make_planner(config.planner)
    for lap in _to_run(laps):
        _go_back(lab, campaign_id, laps, before=lap.iteration)
        with lab.store.write() as tx:
            steering.begin(tx, campaign_id)
        with dispatcher(lab.store):
            loop = Loop(lab.store, lab.machine_for(config.machine, config.seed), planner, ignore)
            batch = next_batch(loop, campaign_id)
            if isinstance(batch, Ending):
                return f"the rerun ended before iteration {lap.iteration}: {batch.reason}"
            run_iteration(loop, batch)
    _go_back(lab, campaign_id, laps, before=None)
    return ""


def _go_back(lab: Lab, campaign_id: str, laps: tuple[Lap, ...], *, before: int | None) -> None:
    """Rolls back what the recorded iteration `before` no longer saw; None: what counts no more at the end."""
    campaign = lab.campaign(campaign_id)
    recorded = {lap.iteration: lap.superseded_since for lap in laps}
    now = [lap.iteration for lap in campaign.iterations() if lap.superseded is None]
    gone = [n for n in now if (since := recorded[n]) is not None and (before is None or since <= before)]
    if gone:
        stays = [n for n in now if n < min(gone)]
        with lab.store.write() as tx:
            steering.begin(tx, campaign_id)
        campaign.pause("rolled back in the record")
        campaign.rollback(max(stays, default=lab.store.standing(campaign_id).parent_iteration), "as in the record")


def _history(folder: Path, campaign: Campaign, ending: str) -> Compared:
    before, now = (folder / HISTORY).read_bytes(), csv_text(campaign.results).encode()
    detail = ending or _first_difference(before.decode(), now.decode())
    return Compared(HISTORY, _sha256(before), _sha256(now), detail)


def _first_difference(before: str, now: str) -> str:
    """The first row and column that differ, in words; empty when none does."""
    columns = before.partition("\n")[0].split(",")
    for number, (old, new) in enumerate(zip_longest(before.splitlines(), now.splitlines()), start=1):
        if old == new:
            continue
        if old is None or new is None:
            return f"line {number} is only in the {'rerun' if old is None else 'record'}"
        pairs = zip_longest(columns, old.split(","), new.split(","), fillvalue="")
        where = next(((name, a, b) for name, a, b in pairs if a != b), ("", old, new))
        return f"line {number}, {where[0]}: {where[1] or 'empty'} in the record, {where[2] or 'empty'} in the rerun"
    return ""


def _workflows(folder: Path, campaign: Campaign, recorded_id: str) -> Iterator[Compared]:
    """Plate by plate; a plate's full name begins with its campaign's, which may have been free for another number."""
    before = {path.stem: path.read_bytes() for path in (folder / WORKFLOWS).glob("*.json")}
    now: dict[str, bytes] = {}
    for workflow in campaign.workflows():
        text = workflow.canonical_json()
        if campaign.campaign_id != recorded_id:
            text = text.replace(f'"{campaign.campaign_id}/', f'"{recorded_id}/')
        now[short_name(workflow.plate_id)] = text.encode()
    for name in sorted(before.keys() | now.keys()):
        old, new = (_sha256(side[name]) if name in side else None for side in (before, now))
        detail = "" if old == new else "another layout, dose or transfer"
        yield Compared(f"{WORKFLOWS}/{name}.json", old, new, detail)


def _states(folder: Path, campaign: Campaign) -> Compared:
    """What the planner knew; whether stored results were altered later is no part of it."""
    before, now = json.loads((folder / STATES).read_bytes()), model_states(campaign)
    for state in (*before, *now):
        state.pop("is_consistent", None)
    pairs = zip_longest(before, now)
    detail = next((_which_state(old, new) for old, new in pairs if old != new), "")
    return Compared(STATES, _sha256(_text(before)), _sha256(_text(now)), detail)


def _which_state(old: dict[str, Any] | None, new: dict[str, Any] | None) -> str:
    iteration = (old or new or {}).get("iteration")
    keys = [key for key in (old or {}) if new is None or new.get(key) != (old or {})[key]]
    return f"iteration {iteration}: {', '.join(keys) or 'only in the rerun'}"


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
