"""Lab: the object a notebook holds: store, machines, planner."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection

from cellos_nb.campaign import PLANNING, Campaign
from cellos_nb.checks import check_config
from cellos_nb.domain.audit import Act
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.fork import forked_config
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.occasions import Occasion
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.errors import ApprovalError, InDoubtError, OutOfStockError, StoppedError
from cellos_nb.execution.actions import Bench, perform_now, submit_action
from cellos_nb.execution.batch import submit_batch
from cellos_nb.execution.events import Event, LeaseLost, OnEvent, ResultsStored, RunDone, ignore
from cellos_nb.execution.handwork import Handwork
from cellos_nb.execution.lease import dispatcher, lease_of
from cellos_nb.execution.pool import executor_for
from cellos_nb.execution.preflight import Preflight
from cellos_nb.execution.process import person
from cellos_nb.execution.proof import Proof, prove_on
from cellos_nb.execution.runs import campaign_resource, load_workflow, run_of_plate
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.registry import identity_of
from cellos_nb.loop import Ending, Loop, first_plates, next_batch, run_campaign
from cellos_nb.machine_room import MachineRoom, describe, ledgers_of, looked_at
from cellos_nb.operations.inventory import Inventory
from cellos_nb.planner.registry import make_planner
from cellos_nb.postroom import call_postman, occasion_of, post_now
from cellos_nb.stockroom import StockForecast, foresee, inventory_of, require_first_plates
from cellos_nb.store import steering
from cellos_nb.store.audit import note
from cellos_nb.store.campaigns import free_campaign_id
from cellos_nb.store.messages import tell
from cellos_nb.store.records import CampaignStatus
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

log = logging.getLogger(__name__)

__all__ = ["Campaign", "Lab", "default_url"]

URL_VARIABLE = "CELLOS_DATABASE_URL"
DEFAULT_URL = "lab.db"
RECORDING = "record"
"""The kind of action that writes a campaign's record."""


def default_url() -> str:
    """The database that is meant when none is named: the environment's, or `lab.db` in the working folder."""
    return os.environ.get(URL_VARIABLE) or DEFAULT_URL


