"""`cellos rehearse` and `cellos overrule`, as a person calls them."""

from __future__ import annotations

import json

import pytest
from command import CAMPAIGN, assert_one_clear_line, cellos_here

GATED = """\
name: gated
cell_lines: [U2OS, HeLa]
compounds: [staurosporine, bortezomib, paclitaxel]
dose_range_um: [0.001, 10]
n_doses: 8
batch_size: 24
replicates: 3
controls: {vehicle: 6}
max_iterations: 1
machine: {kind: biology, parameters: faults.yaml}
seed: 5
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "campaign.yaml").write_text(GATED, encoding="utf-8")
    (tmp_path / "faults.yaml").write_text("faults: {swapped_rows: {share_of_plates: 1}}\n", encoding="utf-8")
    return tmp_path


def test_ways_to_divide_a_plate_are_compared_and_the_campaigns_own_is_marked(folder):
    shown = cellos_here("split-plate", "campaign.yaml", cwd=folder)
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[0].split() == [
        "doses", "replicates", "vehicle", "wells", "interval", "judged", "checked",
    ]  # fmt: skip
    assert sum("the campaign's" in line for line in shown.out.splitlines()) == 1
    found = json.loads(cellos_here("split-plate", "campaign.yaml", "--compounds", "2", "--json", cwd=folder).out)
    assert [each["interval_decades"] for each in found] == sorted(each["interval_decades"] for each in found)
    assert all(each["n_wells"] <= 96 for each in found)


def test_a_layout_is_rehearsed_without_a_database(folder):
    shown = cellos_here("rehearse", "campaign.yaml", cwd=folder)
    assert shown.code == 0, shown.err
    assert "power for an effect of 20%" in shown.out
    assert "no comparison is confounded" in shown.out
    numbers = json.loads(cellos_here("rehearse", "campaign.yaml", "--edge", "0.4", "--json", cwd=folder).out)
    assert numbers["assumed"]["edge"] == 0.4
    assert numbers["confounded"] == []
    assert sorted(path.name for path in folder.iterdir()) == ["campaign.yaml", "faults.yaml"]


def test_a_campaign_that_cannot_be_run_cannot_be_rehearsed(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN.replace("n_doses: 5", "n_doses: 0"), encoding="utf-8")
    assert_one_clear_line(cellos_here("rehearse", "campaign.yaml", cwd=tmp_path), 2, "n_doses")


def test_a_quarantined_plate_is_named_by_the_status_and_overruled_and_quarantined_again(folder):
    assert cellos_here("run", "campaign.yaml", cwd=folder).code == 0
    status = cellos_here("status", cwd=folder).out
    assert "gated/i001-p1: 24 experiments (" in status
    assert "`cellos overrule PLATE --reason …` lets a quarantined plate count." in status
    assert_one_clear_line(cellos_here("overrule", "gated/i001-p1", cwd=folder), 2, "say why it counts")
    done = cellos_here("overrule", "gated/i001-p1", "--reason", "put right by hand", cwd=folder)
    assert "put right by hand. Iteration 2 learns from it." in done.out
    assert "24 passed QC" in cellos_here("status", cwd=folder).out
    undone = cellos_here("overrule", "gated/i001-p1", "--withdraw", cwd=folder)
    assert "Iteration 2 no longer learns from it." in undone.out
    assert "0 passed QC" in cellos_here("status", cwd=folder).out
    assert_one_clear_line(cellos_here("overrule", "nonsense", "--reason", "x", cwd=folder), 2, "no such campaign")
