"""`cellos compare` puts campaigns with one question side by side."""

from __future__ import annotations

import json

import pytest
from command import CAMPAIGN, assert_one_clear_line, cellos_here


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three campaigns: two with one question, of which one made more experiments, and one with another."""
    folder = tmp_path_factory.mktemp("compare")
    longer = CAMPAIGN.replace("name: tiny", "name: longer").replace("max_iterations: 2", "max_iterations: 3")
    (folder / "tiny.yaml").write_text(CAMPAIGN, encoding="utf-8")
    (folder / "longer.yaml").write_text(longer.replace("seed: 3", "seed: 4"), encoding="utf-8")
    other = CAMPAIGN.replace("name: tiny", "name: other").replace("minimise", "selectivity")
    (folder / "other.yaml").write_text(other, encoding="utf-8")
    for name in ("tiny", "longer", "other"):
        assert cellos_here("run", f"{name}.yaml", cwd=folder).code == 0
    return folder


def test_what_each_found_is_told_at_its_end_and_at_equal_effort(folder):
    tiny, longer = json.loads(cellos_here("compare", "tiny", "longer", "--json", cwd=folder).out)
    assert (tiny["campaign"], tiny["experiments"], longer["experiments"]) == ("tiny", 8, 12)
    assert tiny["score_at_equal_effort"] == tiny["score"]
    assert longer["score_at_equal_effort"] <= longer["score"]
    assert (longer["score_at_equal_effort"] == longer["score"]) == (longer["found_in_iteration"] <= 2)
    assert all(each["regret_at_equal_effort"] >= 0 for each in (tiny, longer))


def test_a_person_reads_one_line_for_each_campaign_and_what_equal_effort_is(folder):
    shown = cellos_here("compare", "tiny", "longer", cwd=folder).out
    assert [line.split()[0] for line in shown.splitlines()[:3]] == ["campaign", "tiny", "longer"]
    assert "Equal effort: 8 experiments." in shown


@pytest.mark.parametrize(
    ("campaigns", "expected"),
    [
        pytest.param((), "Compare campaigns with one question", id="all, with two questions"),
        pytest.param(("tiny", "other"), "its goal is selectivity, that of tiny is minimise", id="another question"),
        pytest.param(("tiny", "tiny"), "Give at least two", id="one"),
        pytest.param(("tiny", "longr"), "Did you mean longer?", id="unknown"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_can(folder, campaigns, expected):
    assert_one_clear_line(cellos_here("compare", *campaigns, cwd=folder), 2, expected)
