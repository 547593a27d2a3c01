"""Robots from the command line, and their files among the artifacts of a proof."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from robots import OT2, compiled

from cellos_nb.errors import ArtifactError
from cellos_nb.execution.artifacts import ArtifactStore
from cellos_nb.execution.proof import prove, read_proof
from cellos_nb.hardware.opentrons.proof import prove_steps
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.store import Store


def run_cellos(*words, **settings):
    command = [sys.executable, "-c", "from cellos_nb.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, check=False)


def test_the_command_installs_and_the_doctor_shows_it(opentrons, tmp_path):
    done = run_cellos("hardware", "install", "opentrons")
    assert done.returncode == 0, done.stderr
    assert str(opentrons.python) in done.stdout
    assert f"opentrons        yes  9.0.0, {opentrons.python}" in run_cellos("doctor").stdout
    without = run_cellos("doctor", CELLOS_HARDWARE_HOME=str(tmp_path))
    assert "not installed; for an OT-2 or Flex run `cellos hardware install opentrons`" in without.stdout


def test_the_files_are_kept_beside_the_other_artifacts_of_a_proof(worker, tmp_path):
    workflow = compiled(OT2, n=1)
    robot_files = {file.name: file.content for file in prove_steps(workflow.steps, workflow.sha256, OT2, worker).files}
    with Store.open(tmp_path / "lab.db") as store:
        machine = replace(VirtualMachine().describe(), min_volume_ul=1.0)
        proof = read_proof(store, prove(store, workflow, machine, robot_files).manifest.sha256)
        kept = ArtifactStore.beside(store)
        found = {artifact.name: kept.read(artifact.sha256, artifact.name) for artifact in proof.artifacts}
        with pytest.raises(ArtifactError, match=r"a proof has its own estimate\.json; give the device's file another"):
            prove(store, workflow, machine, {"estimate.json": b""})
    assert robot_files.items() < found.items()
    assert "protocol.txt" in found


def test_the_command_writes_the_files_of_a_workflow(opentrons, tmp_path):
    workflow = compiled(OT2, n=1)
    (tmp_path / "workflow.json").write_text(workflow.canonical_json(), encoding="utf-8")
    (tmp_path / "robot.yaml").write_text("name: ot2\nrobot: OT-2\nleft: p20_single_gen2\nright: p300_single_gen2\n")
    words = ["hardware", "prove", "workflow.json", "--robot", "robot.yaml", "--out", "files", "--json"]
    command = [sys.executable, "-c", "from cellos_nb.cli import main; main()", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout):
        protocol = (tmp_path / "files" / f"{row['step']}.py").read_bytes()
        assert hashlib.sha256(protocol).hexdigest() == row["protocol sha256"]
    wrong = subprocess.run(
        [*command[:5], "robot.yaml", *command[6:]], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "cellos: robot.yaml: is no workflow. Give the workflow.json that `cellos proof` wrote.\n",
    )
