"""A machine's memory on disk: what it survives, and how it refuses."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from machine_plates import Plate, Well, run

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import MachineError
from cellos_nb.hardware import memory
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.ledger import read_ledger
from cellos_nb.hardware.virtual import VirtualMachine

PLATE = Plate({"A1": Well("U2OS"), "B2": Well("U2OS", "staurosporine", 0.06)}, seed=5)


def in_another_process(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that can import the plates of these tests."""
    head = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    command = [sys.executable, "-c", head + textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_ledger_tells_people_what_happened(tmp_path):
    machine = BiologicalVirtualMachine(ledger=tmp_path / "ledger")
    reading = run(machine, PLATE)
    entries = read_ledger(tmp_path / "ledger")
    assert [entry.step_uid for entry in entries] == ["1-seed", "2-attach", "3-dose", "4-treat", "9-read"]
    assert [entry.kind for entry in entries] == [
        StepKind.SEED,
        StepKind.INCUBATE,
        StepKind.DOSE,
        StepKind.INCUBATE,
        StepKind.READ,
    ]
    assert {entry.plate_id for entry in entries} == {PLATE.plate_id}
    assert [entry.hours for entry in entries] == [0, 4, 0, 72, 0]
    dosed = entries[2].contents[PLATE.plate_id].well("B2")
    assert dosed.dose_um == pytest.approx({"staurosporine": 0.06})
    assert entries[-1].reading == reading


def test_a_ledger_in_a_new_folder_is_begun(tmp_path):
    VirtualMachine(tmp_path / "new" / "folder" / "ledger").stop()
    assert read_ledger(tmp_path / "new" / "folder" / "ledger") == ()


def test_a_ledger_torn_in_its_first_line_is_begun_again(tmp_path):
    (tmp_path / "ledger").write_bytes(b"cellos_nb mach")
    machine = VirtualMachine(tmp_path / "ledger")
    machine.execute(PLATE.seed_step(), "t")
    assert len(read_ledger(tmp_path / "ledger")) == 1


def test_damage_before_the_last_line_is_named(tmp_path):
    ledger = tmp_path / "ledger"
    machine = VirtualMachine(ledger)
    run(machine, PLATE)
    machine.stop()
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*lines[:2], lines[2].replace(b"2-attach", b"2-attacH"), *lines[3:]]))
    for attempt in (lambda: VirtualMachine(ledger), lambda: read_ledger(ledger)):
        with pytest.raises(MachineError, match=r"line 3: the ledger is damaged. Restore it from a copy"):
            attempt()


def test_another_file_is_not_taken_for_a_ledger(tmp_path):
    (tmp_path / "notes.txt").write_text("buy agar\n")
    with pytest.raises(MachineError, match="not a machine's ledger"):
        VirtualMachine(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "buy agar\n"


def test_a_missing_ledger_cannot_be_read(tmp_path):
    with pytest.raises(MachineError, match=r"ledger cannot be read \(No such file or directory\)"):
        read_ledger(tmp_path / "none")


def test_a_folder_is_no_ledger(tmp_path):
    with pytest.raises(MachineError, match="ledger cannot be opened"):
        VirtualMachine(tmp_path)


def test_a_ledger_is_held_by_one_process_and_released_when_it_is_killed(tmp_path):
    script = """
        from cellos_nb.hardware.virtual import VirtualMachine
        machine = VirtualMachine(sys.argv[1])
        print("open", flush=True)
        sys.stdin.read()
    """
    other = in_another_process(script, str(tmp_path / "ledger"))
    assert other.stdout.readline() == "open\n"
    with pytest.raises(MachineError, match="another machine holds this ledger"):
        VirtualMachine(tmp_path / "ledger")
    other.kill()
    other.communicate()
    VirtualMachine(tmp_path / "ledger").stop()


def test_a_process_killed_between_steps_leaves_a_machine_that_knows_them(tmp_path):
    script = """
        from machine_plates import *
        from cellos_nb.hardware.biology import BiologicalVirtualMachine
        plate = Plate({"A1": Well("U2OS"), "B2": Well("U2OS", "staurosporine", 0.06)}, seed=5)
        machine = BiologicalVirtualMachine(ledger=sys.argv[1])
        for step in plate.steps():
            machine.execute(step, step.uid)
            print(step.uid, flush=True)
            sys.stdin.readline()
    """
    whole = run(BiologicalVirtualMachine(), PLATE)
    other = in_another_process(script, str(tmp_path / "ledger"))
    for expected in ("1-seed", "2-attach"):
        assert other.stdout.readline() == f"{expected}\n"
        other.stdin.write("\n")
        other.stdin.flush()
    assert other.stdout.readline() == "3-dose\n"
    other.kill()
    other.communicate()
    machine = BiologicalVirtualMachine(ledger=tmp_path / "ledger")
    assert machine.reconcile("3-dose").state is OutcomeState.DONE
    assert machine.reconcile("4-treat").state is OutcomeState.NEVER_STARTED
    assert [machine.execute(step, step.uid) for step in PLATE.steps()][-1] == whole


def test_a_full_disk_stops_the_machine_with_nothing_half_done(tmp_path):
    script = """
        import resource
        from machine_plates import *
        from cellos_nb.errors import MachineError
        from cellos_nb.hardware.ledger import read_ledger
        from cellos_nb.hardware.virtual import VirtualMachine
        plate = Plate({"A1": Well("U2OS"), "B2": Well("U2OS", "staurosporine", 0.06)}, seed=5)
        machine = VirtualMachine(sys.argv[1])
        machine.execute(plate.seed_step(), "seed")
        import os
        size = os.path.getsize(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
        before = machine.volumes(plate.plate_id)
        try:
            machine.execute(plate.dose_step(), "dose")
        except MachineError as error:
            print(error)
        assert machine.volumes(plate.plate_id) == before
        assert os.path.getsize(sys.argv[1]) == size
        assert machine.reconcile("dose").state == "never_started"
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        machine.execute(plate.dose_step(), "dose")
        assert [entry.token for entry in read_ledger(sys.argv[1])] == ["seed", "dose"]
    """
    other = in_another_process(script, str(tmp_path / "ledger"))
    printed, errors = other.communicate()
    assert other.returncode == 0, errors
    assert "ledger cannot be written (" in printed
    assert "Nothing was moved. Free space" in printed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no such device")
def test_a_device_is_no_ledger():
    with pytest.raises(MachineError, match="/dev/full: a ledger is an ordinary file"):
        VirtualMachine("/dev/full")


def test_more_plates_than_fit_in_memory_come_back_from_the_ledger(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MAX_CACHED_LABWARE", 4)
    plates = [Plate(PLATE.wells, f"p{i}", seed=i) for i in range(5)]
    alone = [run(BiologicalVirtualMachine(), plate) for plate in plates]
    machine = BiologicalVirtualMachine(ledger=tmp_path / "ledger")
    steps = [plate.steps() for plate in plates]
    readings = []
    for together in zip(*steps, strict=True):
        readings = [machine.execute(step, f"{step.plate_id}/{step.uid}") for step in together]
    assert readings == alone
    assert machine.clock_h("p0") == 76.0


def test_a_ledger_shortened_while_open_is_noticed(tmp_path):
    ledger = tmp_path / "ledger"
    machine = VirtualMachine(ledger)
    run(machine, PLATE)
    ledger.write_bytes(ledger.read_bytes()[:-10])
    with pytest.raises(MachineError, match="shortened while it was open"):
        machine.reconcile(f"{PLATE.plate_id}/9-read")
