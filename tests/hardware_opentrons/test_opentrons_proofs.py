"""Proofs: the real package accepts each protocol, and what it would pipette is what was compiled."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from robots import FLEX, FLEX_MULTI, OT2, OT2_MULTI, ROBOTS, WORKFLOW_SHA256, compiled, dose_step, seed_step

from cellos_nb.domain.plate import well_names
from cellos_nb.errors import ProtocolRefusedError
from cellos_nb.hardware.opentrons.canonical import canonical_analysis
from cellos_nb.hardware.opentrons.duration import MOTION, estimate_duration_s
from cellos_nb.hardware.opentrons.proof import MANIFEST, prove_steps, write_steps
from cellos_nb.hardware.opentrons.readback import check_against, read_analysis

by_name = pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.name)


@by_name
def test_a_compiled_plate_is_accepted_and_reaches_every_well_as_compiled(worker, robot):
    workflow = compiled(robot)
    proof = prove_steps(workflow.steps, workflow.sha256, robot, worker)
    assert [step.step_uid for step in proof.steps] == ["1-seed", "3-dilute", "4-dose"]
    assert all(step.n_tips > 0 and step.duration_s > 60 for step in proof.steps)
    names = {file.name: file for file in proof.files}
    assert {f"4-dose{end}" for end in (".py", ".run_log.txt", ".analysis.json", ".deck.svg")} < names.keys()
    manifest = json.loads(names[MANIFEST].content)
    assert manifest["workflow_sha256"] == workflow.sha256
    assert {row["name"]: row["sha256"] for row in manifest["files"]} == {
        name: hashlib.sha256(file.content).hexdigest() for name, file in names.items() if name != MANIFEST
    }


def test_the_same_workflow_gives_the_same_bytes(worker):
    steps = (dose_step([("A1", "B1", 5.0), ("A2", "B2", 25.0)]),)
    first, second = (prove_steps(steps, WORKFLOW_SHA256, OT2, worker) for _ in range(2))
    assert first == second
    text = {file.name: file.content.decode() for file in first.files}["2-dose.analysis.json"]
    keys = [command["key"] for command in json.loads(text)["commands"]]
    assert len(keys) == len(set(keys)) == first.steps[0].n_commands
    assert not re.search(r"createdAt|startedAt|[0-9a-f]{8}-[0-9a-f]{4}-", text)


def test_analyses_that_differ_in_a_volume_differ_when_canonical(worker):
    texts = {canonical_analysis(analysis_of(worker, dose_step([("A1", "B1", ul)]))) for ul in (5.0, 5.5)}
    assert len(texts) == 2


def analysis_of(worker, step, robot=OT2):
    (written,) = write_steps([step], WORKFLOW_SHA256, robot)
    return worker.analyse("step.py", written.protocol).analysis


@pytest.mark.parametrize(
    ("robot", "n_wells", "n_moves"), [(OT2_MULTI, 96, 12), (FLEX_MULTI, 384, 48)], ids=["OT-2, 96", "Flex, 384"]
)
def test_eight_channels_reach_the_same_wells_in_an_eighth_of_the_moves(worker, robot, n_wells, n_moves):
    (written,) = write_steps([seed_step(n_wells)], WORKFLOW_SHA256, robot)
    assert len(written.moves) == n_moves
    found = read_analysis(worker.analyse("seed.py", written.protocol).analysis)
    assert found.n_tips == 8
    received = {well: ul for ((_, _), (_, well)), ul in found.moved_ul.items()}
    assert received == {well: pytest.approx(40.0) for well in well_names(n_wells)}


def test_eight_channels_take_less_time(worker):
    slow, fast = (prove_steps([seed_step()], WORKFLOW_SHA256, robot, worker).steps[0] for robot in (OT2, OT2_MULTI))
    assert fast.duration_s < slow.duration_s / 4


def test_columns_that_are_not_full_are_left_to_the_single_channel(worker):
    wells = [well for well in well_names(96) if well[1:] in {"1", "2"}] + ["A3", "H12"]
    (written,) = write_steps([seed_step(wells=wells)], WORKFLOW_SHA256, OT2_MULTI)
    assert sorted(len(move.destinations) for move in written.moves) == [1] * 2 * 2 + [8, 8]  # 40 µL: 2 × 20 µL
    proof = prove_steps([written.step], WORKFLOW_SHA256, OT2_MULTI, worker)
    assert proof.steps[0].n_tips == 9


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('plate["B1"].bottom', 'plate["C1"].bottom', r"5 µL from stocks A1 to plate B1 .* it is 0 µL"),
        ("aspirate(5, ", "aspirate(4, ", r"5 µL from stocks A1 to plate B1 .* it is 4 µL"),
        ("volume=1000", "volume=900", r"1000 µL filled into stocks A1 .* it is 900 µL"),
    ],
    ids=["another well", "another volume", "another fill"],
)
def test_a_protocol_that_does_other_than_was_compiled_is_refused(worker, before, after, what):
    (written,) = write_steps([dose_step([("A1", "B1", 5.0)])], WORKFLOW_SHA256, OT2)
    assert before in written.protocol
    analysis = worker.analyse("step.py", written.protocol.replace(before, after)).analysis
    with pytest.raises(ProtocolRefusedError, match=what):
        check_against(written.step, written.deck, read_analysis(analysis))


def test_what_the_package_refuses_is_said_in_its_words(worker):
    robot = OT2.model_copy(update={"labware": {"stocks": "no_such_rack"}})
    with pytest.raises(ProtocolRefusedError, match=r"Step 2-dose: Opentrons' software refuses .*no_such_rack"):
        prove_steps([dose_step([("A1", "B1", 5.0)])], WORKFLOW_SHA256, robot, worker)


@pytest.mark.parametrize("robot", [OT2, FLEX], ids=lambda robot: robot.name)
def test_chilled_tubes_stand_on_their_module(worker, robot):
    slot = {"OT-2": "3", "Flex": "D1"}[robot.robot]
    chilled = robot.model_copy(update={"temperature_modules": (slot,), "chilled": {"stocks": 4.0}})
    step = dose_step([("A1", "B1", 5.0)])
    prove_steps([step], WORKFLOW_SHA256, chilled, worker)
    commands = analysis_of(worker, step, chilled)["commands"]
    assert [c["params"]["celsius"] for c in commands if c["commandType"].endswith("setTargetTemperature")] == [4]


wells = st.sampled_from(well_names(96))
tubes = st.sampled_from(["A1", "B2", "D6"])
volumes = st.floats(5.0, 60.0).map(lambda ul: round(ul, 3))
rows = st.lists(st.tuples(tubes, wells, volumes), min_size=1, max_size=6, unique_by=lambda row: row[1])


@settings(max_examples=12, deadline=None)
@given(rows=rows, robot=st.sampled_from(ROBOTS), mix=st.booleans())
def test_any_transfers_within_reach_are_accepted_and_reach_their_wells(worker, rows, robot, mix):
    step = dose_step(rows, mix=mix)
    proof = prove_steps([step], WORKFLOW_SHA256, robot, worker)
    assert proof.steps[0].n_tips == (len(rows) if mix else len_of_runs(rows, robot))


def len_of_runs(rows, robot):
    """Tips where one serves all that comes from a tube in a row with the same pipette."""
    (written,) = write_steps([dose_step(rows, mix=False)], WORKFLOW_SHA256, robot)
    used = [(move.source, move.pipette) for move in written.moves]
    return sum(one != other for one, other in zip([None, *used], used, strict=False))


def test_the_duration_is_ways_and_flows_and_tips():
    flex = MOTION["Flex"]

    def at(kind, x, z, **asked):
        return {"commandType": kind, "params": asked, "result": {"position": {"x": x, "y": 0.0, "z": z}}}

    commands = [at("pickUpTip", 0.0, 50.0), at("aspirate", 300.0, 10.0, volume=20.0, flowRate=10.0)]
    commands.append({"commandType": "waitForDuration", "params": {"seconds": 7.0}})
    way_s = 300.0 / flex.lateral_mm_s + (10.0 + 50.0) / flex.vertical_mm_s
    expected = flex.pick_up_s + way_s + 2.0 + flex.settle_s + 7.0
    assert estimate_duration_s({"commands": commands}, "Flex") == pytest.approx(expected)
