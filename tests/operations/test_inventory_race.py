"""Two processes want the last plates of one stock at the same moment."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from stocked import stock

from cellos_nb.execution.runs import run_records
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.lab import Lab

RACER = Path(__file__).with_name("racer.py")


def race(database, n_batches):
    """What each of two processes was told, batch by batch."""
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(RACER), database, str(n_batches), str(seed)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=RACER.parent,
                )
            )
            for seed in (100, 200)
        ]
        try:
            for racer in racers:
                assert racer.stdout.readline() == "ready\n"
            for racer in racers:
                racer.stdin.write("go\n")
                racer.stdin.flush()
            return [[racer.stdout.readline().strip() for _ in range(n_batches)] for racer in racers]
        finally:
            for racer in racers:
                racer.kill()


def test_of_two_processes_that_race_for_the_last_plate_one_gets_it(database):
    with Lab.open(database, machine=BiologicalVirtualMachine()) as lab:
        inventory = stock(lab, without=("96-well plate",))
        inventory.receive("96-well plate", 1, lot_number="P1")
        told = [answers[0] for answers in race(database, 1)]
        assert sorted(answer == "got it" for answer in told) == [False, True]
        assert any("96-well plate: 1 pcs needed, 0 pcs free; 1 pcs missing: order" in answer for answer in told)
        assert inventory.lot("P1").balance.reserved == 1
        assert len(run_records(lab.store)) == 1
        assert inventory.reconcile().is_balanced


def test_however_they_take_turns_no_more_is_promised_than_there_is(database):
    with Lab.open(database, machine=BiologicalVirtualMachine()) as lab:
        inventory = stock(lab, without=("96-well plate",))
        inventory.receive("96-well plate", 4, lot_number="P1")
        told = [answer for answers in race(database, 4) for answer in answers]
        assert told.count("got it") == 4
        assert inventory.lot("P1").balance.free == 0
        assert len(run_records(lab.store)) == 4
        assert inventory.reconcile().is_balanced