class Lab:
    """A database, the machines that its campaigns run on, and what was run.

    Use it as a context manager, or call `close`. One process at a time runs campaigns of a database; others may read.
    """

    def __init__(self, store: Store, machine: HardwareInterface | None = None) -> None:
        """A lab on an open store; `machine` runs every campaign in place of what the campaigns name."""
        self.store = store
        self._room = MachineRoom(store, machine)

    @classmethod
    def open(
        cls, url: str | Path | None = None, machine: HardwareInterface | None = None, *, must_exist: bool = False
    ) -> Self:
        """Opens a lab, making its database when there is none, unless it `must_exist`.

        `url` is a file name or a database URL; `CELLOS_DATABASE_URL` or `lab.db` when left out.

        Raises:
            StoreError: the database cannot be opened; the message says why and what to do.
        """
        return cls(Store.open(url if url is not None else default_url(), create=not must_exist), machine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the machines that this lab opened and closes the database. May be called twice."""
        self._room.close()
        self.store.close()

    @property
    def machine(self) -> HardwareInterface:
        """The machine for experiments outside a campaign: the lab's own, or the simulated biology."""
        return self.machine_for(MachineSettings())

    def machine_for(self, settings: MachineSettings, seed: int = 0) -> HardwareInterface:
        """The machine of a campaign, opened once and kept open until the lab is closed.

        What a simulated machine did is kept in a ledger beside the database, as a real one remembers: after a crash it
        can say what became of every step. For a database on a server the ledgers lie in the folder that
        `CELLOS_MACHINES` names, or `cellos.machines` in the working folder.

        Raises:
            ConfigError: no such kind, or its files cannot be read.
            MachineError: another process holds it.
        """
        return self._room.machine(settings, seed)

    @property
    def handwork(self) -> Handwork:
        """The steps that people carry out at this lab's benches, and where they answer."""
        return Handwork(self.store, ledgers_of(self.store))

    @property
    def inventory(self) -> Inventory:
        """What is kept in stock; nothing until a resource is declared."""
        return inventory_of(self.store)

    def describe_machine(self, config: CampaignConfig) -> Capabilities:
        """What a campaign's machine says of itself; another process may be using it meanwhile."""
        return describe(config.machine, config.seed, self._room.only)

    def check(self, config: CampaignConfig) -> Preflight:
        """What a campaign will need, without touching a device.

        Raises:
            InputError: the machine cannot run the campaign; the message has the key, the value and what is possible.
        """
        return check_config(config, self._room.only)

    def foresee(self, config: CampaignConfig) -> StockForecast | None:
        """For how many iterations of a campaign the stock suffices, and what to order; None where none is kept."""
        return foresee(self.store, config, self.describe_machine(config))

    def prove(self, config: CampaignConfig) -> tuple[Proof, ...]:
        """Writes what the first batch of a campaign will do, plate by plate, as artifacts beside the database.

        The campaign is not begun; begun next, under this name, it makes exactly these plates.

        Raises:
            InputError: the campaign cannot be run; the message has the key, the value and what is possible.
            MachineRefusedError: a step cannot be executed; says what to change.
            OutputError: the artifacts cannot be written.
        """
        self.check(config)
        capabilities = self.describe_machine(config)
        with self.store.read() as tx:
            campaign_id = free_campaign_id(tx, config.name)
        _, plates = first_plates(campaign_id, config, capabilities)
        with looked_at(config.machine, config.seed, self._room.only) as machine:
            return tuple(prove_on(self.store, workflow, machine) for workflow in plates)

    def prove_plate(self, plate_id: str) -> Proof:
        """The same for a plate that was submitted, whatever became of it: its workflow was frozen then.

        Raises:
            InputError: no such plate was submitted.
            MachineRefusedError: a step cannot be executed; says what to change.
            OutputError: the artifacts cannot be written.
        """
        workflow = load_workflow(self.store, run_of_plate(self.store, plate_id).run_id)
        own = (r.config for r in self.store.campaigns() if plate_id.startswith(f"{r.campaign_id}/"))
        config = next(own, None)
        settings, seed = (config.machine, config.seed) if config else (MachineSettings(), 0)
        with looked_at(settings, seed, self._room.only) as machine:
            return prove_on(self.store, workflow, machine)

    def run(self, config: CampaignConfig, on_event: OnEvent | None = None) -> Campaign:
        """Runs a new campaign to its end and returns it; with `record: true`, its record is written then.

        Raises:
            InputError: the campaign cannot be run as configured; nothing was stored.
            OutOfStockError: its first plates need more than is in stock; says what to order. Nothing was stored.
            LeaseError: another process is running campaigns of this database.
            CellosError: the record could not be written; what was measured is stored, and `cellos record` tries again.
        """
        self.check(config)
        self.check_stock(config)
        with dispatcher(self.store):
            return self.resume(self.store.add_campaign(config), on_event)

    def check_stock(self, config: CampaignConfig) -> bool:
        """Whether a stock is kept that suffices for a new campaign's first plates; False where none is kept.

        Raises:
            OutOfStockError: its first plates need more than is in stock; says what to order. Nothing was reserved.
        """
        if not self.inventory.is_kept:
            return False
        require_first_plates(self.store, config, self.describe_machine(config))
        return True

    def resume(self, campaign_id: str, on_event: OnEvent | None = None) -> Campaign:
        """Continues a campaign where it stood, whatever ended it; a finished one is returned as it is.

        One that a person paused, stopped or rolled back goes on. When it is paused meanwhile, from this process or any
        other, this returns before the next plate. One of which a whole iteration failed ends as failed, with the
        reason; that does not raise.

        Raises:
            CampaignError: there is no such campaign.
            ApprovalError: a real machine needs a person's approval of a plate; the campaign is paused.
            InDoubtError: a plate is held until a person decides; the campaign is paused.
            LeaseError: another process is running campaigns of this database.
            OutOfStockError: the next plates need more than is in stock; the campaign is paused.
            StoppedError: a person killed the queue; the campaign is paused.
        """
        campaign = self.campaign(campaign_id)
        steering.refuse_imported(campaign_id, campaign.config, "resumed")
        record = self.store.campaign(campaign_id)
        if record.status is CampaignStatus.FINISHED and record.stop_request is None:
            return campaign
        config = campaign.config
        with dispatcher(self.store), self._room.lent(config.machine, config.seed) as machine:
            loop = Loop(self.store, machine, make_planner(config.planner), on_event or ignore)
            with self.store.write() as tx:
                note(
                    tx,
                    Act.CAMPAIGN_BEGUN,
                    campaign_id,
                    who=person(),
                    facts={"was": record.status, "on": "this process"},
                )
                steering.begin(tx, campaign_id)
            try:
                ending = run_campaign(loop, campaign_id)
            except (ApprovalError, InDoubtError, OutOfStockError, StoppedError) as error:
                # A person stopped it, or hears of the plate for which it waits.
                is_news = isinstance(error, OutOfStockError)
                self._note_standing(campaign_id, CampaignStatus.PAUSED, str(error), is_news=is_news)
                post_now(self.store, self)
                raise
            # A pause stands in the store already, and whoever made it may have taken it back.
            if ending.status is not CampaignStatus.PAUSED:
                self._note_standing(campaign_id, ending.status, ending.reason)
                post_now(self.store, self)
        if config.record and ending.status is not CampaignStatus.PAUSED:
            log.info("%s", perform_now(RECORDING, {"campaign_id": campaign_id}, Bench(self.store, self, is_real=False)))
        return campaign

    def _note_standing(self, campaign_id: str, status: CampaignStatus, reason: str, *, is_news: bool = True) -> None:
        """Notes how a campaign stands, unless another process took over: then that one knows better."""
        with self.store.write() as tx:
            lease_of(self.store).check(tx)
            self._end(tx, campaign_id, status, reason, is_news=is_news)

    def _end(
        self, tx: Connection, campaign_id: str, status: CampaignStatus, reason: str, *, is_news: bool = True
    ) -> None:
        """Notes that a campaign has ended, or waits, by itself; people are told unless they know of it already."""
        self.store.set_campaign_status(campaign_id, status, reason)
        act = Act.CAMPAIGN_HELD if status is CampaignStatus.PAUSED else Act.CAMPAIGN_ENDED
        note(tx, act, campaign_id, who=f"campaign {campaign_id}", why=reason, facts={"status": status})
        if is_news:
            once = f"{campaign_id} {now_utc().isoformat()}"
            tell(tx, occasion_of(status, reason), campaign_id, reason, once=once)

    def fork(self, campaign_id: str, *, at: int, **changes: Any) -> Campaign:
        """A new campaign that begins with the results of another one up to iteration `at`; `resume` runs it.

        It refers to those results and copies none; its own iterations are numbered from `at + 1`, those inherited count
        for `max_iterations`, and its budget is its own. What becomes of the parent later changes nothing.

        Args:
            campaign_id: the parent; it goes on undisturbed.
            at: an iteration that was concluded.
            changes: settings by name, with dots for what stands inside: `fork(…, **{"planner.acquisition": "ei"})`.

        Raises:
            CampaignError: no such campaign or iteration.
            ConfigError: a setting is impossible, or would make the inherited results meaningless.
        """
        steering.refuse_imported(campaign_id, self.campaign(campaign_id).config, "forked")
        config = forked_config(self.campaign(campaign_id).config, changes)
        self.check(config)
        with self.store.write() as tx:
            made = steering.fork(tx, campaign_id, at, config)
            facts = {"parent": campaign_id, "at": at, "changes": changes}
            note(tx, Act.CAMPAIGN_FORKED, made, who=person(), facts=facts)
            return self.campaign(made)

    def submit(self, config: CampaignConfig) -> Campaign:
        """Hands a new campaign to the daemon (`cellos daemon`) and returns at once.

        Raises:
            InputError: the campaign cannot be run as configured; nothing was stored.
            OutOfStockError: its first plates need more than is in stock; says what to order. Nothing was stored.
        """
        self.check(config)
        self.check_stock(config)
        with self.store.write():
            return self.hand_over(self.store.add_campaign(config))

    def hand_over(self, campaign_id: str) -> Campaign:
        """Has the daemon continue a campaign where it stands; a finished one is returned as it is.

        Raises:
            CampaignError: there is no such campaign.
        """
        campaign = self.campaign(campaign_id)
        steering.refuse_imported(campaign_id, campaign.config, "resumed")
        record = self.store.campaign(campaign_id)
        if record.status is CampaignStatus.FINISHED and record.stop_request is None:
            return campaign
        with self.store.write() as tx:
            note(tx, Act.CAMPAIGN_BEGUN, campaign_id, who=person(), facts={"was": record.status, "on": "the daemon"})
            steering.begin(tx, campaign_id)
            self._plan_next(campaign_id, f"handed over {now_utc().isoformat()}")
        return campaign

    def go_on(self, campaign_id: str, iteration: int) -> None:
        """Queues the planning of what follows an iteration that was concluded; for the daemon."""
        self._plan_next(campaign_id, f"after i{iteration:03d}")

    def _plan_next(self, campaign_id: str, when: str) -> None:
        submit_action(
            self.store,
            PLANNING,
            {"campaign_id": campaign_id},
            idempotency_key=f"{campaign_id}: {PLANNING} {when}",
            resources=[campaign_resource(campaign_id)],
        )

    def advance(self, campaign_id: str) -> str:
        """Proposes and queues the next plates of a campaign, or ends it, and says which; for the daemon.

        Nothing is executed here, and nothing is queued while plates of the last iteration are under way.
        """
        config = self.store.campaign(campaign_id).config
        name, machine = self.machine_of(campaign_id)
        loop = Loop(self.store, machine, make_planner(config.planner), ignore)
        following = next_batch(loop, campaign_id)
        if isinstance(following, Ending):
            if following.status is not CampaignStatus.PAUSED:
                with self.store.write() as tx:
                    self._end(tx, campaign_id, following.status, following.reason)
                    self._plan_record(campaign_id)
                call_postman(self.store)
            return f"{campaign_id}: {following.status}: {following.reason}"
        executor = executor_for(self.store, machine, name=name)
        try:
            runs = submit_batch(self.store, executor, following, machine.describe())
        except OutOfStockError as error:
            with self.store.write() as tx:
                self._end(tx, campaign_id, CampaignStatus.PAUSED, str(error))
            call_postman(self.store)
            return f"{campaign_id}: paused: {error}"
        return f"{following.batch_id}: {len(runs)} plates"

    def _plan_record(self, campaign_id: str) -> None:
        """Queues the record of a campaign that has ended, if it asks for one; once for each of its ends."""
        now = self.store.standing(campaign_id)
        if now.config.record:
            key = f"{campaign_id}: {RECORDING} before i{now.next_iteration:03d}, {now.status}"
            submit_action(self.store, RECORDING, {"campaign_id": campaign_id}, idempotency_key=key)

    def machine_of(self, campaign_id: str | None) -> tuple[str, HardwareInterface]:
        """The machine of a campaign, open, with its name in the queue; that outside any campaign when None."""
        settings, seed = MachineSettings(), 0
        if campaign_id is not None:
            config = self.store.campaign(campaign_id).config
            settings, seed = config.machine, config.seed
        return identity_of(settings, seed), self.machine_for(settings, seed)

    def close_machine(self, name: str) -> None:
        """Stops a machine that `machine_of` opened, so that another process may open it."""
        self._room.give_back(name)

    def hear(self, event: Event) -> None:
        """Has what waits in the outbox delivered; for the daemon. Nothing is where the environment has no address."""
        if isinstance(event, RunDone | ResultsStored | LeaseLost):
            if isinstance(event, LeaseLost):
                with self.store.write() as tx:
                    tell(tx, Occasion.LEASE_LOST, event.process, event.error, once=f"{event.process} {event.fencing}")
            call_postman(self.store)

    def campaign(self, campaign_id: str) -> Campaign:
        """A campaign by its id.

        Raises:
            CampaignError: there is none; the message lists those there are.
        """
        return Campaign(self.store, campaign_id)

    def campaigns(self) -> tuple[Campaign, ...]:
        """All campaigns, oldest first."""
        return tuple(Campaign(self.store, record.campaign_id) for record in self.store.campaigns())
