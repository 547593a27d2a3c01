"""A plug-in machine for robot hosts: it waits in a step for as long as a file stands, so that its host can be killed.

Its parameters are a JSON file: `remembers`, and `hold`, the folder of those files.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from ledger_machine import LedgerMachine


class PacedMachine(LedgerMachine):
    """While `<when> <step>` stands in the folder, a step waits before or after its effect, and says so by a file."""

    def __init__(self, ledger: Path, folder: Path, *, remembers: bool):
        super().__init__(ledger, remembers=remembers)
        self.folder = folder

    def execute(self, step, token):
        self._wait(f"before {step.uid}")
        reading = super().execute(step, token)
        self._wait(f"after {step.uid}")
        return reading

    def _wait(self, name):
        gate = self.folder / name
        if gate.exists():
            (self.folder / f"in {name}").write_text(self.ledger.stem)
            while gate.exists():
                threading.Event().wait(0.02)


def open_paced(settings, ledger, seed):
    parameters = json.loads(Path(settings.parameters).read_text(encoding="utf-8"))
    return PacedMachine(ledger, Path(parameters["hold"]), remembers=parameters["remembers"])
