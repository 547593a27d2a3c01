"""A campaign while it runs: its numbers, what each iteration found, how far its plates are, what may be pressed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.summary import CampaignSummary
from cellos_nb.errors import CampaignError, StoppedError
from cellos_nb.execution.control import Flag, flags_of
from cellos_nb.execution.lease import Holder, holder_of
from cellos_nb.execution.queue import JobStatus
from cellos_nb.execution.runs import load_workflow
from cellos_nb.execution.story import PlateRecord, plate_records
from cellos_nb.execution.under_way import Progress, ResultsMark, progress_of, results_mark
from cellos_nb.lab import Campaign, Lab
from cellos_nb.panels.histories import found_of, uncollected
from cellos_nb.panels.live.trajectory import Trail, Trajectory
from cellos_nb.store.records import CampaignStatus, IterationRecord, Standing
from cellos_nb.store.store import Store

MAX_PLATES = 12
"""Plates that are shown: those under way, then the newest."""


@dataclass(frozen=True, slots=True)
class PlateProgress:
    """How far one plate is."""

    plate_id: str
    iteration: int
    status: JobStatus
    n_done: int
    n_steps: int
    current: str
    """The step that is being executed, or in question; empty between steps."""
    error: str

    @property
    def name(self) -> str:
        """Its barcode without the campaign, which stands above."""
        return self.plate_id.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be pressed now."""

    pause: bool
    resume: bool
    stop: bool
    kill: bool


@dataclass(frozen=True, slots=True)
class LiveShown:
    """What the panel shows."""

    config: CampaignConfig
    summary: CampaignSummary
    found: Trajectory
    plates: tuple[PlateProgress, ...]
    n_more_plates: int
    """Plates that are not shown."""
    holder: Holder | None
    """Who executes the work of this database."""
    flags: tuple[Flag, ...]
    """What holds up all work of this database."""
    allowed: Allowed


@dataclass(frozen=True, slots=True, eq=False)
class _Concluded:
    """What changes only when an iteration is concluded, taken back or superseded; it may be long."""

    mark: ResultsMark
    summary: CampaignSummary
    found: Trajectory
    plates: tuple[PlateRecord, ...]


class Reader:
    """Reads a campaign again and again, and each time only what may have changed."""

    def __init__(self, lab: Lab, campaign: Campaign) -> None:
        self._lab, self._campaign = lab, campaign
        self._n_steps: dict[int, int] = {}
        self._through: dict[int, Progress] = {}
        self._known: _Concluded | None = None
        self._laps: tuple[IterationRecord, ...] = ()
        self._trail = Trail(campaign.config)

    def read(self) -> LiveShown:
        """The campaign as it stands.

        Raises:
            CampaignError: it is gone.
            StoreCorruptError: a stored workflow cannot be read.
        """
        store, campaign = self._lab.store, self._campaign
        before, concluded = self._known, self._concluded()
        plates = (*concluded.plates, *plate_records(store, campaign.campaign_id, is_concluded=False))
        shown = _most_relevant(plates)
        flags = tuple(flags_of(store).read().values())
        record, summary = store.standing(campaign.campaign_id), concluded.summary
        if concluded is before:
            status, reason = campaign.standing(record)
            summary = replace(summary, status=status, stop_reason=reason)
        return LiveShown(
            config=campaign.config,
            summary=summary,
            found=concluded.found,
            plates=self._plates(shown),
            n_more_plates=len(plates) - len(shown),
            holder=holder_of(store),
            flags=flags,
            allowed=_allowed(record, summary, flags),
        )

    def _concluded(self) -> _Concluded:
        store, campaign = self._lab.store, self._campaign
        mark = results_mark(store, campaign.campaign_id)
        if self._known is None or self._known.mark != mark:
            found = found_of(campaign)
            with uncollected():
                drawn = self._trail.follow(found.results, found.conditions)
            plates = plate_records(store, campaign.campaign_id, is_concluded=True)
            summary = campaign.summary(found.results, found.conditions, self._laps_at(mark), found.tally)
            self._known = _Concluded(mark, summary, drawn, plates)
        return self._known

    def _laps_at(self, mark: ResultsMark) -> tuple[IterationRecord, ...]:
        """The iterations, of which only those are read that are not settled."""
        settled = 0 if self._known is None else self._known.mark.settled
        if self._known is None or self._known.mark.n_superseded != mark.n_superseded:
            settled = 0
        kept = tuple(lap for lap in self._laps if lap.iteration <= settled)
        new = self._lab.store.iterations(self._campaign.campaign_id, has_proposals=False, after=settled)
        self._laps = (*kept, *new)
        return self._laps

    def _plates(self, shown: tuple[PlateRecord, ...]) -> tuple[PlateProgress, ...]:
        """How far the plates are; of those that are through, nothing is read again."""
        moving = [plate for plate in shown if plate.run_id not in self._through]
        steps = progress_of(self._lab.store, [plate.run_id for plate in moving]) if moving else {}
        for plate in moving:
            if plate.status.is_final and not plate.status.is_held:
                self._through[plate.run_id] = steps.get(plate.run_id, Progress())
        known = self._through | steps
        return tuple(self._progress(plate, known.get(plate.run_id, Progress())) for plate in shown)

    def _progress(self, plate: PlateRecord, steps: Progress) -> PlateProgress:
        if plate.run_id not in self._n_steps:
            self._n_steps[plate.run_id] = len(load_workflow(self._lab.store, plate.run_id).steps)
        return PlateProgress(
            plate_id=plate.plate_id,
            iteration=plate.iteration,
            status=plate.status,
            n_done=len(steps.done),
            n_steps=self._n_steps[plate.run_id],
            current=steps.current,
            error=plate.error or "" if plate.status is not JobStatus.SUCCEEDED else "",
        )


