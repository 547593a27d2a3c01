"""Store: what every other room sees of the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Connection

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.model_state import ModelState
from cellos_nb.domain.overruling import Overruling
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.store import campaigns, iterations, model_states, overrulings, results
from cellos_nb.store.database import BUSY_TIMEOUT_S, Database
from cellos_nb.store.migrate import REVISIONS, bring_up_to_date, no_database
from cellos_nb.store.records import CampaignRecord, CampaignStatus, IterationRecord, Standing


class Store:
    """One open database. Every change is stored whole or not at all; threads may share it.

    Raises:
        StoreError: from every method; one line that says what to do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._on_close: list[Callable[[], None]] = []

    @classmethod
    def open(cls, url_or_path: str | Path, *, create: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Opens a database, creating it or bringing it up to date as needed.

        Args:
            url_or_path: `lab.db`, `sqlite:///lab.db` or `postgresql+psycopg://user@host/lab`.
            create: whether a database that does not exist is created; on a server, whether an empty one is filled.
            busy_timeout_s: how long to wait for another process's transaction.

        Raises:
            StoreVersionError: a newer release wrote it.
            StoreCorruptError: it is damaged or no database of this software.
            StoreWriteError: full disk, read-only folder, or locked for too long.
            StoreError: the server cannot be reached; the message never holds the password.
        """
        database = Database(url_or_path, busy_timeout_s=busy_timeout_s)
        # Asked before the first connection, which would make the file.
        if not create and database.address.path is not None and not database.address.path.exists():
            raise no_database(database)
        try:
            bring_up_to_date(database, may_create=create)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the database; may be called twice."""
        try:
            while self._on_close:
                self._on_close.pop()()
        finally:
            self._database.close()

    def on_close(self, call: Callable[[], None]) -> None:
        """Has something done before the database is closed, while it can still be written."""
        self._on_close.append(call)

    @property
    def path(self) -> Path | None:
        """The file; None when a server keeps the database."""
        return self._database.address.path

    @property
    def folder(self) -> Path:
        """Where files that go with the database lie: beside the file, or the working folder for a server's."""
        return Path() if self.path is None else self.path.parent

    @property
    def where(self) -> str:
        """The file, or the URL without password: for messages."""
        return self._database.address.where

    @property
    def identity(self) -> str:
        """A name for this database that no other one beside it has, fit for a folder."""
        return self._database.identity()

    @property
    def description(self) -> str:
        """What it is, for a person: file or URL without password, engine and form."""
        return f"{self.where} ({self._database.version}, form {REVISIONS[-1]})"

    def now(self, tx: Connection) -> datetime:
        """The clock that all processes on this database share, UTC: the server's, or this machine's for a file."""
        return self._database.now(tx)

    def stamp(self) -> str:
        """Differs from the last answer if anyone has committed a change since; costs next to nothing."""
        return self._database.stamp()

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for reading one consistent state; inside `write`, that transaction's own."""
        return self._database.read()

    def one_state(self) -> AbstractContextManager[None]:
        """For the block, everything that this thread reads is of one state, and costs no connection of its own."""
        return self._database.one_state()

    def write(self, *, durable: bool = False) -> AbstractContextManager[Connection]:
        """A transaction; nested ones join it. `durable`: return only when the disk has it."""
        return self._database.write(durable=durable)

    def add_campaign(self, config: CampaignConfig) -> str:
        """Stores a campaign as running and returns its identifier: its name as `a-name`, or `a-name-2` when taken."""
        with self.write() as tx:
            return campaigns.add_campaign(tx, config)

    def campaign(self, campaign_id: str) -> CampaignRecord:
        """One campaign.

        Raises:
            CampaignError: there is none with that identifier; names those there are.
        """
        with self.read() as tx:
            return campaigns.campaign_records(tx, campaign_id)[0]

    def campaigns(self) -> tuple[CampaignRecord, ...]:
        """All campaigns in the order in which they were begun."""
        with self.read() as tx:
            return campaigns.campaign_records(tx)

    def campaign_ids(self) -> tuple[str, ...]:
        """The identifiers of all campaigns in the order in which they were begun."""
        with self.read() as tx:
            return campaigns.campaign_ids(tx)

    def set_campaign_status(self, campaign_id: str, status: CampaignStatus | str, reason: str | None = None) -> None:
        """Notes where a campaign stands and why.

        Raises:
            CampaignError: there is none with that identifier.
            ValueError: there is no such status.
        """
        with self.write() as tx:
            campaigns.set_status(tx, campaign_id, CampaignStatus(status), reason)

    def standing(self, campaign_id: str) -> Standing:
        """What must be known of a campaign before each iteration, at the same cost after a thousand of them.

        Raises:
            CampaignError: there is none with that identifier.
        """
        with self.read() as tx:
            return iterations.standing(tx, campaign_id)

    def begun_iteration(self, campaign_id: str) -> IterationRecord | None:
        """The iteration of a campaign that was proposed and not concluded; None when there is none."""
        with self.read() as tx:
            return iterations.begun_iteration(tx, campaign_id)

    def spent_usd(self, campaign_id: str) -> float:
        """What a campaign's own iterations cost so far, superseded ones as well."""
        with self.read() as tx:
            return iterations.spent_usd(tx, campaign_id)

    def model_states(self, campaign_id: str, iteration: int | None = None) -> tuple[ModelState, ...]:
        """What the planner knew before each of a campaign's own iterations, in order; or before one.

        Raises:
            StoreCorruptError: a state cannot be read.
        """
        with self.read() as tx:
            return model_states.states(tx, campaign_id, iteration)

    def add_iteration(
        self,
        campaign_id: str,
        iteration: int,
        proposals: Sequence[ExperimentProposal],
        begun_at: datetime | None = None,
        state: ModelState | None = None,
    ) -> None:
        """Stores what one iteration asks for, before anything is done about it. The same again changes nothing.

        `begun_at` is when its planning began, now when left out; `state` is what the planner knew.

        Raises:
            CampaignError: no such campaign, or the iteration was stored with other proposals.
            ProposalError: a proposal has no identifier, or one that was used before.
        """
        with self.write() as tx:
            batch_id = campaign_batch_id(campaign_id, iteration)
            campaigns.add_batch(tx, batch_id, campaign_id, iteration, proposals, begun_at=begun_at)
            if state is not None:
                model_states.add_state(tx, batch_id, state)

    def overrulings(self, campaign_id: str) -> tuple[Overruling, ...]:
        """Quarantined plates of a campaign that a person let count, withdrawn decisions among them, in order."""
        with self.read() as tx:
            return overrulings.overruling_records(tx, campaign_id)

    def iterations(
        self, campaign_id: str, *, has_proposals: bool = True, after: int = 0
    ) -> tuple[IterationRecord, ...]:
        """A campaign's own iterations, superseded ones among them, in order; without what they asked for, quickly.

        Args:
            campaign_id: the campaign.
            has_proposals: with what each asked for.
            after: only those after that number.

        Raises:
            CampaignError: there is none with that identifier.
        """
        with self.read() as tx:
            return iterations.iteration_records(tx, campaign_id, has_proposals=has_proposals, after=after)

    def add_results(self, campaign_id: str, iteration: int, concluded: Sequence[ExperimentResult]) -> None:
        """Stores results and, in the same transaction, whether the iteration is concluded.

        A result that is there already stays as it is.

        Raises:
            CampaignError: no such iteration, or a result that answers none of its proposals.
        """
        with self.write() as tx:
            results.add_results(tx, campaign_batch_id(campaign_id, iteration), concluded)

    def history(
        self, campaign_id: str, *, seen_by: int | None = None, superseded: bool = False, after: int = 0
    ) -> History:
        """The results of a campaign that count, by iteration, then in the order asked; a fork's inherited ones first.

        Args:
            campaign_id: the campaign.
            seen_by: as the planner saw it before the iteration of that number.
            superseded: those that no longer count as well.
            after: only of later iterations than that number.

        Raises:
            CampaignError: there is none with that identifier.
        """
        with self.read() as tx:
            return results.history(tx, campaign_id, seen_by=seen_by, superseded=superseded, after=after)


def campaign_batch_id(campaign_id: str, iteration: int) -> str:
    """The identifier of one iteration's batch; its plates are `<batch>-p1`, `-p2`, …

    >>> campaign_batch_id("sarcoma", 3)
    'sarcoma/i003'
    """
    return f"{campaign_id}/i{iteration:03d}"
