"""What a protocol looks like, what stands on the deck, and what is refused before anything is written."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest
from pydantic import ValidationError
from robots import FLEX, FLEX_MULTI, OT2, OT2_MULTI, STOCKS, WORKFLOW_SHA256, dose_step, seed_step

from cellos_nb.domain.plate import well_names
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.opentrons.deck import choose_reservoirs
from cellos_nb.hardware.opentrons.drawing import GRID, draw_deck
from cellos_nb.hardware.opentrons.proof import write_steps
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, capabilities, load_robot
from cellos_nb.hardware.opentrons.writer import variable

LITERAL = (
    ast.Module, ast.ImportFrom, ast.alias, ast.Assign, ast.FunctionDef, ast.arguments, ast.arg, ast.Expr, ast.Call,
    ast.Attribute, ast.Name, ast.Constant, ast.keyword, ast.Dict, ast.List, ast.Subscript, ast.UnaryOp, ast.USub,
    ast.Load, ast.Store,
)  # fmt: skip


def written(step, robot=OT2):
    (only,) = write_steps([step], WORKFLOW_SHA256, robot)
    return only


@pytest.mark.parametrize("robot", [OT2_MULTI, FLEX_MULTI], ids=lambda robot: robot.name)
def test_a_protocol_is_literal_python_without_loops(robot):
    for step in (seed_step(), dose_step([("A1", "B1", 5.0), ("B1", "C1", 50.0)])):
        tree = ast.parse(written(step, robot).protocol)
        assert {type(node) for node in ast.walk(tree)} <= set(LITERAL)


def test_step_and_workflow_stand_in_comments():
    lines = written(dose_step([("A1", "B1", 5.0)])).protocol.splitlines()
    assert "# step: 2-dose" in lines
    assert f"# workflow-sha256: {WORKFLOW_SHA256}" in lines


@pytest.mark.parametrize(("robot", "level"), [(OT2, "2.19"), (FLEX, "2.20")], ids=["OT-2", "Flex"])
def test_each_robot_gets_its_api_level(robot, level):
    assert f'"apiLevel": "{level}"' in written(dose_step([("A1", "B1", 5.0)]), robot).protocol


def test_one_dose_reads_as_a_person_would_write_it():
    step = replace(dose_step([("A1", "B1", 5.0)]))
    body = written(step).protocol.split("protocol.comment")[1].splitlines()
    assert [line.strip() for line in body] == [
        '("stocks A1: drug A1")',
        'left_p20.pick_up_tip(left_p20_tips_1["A1"])',
        'left_p20.aspirate(5, stocks["A1"].bottom(1))',
        "left_p20.air_gap(1)",
        'left_p20.dispense(6, plate["B1"].bottom(1))',
        'left_p20.blow_out(plate["B1"].top(-1))',
        "left_p20.drop_tip()",
    ]


def test_a_well_that_holds_something_is_mixed_and_an_empty_one_is_not():
    steps = [seed_step(wells=["B1"]), dose_step([("A1", "B1", 5.0), ("A1", "C1", 5.0)])]
    text = write_steps(steps, WORKFLOW_SHA256, OT2)[1].protocol
    assert [line.strip() for line in text.splitlines() if ".mix(" in line] == [
        'left_p20.mix(3, 20, plate["B1"].bottom(1))'
    ]


def test_cells_are_stirred_before_they_settle_and_solutions_are_not():
    moves = written(seed_step()).moves
    assert [k for k, move in enumerate(moves) if move.stir_ul] == [0, 16, 32, 48, 64, 80]
    assert [move.stir_ul for move in written(seed_step(), OT2_MULTI).moves] == [300.0] + [0.0] * 11
    little = written(seed_step(wells=["A1"], filled_ul=560.0)).moves
    assert [move.stir_ul for move in little] == [280.0]
    assert not any(move.stir_ul for move in written(dose_step([("A1", "B1", 5.0)])).moves)


def test_what_a_step_does_not_touch_takes_no_slot():
    step = seed_step()
    deck = written(replace(step, labware=(*step.labware, STOCKS))).deck
    assert [placed.name for placed in deck.labware] == ["plate", "cells"]


def test_a_full_tip_leaves_no_room_for_air():
    moves = written(dose_step([("A1", "B1", 20.0), ("A1", "C1", 19.0)])).moves
    assert [move.air_gap_ul for move in moves] == [0.0, 1.0]


def test_a_tip_that_touched_a_well_never_goes_back_into_a_source():
    moves = written(dose_step([("A1", "B1", 47.0), ("A1", "C1", 5.0)]), OT2_MULTI).moves
    assert [(move.new_tip, move.touches) for move in moves] == [
        (True, False), (False, False), (False, True), (True, True),
    ]  # fmt: skip
    for move, after in pairwise(moves):
        assert after.new_tip or not move.touches


def test_hostile_names_stay_text():
    step = dose_step([("A1", "B1", 5.0)])
    evil = 'x"\n    import os  # <script>'
    step = replace(
        step,
        plate_id=evil,
        labware=(replace(step.labware[0], barcode=evil), step.labware[1]),
        fills=tuple(replace(fill, liquid=replace(fill.liquid, name=evil)) for fill in step.fills),
    )
    only = written(step)
    assert {type(node) for node in ast.walk(ast.parse(only.protocol))} <= set(LITERAL)
    assert not any(isinstance(node, ast.Import) for node in ast.walk(ast.parse(only.protocol)))
    assert "<script>" not in draw_deck(step, only.deck)
    ET.fromstring(draw_deck(step, only.deck))


def test_names_of_labware_stay_different_names_of_python():
    names = ["dilutions-2", "dilutions_2", "run", "class", "2nd", "left_p20", "stock µ", "stock ν"]
    variables = [variable(name) for name in names]
    assert len(set(variables)) == len(names)
    assert all(name.isidentifier() for name in variables)


def test_a_reservoir_stands_in_for_tubes_only_where_eight_channels_use_it():
    assert choose_reservoirs([seed_step()], OT2_MULTI) == {"cells"}
    assert choose_reservoirs([seed_step()], OT2) == frozenset()
    assert choose_reservoirs([seed_step(wells=["A1", "B1"])], OT2_MULTI) == frozenset()
    assert choose_reservoirs([seed_step(filled_ul=30_000.0)], OT2_MULTI) == frozenset()
    deck = written(seed_step(source_well="B1"), OT2_MULTI).deck
    assert deck.labware_named("cells").well("B1") == "A4"


@pytest.mark.parametrize("robot", [OT2, FLEX_MULTI], ids=lambda robot: robot.name)
def test_no_slot_holds_two_things_and_the_drawing_names_all(robot):
    step = seed_step()
    deck = written(step, robot).deck
    slots = [placed.slot for placed in deck.labware] + [rack.slot for rack in deck.tip_racks]
    assert len(set(slots)) == len(slots)
    assert robot.used_trash not in slots
    drawing = draw_deck(step, deck)
    shown = set(ET.fromstring(drawing).itertext())
    assert shown >= {*GRID[robot.robot], "plate", "cells", "trash", "A1: 20000 µL U2OS cells"}
    assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "")


def many_doses(n):
    return dose_step([(well_names(24)[k % 24], well_names(96)[k % 96], 5.0) for k in range(n)], filled_ul=1_400.0)


REFUSED = [
    pytest.param(dose_step([("A1", "B1", 0.5)]), OT2, r"one transfer of 0\.5 µL .*delivers 1 µL to 300 µL", id="small"),
    pytest.param(dose_step([("A1", "B1", 4.0)]), FLEX, r"one transfer of 4 µL .*delivers 5 µL to 1000 µL", id="Flex"),
    pytest.param(
        dose_step([("A1", "B1", 20.0)], filled_ul=25.0), OT2, r"stocks A1: 20 µL is drawn .*15 µL", id="empty"
    ),
    pytest.param(
        many_doses(900), OT2, r"the deck of ot2 is full: plate, stocks and 10 tip racks need 12 .*11", id="full"
    ),
    pytest.param(
        dose_step([("A1", "B1", 5.0)]),
        OT2.model_copy(update={"chilled": {"stocks": 4.0}}),
        r"'stocks' is to stand at 4 °C, but ot2 has 0 temperature modules .*temperature_modules",
        id="no module",
    ),
    pytest.param(
        seed_step(96),
        FLEX.model_copy(update={"chilled": {"cells": 4.0}, "temperature_modules": ("D1",)}),
        r"'cells' has 6 positions of 50000 µL, but a temperature module holds a block of 24 tubes",
        id="no block",
    ),
    pytest.param(
        seed_step(1536, 5.0, wells=["A1"]), FLEX, r"no labware for 'plate' with 1536 wells .*6, 12, 24", id="1536"
    ),
    pytest.param(
        dose_step([("A1", "B1", 50.0)]),
        OpentronsSettings(name="gap", robot="OT-2", left="p20_single_gen2", right="p1000_single_gen2"),
        None,
        id="parts of a small pipette fill a gap",
    ),
    pytest.param(
        dose_step([("A1", "B1", 50.0)]),
        OpentronsSettings(name="two", robot="OT-2", left="p300_single_gen2", right="p1000_single_gen2"),
        None,
        id="within",
    ),
]


@pytest.mark.parametrize(("step", "robot", "reason"), REFUSED)
def test_what_cannot_be_done_is_refused_before_anything_is_written(step, robot, reason):
    if reason is None:
        assert write_steps([step], WORKFLOW_SHA256, robot)
        return
    with pytest.raises(MachineRefusedError, match=reason):
        write_steps([step], WORKFLOW_SHA256, robot)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"left": "p20_single"}, "there is no pipette 'p20_single'; possible: p20_single_gen2"),
        ({"left": {"name": "p20_single_gen2", "tips": "mine"}}, "there is no tip rack 'mine'; possible"),
        ({"left": "flex_1channel_50"}, "flex_1channel_50 does not fit an OT-2; possible: p20_single_gen2"),
        ({"left": "p20_multi_gen2", "right": None}, "at least one pipette must have a single channel"),
        ({"closed_slots": ["12"]}, "an OT-2 has no free slot '12'; possible: 2, 1, 3"),
        ({"temperature_modules": ["2"]}, "does not fit into slot 2; possible: 1, 3, 4, 6, 7, 9, 10"),
        ({"chilled": {"stocks": 200.0}}, "less than or equal to 95"),
        ({"pipettes": 2}, "Extra inputs"),
    ],
    ids=["pipette", "tips", "robot", "single", "slot", "module", "too warm", "unknown"],
)
def test_a_robot_that_cannot_be_is_refused(changes, reason):
    values = {"name": "ot2", "robot": "OT-2", "left": "p20_single_gen2", "right": "p300_single_gen2"} | changes
    with pytest.raises(ValidationError, match=reason):
        OpentronsSettings.model_validate(values)


def test_the_trash_of_a_flex_stands_in_an_outer_column():
    with pytest.raises(ValidationError, match="a trash bin does not fit into slot 'B2'; possible: A1, B1"):
        OpentronsSettings(name="flex", robot="Flex", left="flex_1channel_50", trash="B2")


def test_a_robot_is_read_from_yaml_and_its_faults_have_lines(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text("name: ot2\nrobot: OT-2\nleft: p20_single_gen2\nright: {name: p300_multi_gen2, air_gap_ul: 5}\n")
    robot = load_robot(path)
    assert [(pipette.name, pipette.air_gap_ul) for pipette in robot.pipettes] == [
        ("p20_single_gen2", 1.0),
        ("p300_multi_gen2", 5.0),
    ]
    path.write_text("name: ot2\nrobot: OT-3\nleft: p20_single_gen2\n")
    with pytest.raises(ConfigError, match=r"robot\.yaml.*2.*OT-2"):
        load_robot(path)


def test_filters_make_a_tip_smaller():
    filtered = OT2.model_copy(
        update={"right": OT2.right.model_copy(update={"tips": "opentrons_96_filtertiprack_200ul"})}
    )
    assert capabilities(filtered).max_volume_ul == 200.0
    assert capabilities(OT2).max_volume_ul == 300.0


def test_the_robot_says_that_it_moves_liquids_and_is_real():
    described = capabilities(FLEX)
    assert not described.is_simulated
    assert set(described.step_kinds) == {StepKind.SEED, StepKind.DILUTE, StepKind.DOSE, StepKind.STAIN}
    assert (described.min_volume_ul, described.max_volume_ul) == (5.0, 1000.0)
