"""Our process is killed at any request to the robot, and the robot may be restarted before we are back."""

from __future__ import annotations

import os
import signal

import pytest
from robot_child import children, killed_at, places_of, save
from robot_faults import COPY, LOOK, PLAY, RELEASE, Fault, FaultyServer, check_effects, go_on, n_commands
from robots import OT2

from cellos_nb.domain.machine import OutcomeState

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")
HELD_BEFORE = 5
BEGUN = {LOOK, COPY}
"""Requests of a run that is under way."""


@pytest.fixture(scope="module")
def child():
    with children() as running:
        yield running


@pytest.mark.parametrize("bench", [OT2], indirect=True, ids=["ot2"])
@pytest.mark.parametrize("comes_back", ["as it was", "restarted"])
@pytest.mark.parametrize("fault", [Fault.REQUEST_LOST, Fault.ANSWER_LOST], ids=str)
def test_a_process_killed_at_any_request_is_followed_by_one_that_makes_nothing_happen_twice(
    bench, tmp_path, child, fault, comes_back
):
    n = n_commands(bench)
    job = save(bench, tmp_path / "job")
    places = places_of(bench, tmp_path, child, job)
    assert {PLAY, LOOK, COPY, RELEASE} < set(places)
    for number, at in enumerate(places):
        robot, log = bench.robot(), tmp_path / f"{number}.log"
        is_under_way = at in BEGUN or (at == PLAY and fault is Fault.ANSWER_LOST)
        robot.hold_before = HELD_BEFORE if is_under_way else None
        with FaultyServer(robot, at, fault) as server:
            ended = killed_at(server, fault, child, job, log)
            assert ended == -signal.SIGKILL, at
            if is_under_way:
                assert robot.wait_until_held()
            if comes_back == "restarted":
                robot.restart()
            robot.let_go()
            with bench.machine(server, log) as machine:
                state = go_on(machine, bench.step)
        check_effects(robot, state, n)
        expected = OutcomeState.UNKNOWN if is_under_way and comes_back == "restarted" else OutcomeState.DONE
        assert state is expected, at
        assert len(list(robot.effects())) == (HELD_BEFORE if state is OutcomeState.UNKNOWN else n)
