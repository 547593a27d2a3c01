"""A file of earlier results as a finished campaign of the database: whole or not at all, and once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from cellos_nb.domain.audit import Act
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.operations.history.experiments import Experiment, config_of, experiments_of, results_of
from cellos_nb.operations.history.mapping import HistoryMapping
from cellos_nb.operations.history.rows import measured_wells
from cellos_nb.spreadsheet import Table, read_table
from cellos_nb.store.audit import Wanted, entries, note
from cellos_nb.store.campaigns import add_batch, add_campaign, free_campaign_id, set_status
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.results import add_results
from cellos_nb.store.store import Store, campaign_batch_id


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """A file that was understood and checked, and is stored nowhere yet."""

    table: Table
    mapping: HistoryMapping
    experiments: tuple[Experiment, ...]
    config: CampaignConfig

    @property
    def n_wells(self) -> int:
        """Treated wells."""
        return sum(len(each.wells) for each in self.experiments)

    @property
    def source(self) -> str:
        """Where the results are from, in words: the file, its sheet, its SHA-256, and that of the mapping."""
        sheet = "" if self.table.sheet is None else f", sheet {self.table.sheet}"
        return (
            f"imported from {self.table.path.name}{sheet} (SHA-256 {self.table.sha256}), "
            f"mapping {self.mapping.sha256[:12]}"
        )

    def history(self, campaign_id: str) -> History:
        """The results as the campaign of that identifier has them."""
        return History(tuple(results_of(self.experiments, self.mapping.assay, campaign_id)))


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import."""

    campaign_id: str
    is_new: bool
    """False when the same file was imported with the same mapping before; nothing was stored then."""
    n_experiments: int
    n_wells: int


def read_history(path: str | Path, mapping: HistoryMapping, sheet: str | None = None) -> ReadHistory:
    """Reads and checks a file of earlier results; `sheet` goes before the mapping's.

    Raises:
        InputError: names every column or line that cannot be, with what is wrong and what is possible.
    """
    return understand(read_table(path, sheet if sheet is not None else mapping.sheet), mapping)


def understand(table: Table, mapping: HistoryMapping) -> ReadHistory:
    """Checks a table that was read; its sheet goes before the mapping's.

    Raises:
        InputError: as `read_history`.
    """
    # The sheet that was read is part of what makes two imports equal.
    mapping = mapping.model_copy(update={"sheet": table.sheet})
    experiments = experiments_of(measured_wells(table, mapping))
    return ReadHistory(table, mapping, experiments, config_of(experiments, mapping))


def import_history(store: Store, read: ReadHistory, *, by: str) -> Imported:
    """Stores what was read as a finished campaign; the same file with the same mapping is stored once.

    The file's name and SHA-256 and the mapping stand in the audit log, in the entry of the import.

    Args:
        store: the database.
        read: what `read_history` gave.
        by: the person who imports.
    """
    with store.write(durable=True) as tx:
        there = _imported_before(tx, read)
        if there is not None:
            return Imported(there, is_new=False, n_experiments=len(read.experiments), n_wells=read.n_wells)
        campaign_id = add_campaign(tx, read.config)
        _add_results(tx, campaign_id, read.history(campaign_id).results)
        set_status(tx, campaign_id, CampaignStatus.FINISHED, read.source)
        facts = {
            **_identity(read),
            "file": read.table.path.name,
            "sheet": read.table.sheet,
            "mapping": read.mapping.model_dump(mode="json"),
            "experiments": len(read.experiments),
            "wells": read.n_wells,
        }
        note(tx, Act.HISTORY_IMPORTED, campaign_id, who=by, facts=facts)
    return Imported(campaign_id, is_new=True, n_experiments=len(read.experiments), n_wells=read.n_wells)


def foretold_id(store: Store, read: ReadHistory) -> tuple[str, bool]:
    """The identifier that an import would have, and whether it would be new; nothing is stored."""
    with store.read() as tx:
        there = _imported_before(tx, read)
        return (free_campaign_id(tx, read.config.name), True) if there is None else (there, False)


def _add_results(tx: Connection, campaign_id: str, concluded: Sequence[ExperimentResult]) -> None:
    laps: dict[int, list[ExperimentResult]] = defaultdict(list)
    for result in concluded:
        laps[result.iteration].append(result)
    for iteration, results in laps.items():
        batch_id = campaign_batch_id(campaign_id, iteration)
        add_batch(tx, batch_id, campaign_id, iteration, [result.proposal for result in results])
        add_results(tx, batch_id, results)


def _imported_before(tx: Connection, read: ReadHistory) -> str | None:
    """The campaign that holds the same file under the same mapping; None when there is none."""
    wanted = _identity(read).items()
    for entry in entries(tx, Wanted(kind=Act.HISTORY_IMPORTED)):
        if wanted <= _plain(json.loads(entry.payload)).items():
            return entry.subject
    return None


def _identity(read: ReadHistory) -> dict[str, str]:
    return {"file_sha256": read.table.sha256, "mapping_sha256": read.mapping.sha256}


def _plain(payload: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in payload.items() if isinstance(value, str)}
