"""A robot that loses requests and answers, or restarts, at any moment: no command of a protocol takes effect twice."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from robot_faults import (
    CREATE,
    LOOK,
    PLAY,
    RELEASE,
    UPLOAD,
    Fault,
    FaultyServer,
    ask,
    carry_out,
    check_effects,
    go_on,
    n_commands,
    requests_of,
    restart_when_seen,
    token,
)

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.errors import MachineError, MachineRefusedError, StepFailedError
from cellos_nb.execution.remainder import remainder
from cellos_nb.hardware.opentrons.run_log import Phase, RunLog


def test_an_undisturbed_step_is_told_four_things_each_once(bench, tmp_path):
    assert [place for place in requests_of(bench, tmp_path) if place[0] != "GET"] == [UPLOAD, CREATE, PLAY, RELEASE]


@pytest.mark.parametrize("fault", Fault, ids=str)
def test_a_fault_at_any_request_makes_nothing_happen_twice(bench, tmp_path, fault):
    endings = Counter()
    for number, at in enumerate(requests_of(bench, tmp_path)):
        if fault is Fault.SLOW and at[0] == "GET":
            continue  # asked again, as where an answer is lost; each would take its time
        with FaultyServer(bench.robot(), at, fault) as server:
            with bench.machine(server, tmp_path / f"{number}.log") as machine:
                state = carry_out(machine, bench.step)
                check_effects(server.robot, state, n_commands(bench))
                server.deliver()
                assert ask(machine, token(bench.step)) is not OutcomeState.RUNNING
            check_effects(server.robot, state, n_commands(bench))
        assert server.has_met, at
        n_told = [sum(place[:2] == told[:2] for place in server.log) for told in (CREATE, PLAY)]
        assert n_told[1] <= n_told[0], "no run was told to play twice"
        endings[state] += 1
        if fault in {Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.SLOW}:
            assert state is OutcomeState.DONE, at
        else:
            assert state in {OutcomeState.DONE, OutcomeState.UNKNOWN}, at
    assert endings[OutcomeState.DONE] > 0


def test_a_play_that_arrives_after_it_was_given_up_finds_nothing_to_begin(bench, tmp_path):
    with FaultyServer(bench.robot(), PLAY, Fault.REQUEST_LOST) as server:
        with bench.machine(server, tmp_path / "robot.log") as machine:
            with pytest.raises(MachineRefusedError, match=r"was never played, and cannot be now\. Nothing has moved"):
                machine.execute(bench.step, token(bench.step))
            assert [reply.status for reply in server.deliver()] == [409]
            assert machine.reconcile(token(bench.step)).state is OutcomeState.NEVER_STARTED
            assert not list(server.robot.effects())
            machine.execute(bench.step, token(bench.step, 2))
        check_effects(server.robot, OutcomeState.DONE, n_commands(bench))


def test_a_token_is_executed_once_also_by_another_process(bench, tmp_path):
    with FaultyServer(bench.robot()) as server:
        for _ in range(2):
            with bench.machine(server, tmp_path / "robot.log") as machine:
                machine.execute(bench.step, token(bench.step))
                machine.execute(bench.step, token(bench.step))
                assert machine.reconcile(token(bench.step)).state is OutcomeState.DONE
        assert server.log.count(PLAY) == 1
        assert (*PLAY[:2], 2) not in server.log


@pytest.mark.parametrize("part", [0.0, 0.4, 0.7, 1.0], ids=["at once", "early", "late", "before the last command"])
def test_a_robot_that_restarts_in_mid_run_leaves_a_doubt_that_names_the_last_command(bench, tmp_path, part):
    n = n_commands(bench)
    robot = bench.robot()
    robot.hold_before = hold = min(round(part * n), n - 1)
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        server.fault = None
        watched = restart_when_seen(server, robot, hold)
        with pytest.raises(MachineError, match=r"the robot's server was restarted in mid-run \(.*4008") as raised:
            machine.execute(bench.step, token(bench.step))
        assert watched()
        outcome = machine.reconcile(token(bench.step))
        assert outcome.state is OutcomeState.UNKNOWN
        expected = f"{hold} commands were seen to begin, the last: " if hold else "no command of it was seen to begin"
        assert expected in outcome.detail
        assert expected in str(raised.value)
        with pytest.raises(MachineError, match="play was sent under this token before"):
            machine.execute(bench.step, token(bench.step))
    assert len(list(robot.effects())) == hold
    assert max(robot.effects(), default=1) == 1


def test_a_robot_that_forgot_a_run_is_not_taken_to_have_done_nothing(bench, tmp_path):
    robot = bench.robot()
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        robot.hold_before = 3
        server.at, server.before = LOOK, robot.forget_runs
        with pytest.raises(MachineError, match="the robot has no memory of run"):
            machine.execute(bench.step, token(bench.step))
        assert machine.reconcile(token(bench.step)).state is OutcomeState.UNKNOWN
        robot.restart()


def test_a_step_that_fails_says_how_many_transfers_are_complete_and_the_rest_can_be_done(bench, tmp_path, worker):
    commands = json.loads(bench.files[f"{bench.step.uid}.analysis.json"])["commands"]
    tips = [number for number, command in enumerate(commands) if command["commandType"] == "pickUpTip"]
    robot = bench.robot()
    robot.fail_at = tips[1]
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        with pytest.raises(StepFailedError, match=r"tip is not attached; .* the last: pickUpTip at .* A1|B1") as raised:
            machine.execute(bench.step, token(bench.step))
        assert "the first 1 of 3 transfers were seen to be complete" in str(raised.value)
        assert machine.reconcile(token(bench.step)).state is OutcomeState.FAILED
        robot.fail_at = None
        machine._worker = worker  # what is left was not proved before
        machine._owns_worker = False
        machine.execute(remainder(bench.step, 1), token(bench.step, 2))
    assert max(robot.effects()) == 1


def test_a_step_that_a_person_saw_undone_can_be_done_under_another_token(bench, tmp_path):
    robot = bench.robot()
    robot.fail_at = 0
    with FaultyServer(robot) as server, bench.machine(server, tmp_path / "robot.log") as machine:
        assert carry_out(machine, bench.step) is OutcomeState.FAILED
        robot.fail_at = None
        machine.execute(bench.step, token(bench.step, 2))
    check_effects(robot, OutcomeState.DONE, n_commands(bench))


def test_a_protocol_that_somebody_else_played_is_not_played_again(bench, tmp_path):
    with FaultyServer(bench.robot()) as server:
        with bench.machine(server, tmp_path / "one.log") as machine:
            machine.execute(bench.step, token(bench.step))
        another = bench.machine(server, tmp_path / "another.log")
        before = r"carried out this very protocol before, in run .* another"
        with another as machine, pytest.raises(MachineRefusedError, match=before):
            machine.execute(bench.step, token(bench.step))
        check_effects(server.robot, OutcomeState.DONE, n_commands(bench))


def test_a_run_that_goes_on_while_we_are_away_is_found_done(bench, tmp_path):
    robot = bench.robot()
    robot.hold_before = 4
    with FaultyServer(robot) as server:
        with bench.machine(server, tmp_path / "robot.log", patience_s=60.0) as machine:
            server.answer = _leave_when_held(server, robot, machine)
            with pytest.raises(MachineError, match="nobody follows"):
                machine.execute(bench.step, token(bench.step))
        del server.answer
        with bench.machine(server, tmp_path / "robot.log") as machine:
            assert machine.reconcile(token(bench.step)).state is OutcomeState.RUNNING
            robot.let_go()
            assert go_on(machine, bench.step) is OutcomeState.DONE
    check_effects(robot, OutcomeState.DONE, n_commands(bench))


def _leave_when_held(server, robot, machine):
    original = server.answer

    def answer(request):
        reply = original(request)
        if request.path.endswith("/commands") and robot.wait_until_held(5):
            machine.stop()
        return reply

    return answer


def test_every_command_that_was_carried_out_is_kept_here(bench, tmp_path):
    with FaultyServer(bench.robot()) as server:
        with bench.machine(server, tmp_path / "robot.log") as machine:
            machine.execute(bench.step, token(bench.step))
        log = RunLog(tmp_path / "robot.log")
        entry = log.entry(token(bench.step))
        assert entry.phase is Phase.DONE
        archive = log.commands(entry.run_id)
        kept = {command["key"] for command in archive.commands if command["status"] == "succeeded"}
        archive.close()
        log.close()
    assert kept == {key for _, key in server.robot.n_effects}


def test_what_the_robot_dispensed_is_read_from_its_own_commands(bench, tmp_path):
    """A run that used another volume than was proved counts as failed, although the robot calls it a success."""

    class Careless(FaultyServer):
        def answer(self, request):
            reply = super().answer(request)
            for command in reply.content["data"] if request.path.endswith("/commands") else ():
                assert "result" not in command, "a run gives none"
                if command["commandType"] == "aspirate" and command["params"]["volume"] == 8.0:
                    command["params"] = {**command["params"], "volume": 7.0}
            return reply

    refused = pytest.raises(StepFailedError, match=r"8 µL from stocks A2 to plate C1 were compiled, but .* it is 7 µL")
    with Careless(bench.robot()) as server, bench.machine(server, tmp_path / "robot.log") as machine, refused:
        machine.execute(bench.step, token(bench.step))


def test_a_run_without_its_end_is_asked_about_after_the_robots_restart(bench, tmp_path):
    """The robot had come to its end before it was restarted, so it has the full record."""
    with FaultyServer(bench.robot()) as server:
        server.at, server.fault = PLAY, Fault.ANSWER_LOST
        server.after = lambda: server.robot.wait_for_end() and server.robot.restart()
        with bench.machine(server, tmp_path / "robot.log") as machine:
            assert carry_out(machine, bench.step) is OutcomeState.DONE
    check_effects(server.robot, OutcomeState.DONE, n_commands(bench))
