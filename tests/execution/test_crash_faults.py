"""A full disk, a database that another process locks, and a clock that is set back, in the middle of a campaign."""

from __future__ import annotations

import os

import pytest
from crash_faults import can_mount, clock_set_back, full_disk, locked
from crash_rig import as_table, children


@pytest.fixture(scope="module")
def one():
    with children() as server:
        yield server


def check(faults):
    print("\n" + as_table([faults]))  # noqa: T201 — for whoever asks with -s
    assert (faults.wells_twice, faults.wells_missing, faults.results_lost) == (0, 0, 0)
    assert (faults.told_clearly, faults.went_on) == (faults.faults, faults.campaigns)


@pytest.mark.parametrize("machine", ["strict", "interleaved"])
def test_a_database_that_is_locked_for_too_long_is_told_and_the_campaign_goes_on_after(machine, one, in_memory):
    faults = locked(in_memory, machine, one, every=7)
    check(faults)
    assert faults.faults > 0


@pytest.mark.parametrize("machine", ["strict", "shipped"])
def test_a_clock_that_is_set_back_neither_repeats_nor_holds_up(machine, one, in_memory):
    check(clock_set_back(in_memory, machine, one, every=9))


def test_a_disk_that_fills_up_in_the_middle_is_told_and_the_campaign_goes_on_with_room_again(one, in_memory):
    if not can_mount():
        if os.environ.get("CI"):
            pytest.fail("this machine allows no mount in a namespace; the disk-full tests cannot run")
        pytest.skip("this machine allows no mount in a namespace of its own")
    faults = full_disk(in_memory, "strict", one, (360,))
    check(faults)
    assert faults.faults > 0
