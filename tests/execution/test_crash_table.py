"""Deaths at random times, each of a real process, counted in the machine's own ledger; `-s` prints the counts."""

from __future__ import annotations

import pytest
from crash_rig import as_table, children, killed_at_random


@pytest.fixture(scope="module")
def one():
    with children() as server:
        yield server


@pytest.mark.parametrize("machine", ["shipped", "strict", "real", "interleaved"])
def test_deaths_at_random_times_lose_nothing_and_repeat_nothing(machine, one, in_memory):
    counts = killed_at_random(in_memory, machine, 12, one)
    print("\n" + as_table([counts]))  # noqa: T201 — for whoever asks with -s
    assert (counts.wells_twice, counts.wells_missing, counts.results_lost) == (0, 0, 0)
    assert counts.in_doubt == counts.in_doubt_reported
    assert counts.kills >= 12
    assert counts.wells > 0
