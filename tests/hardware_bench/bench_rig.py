"""A bench for tests: its settings, a small plate, and the file of a reader."""

from __future__ import annotations

from cellos_nb.domain.plate import well_names
from cellos_nb.domain.step import Fill, Labware, Liquid, Readout, Step, StepKind, TransferList
from cellos_nb.hardware.bench.settings import BenchFile

PLATE = "hand/i001-p1"
WELLS = ("B2", "B3", "C2", "C3")


def bench_file(**changes) -> BenchFile:
    fixed = {
        "kind": "bench",
        "name": "hands",
        "pipettes": [
            {"name": "P2", "min_ul": 0.2, "max_ul": 2},
            {"name": "P200", "min_ul": 20, "max_ul": 200},
        ],
        "reader": {"signals": {"luminescence": "Lum"}, "saturated_at": 1e6},
    }
    return BenchFile.model_validate(fixed | changes)


def labware(name: str, n_wells: int = 96, plate_id: str = PLATE) -> Labware:
    barcode = plate_id if name == "plate" else f"{plate_id}/{name}"
    return Labware(name, barcode, n_wells, 360.0 if name == "plate" else 50_000.0, 0.0 if name == "plate" else 10.0)


def table(rows, **options) -> TransferList:
    columns = tuple(tuple(column) for column in zip(*rows, strict=True))
    return TransferList(*columns, **options)


def seed_step(n_wells: int = 96, plate_id: str = PLATE) -> Step:
    rows = [("cells", "A1", "plate", well, 99.5) for well in WELLS]
    fills = (Fill("cells", "A1", Liquid("U2OS cells", "U2OS", 25.0), 5000.0),)
    held = (labware("plate", n_wells, plate_id), labware("cells", 6, plate_id))
    return Step("1-seed", "seed", StepKind.SEED, plate_id, held, fills=fills, transfers=table(rows))


def dose_step(volume_ul: float = 0.5) -> Step:
    rows = [("stocks", "A1", "plate", "B2", volume_ul), ("stocks", "A1", "plate", "B3", volume_ul)]
    rows += [("vehicle", "A1", "plate", well, volume_ul) for well in ("C2", "C3")]
    stock = Liquid("staurosporine 1 mM", compound="staurosporine", concentration_um=1000.0, solvent_fraction=1.0)
    fills = (
        Fill("stocks", "A1", stock, 100.0),
        Fill("vehicle", "A1", Liquid("DMSO", solvent_fraction=1.0), 100.0),
    )
    held = (labware("plate"), labware("stocks", 24), labware("vehicle", 24))
    return Step("3-dose", "dose", StepKind.DOSE, PLATE, held, fills=fills, transfers=table(rows))


def incubate_step() -> Step:
    return Step("2-attach", "attach", StepKind.INCUBATE, PLATE, (labware("plate"),), duration_h=4.0)


def read_step(n_wells: int = 96, wells=WELLS, channels=("luminescence",)) -> Step:
    readout = Readout("luminescence", channels, wells)
    return Step("5-read", "read", StepKind.READ, PLATE, (labware("plate", n_wells),), readout=readout)


def list_file(numbers: dict[str, object], *, head: str = "Well,Lum", before: str = "") -> bytes:
    rows = "".join(f"{well},{number}\n" for well, number in numbers.items())
    return f"{before}{head}\n{rows}".encode()


def whole_plate(n_wells: int = 96, **changes: object) -> dict[str, object]:
    return {well: 1000 + index for index, well in enumerate(well_names(n_wells))} | changes
