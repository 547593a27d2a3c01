"""From a configuration to a campaign: check, prove, approve where the machine is real, launch."""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ApprovalError, CampaignError, CellosError, ConfigError, InputError, LeaseError
from cellos_nb.execution.approvals import Approval, approvals_of, approve
from cellos_nb.execution.events import Event, ResultsStored, RunDone
from cellos_nb.execution.lease import Holder, holder_of, is_dispatched, lease_of
from cellos_nb.execution.proof import Proof
from cellos_nb.lab import Lab
from cellos_nb.records.atomic import new_file
from cellos_nb.store.records import CampaignStatus
from cellos_nb.units import counted, now_utc

log = logging.getLogger(__name__)

PROTOCOL = "protocol.html"
MAX_HOURS = 24 * 366
"""An approval of more than a year is a typing error."""


@dataclass(frozen=True, slots=True)
class Proved:
    """What was written about the first batch of a configuration."""

    config: CampaignConfig
    plates: tuple[Proof, ...]
    is_simulated: bool
    """Whether the machine moves nothing real by itself, so that nobody needs to approve."""
    folder: Path
    """Where the artifacts lie."""

    def protocol_of(self, plate: Proof) -> Path:
        """The page that shows a person what will be done on one plate."""
        return next(self.folder / artifact.ref for artifact in plate.artifacts if artifact.name == PROTOCOL)


def prove_campaign(lab: Lab, config: CampaignConfig) -> Proved:
    """Writes what the first batch of a campaign will do; no device is touched.

    Raises:
        InputError: the campaign cannot be run; the message has the key, the value and what is possible.
        MachineRefusedError: a step cannot be executed; says what to change.
        OutputError: the artifacts cannot be written.
    """
    plates = lab.prove(config)
    return Proved(config, plates, not lab.describe_machine(config).needs_approval, lab.store.folder)


def approve_plates(lab: Lab, proved: Proved, *, person: str, hours: float) -> tuple[Approval, ...]:
    """Records that a person has read the proofs and allows the real machine to execute them, for some hours.

    Raises:
        InputError: nobody is named, or the hours are not possible.
        ArtifactError: an artifact of a proof is missing or was altered.
    """
    if not 0 < hours <= MAX_HOURS:
        raise InputError(f"hours: {hours:g} h is not possible; give a number above 0 and up to {MAX_HOURS}.")
    until = now_utc() + timedelta(hours=hours)
    return tuple(
        approve(lab.store, plate.workflow_sha256, machine=plate.machine, person=person, expires_at=until)
        for plate in proved.plates
    )


def not_approved(lab: Lab, proved: Proved) -> tuple[str, ...]:
    """The plates of the first batch that a real machine may not execute now; none on a simulated machine."""
    if proved.is_simulated:
        return ()
    now = now_utc()
    return tuple(
        plate.plate_id
        for plate in proved.plates
        if not any(
            given.machine == plate.machine and given.allows(now)
            for given in approvals_of(lab.store, plate.workflow_sha256)
        )
    )


def require_ready(lab: Lab, config: CampaignConfig | None, proved: Proved | None) -> CampaignConfig:
    """Returns the configuration when it may be launched: it was proved as it stands, and approved where it must be.

    Raises:
        ConfigError: something in the form is wrong.
        CampaignError: it was not proved, or was changed since.
        ApprovalError: a plate of the first batch is not approved.
    """
    if config is None:
        raise ConfigError("The campaign cannot be launched: correct what stands beside the fields first.")
    if proved is None or proved.config != config:
        changed = "was changed since it was proved" if proved else "was not proved yet"
        raise CampaignError(f"{config.name}: {changed}. Press 'Prove' and read what will be done, then launch.")
    waiting = not_approved(lab, proved)
    if waiting:
        raise ApprovalError(
            f"{config.name}: the machine {proved.plates[0].machine} is real, and nobody approved {', '.join(waiting)}. "
            "Read the protocol, then approve it."
        )
    return config


