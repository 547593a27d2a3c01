"""Instruments behind PyLabRobot, on its own stand-ins: what is done, what is refused, what is not known any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import yaml
from bench_rig import PLATE, dose_step, incubate_step, labware, read_step, seed_step, table

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import ConfigError, MachineError, MachineRefusedError, StepFailedError, StuckError
from cellos_nb.hardware.pylabrobot.device_loop import DeviceLoop
from cellos_nb.hardware.pylabrobot.hamilton import Hamilton
from cellos_nb.hardware.pylabrobot.machine import InstrumentLine
from cellos_nb.hardware.pylabrobot.readers import Reader
from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile
from cellos_nb.hardware.registry import template_of


def line_file(**changes) -> PyLabRobotFile:
    content = yaml.safe_load(template_of("pylabrobot"))
    return PyLabRobotFile.model_validate(content | {"name": "line", "timeout_s": 20} | changes)


def handler(**changes):
    return yaml.safe_load(template_of("pylabrobot"))["liquid_handler"] | changes


CARRIER = {"rails": 1, "type": "PLT_CAR_L5AC_A00", "holds": []}


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "line.ledger"


@pytest.fixture
def line(ledger):
    made = InstrumentLine(line_file(), ledger)
    yield made
    made.stop()


def test_a_plate_is_seeded_dosed_incubated_and_read(line, ledger, monkeypatch):
    described = line.describe()
    assert described.is_simulated
    assert described.step_kinds[-2:] == (StepKind.INCUBATE, StepKind.READ)
    assert [device.name for device in described.devices] == ["liquid_handler", "reader"]
    for step in (seed_step(), incubate_step(), dose_step()):
        assert line.execute(step, step.uid) is None
    held = line.account.contents(PLATE, "B2")
    assert held.volume_ul == pytest.approx(100.0)
    assert held.dose_um == pytest.approx({"staurosporine": 5.0})
    monkeypatch.setattr(Reader, "_read", answers_with_positions)
    reading = line.execute(read_step(), "5-read")
    assert reading.channels[0].values == (101.0, 102.0, 201.0, 202.0)
    line.stop()
    again = InstrumentLine(line_file(), ledger)
    assert again.execute(read_step(), "5-read") == reading
    assert again.reconcile("3-dose").state is OutcomeState.DONE
    assert again.reconcile("never").state is OutcomeState.NEVER_STARTED
    again.stop()


async def answers_with_positions(self, signal, asked, wells):
    self._answers[signal] = [{"data": [[100.0 * row + column for column in range(12)] for row in range(8)]}]


def test_pylabrobots_own_trackers_agree_with_the_account_well_by_well(line):
    steps = {step.uid: step for step in (seed_step(), dose_step())}
    seen = {}
    run = Hamilton.commands

    def watched(self):
        yield from run(self)
        seen[self._step.uid] = self.volumes("plate")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hamilton, "commands", watched)
        for uid, step in steps.items():
            line.execute(step, uid)
            assert seen[uid] == pytest.approx(line.account.volumes(PLATE), abs=1e-6)
    assert seen["3-dose"]["B2"] == pytest.approx(100.0)


def test_every_command_is_noted_before_it_is_told(line, monkeypatch):
    noted = []
    call = DeviceLoop.call

    def watched(self, make, what):
        if self.name == "line liquid_handler" and what not in {"connecting", "closing"}:
            noted.append((what, line.reconcile("1-seed").detail))
        return call(self, make, what)

    monkeypatch.setattr(DeviceLoop, "call", watched)
    line.execute(seed_step(), "1-seed")
    assert len(noted) == 2 + 2 * 4  # one tip for the source, then four transfers
    for number, (what, detail) in enumerate(noted, 1):
        assert f"the end of a command was not heard: command {number}, {what};" in detail
    assert "aspirate 99.5 µL from cells A1" in noted[1][0]


@pytest.mark.parametrize(
    ("step", "changes", "problem"),
    [
        pytest.param(
            seed_step(),
            {"liquid_handler": handler(carriers=[{"rails": 1, "type": "PLT_CAR_L5AC_A00", "holds": ["plate"]}])},
            r"cells has no place on the deck. Name it under `holds`",
            id="no place",
        ),
        pytest.param(
            seed_step(),
            {"liquid_handler": handler(labware={"plate": ["cor_96_wellplate_360uL_Fb"], "cells": []})},
            r"cells: needs labware of 6 wells, but the machine file names none at all",
            id="no labware",
        ),
        pytest.param(
            seed_step(),
            {"liquid_handler": handler(carriers=[CARRIER, CARRIER | {"rails": 3}])},
            r"carriers.1.rails: a PLT_CAR_L5AC_A00 does not fit on rails 3",
            id="two carriers in one place",
        ),
        pytest.param(dose_step(0.2), {}, r"0.2 µL", id="too small"),
        pytest.param(dose_step(60.0), {}, r"stocks A1: 120 µL is drawn from it, but it holds 100 µL", id="empty stock"),
        pytest.param(read_step(channels=("glow",)), {}, r"has no signal 'glow'; possible: luminescence", id="signal"),
        pytest.param(seed_step(n_wells=24), {}, r"line holds no plate of 24 wells; possible: 96", id="plate"),
    ],
)
def test_what_the_deck_cannot_do_is_refused_before_anything_moves(step, changes, problem, ledger):
    line = InstrumentLine(line_file(**changes), ledger)
    with pytest.raises((MachineRefusedError, ConfigError), match=problem):
        line.execute(step, step.uid)
    assert line.reconcile(step.uid).state is OutcomeState.NEVER_STARTED
    line.stop()


def test_tubes_that_hold_more_than_a_well_does_become_a_trough(ledger):
    """17.8 mL of cells, for a full plate of 384 wells, go into no well of a 6-well plate."""
    line = InstrumentLine(line_file(), ledger)
    step = seed_step()
    much = replace(step, fills=(replace(step.fills[0], volume_ul=17_800.0),))
    line.execute(much, "1-seed")
    assert line.account.contents(PLATE, "B2").volume_ul == pytest.approx(99.5)
    line.stop()


def test_more_than_any_labware_takes_is_refused_with_what_to_name(ledger):
    line = InstrumentLine(line_file(), ledger)
    step = seed_step()
    much = replace(step, fills=(replace(step.fills[0], volume_ul=40_000.0),))
    with pytest.raises(MachineRefusedError, match=r"cells A1: 40 mL does not fit into the 16\.8 mL .* or a trough, in"):
        line.execute(much, "1-seed")
    line.stop()


def test_a_step_that_needs_more_tips_than_there_are_is_refused(ledger):
    one_rack = handler()
    one_rack["carriers"][0]["holds"] = ["hamilton_96_tiprack_50uL"]
    line = InstrumentLine(line_file(liquid_handler=one_rack), ledger)
    rows = [("stocks", "A1", "plate", "B2", 0.5), ("vehicle", "A1", "plate", "B3", 0.5)] * 49
    with pytest.raises(MachineRefusedError, match=r"has no tip left after 96\. Add a rack"):
        line.execute(replace(dose_step(), transfers=table(rows)), "3-dose")
    line.stop()


def test_an_instrument_that_is_not_there_moves_nothing_and_says_so_in_one_line(ledger, monkeypatch):
    line = InstrumentLine(line_file(reader={"model": "CLARIOstar"}), ledger)
    line.execute(seed_step(), "1-seed")
    with pytest.raises(MachineRefusedError, match=r"the reader of line is not there \(.*Switch it on") as refused:
        line.execute(read_step(), "5-read")
    assert "\n" not in str(refused.value)
    assert line.reconcile("5-read").state is OutcomeState.NEVER_STARTED
    line.stop()


def silent_at(n_commands, monkeypatch, answer):
    """Has the robot's back end fail at its n-th dispense, in the real run alone."""
    from pylabrobot.liquid_handling.backends.hamilton.STAR_chatterbox import STARChatterboxBackend

    dispense, count = STARChatterboxBackend.dispense, []
    build = InstrumentLine._carry_out

    async def fails(self, ops, use_channels, **more):
        count.append(1)
        if len(count) == n_commands:
            return await answer()
        return await dispense(self, ops, use_channels, **more)

    def carry_out(self, *arguments):
        monkeypatch.setattr(STARChatterboxBackend, "dispense", fails)
        try:
            return build(self, *arguments)
        finally:
            monkeypatch.setattr(STARChatterboxBackend, "dispense", dispense)

    monkeypatch.setattr(InstrumentLine, "_carry_out", carry_out)


