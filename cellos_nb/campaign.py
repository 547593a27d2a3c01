"""Campaign: one campaign as its store holds it, to be read and steered from any process."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from cellos_nb.domain.audit import Act
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.model_state import ModelState
from cellos_nb.domain.objective import ScoredCondition, best_condition, score_conditions
from cellos_nb.domain.overruling import Overruling
from cellos_nb.domain.summary import CampaignSummary, Tally, quarantined_plates, summarise
from cellos_nb.errors import CampaignError
from cellos_nb.execution.lease import is_at_work
from cellos_nb.execution.process import person
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.runs import campaign_resource, load_workflow, run_records, write_log
from cellos_nb.store import iterations, overrulings, steering
from cellos_nb.store.audit import note
from cellos_nb.store.records import CampaignStatus, IterationRecord, Standing
from cellos_nb.store.store import Store
from cellos_nb.workflow.workflow import Workflow

if TYPE_CHECKING:
    import pandas as pd

QUEUED = "queued"
"""What a campaign is called that waits for `cellos daemon`."""
PLANNING = "campaign_iteration"
"""The kind of action that plans a campaign's next iteration."""
INTERRUPTED = "interrupted"
"""What a campaign is called that was running when its process ended; `resume` continues it."""


@dataclass(frozen=True, slots=True)
class KeptState:
    """What the planner knew before one iteration, and whether the results that it saw are still those stored."""

    state: ModelState
    is_consistent: bool
    """False when a result of an earlier iteration was altered, added or lost since."""


