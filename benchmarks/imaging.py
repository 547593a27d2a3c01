"""Cells read from rendered images against the cells that are truly in them, from sparse to confluent fields.

    uv run python benchmarks/imaging.py [--figure docs/images/images-agreement.png]

Six wells with 0 to 100 % of dead cells and three fields each, for every density; then the dose plate of the figure:
U2OS with staurosporine in twelve wells on the simulated machine, imaged and read back. CPU time of one core for each
field of three images of 512 × 512 pixels.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, PlatePlan
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.imaging.agreement import Agreement, compare, draw
from cellos_nb.hardware.imaging.microscope import SETTINGS, practice_fields, take_images
from cellos_nb.hardware.imaging.settings import MicroscopeSettings, load_imaging
from cellos_nb.workflow.compile import compile_plates

DENSITIES = (10, 40, 100, 200, 300, 450)
DEAD = (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)
WELLS = ("A1", "A2", "A3", "A4", "A5", "A6")
DOSES_UM = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def practised(folder: Path, n_cells: int, lost: float) -> tuple[Agreement, float, float]:
    """One density; CPU seconds of rendering and of reading a field."""
    asked = MicroscopeSettings(folder=str(folder), out_of_focus=lost)
    fields = practice_fields(WELLS, 3, n_cells, dead=DEAD, settings=asked, seed=n_cells)
    started = time.process_time()
    how = take_images(folder, asked, fields, np.random.default_rng(n_cells))
    rendered = time.process_time()
    found = compare(folder, how)
    n = len(found.fields)
    return found, (rendered - started) / n, (time.process_time() - rendered) / n


def dosed(folder: Path) -> Agreement:
    """The dose plate on the simulated machine."""
    machine = BiologicalVirtualMachine(seed=1, images=MicroscopeSettings(folder=str(folder), out_of_focus=0.05))
    plan = PlatePlan(
        n_wells=96,
        replicates=1,
        controls=ControlSettings(vehicle=4),
        outer_wells="medium",
        stocks=(CompoundStock(name="staurosporine", stock_mm=10.0),),
        max_solvent_percent=0.5,
        assay=AssaySettings(name="imaging", n_sites=4),
    )
    asked = [ExperimentProposal("U2OS", "staurosporine", dose, "imaging", f"e{dose}") for dose in DOSES_UM]
    (workflow,) = compile_plates(asked, plan, machine.describe(), batch_id="images", seed=1)
    for step in workflow.steps:
        machine.execute(replace(step, seed=1), step.uid)
    (settings,) = folder.rglob(SETTINGS)
    return compare(settings.parent, load_imaging(settings))


def row(name: str, found: Agreement, more: str) -> str:
    shares = [f"{100 * value:.1f} %" for value in (found.recall, found.precision, found.called_right)]
    errors = f"{found.count_error_percent:.1f} % | {found.viability_error_percent:.1f}"
    return f"| {name} | {len(found.sharp)} of {len(found.fields)} | {' | '.join(shares)} | {errors} | {more} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--figure", type=Path, help="where the dose plate's agreement is drawn")
    asked = parser.parse_args()
    print(
        "| cells of a field | in focus | true cells found | found that are true | living or dead called right | count "
        "wrong by, median | viability of a well wrong by, points at most | render, read |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for n_cells in DENSITIES:
            found, render_s, read_s = practised(Path(folder) / str(n_cells), n_cells, 0.05)
            print(row(str(n_cells), found, f"{render_s:.2f}, {read_s:.2f} s"), flush=True)
        found = dosed(Path(folder) / "dosed")
        print(row("a dose plate, simulated", found, ""))
        if asked.figure is not None:
            draw(found).savefig(asked.figure, dpi=110)


if __name__ == "__main__":
    main()
