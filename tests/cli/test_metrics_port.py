"""The daemon's metrics, as a collector gets them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cellos_nb import Lab
from cellos_nb.errors import InputError
from cellos_nb.execution.actions import submit_action
from cellos_nb.execution.metrics_server import serving_metrics


def test_a_daemon_serves_its_metrics_on_this_machine_when_it_is_asked_to(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        submit_action(lab.store, "notify", {"title": "a"}, idempotency_key="k")
    command = [Path(sys.executable).with_name("cellos"), "daemon", "--db", tmp_path / "lab.db", "--metrics-port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemon:
        port = None
        for line in daemon.stderr:
            found = re.match(r"metrics: http://127.0.0.1:(\d+)/metrics", line)
            port = found.group(1) if found else port
            if port and "tick_done" in line:
                break
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/")
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
    assert "cellos_" in text


def test_a_port_that_is_taken_is_refused_with_what_to_do(tmp_path):
    with socket.socket() as other, Lab.open(tmp_path / "lab.db") as lab:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(InputError, match=f"--metrics-port {port}: cannot be used"),
            serving_metrics(lab.store, port),
        ):
            pass
