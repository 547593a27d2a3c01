"""The record of an imported campaign says where its results are from, and that there is nothing to run again."""

from __future__ import annotations

import pytest

from cellos_nb.errors import InputError
from cellos_nb.lab import Lab
from cellos_nb.operations.history import HistoryMapping, import_history, read_history
from cellos_nb.records.folder import read_record
from cellos_nb.records.record import write_record
from cellos_nb.records.rerun import rerun_record

MAPPING = HistoryMapping(
    name="old",
    columns={"cell_line": "line", "compound": "drug", "dose": "dose", "response": "y"},
    dose_unit="uM",
    response={"kind": "fraction"},
)


def test_an_imported_campaign_has_a_record_that_is_not_run_again(tmp_path):
    lines = [f"A,{drug},{dose},{value}" for drug in "xy" for dose, value in ((0.1, 0.9), (1, 0.5), (10, 0.1))]
    (tmp_path / "old.csv").write_text("\n".join(["line,drug,dose,y", *lines]) + "\n", encoding="utf-8")
    with Lab.open(tmp_path / "lab.db") as lab:
        read = read_history(tmp_path / "old.csv", MAPPING)
        done = import_history(lab.store, read, by="ada")
        folder = write_record(lab, done.campaign_id, tmp_path / "records")
    recorded = read_record(folder)
    assert (recorded.run.machine, recorded.run.is_simulated) == ("imported", False)
    assert read.table.sha256 in recorded.run.data_source
    assert read.table.sha256 in (folder / "audit_log.jsonl").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="there is nothing to run again"):
        rerun_record(folder)
