"""PROOF writes down what will happen, byte for byte the same each time, and touches no device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from sqlalchemy import select

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ApprovalError, ArtifactError, MachineRefusedError
from cellos_nb.execution.approvals import approve
from cellos_nb.execution.artifacts import ArtifactStore
from cellos_nb.execution.proof import newest_proof, prove, read_proof
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.lab import Lab
from cellos_nb.store.schema import execution_logs
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc

NAMES = ["workflow.json", "protocol.txt", "protocol.html", "run_log.jsonl", "estimate.json"]
CONFIG = CampaignConfig(
    name="Proved", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.1, 10.0), batch_size=3, max_iterations=1,
    planner="random", seed=5,
)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def robot(tmp_path):
    return LedgerMachine(tmp_path / "ledger", is_simulated=False)


def read(store, proof, name):
    artifact = next(a for a in proof.artifacts if a.name == name)
    return ArtifactStore.beside(store).read(artifact.sha256, name).decode()


def test_a_proof_holds_the_workflow_its_protocol_the_rehearsal_and_its_cost(store, robot):
    workflow = plate()
    proof = prove(store, workflow, robot.describe())
    assert [artifact.name for artifact in proof.artifacts] == NAMES
    assert read(store, proof, "workflow.json") == workflow.canonical_json()
    assert proof.artifacts[0].sha256 == proof.workflow_sha256 == workflow.sha256
    for name in ("protocol.txt", "protocol.html"):
        assert workflow.sha256 in read(store, proof, name)
        assert "5 transfers" in read(store, proof, name)
    assert json.loads(read(store, proof, "estimate.json"))["cost_usd"] > 0
    manifest = json.loads(ArtifactStore.beside(store).read(proof.manifest.sha256, "manifest.json"))
    assert {item["name"]: item["sha256"] for item in manifest["artifacts"]} == {
        a.name: a.sha256 for a in proof.artifacts
    }
    assert (manifest["workflow_sha256"], manifest["machine"]) == (workflow.sha256, "ledger")


def test_the_run_log_has_each_step_with_its_transfers_and_the_volumes_after_it(store, robot):
    proof = prove(store, plate(), robot.describe())
    seed, attach, dose, treat, reading = map(json.loads, read(store, proof, "run_log.jsonl").splitlines())
    assert seed["transfers"][0] == ["stocks", "A1", "plate", "A1", 50.0]
    assert seed["filled"] == [["stocks", "A1", "U2OS cells", 900.0]]
    assert seed["volumes_after_ul"]["plate"] == dict.fromkeys(("A1", "A2", "A3", "B1", "B2"), 50.0)
    assert seed["volumes_after_ul"]["stocks"] == {"A1": 650.0}
    assert dose["volumes_after_ul"]["stocks"] == {"A1": 647.5}
    assert dose["volumes_after_ul"]["plate"]["B2"] == 50.5
    assert [step["ends_h"] for step in (seed, attach, dose, treat, reading)] == [0.0, 24.0, 24.0, 96.0, 96.0]
    assert reading["wells_read"] == 5


def test_the_hash_of_the_manifest_stands_in_the_log(store, robot):
    proof = prove(store, plate(), robot.describe())
    columns = (execution_logs.c.level, execution_logs.c.artifact_ref, execution_logs.c.artifact_sha256)
    with store.read() as tx:
        rows = [tuple(row) for row in tx.execute(select(*columns))]
    assert rows == [("INFO", f"artifacts/{proof.manifest.sha256}/manifest.json", proof.manifest.sha256)]
    assert (store.path.parent / rows[0][1]).is_file()


def test_no_device_of_a_real_machine_is_touched(store, tmp_path):
    class Untouchable(LedgerMachine):
        def preflight(self, step):
            raise AssertionError("touched")

        execute = reconcile = stop = preflight

    with Lab(store, Untouchable(tmp_path / "ledger", is_simulated=False)) as lab:
        (proof,) = lab.prove(CONFIG)
    assert proof.machine == "ledger"
    assert not (tmp_path / "ledger").exists()


def test_what_was_proved_is_what_the_campaign_then_makes(tmp_path):
    with Lab.open(tmp_path / "lab.db", VirtualMachine(tmp_path / "ledger")) as lab:
        (proof,) = lab.prove(CONFIG)
        assert not lab.campaigns()
        (workflow,) = lab.run(CONFIG).workflows()
        assert proof.workflow_sha256 == workflow.sha256
        assert lab.prove_plate(workflow.plate_id) == proof
        # Begun again it makes plates of other names.
        assert lab.prove(CONFIG)[0].plate_id == "proved-2/i001-p1"


CHILD = """
import sys
from plates import plate
from cellos_nb.execution.proof import prove
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store.store import Store
with Store.open(sys.argv[1]) as store:
    proof = prove(store, plate(n_samples=9), VirtualMachine(name="ot2").describe())
    print(*(f"{a.name}:{a.sha256}" for a in (*proof.artifacts, proof.manifest)))
