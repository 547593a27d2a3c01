"""A machine whose steps take time on the clock, with gates that tests open; its ledger says what overlapped."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

from ledger_machine import LedgerMachine

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.proof import prove
from cellos_nb.units import now_utc


class SlowMachine(LedgerMachine):
    """Steps of plates on different devices may overlap; a gate that is closed holds a step up in the middle."""

    def __init__(self, ledger, *, hour_s=0.0005, time_limit_s=None, is_simulated=True, remembers=True):
        super().__init__(ledger, is_simulated=is_simulated, remembers=remembers)
        self._capabilities = replace(self._capabilities, hour_s=hour_s, time_limit_s=time_limit_s)
        self.gates: dict[str, threading.Event] = {}
        """By plate and step uid: the step begins, waits for this, and then takes effect."""
        self.entered: dict[str, threading.Event] = {}
        self.busy: list[str] = []
        self.overlaps: set[frozenset[str]] = set()
        self._turn = threading.Lock()

    def close(self, name):
        """Has the step named wait; returns the event that says that it has begun."""
        self.gates[name], self.entered[name] = threading.Event(), threading.Event()
        return self.entered[name]

    def execute(self, step, token):
        name = f"{step.plate_id} {step.uid}"
        with self._turn:
            self.overlaps |= {frozenset((step.uid, other.split()[1])) for other in self.busy}
            self.busy.append(name)
        try:
            if name in self.gates:
                self.entered[name].set()
                assert self.gates[name].wait(120)
            with self._turn:
                return super().execute(step, token)
        finally:
            with self._turn:
                self.busy.remove(name)

    def reconcile(self, token):
        plate_id, uid, _ = token.rsplit(":", 2)
        with self._turn:
            if self.remembers and f"{plate_id} {uid}" in self.busy:
                return Outcome(OutcomeState.RUNNING)
            return super().reconcile(token)

    def told(self):
        """Plate and step of everything that took effect, in order."""
        return [(line["plate"], line["step"]) for line in self._lines()]


def allow(store, machine, *workflows):
    """Proves and approves workflows, as a person would."""
    for workflow in workflows:
        prove(store, workflow, machine.describe())
        tomorrow = now_utc() + timedelta(days=1)
        approve(store, workflow.sha256, machine="ledger", person="Ada", expires_at=tomorrow)
