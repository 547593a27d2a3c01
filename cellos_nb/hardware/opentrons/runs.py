"""One protocol carried out by a robot, at most once: uploaded, compared, played, followed, archived."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.step import Step
from cellos_nb.errors import (
    AnswerLostError,
    MachineError,
    MachineRefusedError,
    ProtocolRefusedError,
    RequestRefusedError,
    RobotAwayError,
)
from cellos_nb.hardware.opentrons.api import PAGE, RobotApi, RunAction, RunState
from cellos_nb.hardware.opentrons.deck import Deck
from cellos_nb.hardware.opentrons.plates import Planned
from cellos_nb.hardware.opentrons.progress import account_of, progress_of
from cellos_nb.hardware.opentrons.readback import check_against, read_analysis
from cellos_nb.hardware.opentrons.readiness import check_free
from cellos_nb.hardware.opentrons.run_log import Entry, Phase, RunLog
from cellos_nb.hardware.opentrons.settings import OpentronsSettings

log = logging.getLogger(__name__)

ANALYSIS_LOOK_S = 0.5
_WAITS = {
    "paused": ": look at the deck and resume it at the robot or by `cellos hardware robot resume`",
    "blocked-by-open-door": ": close the door and resume it",
    "awaiting-recovery": ": an error waits at the robot's screen for a person",
}
"""What a run waits for that only a person can do, by the beginning of its status."""
Command = Mapping[str, Any]
Written = tuple[Step, Deck]


@dataclass(slots=True)
class Runs:
    """The runs of one robot that belong to our tokens.

    nothing ── begin ──► uploading ──► creating ── play ──► playing ──► done | failed
                 └── refused ◄── declined, out of reach ──┘     └── look: unknown, and a person decides

    Every arrow is on the disk before its request is sent. No request that changes anything is sent a second time: when
    its answer is lost, the robot is asked what it knows, and a run that was not played is taken off it, so that a
    request that is still on its way finds nothing to begin.
    """

    robot: OpentronsSettings
    api: RobotApi
    log: RunLog
    leaving: threading.Event = field(default_factory=threading.Event)
    """Set when nobody follows any more; the robot goes on."""

    def begin(self, planned: Planned, token: str, digest: str) -> Entry:
        """Puts the protocol and a run of it onto the robot; nothing moves.

        Raises:
            MachineRefusedError: the robot or its analysis declines, or an answer was lost; nothing has moved.
        """
        entry = self.log.note(Entry(token, digest, Phase.UPLOADING, _sha256_of(planned.keys)))
        try:
            written = planned.written
            protocol_id, analysis_id = self.api.upload(f"{written.stem}.py", written.protocol)
            entry = self.log.note(replace(entry, protocol_id=protocol_id))
            analysis = self._analysis(protocol_id, analysis_id)
            self._compare(planned, analysis)
            self.log.keep_analysis(protocol_id, analysis)
            self._check_never_played(entry)
            check_free(self.api, self.robot, self.log)
            entry = self.log.note(replace(entry, phase=Phase.CREATING))
            run = self.api.create_run(protocol_id, _offsets(self.robot, planned))
            entry = self.log.note(replace(entry, run_id=run.run_id))
            # Earlier runs of this protocol have lost their place by now and cannot begin any more.
            self._check_never_played(entry)
        except MachineError as error:
            raise self._refused(entry, str(error)) from error
        return entry

    def play(self, entry: Entry) -> Entry:
        """Sends play, once. Whatever the answer is, `look` finds out what came of it.

        Raises:
            MachineRefusedError: it was not sent.
        """
        entry = self.log.note(replace(entry, phase=Phase.PLAYING))
        try:
            self.api.act(entry.run_id, RunAction.PLAY)
        except RobotAwayError as error:
            raise self._refused(entry, str(error)) from error
        except (RequestRefusedError, AnswerLostError) as error:
            log.warning("%s, %s: %s", self.robot.name, entry.token, error)
        return entry

    def follow(self, entry: Entry, planned: Planned) -> Outcome:
        """Looks at a run until it has ended, with patience where the robot is out of reach.

        Raises:
            MachineError: it was out of reach for too long, or nobody follows any more; the robot may go on.
        """
        heard_at, said = time.monotonic(), ""
        while True:
            try:
                outcome = self.look(entry, planned)
                heard_at = time.monotonic()
            except RobotAwayError as error:
                if time.monotonic() - heard_at > self.robot.patience_s:
                    raise
                outcome = Outcome(OutcomeState.RUNNING, detail=str(error))
            if outcome.state is not OutcomeState.RUNNING:
                return outcome
            if outcome.detail != said:
                said = outcome.detail
                log.log(
                    logging.WARNING if ": " in said else logging.INFO, "%s, %s: %s", self.robot.name, entry.token, said
                )
            if self.leaving.wait(self.robot.poll_s):
                raise MachineError(f"{self.robot.name}: nobody follows {entry.token} any more; the robot goes on.")

    def look(self, entry: Entry, planned: Planned | None = None) -> Outcome:
        """What became of a token under which play was, or was about to be, sent.

        Copies the commands that were carried out since. A run that was not played is taken off the robot, so that it
        never will be; one that has ended makes room.

        Raises:
            RobotAwayError: the robot cannot be reached.
        """
        run = self.api.run(entry.run_id)
        if run is not None and not run.was_played and run.is_current and not run.has_ended:
            run = self._take_off(run)
        if run is None:
            return self._unknown(entry, planned, f"the robot has no memory of run {entry.run_id}")
        if not run.was_played:
            if run.is_current and not run.has_ended:
                raise RobotAwayError(f"{self.robot.name}: run {run.run_id} cannot be taken off the robot.")
            self.log.note(replace(entry, phase=Phase.REFUSED, detail="the robot was never told to play"))
            return Outcome(OutcomeState.NEVER_STARTED, detail=f"run {run.run_id} was never played, and cannot be now")
        if not run.is_whole:
            why = f"the robot's server was restarted in mid-run ({'; '.join(run.errors)})"
            return self._unknown(entry, planned, why)
        commands = self._pull(run.run_id)
        if not run.has_ended:
            waits = next((said for status, said in _WAITS.items() if run.status.startswith(status)), "")
            return Outcome(OutcomeState.RUNNING, detail=f"run {run.run_id} is {run.status}{waits}")
        return self._conclude(entry, run, commands, planned)

    def _conclude(self, entry: Entry, run: RunState, commands: Sequence[Command], planned: Planned | None) -> Outcome:
        account, written = self._account(entry, commands, planned)
        how_far = progress_of(account, written)
        if run.status == "succeeded":
            outcome = self._check_done(entry, run, account, written)
        elif how_far.n_started:
            why = f"run {run.run_id} {run.status}: {'; '.join(run.errors) or 'no reason is given'}; {how_far}"
            outcome = Outcome(OutcomeState.FAILED, detail=why)
        else:
            return self._unknown(entry, planned, f"run {run.run_id} {run.status} before a command was seen to begin")
        phase = Phase.DONE if outcome.state is OutcomeState.DONE else Phase.FAILED
        self.log.note(replace(entry, phase=phase, detail=outcome.detail))
        self._release(run.run_id)
        return outcome

    def _check_done(self, entry: Entry, run: RunState, commands: Sequence[Command], written: Written | None) -> Outcome:
        """A run counts as done when the robot carried out every command of the protocol and its volumes."""
        wrong = [command for command in commands if command["status"] != "succeeded"]
        if wrong:
            return Outcome(
                OutcomeState.FAILED,
                detail=f"run {run.run_id} succeeded, but {len(wrong)} commands did not; {progress_of(commands)}",
            )
        if _sha256_of(command["key"] for command in commands) != entry.keys_sha256:
            why = f"run {run.run_id} carried out other commands than were proved"
            return Outcome(OutcomeState.FAILED, detail=why)
        if written is not None:
            try:
                check_against(*written, read_analysis({"commands": commands}))
            except ProtocolRefusedError as error:
                return Outcome(OutcomeState.FAILED, detail=str(error))
        return Outcome(OutcomeState.DONE, detail=f"run {run.run_id} carried out {len(commands)} commands")

    def _unknown(self, entry: Entry, planned: Planned | None, why: str) -> Outcome:
        with closing(self.log.commands(entry.run_id)) as archive:
            account, written = self._account(entry, archive.commands, planned)
        return Outcome(OutcomeState.UNKNOWN, detail=f"{why}; {progress_of(account, written)}")

    def _account(
        self, entry: Entry, commands: Sequence[Command], planned: Planned | None
    ) -> tuple[Sequence[Command], Written | None]:
        """The commands with what the robot's analysis knows of them; and the step that they can be compared with."""
        analysis = self.log.analysis(entry.protocol_id)
        written = (planned.written.step, planned.written.deck) if planned and analysis else None
        return account_of(commands, analysis), written

    def _pull(self, run_id: str) -> tuple[Command, ...]:
        """Copies what was carried out since the last time; our copy survives the robot's restart."""
        with closing(self.log.commands(run_id)) as archive:
            while True:
                page = self.api.commands(run_id, archive.n_ended)
                archive.add(page)
                if len(page) < PAGE:
                    return archive.commands

    def _take_off(self, run: RunState) -> RunState | None:
        self._release(run.run_id)
        return self.api.run(run.run_id)

    def _release(self, run_id: str) -> None:
        """Takes a run off the robot if that can be done; whoever depends on it looks again."""
        try:
            self.api.release(run_id)
        except (RequestRefusedError, AnswerLostError) as error:
            log.warning("%s: run %s stays on the robot: %s", self.robot.name, run_id, error)

    def _analysis(self, protocol_id: str, analysis_id: str) -> dict[str, Any]:
        end = time.monotonic() + self.robot.analysis_s
        while (analysis := self.api.analysis(protocol_id, analysis_id)) is None:
            if time.monotonic() > end or self.leaving.wait(ANALYSIS_LOOK_S):
                raise MachineRefusedError(
                    f"{self.robot.name}: the robot did not come to the end of its analysis within "
                    f"{self.robot.analysis_s:g} s. Try again, with a longer analysis_s in its machine file for a large "
                    "plate; else restart the robot."
                )
        return analysis

    def _compare(self, planned: Planned, analysis: Mapping[str, Any]) -> None:
        """The robot's own reading of the protocol against the one that was proved."""
        step = planned.written.step
        errors = [error.get("detail", "") for error in analysis.get("errors", [])]
        if analysis.get("result") != "ok":
            raise MachineRefusedError(
                f"Step {step.uid}: {self.robot.name} finds the protocol impossible: {' / '.join(errors) or 'no reason'}"
            )
        keys = [command["key"] for command in analysis["commands"]]
        if keys != planned.keys:
            differ = (k for k, (mine, its) in enumerate(zip(planned.keys, keys, strict=False), 1) if mine != its)
            first = next(differ, min(len(keys), len(planned.keys)) + 1)
            raise MachineRefusedError(
                f"Step {step.uid}: {self.robot.name} reads other commands out of the protocol than were proved, from "
                f"the {first}. of {len(planned.keys)} on. Install the robot's own software version with `cellos "
                "hardware install opentrons --version`, or update the robot; then prove again."
            )
        check_against(step, planned.written.deck, read_analysis(analysis))

    def _check_never_played(self, entry: Entry) -> None:
        """The text of a protocol names plate, step and workflow, so whoever played it carried out this very step."""
        for run in self.api.runs():
            if run.protocol_id != entry.protocol_id or not run.was_played:
                continue
            if self.log.token_of(run.run_id) in {None, entry.token}:
                raise MachineRefusedError(
                    f"{self.robot.name} has carried out this very protocol before, in run {run.run_id}, of which "
                    f"{self.log.path.name} knows nothing. Look at the plate; if it is as it should be before the "
                    "step, delete that run in Opentrons' app."
                )

    def _refused(self, entry: Entry, why: str) -> MachineRefusedError:
        self.log.note(replace(entry, phase=Phase.REFUSED, detail=why))
        return MachineRefusedError(why if "Nothing has moved" in why else f"{why} Nothing has moved.")


def _sha256_of(keys: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _offsets(robot: OpentronsSettings, planned: Planned) -> list[dict[str, Any]]:
    """The configured offsets of what stands on the deck during a step, as the robot takes them."""
    uris = {(each["loadName"], _slot(each)): each["definitionUri"] for each in planned.analysis.get("labware", [])}
    return [
        {
            "definitionUri": uris[offset.labware, offset.slot],
            "location": {"slotName": offset.slot},
            "vector": {"x": offset.x_mm, "y": offset.y_mm, "z": offset.z_mm},
        }
        for offset in robot.labware_offsets
        if (offset.labware, offset.slot) in uris
    ]


def _slot(labware: Mapping[str, Any]) -> str | None:
    location = labware.get("location")
    return location.get("slotName") if isinstance(location, Mapping) else None