class Campaign:
    """One campaign; reading and steering it never needs the machine, and any process may.

    running ── pause ──► paused ── unpause, Lab.resume ──► running
       │                   ▲
       │ last iteration,   │ rollback, from any of them
       ▼ stop, failure     │
    finished | failed ─────┘
    """

    def __init__(self, store: Store, campaign_id: str) -> None:
        self.campaign_id = campaign_id
        self.store = store
        self.config: CampaignConfig = store.standing(campaign_id).config

    def __repr__(self) -> str:
        return f"Campaign({self.campaign_id!r}, {self.status})"

    @property
    def status(self) -> str:
        """Where the campaign stands: running, paused, finished, failed or cancelled."""
        return str(self.store.standing(self.campaign_id).status)

    @property
    def results(self) -> History:
        """Everything concluded that counts, in order, quarantined and failed experiments included.

        A fork's begins with what it inherited; superseded iterations are left out.
        """
        return self.store.history(self.campaign_id)

    def history(self, *, superseded: bool = False) -> pd.DataFrame:
        """One row per well, in the order of the experiments; columns as in `cellos_nb.domain.history.COLUMNS`.

        With `superseded`, the iterations that no longer count stand in it as well, and a column of that name tells.
        """
        if not superseded:
            return self.results.frame()
        frame = self.store.history(self.campaign_id, superseded=True).frame()
        laps = self.store.iterations(self.campaign_id, has_proposals=False)
        gone = [lap.iteration for lap in laps if lap.superseded is not None]
        frame["superseded"] = frame["iteration"].isin(gone).astype(bool)
        return frame

    def iterations(self) -> tuple[IterationRecord, ...]:
        """The campaign's own iterations, superseded ones among them, in order."""
        return self.store.iterations(self.campaign_id)

    def scores(self) -> tuple[ScoredCondition, ...]:
        """Every condition that answers the question, in the order of its completion."""
        return score_conditions(self.config, self.results)

    def best(self) -> ScoredCondition | None:
        """The best condition measured, with its interval; None before there is one."""
        return best_condition(self.scores())

    def workflows(self) -> tuple[Workflow, ...]:
        """The workflow of each own plate, as it was frozen before its first step, in the order of submission."""
        runs = [run for lap in self.iterations() for run in run_records(self.store, batch_id=lap.batch_id)]
        return tuple(load_workflow(self.store, run.run_id) for run in runs)

    def model_states(self) -> tuple[KeptState, ...]:
        """What the planner knew before each own iteration, superseded ones among them, in order.

        Raises:
            StoreCorruptError: a state cannot be read.
        """
        states = self.store.model_states(self.campaign_id)
        return tuple(KeptState(state, self._is_consistent(state)) for state in states)

    def _is_consistent(self, state: ModelState) -> bool:
        seen = self.store.history(self.campaign_id, seen_by=state.iteration)
        return seen.digest() == state.history_sha256

    def summary(
        self,
        results: History | None = None,
        scores: tuple[ScoredCondition, ...] | None = None,
        laps: tuple[IterationRecord, ...] | None = None,
        tally: Tally | None = None,
    ) -> CampaignSummary:
        """The campaign in a few numbers; `results`, their `scores` and `tally`, and `laps` are had from the caller."""
        record = self.store.standing(self.campaign_id)
        laps = self.store.iterations(self.campaign_id, has_proposals=False) if laps is None else laps
        return summarise(
            self.campaign_id,
            self.config,
            self.results if results is None else results,
            status=self._standing(record.status),
            stop_reason=_reason(record.status, record.reason, record.stop_request),
            # How long it took to measure what was imported, nobody here knows.
            duration_s=0.0 if self.config.is_imported else sum(lap.duration_s or 0.0 for lap in laps),
            spent_usd=self.store.spent_usd(self.campaign_id),
            parent=str(record.parent or ""),
            overruled=tuple(map(str, self.overrulings())),
            superseded=tuple(f"iteration {lap.iteration} {lap.superseded}" for lap in laps if lap.superseded),
            scores=scores,
            tally=tally,
        )

    def standing(self, record: Standing | None = None) -> tuple[str, str]:
        """Status and reason as the summary has them; the record is read unless the caller has just read it."""
        record = record or self.store.standing(self.campaign_id)
        return self._standing(record.status), _reason(record.status, record.reason, record.stop_request)

    def pause(self, reason: str = "", *, by: str | None = None) -> None:
        """No further plate begins, in whatever process; plates under way are brought to their end.

        `Lab.resume` goes on. Pausing again keeps the first reason.

        Raises:
            CampaignError: the campaign has ended.
        """
        by = by or person()
        said = _said("paused", by, reason)
        with self.store.write(durable=True) as tx:
            steering.pause(tx, self.campaign_id, said)
            self._log(tx, said)
            note(tx, Act.CAMPAIGN_PAUSED, self.campaign_id, who=by, why=reason)

    def unpause(self, reason: str = "", *, by: str | None = None) -> None:
        """Takes a pause back, for the process that still executes a plate, or the daemon; itself it executes nothing.

        Raises:
            CampaignError: the campaign is not paused.
        """
        by = by or person()
        with self.store.write(durable=True) as tx:
            steering.unpause(tx, self.campaign_id)
            self._log(tx, _said("pause taken back", by, reason))
            note(tx, Act.CAMPAIGN_UNPAUSED, self.campaign_id, who=by, why=reason)

    def stop_after_iteration(self, reason: str = "", *, by: str | None = None) -> None:
        """The iteration under way is brought to its end, and the campaign then ends as finished with this reason.

        Holds after a crash too. `Lab.resume` of the finished campaign takes it back.

        Raises:
            CampaignError: the campaign has ended.
        """
        by = by or person()
        said = _said("stopped", by, reason)
        with self.store.write(durable=True) as tx:
            steering.request_stop(tx, self.campaign_id, said)
            self._log(tx, f"to be {said} after the iteration under way")
            note(tx, Act.CAMPAIGN_STOPPED, self.campaign_id, who=by, why=reason)

    def rollback(self, to: int, reason: str = "", *, by: str | None = None) -> tuple[int, ...]:
        """Goes back to the end of iteration `to` (0: the beginning); returns the iterations that no longer count.

        They are kept, marked with who, when and why, and shown by `history(superseded=True)`; but no planner sees them,
        and they count neither for `best` nor for `max_iterations`. What they cost stays spent, and no number or plate
        name is used again. Their plates that wait are cancelled. The campaign is left paused; `Lab.resume` goes on.

        Raises:
            CampaignError: no such iteration, nothing came after it, or the campaign is being executed.
        """
        by = by or person()
        queue = JobQueue(self.store)
        with self.store.write(durable=True) as tx:
            self._refuse_while_executed(tx)
            gone = steering.roll_back(tx, self.campaign_id, to, by=by, reason=reason)
            said = _said(f"rolled back to iteration {to}", by, reason)
            for batch_id in gone.values():
                for run in run_records(self.store, batch_id=batch_id):
                    if not run.status.is_final:
                        queue.cancel(run.run_id, said, by=by)
            self._log(tx, f"{said}; superseded: {', '.join(map(str, gone))}")
            facts = {"to": to, "superseded": list(gone)}
            note(tx, Act.CAMPAIGN_ROLLED_BACK, self.campaign_id, who=by, why=reason, facts=facts)
        return tuple(gone)

    def overrule(self, plate_id: str, reason: str, *, by: str | None = None) -> None:
        """Lets a quarantined plate count, from the next iteration on; what was proposed before stays as it was.

        Its results are then `ok` and carry the flag `overruled` beside those that they had.

        Raises:
            CampaignError: the campaign has no such quarantined plate, or there is no reason.
        """
        if not reason.strip():
            raise CampaignError(f"{plate_id}: say why it counts, as in --reason 'one dry control well, seen by eye'.")
        by = by or person()
        with self.store.write(durable=True) as tx:
            possible = quarantined_plates(self.results)
            if plate_id not in possible:
                raise CampaignError(
                    f"{plate_id}: is no quarantined plate of {self.campaign_id}; quarantined: "
                    f"{', '.join(possible) or 'none'}."
                )
            overrulings.overrule(tx, self.campaign_id, plate_id, by=by, reason=reason)
            self._log(tx, f"quarantine of {plate_id} {_said('overruled', by, reason)}")
            self._note_plate(tx, Act.OVERRULED, plate_id, by, reason)

    def withdraw_overruling(self, plate_id: str, reason: str = "", *, by: str | None = None) -> None:
        """Takes back that a plate counts, from the next iteration on.

        Raises:
            CampaignError: nobody has overruled its quarantine.
        """
        by = by or person()
        with self.store.write(durable=True) as tx:
            overrulings.withdraw(tx, self.campaign_id, plate_id, by=by, reason=reason)
            self._log(tx, f"overruling of {plate_id} {_said('withdrawn', by, reason)}")
            self._note_plate(tx, Act.OVERRULING_WITHDRAWN, plate_id, by, reason)

    def overrulings(self) -> tuple[Overruling, ...]:
        """Who let which quarantined plates count, when and why; withdrawn decisions among them, in order."""
        return self.store.overrulings(self.campaign_id)

    def _refuse_while_executed(self, tx: Connection) -> None:
        """Raises unless no process can be in the middle of an iteration of this campaign."""
        if not is_at_work(self.store):
            return
        status = iterations.standing(tx, self.campaign_id).status
        if status is CampaignStatus.RUNNING:
            raise CampaignError(
                f"{self.campaign_id}: is being executed, so it cannot be rolled back. "
                f"Pause it first (`cellos stop {self.campaign_id} --now`), and roll back when its plates are through."
            )
        under_way = iterations.plates_under_way(tx, self.campaign_id)
        if under_way:
            raise CampaignError(
                f"{self.campaign_id}: {', '.join(under_way)} is still under way, so the campaign cannot be rolled "
                "back. Wait until it is through, and roll back then."
            )

    def _standing(self, status: CampaignStatus) -> str:
        if status is CampaignStatus.RUNNING and not is_at_work(self.store):
            return QUEUED if self._waits_for_daemon() else INTERRUPTED
        return str(status)

    def _waits_for_daemon(self) -> bool:
        return campaign_resource(self.campaign_id) in JobQueue(self.store).wanted_resources(PLANNING)

    def _note_plate(self, tx: Connection, act: Act, plate_id: str, by: str, reason: str) -> None:
        """Has the audit log say what was decided about a plate; of an inherited one, as the fork's own decision."""
        subject = plate_id if plate_id.startswith(f"{self.campaign_id}/") else self.campaign_id
        note(tx, act, subject, who=by, why=reason, facts={"campaign": self.campaign_id, "plate": plate_id})

    def _log(self, tx: Connection, message: str) -> None:
        write_log(tx, logging.INFO, f"{self.campaign_id}: {message}")


def _said(what: str, by: str, reason: str) -> str:
    return f"{what} by {by}: {reason}" if reason else f"{what} by {by}"


def _reason(status: CampaignStatus, reason: str | None, stop_request: str | None) -> str:
    """Why the campaign stands where it stands, and a stop that is still to be obeyed."""
    is_pending = stop_request and status is not CampaignStatus.FINISHED
    to_come = f"to be {stop_request} after the iteration under way" if is_pending else None
    return "; ".join(filter(None, (reason, to_come)))
