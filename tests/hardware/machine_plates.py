"""Plates built by hand: the steps that the compiler would write, small and in full view."""

from __future__ import annotations

from dataclasses import dataclass, field

from cellos_nb.domain.plate import PLATE_FORMATS, well_names
from cellos_nb.domain.step import Fill, Labware, Liquid, Readout, Step, StepKind, TransferList

CHANNELS = {
    "viability": ("luminescence",),
    "reporter": ("reporter", "viability"),
    "imaging": ("cell_count", "DAPI", "GFP", "RFP"),
}
SOLVENT_SHARE = 0.005


@dataclass(frozen=True)
class Well:
    """A well with cells: what it is treated with, if with anything."""

    cell_line: str
    compound: str | None = None
    dose_um: float = 0.0


@dataclass(frozen=True)
class Plate:
    """One assay plate; `wells` by name."""

    wells: dict[str, Well]
    plate_id: str = "test/i001-p1"
    n_wells: int = 96
    assay: str = "viability"
    cells_per_well: float = 10_000.0
    attach_h: float = 4.0
    treatment_h: float = 72.0
    seed: int = 0
    seeds: dict[str, int] = field(default_factory=dict)
    """Seeds of single steps by uid, where they differ."""

    @property
    def volume_ul(self) -> float:
        return PLATE_FORMATS[self.n_wells].working_volume_ul

    @property
    def labware(self) -> dict[str, Labware]:
        capacity = PLATE_FORMATS[self.n_wells].well_capacity_ul
        made = [Labware("plate", self.plate_id, self.n_wells, capacity)]
        for name, n_wells, well_ul, dead_ul in (
            ("cells", 8, 200_000.0, 50.0),
            ("medium", 1, 1_000_000.0, 50.0),
            ("stocks", 384, 1000.0, 2.5),
            ("vehicle", 1, 100_000.0, 10.0),
            ("stains", 1, 100_000.0, 10.0),
        ):
            made.append(Labware(name, f"{self.plate_id}/{name}", n_wells, well_ul, dead_ul))
        return {item.name: item for item in made}

    def step(self, uid: str, name: str, kind: StepKind, *beside: str, **values) -> Step:
        labware = tuple(self.labware[item] for item in ("plate", *beside))
        seed = self.seeds.get(uid, self.seed)
        return Step(uid, name, kind, self.plate_id, labware, assay=self.assay, seed=seed, **values)

    def seed_step(self) -> Step:
        lines = list(dict.fromkeys(well.cell_line for well in self.wells.values()))
        spot = {line: f"A{i + 1}" for i, line in enumerate(lines)}
        half = self.volume_ul / 2
        rows = [("cells", spot[well.cell_line], "plate", name, half) for name, well in self.wells.items()]
        rest = half - self.volume_ul * SOLVENT_SHARE
        rows += [("medium", "A1", "plate", name, rest) for name in self.wells]
        fills = [
            Fill("cells", spot[line], Liquid(f"{line} cells", line, self.cells_per_well / half), 150_000.0)
            for line in lines
        ]
        fills.append(Fill("medium", "A1", Liquid("medium"), 900_000.0))
        return self.step("1-seed", "seed", StepKind.SEED, "cells", "medium", fills=tuple(fills), transfers=table(rows))

    def dose_step(self) -> Step:
        share = self.volume_ul * SOLVENT_SHARE
        rows, stock = [], {}
        for name, well in self.wells.items():
            if well.compound is None:
                rows.append(("vehicle", "A1", "plate", name, share))
            else:
                spot = stock.setdefault((well.compound, well.dose_um), well_names(384)[len(stock)])
                rows.append(("stocks", spot, "plate", name, share))
        fills = [Fill("vehicle", "A1", Liquid("DMSO", solvent_fraction=1.0), 5000.0)]
        for (compound, dose_um), spot in stock.items():
            liquid = Liquid(compound, compound=compound, concentration_um=dose_um / SOLVENT_SHARE, solvent_fraction=1.0)
            fills.append(Fill("stocks", spot, liquid, 200.0))
        return self.step(
            "3-dose", "dose", StepKind.DOSE, "stocks", "vehicle", fills=tuple(fills), transfers=table(rows)
        )

    def stain_step(self) -> Step:
        fills = (Fill("stains", "A1", Liquid("nuclear stain", stain="DAPI"), 50_000.0),)
        rows = [("stains", "A1", "plate", name, self.volume_ul / 10) for name in self.wells]
        return self.step("5-stain", "stain", StepKind.STAIN, "stains", fills=fills, transfers=table(rows))

    def incubate_step(self, uid: str, name: str, hours: float) -> Step:
        return self.step(uid, name, StepKind.INCUBATE, duration_h=hours)

    def read_step(self, uid: str = "9-read", wells: tuple[str, ...] | None = None) -> Step:
        chosen = tuple(self.wells) if wells is None else wells
        if self.assay == "imaging":
            readout = Readout("imaging", CHANNELS["imaging"], chosen, n_sites=9)
            return self.step(uid, "image", StepKind.IMAGE, readout=readout)
        readout = Readout("luminescence", CHANNELS[self.assay], chosen)
        return self.step(uid, "read", StepKind.READ, readout=readout)

    def steps(self) -> list[Step]:
        stain = [self.stain_step()] if self.assay == "imaging" else []
        return [
            self.seed_step(),
            self.incubate_step("2-attach", "attach", self.attach_h),
            self.dose_step(),
            self.incubate_step("4-treat", "treat", self.treatment_h),
            *stain,
            self.read_step(),
        ]


def table(rows) -> TransferList:
    """A transfer list from rows of (source labware, source well, destination labware, destination well, µL)."""
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return TransferList(*(tuple(column) for column in columns))


def run(machine, plate: Plate):
    """Executes all steps of a plate and returns the reading of the last one."""
    reading = None
    for step in plate.steps():
        reading = machine.execute(step, f"{plate.plate_id}/{step.uid}")
    return reading


def by_well(reading, channel: str, site: int | None = None) -> dict[str, float]:
    """The values of one channel, by well."""
    found = next(c for c in reading.channel(channel) if c.site == site)
    return dict(zip(reading.wells, found.values, strict=True))