def _most_relevant(plates: tuple[PlateRecord, ...]) -> tuple[PlateRecord, ...]:
    """The plates that are under way or held, then the newest of the others; newest first."""
    open_first = sorted(plates, key=lambda plate: (plate.status.is_final and not plate.status.is_held, -plate.run_id))
    return tuple(sorted(open_first[:MAX_PLATES], key=lambda plate: -plate.run_id))


def _allowed(record: Standing, summary: CampaignSummary, flags: tuple[Flag, ...]) -> Allowed:
    is_running = record.status is CampaignStatus.RUNNING
    is_open = record.status in {CampaignStatus.RUNNING, CampaignStatus.PAUSED}
    was_stopped = record.status is CampaignStatus.FINISHED and record.stop_request is not None
    return Allowed(
        pause=is_running,
        resume=record.status in {CampaignStatus.PAUSED, CampaignStatus.FAILED}
        or was_stopped
        or summary.status == "interrupted",
        stop=is_open and record.stop_request is None,
        kill=is_open and all(flag.name != "killed" for flag in flags),
    )


def go_on(lab: Lab, campaign_id: str) -> None:
    """Takes a pause or stop back and hands the campaign to the daemon; who executes it already just goes on.

    Raises:
        StoppedError: all work on this database was stopped, which one campaign does not take back.
        CampaignError: there is no such campaign, or it is over.
    """
    flags = flags_of(lab.store).read()
    if flags:
        flag = next(iter(flags.values()))
        why = f": {flag.reason}" if flag.reason else ""
        raise StoppedError(
            f"All work on this database is {flag.name}, by {flag.set_by}{why}. Allow it again in the Autonomy panel or "
            "with `cellos resume-queue`, then resume the campaign."
        )
    record = lab.store.standing(campaign_id)
    if record.status is CampaignStatus.FINISHED and record.stop_request is None:
        raise CampaignError(f"{campaign_id}: has reached its end ({record.reason}). Fork it to go on.")
    lab.hand_over(campaign_id)


def kill(store: Store, campaign_id: str, reason: str) -> None:
    """Ends whoever executes the work of this database, after the step in progress; all of it, not one campaign."""
    flags_of(store).set("killed", reason or f"from the panel of {campaign_id}")
