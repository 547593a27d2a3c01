"""Prints how often injected plate faults are found, and what a faultless plate is accused of.

`uv run python benchmarks/quality.py`: a campaign's own plates on the simulated biology, 24 experiments in triplicate
and 12 vehicle wells on a 96-well plate, each kind of fault injected by the machine (`faults:` in its parameter file) at
several sizes, and concluded as in a campaign. The columns are shares of plates whose results carry the flag; "right
well": of plates with a bubble, those where it was told. "quarantined": the whole plate is kept from the model. Rows
"none" are false alarms, on the quiet machine; as shipped, a plate has an edge effect and 2 % true outliers anyway.
"""

from __future__ import annotations

import argparse

import numpy as np

from cellos_nb.analysis import conclude
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.plate import well_names
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import QCFlag, ResultStatus
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.biology_parameters import BiologyParameters, load_parameters
from cellos_nb.hardware.chance import of_faults
from cellos_nb.hardware.faults import draw_faults
from cellos_nb.workflow.compile import compile_plates

FLAGS = {
    "edge": QCFlag.EDGE_EFFECT,
    "drift": QCFlag.DRIFT,
    "bubble": QCFlag.BUBBLE,
    "swapped_rows": QCFlag.SWAPPED_ROWS,
}
CASES = (
    ("none", 0.0), ("edge", 0.2), ("edge", 0.35), ("edge", 0.5), ("drift", 0.2), ("drift", 0.35), ("drift", 0.5),
    ("bubble", 0.3), ("bubble", 0.6), ("bubble", 0.9), ("swapped_rows", 0.0),
)  # fmt: skip


def parameters(kind: str, size: float, *, is_quiet: bool) -> BiologyParameters:
    """The shipped biology with one fault on every plate; quiet: without its usual edge effect and outliers."""
    shipped = load_parameters()
    changes = {}
    if kind != "none":
        fault = getattr(shipped.faults, kind).model_copy(update={"share_of_plates": 1.0, "size": size})
        changes["faults"] = shipped.faults.model_copy(update={kind: fault})
    if is_quiet:
        none = shipped.noise.edge_evaporation.model_copy(update={"value": 0.0})
        off = {"edge_evaporation": none, "outlier_fraction": none, "failure_fraction": none}
        changes["noise"] = shipped.noise.model_copy(update=off)
        changes["growth"] = shipped.growth.model_copy(update={"edge_slowdown": none})
    return shipped.model_copy(update=changes)


def outcome(biology: BiologyParameters, seed: int) -> tuple[set[QCFlag], bool, bool]:
    """Flags on the results of one plate, whether all of them are quarantined, and whether the bubble was told."""
    compounds = ["staurosporine", "bortezomib", "paclitaxel"]
    config = CampaignConfig(
        name="quality", cell_lines=["U2OS", "HeLa"], compounds=compounds, dose_range_um=(0.001, 10.0),
        n_doses=4, batch_size=24, replicates=3, controls={"vehicle": 6}, seed=seed,
    )  # fmt: skip
    asked = [(line, name, dose) for line in config.cell_lines for name in compounds for dose in config.doses_um(name)]
    proposals = [ExperimentProposal(*a, proposal_id=f"e{k}") for k, a in enumerate(asked)]
    machine = BiologicalVirtualMachine(biology, seed=seed)
    (plate,) = compile_plates(proposals, config.plate_plan(), machine.describe(), batch_id="b", seed=seed)
    readings = []
    for k, step in enumerate(plate.steps):
        machine.preflight(step)
        readings.append(machine.execute(step, f"{seed}/{k}"))
    reading = next(reading for reading in readings if reading is not None)
    results = conclude(proposals, plate.layout, reading, plate_id="b-p1", assay="viability")
    doubted = [result.status is ResultStatus.QUARANTINED for result in results]
    used = np.isin(well_names(96), [well.well for well in plate.layout.with_cells])
    faults = draw_faults(of_faults(seed, plate.seed), biology.faults, 96, used)
    bad = {well_names(96)[position] for position in faults.bubbles}
    told = {well.well for result in results for well in result.wells if QCFlag.BUBBLE in well.qc_flags}
    return {flag for result in results for flag in result.qc_flags}, all(doubted), bool(bad) and bad <= told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plates", type=int, default=40, help="plates for each row")
    asked = parser.parse_args()
    heads = ("edge", "drift", "bubble", "right well", "swapped", "quarantined")
    print(f"{'machine':12}{'fault':14}{'size':>5}" + "".join(f"{head:>13}" for head in heads))
    for is_quiet in (False, True):
        for kind, size in CASES:
            biology = parameters(kind, size, is_quiet=is_quiet)
            found = [outcome(biology, 1000 + seed) for seed in range(asked.plates)]
            n = len(found)
            flagged = {name: sum(flag in flags for flags, _, _ in found) / n for name, flag in FLAGS.items()}
            whole, right = (sum(each[k] for each in found) / n for k in (1, 2))
            shares = (*list(flagged.values())[:3], right, flagged["swapped_rows"], whole)
            name = "quiet" if is_quiet else "as shipped"
            print(f"{name:12}{kind:14}{size:>5.0%}" + "".join(f"{share:>13.0%}" for share in shares))


if __name__ == "__main__":
    main()
