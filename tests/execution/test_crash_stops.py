"""A process that is stopped for longer than its lease, and wakes as one that has lost it; `-s` prints the counts."""

from __future__ import annotations

import pytest
from crash_rig import as_table, children
from crash_stops import stopped_at_points


@pytest.fixture(scope="module")
def one():
    with children() as server:
        yield server


@pytest.mark.parametrize(("machine", "every"), [("shipped", 9), ("strict", 7), ("real", 8), ("interleaved", 4)])
def test_a_process_that_wakes_after_its_lease_calls_no_device_and_writes_no_journal(machine, every, one, in_memory):
    stops = stopped_at_points(in_memory, machine, one, every=every)
    print("\n" + as_table([stops]))  # noqa: T201 — for whoever asks with -s
    assert (stops.calls_after_waking, stops.writes_after_waking) == (0, 0)
    assert (stops.wells_twice, stops.wells_missing, stops.results_lost) == (0, 0, 0)
    assert stops.in_doubt == stops.in_doubt_reported
    assert stops.held_up + stops.taken_over == stops.stops > 0
    # The shipped machine lets nobody else in while the stopped process has it; on the others somebody took over.
    assert (stops.woke_and_ended == 0) == (machine == "shipped")