def test_a_failure_of_the_robot_says_how_many_transfers_were_made(line, monkeypatch):
    async def error():
        raise RuntimeError("Z drive: position not reached")

    silent_at(3, monkeypatch, error)
    with pytest.raises(StepFailedError, match=r"Z drive: position not reached \(2 of 4 transfers were made before\)"):
        line.execute(seed_step(), "1-seed")
    assert line.reconcile("1-seed").state is OutcomeState.FAILED
    with pytest.raises(StepFailedError, match="Z drive"):
        line.execute(seed_step(), "1-seed")


def test_a_robot_that_is_not_heard_of_again_leaves_the_step_unknown_and_is_not_told_again(ledger, monkeypatch):
    line = InstrumentLine(line_file(timeout_s=1.0), ledger)

    async def silence():
        await asyncio.Event().wait()

    silent_at(2, monkeypatch, silence)
    with pytest.raises(StuckError, match=r"dispense 99.5 µL into plate B3 has not come back after 1 s"):
        line.execute(seed_step(), "1-seed")
    outcome = line.reconcile("1-seed")
    assert outcome.state is OutcomeState.UNKNOWN
    assert "the end of a command was not heard: command 5, dispense 99.5 µL into plate B3; 1 of 4" in outcome.detail
    with pytest.raises(MachineError, match="It is not begun again"):
        line.execute(seed_step(), "1-seed")
    line.stop()
    again = InstrumentLine(line_file(), ledger)
    assert again.reconcile("1-seed") == outcome
    again.stop()