class Launched:
    """A campaign on its way, in a thread that outlives the panel; the campaign itself is read from the store."""

    def __init__(self, lab: Lab | str | Path, config: CampaignConfig) -> None:
        """A campaign that has not begun; a lab given as URL is opened for it alone."""
        self._lab, self._config = lab, config
        self.campaign_id = ""
        """Empty until its first plate has ended."""
        self.n_plates = 0
        """Plates that ended."""
        self.n_iterations = 0
        """Iterations that were concluded."""
        self.error = ""
        """What broke it off, in words; empty otherwise."""
        self.ending = ""
        """How it ended and why, in words; empty before."""
        self._thread = threading.Thread(target=self._run, name="cellos-launched", daemon=True)

    def start(self) -> None:
        """Begins the campaign and returns at once."""
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until the campaign has ended; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """Whether its thread is alive."""
        return self._thread.is_alive()

    @property
    def standing(self) -> str:
        """How far it is, in a sentence."""
        name = self.campaign_id or self._config.name
        done = f"{counted(self.n_iterations, 'iteration')} and {counted(self.n_plates, 'plate')} done"
        if self.error:
            return f"{name} ended after {done}: {self.error}"
        return f"{name} has {self.ending}: {done}." if self.ending else f"{name} is running: {done}."

    def _run(self) -> None:
        # What it raises can be seen nowhere else than in the panel.
        try:
            with self._opened() as lab:
                summary = lab.run(self._config, self._follow).summary()
                self.campaign_id, self.ending = summary.campaign_id, f"{summary.status} ({summary.stop_reason})"
        except CellosError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("%s: the launched campaign failed", self._config.name)
            self.error = f"{type(error).__name__}: {error}"

    def _opened(self) -> AbstractContextManager[Lab]:
        return nullcontext(self._lab) if isinstance(self._lab, Lab) else Lab.open(self._lab)

    def _follow(self, event: Event) -> None:
        if isinstance(event, RunDone):
            self.campaign_id, self.n_plates = event.plate_id.rpartition("/")[0], self.n_plates + 1
        elif isinstance(event, ResultsStored):
            self.n_iterations += 1


class HandedOver:
    """A campaign that the daemon executes; it goes on when this kernel ends."""

    def __init__(self, lab: Lab, config: CampaignConfig) -> None:
        """Stores the campaign and queues its first iteration.

        Raises:
            InputError: the campaign cannot be run as configured; nothing was stored.
        """
        self._lab = lab
        self._campaign = lab.submit(config)
        self.campaign_id = self._campaign.campaign_id

    @property
    def standing(self) -> str:
        """How far it is, in a sentence, as the store has it."""
        record = self._lab.store.campaign(self.campaign_id)
        done = f"{counted(record.n_iterations, 'iteration')} begun, {counted(record.n_experiments, 'experiment')} done"
        if record.status is not CampaignStatus.RUNNING:
            return f"{self.campaign_id}: {record.status} ({record.stop_reason}); {done}."
        waits = "" if is_dispatched(self._lab.store) else "; it waits for the daemon, start `cellos daemon`"
        return f"{self.campaign_id} was handed to the daemon: {done}{waits}."


def other_dispatcher(lab: Lab) -> Holder | None:
    """The process that executes the work of this database when it is not this one; None otherwise."""
    holder = holder_of(lab.store)
    return holder if holder is not None and holder.fencing != lease_of(lab.store).held_fencing else None


def launch(where: Lab | str | Path, config: CampaignConfig) -> Launched:
    """Begins a campaign in a thread of this process and returns at once."""
    launched = Launched(where, config)
    launched.start()
    return launched


def require_free(lab: Lab) -> None:
    """Returns when this process may execute campaigns.

    Raises:
        LeaseError: another process does; names it.
    """
    holder = other_dispatcher(lab)
    if holder is not None:
        raise LeaseError(
            f"Process {holder.pid} on {holder.host} executes the work of this database, so this kernel cannot. Choose "
            "'hand to the daemon', or wait until it is done."
        )


def save_yaml(config: CampaignConfig, path: str | Path, *, may_replace: bool) -> Path:
    """Writes a configuration for `CampaignConfig.from_yaml`.

    Raises:
        InputError: no name is given, or the file exists and may not be replaced.
        OutputError: it cannot be written.
    """
    if not str(path).strip():
        raise InputError("file: give the name of a YAML file to save to.")
    path = Path(path).expanduser()
    if path.exists() and not may_replace:
        raise InputError(f"{path}: exists already. Choose another name, or tick 'replace'.")
    with new_file(path) as partial:
        partial.write_text(config.to_yaml(), encoding="utf-8")
    return path