"""


def test_the_hashes_are_the_same_in_every_process_and_place(tmp_path):
    seen = set()
    for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("4242", "America/Lima")):
        (tmp_path / seed).mkdir()
        env = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-c", CHILD, str(tmp_path / seed / "lab.db")]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        seen.add(done.stdout)
    assert len(seen) == 1
    assert seen.pop().count(":") == 6


def test_a_step_that_cannot_be_done_is_found_in_the_rehearsal_and_nothing_is_written(store, robot, tmp_path):
    workflow = plate()
    seed = workflow.steps[0]
    dry = replace(workflow, steps=(replace(seed, fills=(replace(seed.fills[0], volume_ul=10.0),)), *workflow.steps[1:]))
    with pytest.raises(MachineRefusedError, match=r"demo/i001-p1, rehearsal of step 1-seed: .*holds 10 µL"):
        prove(store, dry, robot.describe())
    coarse = replace(robot.describe(), min_volume_ul=1.0)
    with pytest.raises(MachineRefusedError, match=r"rehearsal of step 3-dose: .*but ledger delivers 1 µL"):
        prove(store, workflow, coarse)
    assert not (tmp_path / "artifacts").exists()
    assert newest_proof(store, dry.sha256, "ledger") is None


@pytest.mark.parametrize("name", [*NAMES, "manifest.json"])
def test_a_proof_with_one_altered_artifact_is_none(store, robot, name):
    proof = prove(store, plate(), robot.describe())
    artifact = next(a for a in (*proof.artifacts, proof.manifest) if a.name == name)
    assert read_proof(store, proof.manifest.sha256) == proof
    path = ArtifactStore.beside(store).path_of(artifact.sha256, name)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ArtifactError, match="was altered"):
        read_proof(store, proof.manifest.sha256)
    with pytest.raises(ArtifactError, match="was altered"):
        prove(store, plate(), robot.describe())


def test_a_real_machine_runs_the_campaign_that_was_proved_and_approved_and_no_other(tmp_path, robot):
    with Lab.open(tmp_path / "lab.db", robot) as lab:
        for proof in lab.prove(CONFIG):
            tomorrow = now_utc() + timedelta(days=1)
            approve(lab.store, proof.workflow_sha256, machine="ledger", person="Ada", expires_at=tomorrow)
        with pytest.raises(ApprovalError, match="nobody approved this workflow"):
            lab.run(CampaignConfig.from_dict(CONFIG.to_dict() | {"name": "Other"}))
        refused = lab.campaign("other")
        assert refused.status == "paused"
        assert not robot.effects()
        # What it would have done is there to be read, approved, and then done.
        (workflow,) = refused.workflows()
        approve(lab.store, workflow.sha256, machine="ledger", person="Ada", expires_at=tomorrow)
        assert lab.resume("other").status == "finished"
        assert set(robot.effects().values()) == {1}
        assert lab.run(CONFIG).status == "finished"
        assert set(robot.effects().values()) == {1}
