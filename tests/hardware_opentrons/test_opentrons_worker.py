"""The worker process: it answers, it is replaced, and it never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest
from protocol_texts import CHATTY, DEADLY, ENDLESS, GOOD, NO_PYTHON, NO_SUCH_WELL

from cellos_nb.errors import WorkerError
from cellos_nb.hardware.opentrons.environment import Environment
from cellos_nb.hardware.opentrons.worker import OpentronsWorker


def kinds(answer):
    return [command["commandType"] for command in answer.analysis["commands"]]


def test_a_protocol_is_analysed_and_put_into_words(worker):
    answer = worker.analyse("good.py", GOOD)
    assert (answer.refusal, answer.analysis["result"], answer.analysis["errors"]) == (None, "ok", [])
    assert kinds(answer)[-5:] == [
        "pickUpTip",
        "aspirate",
        "dispense",
        "moveToAddressableAreaForDropTip",
        "dropTipInPlace",
    ]
    assert "Aspirating 5.0 uL from A1 of plate on slot 2" in answer.run_log


def test_the_run_log_is_left_out_where_the_analysis_alone_is_asked_for(worker):
    answer = worker.analyse("good.py", GOOD, with_run_log=False)
    assert answer.run_log == ""
    assert kinds(answer) == kinds(worker.analyse("good.py", GOOD))
    assert worker.analyse_alone("good.py", GOOD)["result"] == "ok"


def test_a_protocol_that_prints_does_not_disturb_the_answers(worker):
    assert worker.analyse("chatty.py", CHATTY).analysis["result"] == "ok"
    assert worker.analyse("good.py", GOOD).analysis["result"] == "ok"


def test_an_error_in_a_protocol_stands_in_the_analysis(worker):
    answer = worker.analyse("wrong.py", NO_SUCH_WELL)
    assert answer.analysis["result"] == "not-ok"
    assert "Z9" in answer.analysis["errors"][0]["detail"]
    assert answer.run_log == ""


def test_a_file_that_is_no_protocol_is_refused_as_a_whole(worker):
    assert worker.analyse("broken.py", NO_PYTHON).refusal


def test_the_process_is_kept_from_job_to_job_and_replaced_when_its_time_is_up(opentrons):
    with OpentronsWorker(opentrons, jobs_per_process=2) as own:
        seen = []
        for _ in range(3):
            own.analyse("good.py", GOOD)
            seen.append(own.pid)
    assert seen[0] == seen[1] != seen[2]
    assert own.pid is None
    assert not any(psutil.pid_exists(pid) for pid in seen)


def test_a_process_that_was_killed_is_replaced_and_the_job_is_answered(opentrons):
    with OpentronsWorker(opentrons) as own:
        own.analyse("good.py", GOOD)
        before = own.pid
        os.kill(before, signal.SIGKILL)
        assert own.analyse("good.py", GOOD).analysis["result"] == "ok"
        assert own.pid != before
        with pytest.raises(WorkerError, match=r"deadly\.py: the opentrons worker died twice over it"):
            own.analyse("deadly.py", DEADLY)
        assert own.analyse("good.py", GOOD).analysis["result"] == "ok"


def test_a_job_that_never_ends_is_stopped(opentrons):
    with OpentronsWorker(opentrons) as own:
        own.analyse("good.py", GOOD)
        own.timeout_s = 0.5
        with pytest.raises(WorkerError, match=r"silent for 0\.5 s over endless\.py"):
            own.analyse("endless.py", ENDLESS)
        assert own.pid is None


def test_an_interrupted_job_leaves_no_answer_for_the_next_one(opentrons):
    class InterruptedByHandError(Exception):
        pass

    def interrupt(*_):
        raise InterruptedByHandError

    with OpentronsWorker(opentrons, timeout_s=60.0) as own:
        own.analyse("good.py", GOOD)
        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            with pytest.raises(InterruptedByHandError):
                own.analyse("endless.py", ENDLESS)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert kinds(own.analyse("good.py", GOOD))[-1] == "dropTipInPlace"


def test_an_interpreter_without_the_package_is_named(tmp_path):
    with (
        OpentronsWorker(Environment("9.0.0", tmp_path / "bin" / "python", "")) as own,
        pytest.raises(WorkerError, match=r"does not start: .*Remove"),
    ):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python").symlink_to(sys.executable)
        own.analyse("good.py", GOOD)


ORPHAN = """
import sys
from pathlib import Path
from cellos_nb.hardware.opentrons.environment import Environment
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
import threading
own = OpentronsWorker(Environment("9.0.0", Path(sys.argv[1]), ""))
own.analyse("good.py", sys.argv[2])
print(own.pid, flush=True)
own.analyse("endless.py", sys.argv[3])
"""


def test_the_process_ends_with_its_parent_even_in_the_middle_of_a_job(opentrons):
    command = [sys.executable, "-c", ORPHAN, str(opentrons.python), GOOD, ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, alive = psutil.wait_procs([worker], timeout=30)
    assert alive == []
