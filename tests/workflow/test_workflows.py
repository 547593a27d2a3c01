import subprocess
import sys
from pathlib import Path

import pytest
from plate_batches import batch, check_plate, compiled, machine, plan, proposal

from cellos_nb.domain.settings import AssaySettings
from cellos_nb.domain.step import StepKind, TipPolicy
from cellos_nb.workflow.assays import ASSAYS
from cellos_nb.workflow.workflow import Workflow

STEPS = {
    "viability": ["1-seed", "2-attach", "3-dilute", "4-dose", "5-treat", "6-read"],
    "reporter": ["1-seed", "2-attach", "3-dilute", "4-dose", "5-treat", "6-read"],
    "imaging": ["1-seed", "2-attach", "3-dilute", "4-dose", "5-treat", "6-stain", "7-image"],
}


@pytest.mark.parametrize("assay", STEPS)
def test_an_assay_becomes_its_steps_in_order(assay):
    (workflow,) = compiled(batch(20, assay=assay))
    assert [step.uid for step in workflow.steps] == STEPS[assay]
    for step in workflow.steps:
        assert (step.plate_id, step.assay, step.seed) == (workflow.plate_id, assay, workflow.seed)
        assert step.labware_named("plate").barcode == workflow.plate_id
        assert {item.barcode for item in step.labware[1:]} == {f"test/i001-p1/{i.name}" for i in step.labware[1:]}
    readout = workflow.steps[-1].readout
    assert readout.wells == tuple(well.well for well in workflow.layout if well.cell_line)
    assert (readout.mode, readout.channels) == (ASSAYS[assay].mode, ASSAYS[assay].channels)
    assert readout.n_sites == (9 if assay == "imaging" else 1)


def test_imaging_stains_every_well_with_cells_after_the_treatment():
    (workflow,) = compiled(batch(20, assay="imaging"), plan(outer_wells="medium"))
    bench = check_plate(workflow, plan(), machine())
    for well in workflow.layout:
        volume = bench.volume[workflow.plate_id, well.well]
        assert volume == pytest.approx(110.0 if well.cell_line else 100.0)


@pytest.mark.parametrize(
    ("assay", "attach_h", "treat_h", "cells"),
    [("viability", 4.0, 72.0, 2_500), ("reporter", 4.0, 24.0, 10_000), ("imaging", 4.0, 48.0, 5_000)],
    ids=STEPS,
)
def test_times_and_cells_are_those_of_the_assay_unless_the_plan_sets_them(assay, attach_h, treat_h, cells):
    (workflow,) = compiled(batch(8, assay=assay))
    assert [s.duration_h for s in workflow.steps if s.kind is StepKind.INCUBATE] == [attach_h, treat_h]
    bench = check_plate(workflow, plan(), machine())
    well = (workflow.plate_id, workflow.layout.with_cells[0].well)
    assert bench.contents[well]["cells"] == pytest.approx(cells)
    chosen = plan(assay=AssaySettings(name=assay, treatment_h=36.5, cells_per_well=1234))
    (changed,) = compiled(batch(8, assay=assay), chosen)
    assert [s.duration_h for s in changed.steps if s.kind is StepKind.INCUBATE] == [attach_h, 36.5]
    assert check_plate(changed, chosen, machine()).contents[well]["cells"] == pytest.approx(1234)


def test_cells_scale_with_growth_area():
    (workflow,) = compiled(batch(8, assay="reporter"), plan(384))
    bench = check_plate(workflow, plan(384), machine())
    well = (workflow.plate_id, workflow.layout.with_cells[0].well)
    assert bench.contents[well]["cells"] == pytest.approx(10_000 * 0.056 / 0.32)


def test_different_assays_go_onto_different_plates():
    mixed = [proposal(uid="a"), proposal(uid="b", assay="imaging"), proposal(uid="c")]
    first, second = compiled(mixed)
    assert (first.assay, second.assay) == ("viability", "imaging")
    assert (first.plate_id, second.plate_id) == ("test/i001-p1", "test/i001-p2")
    assert first.seed != second.seed


@pytest.mark.parametrize(
    ("min_ul", "expected"),
    [
        (0.0025, (TipPolicy.PER_SOURCE, False)),
        (0.2, (TipPolicy.PER_TRANSFER, True)),
        (1.0, (TipPolicy.PER_SOURCE, False)),
    ],
    ids=["droplets", "a tip in the well", "working solutions from above"],
)
def test_a_tip_that_touches_a_well_is_not_used_for_another(min_ul, expected):
    (workflow,) = compiled(batch(20), plan(), machine(min_ul))
    dose = next(step for step in workflow.steps if step.kind is StepKind.DOSE)
    assert (dose.transfers.tip_policy, dose.transfers.mix_after) == expected


@pytest.mark.parametrize("min_ul", [0.0025, 1.0])
def test_a_workflow_survives_its_json(min_ul):
    (workflow,) = compiled(batch(48, assay="imaging"), plan(outer_wells="medium"), machine(min_ul))
    again = Workflow.from_json(workflow.canonical_json())
    assert again == workflow
    assert again.sha256 == workflow.sha256


def test_the_sha_is_the_same_in_every_process():
    script = (
        "from plate_batches import *\n"
        "for ul in (0.0025, 1.0):\n"
        "    print(*(w.sha256 for w in compiled(batch(120), plan(outer_wells='medium'), machine(ul))))\n"
    )

    def shas(hash_seed):
        here = Path(__file__).parent
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            cwd=here,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{here}:{here.parents[1]}"},
        )
        return done.stdout

    assert shas("1") == shas("2") != ""


def test_anything_that_changes_what_is_done_changes_the_sha():
    shas = {
        compiled(proposals, chosen, bench, seed)[0].sha256
        for proposals, chosen, bench, seed in (
            (batch(20), plan(), machine(), 1),
            (batch(20), plan(), machine(), 2),
            (batch(21), plan(), machine(), 1),
            (batch(20, high=39.9), plan(), machine(), 1),
            (batch(20), plan(max_solvent_percent=0.4), machine(), 1),
            (batch(20), plan(), machine(1.0), 1),
        )
    }
    assert len(shas) == 6
