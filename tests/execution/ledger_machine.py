"""A small machine with a ledger of its own file, outside the store: what really happened, for tests to count."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.step import Step, StepKind


class LedgerMachine:
    """Writes a line for each effect, on the disk before it returns. Readings depend on the step alone.

    `remembers`: whether it knows the tokens in its ledger, as a controller with a memory; otherwise it does whatever it
    is told and cannot say afterwards, as a bare pump.
    """

    def __init__(self, ledger: Path, *, is_simulated: bool = True, remembers: bool = True, declares: bool = True):
        self.ledger = ledger
        self.remembers = remembers
        self._capabilities = Capabilities(
            machine="ledger",
            is_simulated=is_simulated,
            can_reconcile=remembers and declares,
            step_kinds=tuple(StepKind),
            plate_formats=(6, 12, 24, 48, 96, 384, 1536),
            assays=("viability",),
            min_volume_ul=0.0025,
            max_volume_ul=1000.0,
            hour_s=0.0,
        )
        self.trouble: dict[str, list[Exception]] = {}
        """By step uid, or plate and step uid: what to raise instead of executing, first to last."""
        self.answers: dict[str, Outcome] = {}
        """By step uid: what to answer to reconcile."""

    def describe(self):
        return self._capabilities

    def preflight(self, step: Step):
        for error in self.trouble.get(f"preflight {step.uid}", []):
            raise error

    def execute(self, step: Step, token: str):
        if self.remembers and token in self._done():
            return self._reading(step) if step.readout else None
        for name in (step.uid, f"{step.plate_id} {step.uid}"):
            if self.trouble.get(name):
                raise self.trouble[name].pop(0)
        line = json.dumps({"token": token, "plate": step.plate_id, "step": step.uid, "wet": step.kind.moves_liquid})
        with self.ledger.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        return self._reading(step) if step.readout else None

    def reconcile(self, token: str):
        uid = token.split(":")[1]
        if uid in self.answers:
            return self.answers[uid]
        if not self.remembers:
            return Outcome(OutcomeState.UNKNOWN, detail="no memory")
        if token not in self._done():
            return Outcome(OutcomeState.NEVER_STARTED)
        # It knows that it read, not what: such a reading is taken again.
        return Outcome(OutcomeState.DONE)

    def stop(self):
        pass

    def effects(self) -> Counter[tuple[str, str]]:
        """How often each step of each plate took effect; those that move liquid alone."""
        return Counter((line["plate"], line["step"]) for line in self._lines() if line["wet"])

    def _done(self) -> set[str]:
        return {line["token"] for line in self._lines()}

    def _lines(self):
        if not self.ledger.exists():
            return []
        return [json.loads(line) for line in self.ledger.read_text(encoding="utf-8").splitlines()]

    def _reading(self, step: Step) -> Reading:
        values = tuple(1000.0 + 7.0 * (hash_of(well + step.plate_id) % 100) for well in step.readout.wells)
        channel = Channel("luminescence", "RLU", values)
        return Reading(step.plate_id, step.uid, step.readout.wells, (channel,), instrument="ledger")


def hash_of(text: str) -> int:
    return sum((k + 1) * ord(letter) for k, letter in enumerate(text))
