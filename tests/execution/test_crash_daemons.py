"""Two daemons on one database, killed at random, while eight processes submit; `-s` prints the counts."""

from __future__ import annotations

from crash_daemons import two_daemons
from crash_rig import as_table


def test_two_daemons_never_both_hold_the_lease_and_nothing_submitted_is_lost_or_doubled(in_memory):
    watch = two_daemons(in_memory, 6.0, iterations=8, n_submissions=1000)
    print("\n" + as_table([watch]))  # noqa: T201 — for whoever asks with -s
    assert (watch.held_by_two, watch.steps_out_of_turn, watch.wet_steps_twice, watch.results_lost) == (0, 0, 0, 0)
    assert (watch.submissions_lost, watch.submissions_doubled) == (0, 0)
    assert watch.kills > 0
    assert watch.holders > watch.kills
    assert watch.results == 3 * 8 * 4
