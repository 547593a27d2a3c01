"""SimulatedRobot: protocols, runs and commands as an OT-2's or Flex's own software keeps them, in memory.

Its behaviour is that of robot-server 8.2 with HTTP API 4, as far as a run needs it: what it says after a restart, what
it declines, what it forgets. Commands take effect in a ledger of its own, which outlives every restart.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from cellos_nb.hardware.opentrons.settings import OpentronsSettings
from cellos_nb.hardware.opentrons.simulated.records import (
    FAILED,
    IDLE,
    PAUSED,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    Protocol,
    Run,
)
from cellos_nb.hardware.opentrons.simulated.replies import Reply, declined, one
from cellos_nb.units import now_utc

MAX_RUNS = 20
MAX_UNUSED_PROTOCOLS = 5
TROUBLE = "the tip is not attached"
_ENDED = {STOPPED, SUCCEEDED, FAILED}

Analyse = Callable[[str, str], dict[str, Any]]
"""Name and text of a protocol in, the vendor's analysis out."""


class SimulatedRobot:
    """One robot. Every method may be called by any thread.

    `n_effects` is the ledger: how often each command of each protocol text took effect, by SHA-256 and key.
    """

    def __init__(self, settings: OpentronsSettings, analyse: Analyse, *, seconds_per_command: float = 0.0) -> None:
        """A robot with the pipettes, modules and deck of its settings, switched on."""
        self.settings, self._analyse = settings, analyse
        self.seconds_per_command = seconds_per_command
        self.n_effects: Counter[tuple[str, str]] = Counter()
        self.is_booting = self.is_door_open = False
        self.has_estop_pressed = False
        self.hold_before: int | None = None
        """The command, counted from 0, before which a run waits; None for none."""
        self.fail_at: int | None = None
        """The command that fails."""
        self._change = threading.Condition()
        self._protocols: dict[str, Protocol] = {}
        self._runs: dict[str, Run] = {}
        self._current: str | None = None
        self._life = 0
        self._at = -1

    # ---- what happens to it, for tests and for people who try things out

    def restart(self) -> None:
        """The server dies and starts again: runs that had not ended lose their commands."""
        with self._change:
            self._life += 1
            self._current, self.hold_before = None, None
            for run in self._runs.values():
                if run.status not in _ENDED:
                    run.is_whole, run.commands = False, []
                    run.status = STOPPED if run.actions else IDLE
            self._change.notify_all()

    def forget_runs(self) -> None:
        """All runs are deleted, as the oldest are when there are too many."""
        with self._change:
            self._runs.clear()
            self._current = None

    def wait_until_held(self, timeout_s: float = 30.0) -> bool:
        """Waits until a run has come to `hold_before`; whether it has."""
        with self._change:
            return self._change.wait_for(lambda: self._at == self.hold_before, timeout_s)

    def wait_for_end(self, timeout_s: float = 30.0) -> bool:
        """Waits until no run moves any more; whether that came."""
        with self._change:
            return self._change.wait_for(
                lambda: all(r.status in {IDLE, *_ENDED} for r in self._runs.values()), timeout_s
            )

    def let_go(self, hold_before: int | None = None) -> None:
        """Lets a run that is held go on, up to another command or to its end."""
        with self._change:
            self.hold_before = hold_before
            self._change.notify_all()

    # ---- what the server is asked

    def upload(self, name: str, text: str) -> Reply:
        """Takes a protocol; the same content gives the same id."""
        with self._change:
            known = next((p for p in self._protocols.values() if (p.name, p.text) == (name, text)), None)
            if known is not None:
                return one(200, known.to_json())
            if "def run(" not in text:
                return declined(422, "ProtocolFilesInvalid", f"{name} has no function run")
            if f'"robotType": "{self.settings.robot}"' not in text:
                return declined(422, "ProtocolRobotTypeMismatch", f"{name} is not for an {self.settings.robot}")
            protocol = Protocol(str(uuid.uuid4()), name, text, str(uuid.uuid4()))
            self._protocols[protocol.protocol_id] = protocol
            self._drop_unused_protocols()
            threading.Thread(target=self._analyse_protocol, args=(protocol,), daemon=True).start()
            return one(201, protocol.to_json())

    def analysis(self, protocol_id: str, analysis_id: str) -> Reply:
        """The analysis of a protocol, whole or pending."""
        with self._change:
            protocol = self._protocols.get(protocol_id)
            if protocol is None or protocol.analysis_id != analysis_id:
                return declined(404, "AnalysisNotFound", analysis_id)
            if protocol.analysis is None:
                return one(200, {"id": analysis_id, "status": "pending"})
            return one(200, {**protocol.analysis, "id": analysis_id, "status": "completed"})

    def create_run(self, asked: dict[str, Any]) -> Reply:
        """Makes a run, in the place of one that is idle or has ended."""
        with self._change:
            protocol = self._protocols.get(asked.get("protocolId") or "")
            if protocol is None:
                return declined(404, "ProtocolNotFound", str(asked.get("protocolId")))
            current = self._runs.get(self._current or "")
            if current is not None and current.status not in {IDLE, *_ENDED}:
                return declined(409, "RunAlreadyActive", f"{current.run_id} is {current.status}")
            run = Run(str(uuid.uuid4()), protocol, asked.get("labwareOffsets", []))
            while len(self._runs) >= MAX_RUNS:
                del self._runs[next(iter(self._runs))]
            self._runs[run.run_id], self._current = run, run.run_id
            return one(201, run.to_json(is_current=True))

    def runs(self) -> Reply:
        """All runs, oldest first."""
        with self._change:
            said = [run.to_json(is_current=run.run_id == self._current) for run in self._runs.values()]
            return Reply(200, {"data": copy.deepcopy(said), "meta": {"totalLength": len(said)}})

    def run(self, run_id: str) -> Reply:
        """One run."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return declined(404, "RunNotFound", f"Run {run_id} was not found.")
            return one(200, copy.deepcopy(run.to_json(is_current=run_id == self._current)))

    def update_run(self, run_id: str, asked: dict[str, Any]) -> Reply:
        """Takes a run off the robot."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return declined(404, "RunNotFound", f"Run {run_id} was not found.")
            if run_id != self._current:
                return declined(409, "RunStopped", f"Run {run_id} is not the current run.")
            if run.status not in {IDLE, *_ENDED}:
                return declined(409, "RunNotIdle", f"Run {run_id} is {run.status}.")
            if asked.get("current") is False:
                run.status, self._current = STOPPED if run.status == IDLE else run.status, None
            return one(200, copy.deepcopy(run.to_json(is_current=False)))

    def delete_run(self, run_id: str) -> Reply:
        """Forgets a run."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return declined(404, "RunNotFound", f"Run {run_id} was not found.")
            if run_id == self._current and run.status not in {IDLE, *_ENDED}:
                return declined(409, "RunNotIdle", f"Run {run_id} is {run.status}.")
            del self._runs[run_id]
            return Reply(200, {})

    def act(self, run_id: str, action: str) -> Reply:
        """Plays, pauses or stops a run."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return declined(404, "RunNotFound", f"Run {run_id} was not found.")
            if run_id != self._current:
                return declined(409, "RunStopped", f"Run {run_id} is not the current run.")
            if run.status in _ENDED:
                return declined(409, "RunActionNotAllowed", f"Run {run_id} is {run.status}.")
            if action not in {"play", "pause", "stop"}:
                return declined(422, "InvalidRequest", f"actionType: {action}")
            is_first = not any(each["actionType"] == "play" for each in run.actions)
            noted = {"id": str(uuid.uuid4()), "actionType": action, "createdAt": now_utc().isoformat()}
            run.actions.append(noted)
            run.status = {"play": RUNNING, "pause": PAUSED, "stop": STOPPED}[action]
            if action == "play" and is_first:
                threading.Thread(target=self._carry_out, args=(run, self._life), daemon=True).start()
            self._change.notify_all()
            return one(201, noted)

    def commands(self, run_id: str, cursor: int | None, n: int) -> Reply:
        """A page of a run's commands, without their results; without a cursor the last of those that were begun."""
        with self._change:
            run = self._runs.get(run_id)
            if run is None:
                return declined(404, "RunNotFound", f"Run {run_id} was not found.")
            first = max(len(run.commands) - n, 0) if cursor is None else cursor
            page = [{k: v for k, v in each.items() if k != "result"} for each in run.commands[first : first + n]]
            return Reply(200, {"data": page, "meta": {"cursor": first, "totalLength": len(run.commands)}})

    # ---- what it does

    def _analyse_protocol(self, protocol: Protocol) -> None:
        analysis = self._analyse(protocol.name, protocol.text)
        with self._change:
            protocol.analysis = analysis
            self._change.notify_all()

    def _drop_unused_protocols(self) -> None:
        used = {run.protocol.protocol_id for run in self._runs.values()}
        unused = [protocol_id for protocol_id in self._protocols if protocol_id not in used]
        for protocol_id in unused[: max(len(unused) - MAX_UNUSED_PROTOCOLS, 0)]:
            del self._protocols[protocol_id]

    def _carry_out(self, run: Run, life: int) -> None:
        digest = hashlib.sha256(run.protocol.text.encode()).hexdigest()
        planned = (run.protocol.analysis or {}).get("commands", [])
        for number, command in enumerate(planned):
            with self._change:
                n_begun = len(run.commands)
                if not self._carry_out_one(run, life, number, command):
                    self._never_run(run, life, planned[number + len(run.commands) - n_begun :])
                    return
                self.n_effects[digest, command["key"]] += 1
        with self._change:
            if self._wait_for_turn(run, life, len(planned)):
                run.status = SUCCEEDED
                self._change.notify_all()

    def _carry_out_one(self, run: Run, life: int, number: int, command: dict[str, Any]) -> bool:
        """Whether a command took effect; not when the run was stopped or the server died before it, or it failed."""
        if not self._wait_for_turn(run, life, number):
            return False
        done = self._begin(run, command)
        if command["commandType"] == "waitForResume":
            run.status = PAUSED
            if not self._wait_for_turn(run, life, number):
                return False
        if self.fail_at == number:
            done |= {"status": FAILED, "error": {"detail": TROUBLE}}
            run.status, run.errors = FAILED, [{"detail": f"{command['commandType']}: {TROUBLE}"}]
            return False
        done |= {"status": SUCCEEDED, "completedAt": now_utc().isoformat()}
        return True

    def _begin(self, run: Run, command: dict[str, Any]) -> dict[str, Any]:
        begun = {**copy.deepcopy(command), "id": str(uuid.uuid4()), "status": "running"}
        begun |= {"startedAt": now_utc().isoformat(), "completedAt": None}
        run.commands.append(begun)
        return begun

    def _wait_for_turn(self, run: Run, life: int, number: int) -> bool:
        """Waits until a command may begin; False when the run was stopped or the server has died."""
        self._at = number
        self._change.notify_all()
        if self.seconds_per_command:
            self._change.wait_for(lambda: self._life != life or run.status == STOPPED, self.seconds_per_command)
        self._change.wait_for(
            lambda: (
                self._life != life
                or run.status == STOPPED
                or (run.status == RUNNING and not self.is_door_open and self.hold_before != number)
            )
        )
        return self._life == life and run.status != STOPPED

    def _never_run(self, run: Run, life: int, planned: list[dict[str, Any]]) -> None:
        """What stands behind a stop: commands that failed without ever having begun."""
        if self._life == life:
            for command in planned:
                never = {**copy.deepcopy(command), "id": str(uuid.uuid4()), "status": "failed", "result": None}
                run.commands.append({**never, "startedAt": None, "completedAt": None})

    def effects(self) -> Iterator[int]:
        """How often each command took effect that ever did."""
        return iter(self.n_effects.values())
