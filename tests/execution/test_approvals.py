"""An approval is for one workflow on one machine up to one moment, and rests on a proof."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_machine import LedgerMachine
from plates import plate
from sqlalchemy import insert, text
from workflow_mutations import mutations, reachable_fields

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import ApprovalError, ArtifactError, InputError
from cellos_nb.execution.approvals import approvals_of, approve, require_approval
from cellos_nb.execution.artifacts import ArtifactStore
from cellos_nb.execution.proof import prove
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.store import migrate
from cellos_nb.store.database import Database
from cellos_nb.store.schema import approvals
from cellos_nb.store.store import Store
from cellos_nb.units import now_utc
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.workflow import Workflow

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def robot(tmp_path):
    return LedgerMachine(tmp_path / "ledger", is_simulated=False).describe()


def test_an_approval_names_person_machine_workflow_proof_and_end(store, robot):
    proof, until = prove(store, plate(), robot), now_utc() + HOUR
    given = approve(store, plate().sha256, machine="ledger", person=" Ada ", expires_at=until)
    assert approvals_of(store, plate().sha256) == (given,)
    assert (given.person, given.machine, given.expires_at) == ("Ada", "ledger", until)
    assert (given.workflow_sha256, given.manifest_sha256) == (plate().sha256, proof.manifest.sha256)
    require_approval(store, plate(), robot)


def test_nothing_is_approved_without_a_proof_for_that_machine(store, robot):
    prove(store, plate(), replace(robot, machine="other"))
    with pytest.raises(
        ApprovalError, match=r"there is no proof of this workflow for the machine ledger.*`cellos proof`"
    ):
        approve(store, plate().sha256, machine="ledger", person="Ada", expires_at=now_utc() + HOUR)


def test_an_altered_proof_cannot_be_approved(store, robot):
    proof = prove(store, plate(), robot)
    path = ArtifactStore.beside(store).path_of(proof.artifacts[1].sha256, "protocol.txt")
    path.chmod(0o644)
    path.write_text("nothing to see")
    with pytest.raises(ArtifactError, match=r"protocol\.txt: was altered"):
        approve(store, plate().sha256, machine="ledger", person="Ada", expires_at=now_utc() + HOUR)
    assert approvals_of(store, plate().sha256) == ()


@pytest.mark.parametrize(
    ("person", "hours", "match"), [(" ", 1, "needs the name"), ("Ada", -1, "is past")], ids=["nobody", "past"]
)
def test_an_approval_needs_a_person_and_a_time_to_come(store, robot, person, hours, match):
    prove(store, plate(), robot)
    with pytest.raises(InputError, match=match):
        approve(store, plate().sha256, machine="ledger", person=person, expires_at=now_utc() + hours * HOUR)


def test_without_an_approval_the_machine_says_how_to_give_one(store, robot):
    how = f"cellos approve-workflow --workflow {plate().sha256} --machine ledger"
    with pytest.raises(ApprovalError, match=rf"nobody approved .*`cellos proof demo/i001-p1`.*{how}"):
        require_approval(store, plate(), robot)
    prove(store, plate(), robot)
    approve(store, plate().sha256, machine="ledger", person="Ada", expires_at=now_utc() + HOUR)
    with pytest.raises(ApprovalError, match="nobody approved"):
        require_approval(store, plate(), replace(robot, machine="ledger-2"))


def test_an_approval_that_ended_is_told_from_none_and_a_newer_one_counts(store, robot):
    proof = prove(store, plate(), robot)
    past = now_utc() - HOUR
    values = {
        "workflow_sha256": plate().sha256, "manifest_sha256": proof.manifest.sha256, "machine": "ledger",
        "person": "Ada", "approved_at": past - HOUR, "expires_at": past,
    }  # fmt: skip
    with store.write() as tx:
        tx.execute(insert(approvals), values)
    with pytest.raises(ApprovalError, match=rf"ended at {past:%Y-%m-%d %H:%M} UTC\. .*again with `cellos approve-wor"):
        require_approval(store, plate(), robot)
    approve(store, plate().sha256, machine="ledger", person="Ada", expires_at=now_utc() + HOUR)
    require_approval(store, plate(), robot)


def test_a_simulated_machine_needs_no_approval(store, robot):
    require_approval(store, plate(), replace(robot, is_simulated=True))


def compiled():
    """An imaging plate as the compiler makes it, with controls, dilutions and stain."""
    config = CampaignConfig(
        name="small", cell_lines=["U2OS"], compounds=["drug"], dose_range_um=(0.001, 10.0), assay="imaging",
        plate_format=24, controls={"vehicle": 1},
    )  # fmt: skip
    asked = [ExperimentProposal("U2OS", "drug", dose_um, "imaging", f"e{dose_um}") for dose_um in (0.001, 10.0)]
    (workflow,) = compile_plates(
        asked, config.plate_plan(), VirtualMachine(min_volume_ul=1.0).describe(), batch_id="small/i001", seed=3
    )
    assert StepKind.DILUTE in {step.kind for step in workflow.steps}
    return workflow


@pytest.mark.parametrize("make", [plate, compiled], ids=["by hand", "compiled"])
def test_every_single_change_of_a_workflow_voids_its_approval(store, robot, make):
    workflow, robot = make(), replace(robot, assays=("viability", "imaging"))
    prove(store, workflow, robot)
    approve(store, workflow.sha256, machine="ledger", person="Ada", expires_at=now_utc() + HOUR)
    require_approval(store, workflow, robot)
    seen, paths = {workflow.sha256}, []
    for path, changed in mutations(workflow, Workflow):
        assert changed != workflow, path
        assert changed.sha256 not in seen, path
        seen.add(changed.sha256)
        paths.append(path)
        with pytest.raises(ApprovalError, match="nobody approved this workflow"):
            require_approval(store, changed, robot)
    changed_fields = set(re.findall(r"\w+\.\w+", " ".join(paths)))
    assert changed_fields == reachable_fields(Workflow)
    assert {"Liquid.stain", "Step.temperature_c", "TransferList.tip_policy", "WellAssignment.dose_um"} <= changed_fields


def test_approvals_of_the_first_form_are_kept_and_count_for_nothing(tmp_path, robot):
    from alembic import command

    database, config = Database(tmp_path / "old.db"), migrate.alembic_config()
    row = {"sha": plate().sha256, "then": "2020-01-01 00:00:00.000000", "end": "2999-01-01 00:00:00.000000"}
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO approvals (workflow_sha256, machine, person, approved_at, expires_at) "
                "VALUES (:sha, 'ledger', 'Ada', :then, :end)"
            ),
            row,
        )
    database.close()
    with Store.open(tmp_path / "old.db") as store:
        with store.read() as tx:
            assert tx.execute(text("SELECT person, manifest_sha256 FROM approvals")).all() == [("Ada", None)]
        with pytest.raises(ApprovalError, match="nobody approved"):
            require_approval(store, plate(), robot)
