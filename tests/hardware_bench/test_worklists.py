"""Worklists: the same wells and volumes in every form, read back by the rules of each form."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from bench_rig import dose_step, labware, seed_step, table

from cellos_nb.domain.step import TipPolicy
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.bench.worklists import worklist_name, write_worklist


def well_at(position: int, n_rows: int) -> str:
    column, row = divmod(position - 1, n_rows)
    return f"{chr(65 + row)}{column + 1}"


def from_csv(text, names):
    source, well, destination, to, volume = names
    return [(r[source], r[well], r[destination], r[to], float(r[volume])) for r in csv.DictReader(io.StringIO(text))]


def from_gwl(text, n_rows):
    moves, source = [], None
    for line in text.split("\r\n"):
        verb, *fields = line.split(";")
        if verb == "A":
            source = fields[0], well_at(int(fields[3]), n_rows[fields[0]]), float(fields[5])
        elif verb == "D":
            moves.append((*source[:2], fields[0], well_at(int(fields[3]), n_rows[fields[0]]), float(fields[5])))
            assert float(fields[5]) == source[2]
    return moves


def planned(step):
    return [
        (
            t.source_labware,
            t.source_well,
            t.destination_labware,
            t.destination_well,
            pytest.approx(t.volume_ul, rel=1e-3),
        )
        for t in step.transfers
    ]


ROWS = {"cells": 2, "stocks": 4, "vehicle": 4, "plate": 8}


@pytest.mark.parametrize("step", [seed_step(), dose_step(), dose_step(0.2075)], ids=["seed", "dose", "droplets"])
def test_each_form_says_the_same_transfers(step):
    generic = ("source_labware", "source_well", "destination_labware", "destination_well", "volume_ul")
    assert from_csv(write_worklist(step, "csv"), generic) == planned(step)
    hamilton = ("SourceLabwareID", "SourcePositionID", "TargetLabwareID", "TargetPositionID", "TransferVolume")
    assert from_csv(write_worklist(step, "hamilton"), hamilton) == planned(step)
    for row in csv.DictReader(io.StringIO(write_worklist(step, "hamilton"))):
        assert well_at(int(row["TargetPositionNo"]), 8) == row["TargetPositionID"]
    assert from_gwl(write_worklist(step, "gwl"), ROWS) == planned(step)
    echo = ("Source Plate Barcode", "Source Well", "Destination Plate Barcode", "Destination Well", "Transfer Volume")
    barcodes = {item.barcode: item.name for item in step.labware}
    moves = [
        (barcodes[s], w, barcodes[d], to, v / 1e3) for s, w, d, to, v in from_csv(write_worklist(step, "echo"), echo)
    ]
    assert moves == planned(step)


def test_an_echo_refuses_what_is_no_whole_number_of_droplets():
    with pytest.raises(MachineRefusedError, match=r"plate B2: 0.2011 µL is no whole number of an Echo's droplets"):
        write_worklist(dose_step(0.2011), "echo")


def test_a_tecan_takes_a_new_tip_as_the_step_asks():
    step = dose_step()
    per_source = write_worklist(step, "gwl")
    assert per_source.count("W;") == 2  # stock, vehicle
    each = replace(step, transfers=replace(step.transfers, tip_policy=TipPolicy.PER_TRANSFER))
    assert write_worklist(each, "gwl").count("W;") == 4


def test_a_rack_whose_order_nobody_knows_is_refused():
    step = seed_step()
    odd = replace(step, labware=(labware("plate"), labware("cells", 7)))
    with pytest.raises(MachineRefusedError, match="cells has 7 places, whose order no worklist knows"):
        write_worklist(odd, "gwl")


def test_the_same_source_into_one_well_in_parts_keeps_its_tip():
    parts = table([("cells", "A1", "plate", "B2", 50.0)] * 3, tip_policy=TipPolicy.PER_TRANSFER)
    assert write_worklist(replace(seed_step(), transfers=parts), "gwl").count("W;") == 1


def test_a_worklist_is_named_after_its_step():
    assert worklist_name(dose_step(), "echo") == "3-dose.echo.csv"