def test_an_incubator_with_another_temperature_fails_the_step(ledger):
    line = InstrumentLine(line_file(), ledger)
    line.execute(seed_step(), "1-seed")
    cold = replace(incubate_step(), temperature_c=4.0)
    with pytest.raises(StepFailedError, match="the incubator has 37 °C, not 4 °C within 1"):
        line.execute(cold, "2-attach")
    line.stop()


def test_a_line_that_was_opened_to_be_looked_at_executes_nothing():
    line = InstrumentLine(line_file())
    line.preflight(seed_step())
    with pytest.raises(MachineRefusedError, match="was opened to be looked at, without a log"):
        line.execute(seed_step(), "1-seed")
    line.stop()
    line.stop()


def test_labware_that_pylabrobot_does_not_define_is_refused():
    file = line_file(liquid_handler=handler(labware={"plate": ["my_plate"]}))
    with pytest.raises(ConfigError, match="'my_plate': PyLabRobot defines no such labware"):
        InstrumentLine(file)


def test_a_real_robot_needs_an_approval_and_a_mixed_dilution_counts_its_volume(ledger):
    real = line_file(liquid_handler=handler(model="STAR")).capabilities
    assert real.needs_approval
    assert not real.can_reconcile
    line = InstrumentLine(line_file(), ledger)
    line.execute(seed_step(), "1-seed")
    mixed = replace(dose_step(), transfers=replace(dose_step().transfers, mix_after=True))
    line.execute(mixed, "3-dose")
    assert line.account.contents(PLATE, "C3").volume_ul == pytest.approx(100.0)
    assert labware("plate").barcode == PLATE
    line.stop()
