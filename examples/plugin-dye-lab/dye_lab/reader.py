"""A machine: the simulated liquid handler that comes with cellos_nb, with a reader of our own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cellos_nb import VirtualMachine
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.reading import Channel
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.domain.step import Readout, Step
from cellos_nb.hardware.instrument import VolumeGauge
from cellos_nb.hardware.timeline import Timeline

EC50_UM = {"aurora": 0.2, "borealis": 3.0}
"""Where the dyes fade to one half, in µM."""


class DyeReader(VolumeGauge):
    """A dye whose light fades with the dose that a well truly holds, without noise."""

    def describe(self, machine: Capabilities) -> Capabilities:
        """Two dyes, one assay."""
        return replace(machine, compounds=tuple(EC50_UM), assays=("viability",))

    def measure(self, step: Step, readout: Readout, timeline: Timeline) -> tuple[Channel, ...]:
        """Half of the light is gone at the EC50."""
        held = timeline.incubated_contents()
        light = []
        for well in readout.wells:
            doses = held.well(well).dose_um if held is not None else {}
            light.append(100_000 / (1 + sum(dose / EC50_UM[name] for name, dose in doses.items())))
        return tuple(Channel(name, "RLU", tuple(light)) for name in readout.channels)


def open_dye_reader(settings: MachineSettings, ledger: Path | None, seed: int) -> VirtualMachine:
    """What the entry point names."""
    del settings, seed  # it has no files and no noise
    return VirtualMachine(ledger, instrument=DyeReader(), name="dye_reader", min_volume_ul=1.0)
