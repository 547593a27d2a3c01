"""Machines that stand apart: each step on its own machine, and every way between them a step of the workflow."""

from __future__ import annotations

import pytest

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain import codec
from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import AssaySettings, CompoundStock, ControlSettings, MachineSettings, PlatePlan
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.registry import open_machine, read_file, template_of
from cellos_nb.workflow.compile import compile_plates

PARTS = """\
kind: workcell
parts:
  robot: {machine: small.yaml, does: [seed, dilute, dose]}
  incubator: {machine: virtual, does: [incubate]}
  reader: {machine: virtual, does: [read, transport]}
"""
SMALL = "kind: virtual\nlimits: {min_volume_ul: 2, max_volume_ul: 50}\n"


@pytest.fixture
def machines(tmp_path, monkeypatch):
    monkeypatch.setenv("CELLOS_MACHINE_FILES", str(tmp_path))
    for name, text in (("small", SMALL), ("cell", PARTS), ("whole", template_of("workcell"))):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def opened(name="cell", ledger=None):
    return open_machine(MachineSettings(kind=name), ledger, seed=1)


def compiled(machine, assay="viability"):
    plan = PlatePlan(
        n_wells=24,
        replicates=1,
        controls=ControlSettings(vehicle=2),
        outer_wells="use",
        stocks=(CompoundStock(name="staurosporine", stock_mm=10.0),),
        max_solvent_percent=0.5,
        assay=AssaySettings(),
    )
    asked = [ExperimentProposal("U2OS", "staurosporine", 0.1, assay, "e1")]
    (workflow,) = compile_plates(asked, plan, machine.describe(), batch_id="demo/i001", seed=1)
    return workflow


def test_the_ways_between_places_are_steps_of_the_workflow(machines):
    workflow = compiled(opened())
    assert [step.uid for step in workflow.steps] == [
        "1-seed",
        "2-to-incubator",
        "3-attach",
        "4-dilute",  # which does not touch the plate, so that it stays warm meanwhile
        "5-to-robot",
        "6-dose",
        "7-to-incubator",
        "8-treat",
        "9-to-reader",
        "10-read",
    ]
    ways = [step.to_place for step in workflow.steps if step.kind is StepKind.TRANSPORT]
    assert ways == ["incubator", "robot", "incubator", "reader"]
    assert type(workflow).from_json(workflow.canonical_json()) == workflow


def test_a_machine_in_one_piece_carries_nothing_and_its_workflows_have_the_text_they_always_had():
    workflow = compiled(open_machine(MachineSettings(kind="virtual")))
    assert StepKind.TRANSPORT not in {step.kind for step in workflow.steps}
    assert "to_place" not in workflow.canonical_json()


def test_a_workcell_is_described_by_what_its_parts_can_do_together(machines):
    can = opened().describe()
    assert (can.min_volume_ul, can.max_volume_ul) == (2, 50)
    assert can.is_simulated
    assert set(can.step_kinds) == {*map(StepKind, ("seed", "dilute", "dose", "incubate", "read", "transport"))}
    assert [(place.name, can.place_for(StepKind.READ)) for place in can.places][-1] == ("reader", "reader")
    assert can.devices_for(StepKind.DOSE) == ("robot",)
    assert can.devices_for(StepKind.INCUBATE) == (), "plates incubate side by side"


def test_each_step_is_done_by_its_own_machine_and_known_there_after_a_crash(machines, tmp_path):
    cell = opened("whole", tmp_path / "cell.ledger")
    steps = compiled(cell).steps
    for step in steps:
        cell.execute(step, step.uid)
    reading = cell.reconcile(steps[-1].uid).reading
    assert reading is not None
    cell.stop()
    again = opened("whole", tmp_path / "cell.ledger")
    assert {again.reconcile(step.uid).state for step in steps} == {OutcomeState.DONE}
    assert again.reconcile(steps[-1].uid).reading == reading
    assert again.reconcile("never").state is OutcomeState.NEVER_STARTED
    again.stop()


def test_a_campaign_runs_on_a_workcell(machines, tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        config = CampaignConfig(
            name="apart",
            cell_lines=["U2OS"],
            compounds=["staurosporine"],
            dose_range_um=[0.1, 10],
            objective="minimise",
            batch_size=2,
            max_iterations=2,
            plate_format=24,
            controls={"vehicle": 2},
            machine="whole",
            planner="random",
        )
        campaign = lab.run(config)
        assert campaign.status == "finished"
        assert len(campaign.results) == 4


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("does: [incubate]", "does: [incubate, dose]"), "two parts do 'dose'"),
        (("[seed, dilute, dose]", "[seed]}\n  other: {machine: virtual, does: [dose]"), "robot and other both move"),
        (("[read, transport]", "[read]"), "nobody carries plates from place to place"),
        (("does: [incubate]", "does: [incubates]"), r"line 4: parts.incubator.does.0"),
        (("small.yaml", "large.yaml"), "large.yaml"),
    ],
    ids=["a kind twice", "two that move liquid", "nobody carries", "no such kind", "no such machine"],
)
def test_an_impossible_workcell_is_refused(change, problem, machines):
    path = machines / "cell.yaml"
    path.write_text(PARTS.replace(*change))
    with pytest.raises(ConfigError, match=problem):
        opened()


def test_a_part_that_cannot_do_its_work_is_refused_when_it_is_described(machines):
    (machines / "ot2.yaml").write_text("kind: opentrons\nrobot: OT-2\nleft: p20_single_gen2\n")
    (machines / "cell.yaml").write_text(
        PARTS.replace("machine: virtual, does: [incubate]", "machine: ot2.yaml, does: [incubate]")
    )
    with pytest.raises(ConfigError, match=r"parts.incubator.does: ot2 cannot do 'incubate'; possible: seed, dilute"):
        opened().describe()


def test_a_step_for_a_place_that_is_not_there_is_refused(machines):
    cell = opened()
    way = next(step for step in compiled(cell).steps if step.kind is StepKind.TRANSPORT)
    for step, problem in (
        (codec.from_jsonable(Step, codec.to_jsonable(way) | {"to_place": "cellar"}), "has no place 'cellar'; possible"),
        (codec.from_jsonable(Step, codec.to_jsonable(way) | {"to_place": None}), "needs the place that the plate goes"),
    ):
        with pytest.raises(MachineRefusedError, match=problem):
            cell.preflight(step)
    cell.preflight(way)


def test_a_part_that_is_a_file_is_found_beside_the_workcells(machines):
    found = read_file(machines / "cell.yaml")
    assert found.parts["robot"].machine == str(machines / "small.yaml")
    assert found.is_real, "nobody looks into the files of its parts"
