"""Commands of a cluster: what is wrong is said in one line before anything is served."""

from __future__ import annotations

import socket

import pytest
from command import assert_one_clear_line, cellos, cellos_here

WORKER = ("worker", "--scheduler", "tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        pytest.param(("--robot", "r1", "--machine", "ot3"), 2, ("no machine 'ot3'", "cluster"), id="unknown kind"),
        pytest.param(("--robot", "r1", "--machine", "no.yaml"), 2, ("no.yaml", "no such file"), id="no machine file"),
        pytest.param(("--robot", "a,b", "--machine", "virtual"), 2, ("'a,b' is no name",), id="a name with a comma"),
        pytest.param(
            ("--robot", "r1", "--machine", "virtual", "--log", "."), 1, ("step log cannot be opened",), id="log"
        ),
    ],
)
def test_a_worker_that_cannot_be_is_refused(options, code, expected, tmp_path):
    assert_one_clear_line(cellos_here(*WORKER, *options, cwd=tmp_path), code, *expected)


def test_a_scheduler_on_a_port_in_use_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cellos("scheduler", "--port", port, cwd=tmp_path)
    assert_one_clear_line(ended, 1, f"127.0.0.1:{port}: no scheduler can be started there", "Choose another port")
