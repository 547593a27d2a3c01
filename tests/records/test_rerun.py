"""A campaign that is run again from its record alone comes out the same, byte for byte, or it is said where not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_campaigns import TINY, write_plainly

from cellos_nb import CampaignConfig, Lab
from cellos_nb.errors import InputError
from cellos_nb.hardware.replay import ReplayMachine
from cellos_nb.hardware.screen import load_screen
from cellos_nb.records.folder import RUN, read_record
from cellos_nb.records.manifest import write_manifest
from cellos_nb.records.rerun import rerun_record

ONE_CORE = {"OPENBLAS_NUM_THREADS": "1"}
"""Sums of the linear algebra then round otherwise."""
LEARNING = CampaignConfig(
    name="learning",
    cell_lines=["A549", "HepG2"],
    compounds=["staurosporine", "doxorubicin"],
    dose_range_um=[0.01, 10],
    n_doses=6,
    objective="selectivity",
    batch_size=8,
    max_iterations=3,
    replicates=2,
    machine="biology",
    seed=11,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    with Lab.open(folder / "lab.db") as lab:
        return write_plainly(lab, lab.run(TINY).campaign_id, folder / "record")


@pytest.fixture
def record(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "record")


def rewrite(record: Path, name: str, change) -> None:
    """Changes a JSON file of a record and its manifest with it, as somebody would who forges a record."""
    content = json.loads((record / name).read_text(encoding="utf-8"))
    change(content)
    (record / name).write_text(json.dumps(content), encoding="utf-8")
    write_manifest(record, read_record(record).run)


def test_another_process_elsewhere_in_another_time_zone_and_with_one_core_finds_the_same(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        record = write_plainly(lab, lab.run(LEARNING).campaign_id, tmp_path / "record")
    (tmp_path / "lab.db").unlink()
    elsewhere = tmp_path / "far" / "away"
    elsewhere.mkdir(parents=True)
    program = (
        "import json, sys\n"
        "from cellos_nb.records.rerun import rerun_record\n"
        "done = rerun_record(sys.argv[1])\n"
        "print(json.dumps({'n': done.n_iterations, **{each.what: each.is_equal for each in done.compared}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(record)], cwd=elsewhere, capture_output=True, text=True, timeout=120,
        check=True, env={**os.environ, "TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONHASHSEED": "7"} | ONE_CORE,
    )  # fmt: skip
    names = ["history.csv", *(f"workflows/i00{n}-p1.json" for n in (1, 2, 3)), "model_states.json"]
    assert json.loads(done.stdout) == {"n": 3, **dict.fromkeys(names, True)}
    assert list(elsewhere.iterdir()) == []


def test_a_campaign_that_was_numbered_forked_and_rolled_back_comes_out_the_same(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(TINY)
        second = lab.run(TINY)
        assert second.campaign_id == "tiny-2"
        numbered = write_plainly(lab, second.campaign_id, tmp_path / "numbered")
        fork = lab.fork("tiny-2", at=1, max_iterations=4, planner={"kind": "space_filling"})
        lab.resume(fork.campaign_id)
        fork.rollback(2, by="ada")
        lab.resume(fork.campaign_id)
        assert fork.results.iterations == (1, 2, 5, 6)
        forked = write_plainly(lab, fork.campaign_id, tmp_path / "forked")
    assert rerun_record(numbered).is_equal
    done = rerun_record(forked)
    assert [each.what for each in done.compared if not each.is_equal] == []
    assert done.n_iterations == 5


def test_a_campaign_that_a_person_ended_early_is_run_no_further(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        campaign = lab.run(TINY)
        campaign.rollback(1, by="ada")
        record = write_plainly(lab, campaign.campaign_id, tmp_path / "record")
    done = rerun_record(record, keep=tmp_path / "kept.db")
    assert done.is_equal
    with Lab.open(tmp_path / "kept.db", must_exist=True) as lab:
        assert lab.campaign("tiny").results.iterations == (1,)


def test_a_screen_of_ones_own_goes_with_the_record(tmp_path):
    rows = [f"K562,{drug},{dose},{1 / (1 + dose)}" for drug in ("a", "b") for dose in (0.01, 0.1, 1, 10)]
    (tmp_path / "mine.csv").write_text("\n".join(["cell_line,compound,dose_um,viability", *rows]), encoding="utf-8")
    config = CampaignConfig.from_dict(
        TINY.to_dict()
        | {"cell_lines": ["K562"], "compounds": ["a", "b"], "dose_range_um": [0.01, 10]}
        | {"machine": {"kind": "replay", "screen": str(tmp_path / "mine.csv")}}
    )
    with Lab.open(tmp_path / "lab.db") as lab:
        record = write_plainly(lab, lab.run(config).campaign_id, tmp_path / "record")
    assert str(tmp_path) not in (record / "campaign.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.csv").unlink()
    moved = record.rename(tmp_path / "moved")
    assert load_screen(read_record(moved).config.machine.screen).cell_lines == ("K562",)


def test_a_history_that_was_forged_together_with_its_manifest_is_found_by_running_again(record):
    path = record / "history.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("measurement")
    cells = lines[3].split(",")
    cells[column] = "0.01"
    path.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n", encoding="utf-8")
    write_manifest(record, read_record(record).run)
    done = rerun_record(record)
    (differs,) = [each for each in done.compared if not each.is_equal]
    assert differs.what == "history.csv"
    assert differs.detail.startswith("line 4, measurement: 0.01 in the record, ")


def test_another_seed_in_the_record_shows_in_history_and_workflows(record):
    text = (record / "campaign.yaml").read_text(encoding="utf-8")
    (record / "campaign.yaml").write_text(text.replace("seed: 5", "seed: 6"), encoding="utf-8")
    write_manifest(record, read_record(record).run)
    assert {each.what for each in rerun_record(record).compared if not each.is_equal} == {
        "history.csv", "workflows/i001-p1.json", "workflows/i002-p1.json", "model_states.json",
    }  # fmt: skip


def test_other_versions_than_those_recorded_are_named(record):
    rewrite(record, RUN, lambda run: run["versions"].update(numpy="1.0"))
    done = rerun_record(record)
    (said,) = done.other_versions
    assert said.startswith("numpy ")
    assert said.endswith(" here, 1.0 in the record")


def test_a_record_that_was_altered_is_not_run_again(record):
    (record / "run.json").unlink()
    with pytest.raises(InputError, match=r"is not as it was written: run.json \(missing\)"):
        rerun_record(record)


def test_a_real_machines_campaign_is_not_made_again_by_a_command(record):
    rewrite(record, RUN, lambda run: run.update(is_simulated=False, machine="ot2-left"))
    with pytest.raises(InputError, match="ot2-left is a real machine"):
        rerun_record(record)


def test_a_record_of_an_earlier_release_says_what_to_do(record):
    rewrite(record, RUN, lambda run: [run.pop("is_simulated"), run.pop("laps")])
    with pytest.raises(InputError, match=r"by an earlier release\. Write it again with `cellos record tiny`"):
        rerun_record(record)


def test_a_database_that_exists_is_not_mixed_with_a_rerun(record, tmp_path):
    (tmp_path / "lab.db").write_bytes(b"mine")
    with pytest.raises(InputError, match="exists already"):
        rerun_record(record, keep=tmp_path / "lab.db")
    assert (tmp_path / "lab.db").read_bytes() == b"mine"


def test_a_machine_that_the_configuration_does_not_name_is_told_of(tmp_path):
    class Tilted(ReplayMachine):
        def describe(self):
            return replace(super().describe(), machine="tilted")

    with Lab.open(tmp_path / "lab.db", machine=Tilted()) as lab:
        record = write_plainly(lab, lab.run(TINY).campaign_id, tmp_path / "record")
    with pytest.raises(InputError, match=r"the campaign ran on tilted .* gives replay"):
        rerun_record(record)
