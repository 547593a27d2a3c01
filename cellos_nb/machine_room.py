"""The machines of one lab: opened when first needed, given back when it closes or another process wants them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.hardware.registry import identity_of, open_machine
from cellos_nb.store.store import Store

MACHINES_VARIABLE = "CELLOS_MACHINES"
DEFAULT_MACHINES = "cellos.machines"


def ledgers_of(store: Store) -> Path:
    """The folder in which the simulated machines of one database keep their ledgers, on this computer."""
    if store.path is not None:
        return store.path.with_name(f"{store.path.name}.machines")
    # One folder for each database, since plates of two may have the same names.
    return Path(os.environ.get(MACHINES_VARIABLE) or DEFAULT_MACHINES) / store.identity


@contextmanager
def looked_at(
    settings: MachineSettings, seed: int, machine: HardwareInterface | None = None
) -> Iterator[HardwareInterface]:
    """The machine given, or else the one that the settings name, opened only to be asked."""
    if machine is not None:
        yield machine
        return
    # Without a ledger, so that looking leaves nothing behind.
    machine = open_machine(settings, ledger=None, seed=seed)
    try:
        yield machine
    finally:
        machine.stop()


def describe(settings: MachineSettings, seed: int, machine: HardwareInterface | None = None) -> Capabilities:
    """What a machine says of itself; another process may be using it meanwhile."""
    with looked_at(settings, seed, machine) as asked:
        return asked.describe()


class MachineRoom:
    """Open machines by their names in the queue."""

    def __init__(self, store: Store, only: HardwareInterface | None = None) -> None:
        """No machine is open yet; `only` stands for every machine that settings may name, and is not closed here."""
        self.only = only
        self._ledgers = ledgers_of(store)
        self._open: dict[str, HardwareInterface] = {}

    def machine(self, settings: MachineSettings, seed: int) -> HardwareInterface:
        """The machine that settings name, opened once.

        Raises:
            ConfigError: no such kind, or its files cannot be read.
            MachineError: another process holds it.
        """
        if self.only is not None:
            return self.only
        name = identity_of(settings, seed)
        if name not in self._open:
            self._open[name] = open_machine(settings, ledger=self._ledgers / f"{name}.ledger", seed=seed)
        return self._open[name]

    def give_back(self, name: str) -> None:
        """Stops a machine, so that another process may open it; nothing where it is not open."""
        machine = self._open.pop(name, None)
        if machine is not None:
            machine.stop()

    def close(self) -> None:
        """Gives all machines back. May be called twice."""
        for name in tuple(self._open):
            self.give_back(name)

    @contextmanager
    def lent(self, settings: MachineSettings, seed: int) -> Iterator[HardwareInterface]:
        """A machine for as long as it is needed; one that was open before stays open."""
        name = identity_of(settings, seed)
        was_open = name in self._open
        try:
            yield self.machine(settings, seed)
        finally:
            if not was_open:
                self.give_back(name)
