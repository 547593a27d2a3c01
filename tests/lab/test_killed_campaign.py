"""A campaign killed by SIGKILL at any write of the journal goes on, and moves no liquid twice."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
from mortal_campaign import run

from cellos_nb import Lab
from cellos_nb.hardware.ledger import read_ledger

WET = ("seed", "dilute", "dose")


def wet_steps(folder: Path) -> Counter[tuple[str, str]]:
    """How often each step that moves liquid was executed, by the machine's own ledger, kept outside the database."""
    (ledger,) = folder.glob("lab.db.machines/*.ledger")
    entries = read_ledger(ledger)
    return Counter((e.plate_id, e.step_uid) for e in entries if e.step_uid.partition("-")[2] in WET)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The folder of a campaign that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder) == 0
    return folder


def test_a_campaign_killed_at_any_commit_goes_on_and_dispenses_nothing_twice(undisturbed, tmp_path):
    expected = (undisturbed / "history.csv").read_bytes()
    n_commits = int((undisturbed / "commits").read_text())
    n_killed = 0
    for k in range(1, n_commits + 1):
        for after in (False, True):
            folder = tmp_path / f"{k}-{after}"
            folder.mkdir()
            # Entries are also committed by the clock, so that a quicker run may end before its commit number k.
            n_killed += run(folder, k, after=after) == -signal.SIGKILL
            assert run(folder) == 0
            assert (folder / "history.csv").read_bytes() == expected
            counts = wet_steps(folder)
            assert set(counts.values()) == {1}, counts
            assert counts.keys() == wet_steps(undisturbed).keys()
    assert n_killed > 16


def test_a_killed_campaign_is_called_interrupted_until_it_is_resumed(tmp_path):
    assert run(tmp_path, 8) == -signal.SIGKILL
    with Lab.open(tmp_path / "lab.db") as lab:
        assert lab.campaign("mortal").summary().status == "interrupted"
        assert lab.resume("mortal").summary().status == "finished"


def test_a_campaign_killed_again_and_again_still_ends(undisturbed, tmp_path):
    n_commits = int((undisturbed / "commits").read_text())
    for k in range(1, n_commits):
        run(tmp_path, k)
    assert run(tmp_path) == 0
    assert (tmp_path / "history.csv").read_bytes() == (undisturbed / "history.csv").read_bytes()
    assert set(wet_steps(tmp_path).values()) == {1}
