"""A robot's host: its write-ahead log, and calls that come late, twice, or after they were given up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_plates import Plate, Well

from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.errors import ConfigError, MachineError, MachineRefusedError, StepFailedError
from cellos_nb.hardware.cluster.robot import Robot
from cellos_nb.hardware.cluster.step_log import NOTHING, Entry, Progress, StepLog
from cellos_nb.hardware.virtual import VirtualMachine

PLATE = Plate({"A1": Well("U2OS"), "A2": Well("U2OS", "drug", 1.0)})
SEED, READ = PLATE.seed_step(), PLATE.read_step()
READING = Reading("p", "9-read", ("A1",), (Channel("luminescence", "RLU", (1.5,)),))


class DyingError(Exception):
    """Stands for the end of the process: nothing after it is recorded."""


class Pump:
    """Does what it is told as often as it is told, and counts."""

    def __init__(self, *, remembers=False):
        self.n_effects = 0
        self.remembers = remembers
        self.dies = None
        """When: before or after the effect of the next step."""
        self.raises = None

    def describe(self):
        return replace(VirtualMachine().describe(), can_reconcile=self.remembers)

    def preflight(self, step):
        pass

    def execute(self, step, token):
        if self.dies == "before":
            raise DyingError
        if self.raises:
            raise self.raises
        self.n_effects += 1
        if self.dies == "after":
            raise DyingError
        return READING if step.readout else None

    def reconcile(self, token):
        if not self.remembers:
            return Outcome(OutcomeState.UNKNOWN, detail="no memory")
        state = OutcomeState.DONE if self.n_effects else OutcomeState.NEVER_STARTED
        return Outcome(state, READING if self.n_effects else None)

    def stop(self):
        pass


class Host:
    """A robot whose process can die and be started again."""

    def __init__(self, path, *, remembers=False):
        self.path, self.pump = path, Pump(remembers=remembers)
        self.start()

    def start(self):
        self.log = StepLog(self.path)
        self.robot = Robot("r1", self.pump, self.log)

    def die(self, step, when, permit=""):
        self.pump.dies = when
        with pytest.raises(DyingError):
            self.robot.execute(step, "t", permit)
        self.pump.dies = None
        self.restart()

    def restart(self):
        self.log.close()
        self.start()


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path / "r1.steps")
    yield made
    made.log.close()


def test_a_call_that_is_repeated_is_answered_and_not_acted_on(host):
    assert host.robot.execute(READ, "t") == READING
    assert host.robot.execute(READ, "t") == READING
    host.restart()
    assert host.robot.execute(READ, "t") == READING
    assert host.pump.n_effects == 1
    assert host.robot.reconcile("t").outcome == Outcome(OutcomeState.DONE, READING, "executed and recorded")


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_begun_and_not_ended_is_unknown_and_never_done_again(host, when):
    host.die(SEED, when)
    n_effects = host.pump.n_effects
    with pytest.raises(MachineError, match=r"1-seed on r1: it was begun before, .* \(no memory\)"):
        host.robot.execute(SEED, "t")
    answer = host.robot.reconcile("t")
    assert answer.outcome.state is OutcomeState.UNKNOWN
    with pytest.raises(MachineError, match="it was begun before"):
        host.robot.execute(SEED, "t", answer.permit)
    assert host.pump.n_effects == n_effects


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_machine_that_remembers_settles_what_its_host_does_not_know(tmp_path, when):
    host = Host(tmp_path / "r1.steps", remembers=True)
    host.die(READ, when)
    assert host.robot.execute(READ, "t") == READING
    assert host.pump.n_effects == 1
    host.log.close()


def test_a_call_that_arrives_after_the_question_is_void(host):
    host.pump.remembers = True
    answer = host.robot.reconcile("t")
    assert answer.outcome.state is OutcomeState.NEVER_STARTED
    host.restart()
    with pytest.raises(MachineRefusedError, match="this call came late, somebody asked r1 about t after it was sent"):
        host.robot.execute(SEED, "t")
    assert host.pump.n_effects == 0
    host.robot.execute(SEED, "t", answer.permit)
    assert host.pump.n_effects == 1


def test_a_late_call_about_a_step_that_was_begun_does_not_claim_that_nothing_moved(host):
    host.die(SEED, "after")
    host.robot.reconcile("t")
    with pytest.raises(MachineError, match="An earlier call had begun; ask what became of it") as caught:
        host.robot.execute(SEED, "t")
    assert type(caught.value) is MachineError


def test_a_refused_step_may_come_again_and_a_failed_one_stays_failed(host):
    host.pump.raises = MachineRefusedError("the lid is open")
    with pytest.raises(MachineRefusedError, match="the lid is open"):
        host.robot.execute(SEED, "t")
    host.restart()
    assert host.robot.reconcile("t").outcome == Outcome(OutcomeState.NEVER_STARTED, detail="the lid is open")
    host.pump.raises = StepFailedError("tip lost")
    with pytest.raises(StepFailedError, match="tip lost"):
        host.robot.execute(SEED, "t", host.log.entry("t").permit)
    host.pump.raises = None
    host.restart()
    with pytest.raises(StepFailedError, match="tip lost"):
        host.robot.execute(SEED, "t")
    assert host.robot.reconcile("t").outcome == Outcome(OutcomeState.FAILED, detail="tip lost")
    assert host.pump.n_effects == 0


def test_a_token_names_one_step(host):
    host.robot.execute(SEED, "t")
    with pytest.raises(MachineRefusedError, match="the token t was used for another step"):
        host.robot.execute(READ, "t")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["call", "late call", "ask", "restart", "die before", "die after"]), min_size=2, max_size=12
    ),
    st.booleans(),
)
def test_whatever_happens_in_whatever_order_one_token_has_one_effect(tmp_path_factory, happenings, remembers):
    host, permits = Host(tmp_path_factory.mktemp("robot") / "r1.steps", remembers=remembers), [""]
    for what in happenings:
        if what == "ask":
            permits.append(host.robot.reconcile("t").permit)
        elif what == "restart":
            host.restart()
        else:
            host.pump.dies = what.partition("die ")[2] or None
            try:
                host.robot.execute(SEED, "t", permits[0 if what == "late call" else -1])
            except DyingError:
                host.restart()
            except MachineError:
                pass
            host.pump.dies = None
    assert host.pump.n_effects <= 1
    host.log.close()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_log_cut_short_anywhere_holds_every_whole_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "r1.steps"
    log, known = StepLog(path), []
    for k in range(3):
        entry = Entry(Progress.DONE, "d", "p", READING) if k == 1 else Entry(Progress.BEGUN, "d")
        log.note(f"µ{k}", entry)
        known.append((path.stat().st_size, f"µ{k}", entry))
    log.close()
    cut = data.draw(st.integers(0, path.stat().st_size))
    path.write_bytes(path.read_bytes()[:cut])
    log = StepLog(path)
    for end, token, entry in known:
        assert log.entry(token) == (entry if end <= cut else NOTHING)
    log.note("new", Entry(Progress.BEGUN, "e"))
    log.close()
    log = StepLog(path)
    assert log.entry("new").digest == "e"
    log.close()


def test_a_log_is_held_by_one_process_and_refuses_what_is_none(tmp_path):
    log = StepLog(tmp_path / "r1.steps")
    with pytest.raises(MachineError, match="another machine holds this step log"):
        StepLog(tmp_path / "r1.steps")
    log.note("t", Entry(Progress.BEGUN, "d"))
    log.close()
    log.close()
    (tmp_path / "other").write_text("a shopping list\n")
    with pytest.raises(MachineError, match="this file is not a robot's step log"):
        StepLog(tmp_path / "other")
    lines = (tmp_path / "r1.steps").read_text().splitlines()
    (tmp_path / "r1.steps").write_text("\n".join([lines[0], '{"token": 1}', json.dumps({}), ""]))
    with pytest.raises(MachineError, match="line 2: the step log is damaged"):
        StepLog(tmp_path / "r1.steps")
    with pytest.raises(MachineError, match="cannot be opened"):
        StepLog(tmp_path)


@pytest.mark.parametrize("name", ["", "left arm", "left,right", "left/arm"])
def test_a_robots_name_can_stand_in_a_list_of_devices(host, name):
    with pytest.raises(ConfigError, match="is no name for a robot"):
        Robot(name, host.pump, host.log)
