"""`cellos bank`: its tables, its files, and one clear line for each mistake."""

from __future__ import annotations

import csv
import json

import pytest
import yaml
from command import assert_one_clear_line, cellos_here

from cellos_nb import Lab
from cellos_nb.week.config import BankSettings

MASTER = """\
name: HeLa 2026
cell_line: HeLa
master: {vials: 30}
restarts: 1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bank.yaml").write_text(MASTER, encoding="utf-8")
    return tmp_path


def test_the_template_is_a_bank_that_can_be_simulated(tmp_path):
    text = cellos_here("bank", "template", cwd=tmp_path).out
    (tmp_path / "bank.yaml").write_text(text, encoding="utf-8")
    ended = cellos_here("bank", "simulate", "bank.yaml", "--runs", "50", cwd=tmp_path)
    assert ended.code == 0, ended
    assert "Master bank" in ended.out
    assert "Working bank" in ended.out


def test_simulate_prints_success_vials_days_waste_and_cost_and_writes_a_row_for_each_run(folder):
    ended = cellos_here("bank", "simulate", "bank.yaml", "--runs", "60", "--csv", "runs.csv", cwd=folder)
    for words in ("success", "95 % interval", "days to release", "waste of cells", "cost, USD", "vials p5/p50/p95"):
        assert words in ended.out
    with (folder / "runs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    as_json = json.loads(cellos_here("bank", "simulate", "bank.yaml", "--runs", "60", "--json", cwd=folder).out)
    assert as_json["summary"]["success"]["value"] == sum(int(row["vials"]) >= 30 for row in rows) / 60


def test_a_crash_test_says_what_the_trouble_costs(folder):
    ended = cellos_here("bank", "crash-test", "bank.yaml", "--incubator-fails", "9", "--runs", "80", cwd=folder)
    assert "an incubator fails in the night of day 9, in the master bank" in ended.out
    assert "still succeed" in ended.out
    found = json.loads(
        cellos_here(
            "bank", "crash-test", "bank.yaml", "--person-away", "3-8", "--runs", "80", "--json", cwd=folder
        ).out
    )  # fmt: skip
    days = next(one for one in found["changes"] if one["measure"] == "days")
    assert days["difference"] > 1


def test_a_crash_test_that_comes_too_late_does_nothing(folder):
    ended = cellos_here("bank", "crash-test", "bank.yaml", "--incubator-fails", "59", "--runs", "20", cwd=folder)
    assert "no run was in culture" in ended.out


def test_sensitivity_names_the_numbers_that_matter(folder):
    ended = cellos_here(
        "bank", "sensitivity", "bank.yaml", "--of", "days", "--vary", "qc_days=14:28", "--runs", "60",
        "--csv", "effects.csv", cwd=folder,
    )  # fmt: skip
    first_row = ended.out.split("rank correlation\n")[1].splitlines()[0]
    assert first_row.startswith(("qc_days", "doubling_time_h"))
    assert (folder / "effects.csv").read_text(encoding="utf-8").count("\n") > 10


def test_tasks_can_be_put_into_a_week(folder):
    text = cellos_here("bank", "tasks", "bank.yaml", "--begins", "Tue 08:00", cwd=folder).out
    (entry,) = yaml.safe_load(text)["banks"]
    bank = BankSettings.model_validate(entry)
    assert (bank.name, bank.begins, bank.tasks[0].kind) == ("HeLa 2026 master bank", "Tue 08:00", "thaw")


def test_vials_are_received_as_a_lot_of_cells_with_their_passage(folder):
    words = (
        "bank",
        "receive",
        "bank.yaml",
        "--vials",
        "31",
        "--passage",
        "3",
        "--lot",
        "MCB-1",
        "--location",
        "tank 2",
    )
    ended = cellos_here(*words, "--max-passage", "20", "--db", "lab.db", cwd=folder)
    assert ended.code == 0, ended
    assert "HeLa 2026 master bank" in ended.out
    with Lab.open(folder / "lab.db") as lab:
        (lot,) = lab.inventory.lots()
        assert (lot.serves, lot.passage, lot.max_passage, lot.location) == ("cells/HeLa", 3, 20, "tank 2")
        assert lot.balance.on_hand == 31_000_000
        assert lot.price_micro_usd > 31 * 1_000_000
    again = cellos_here(*words, "--db", "lab.db", cwd=folder)
    assert_one_clear_line(again, 2, "lot MCB-1 was received before")
    more = cellos_here(
        "bank", "receive", "bank.yaml", "--vials", "5", "--passage", "3", "--lot", "MCB-2", "--usd-per-vial", "12.5",
        "--db", "lab.db", cwd=folder,
    )  # fmt: skip
    assert more.code == 0, more
    with Lab.open(folder / "lab.db") as lab:
        assert lab.inventory.lot("MCB-2").price_micro_usd == 62_500_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate", "none.yaml"), "there is no such file"),
        (("simulate", "bank.yaml", "--runs", "0"), "0 runs cannot be simulated"),
        (("crash-test", "bank.yaml"), "Nothing goes wrong: give --incubator-fails"),
        (("crash-test", "bank.yaml", "--person-away", "soon"), "'soon' is neither a day nor"),
        (("crash-test", "bank.yaml", "--incubator-fails", "3", "--bank", "working"), "no working bank"),
        (("sensitivity", "bank.yaml", "--of", "beauty"), "beauty: is not measured; possible: success"),
        (("sensitivity", "bank.yaml", "--vary", "margin"), "write NAME=LOW:HIGH"),
        (("sensitivity", "bank.yaml", "--vary", "margin=nan:1"), "write NAME=LOW:HIGH"),
        (("receive", "bank.yaml", "--vials", "0", "--passage", "3", "--lot", "x"), "0 vials cannot be received"),
        (("receive", "bank.yaml", "--vials", "3", "--passage", "3", "--lot", "x", "--bank", "working"), "no working"),
    ],
    ids=lambda value: " ".join(value[:1]) if isinstance(value, tuple) else None,
)
def test_each_mistake_is_one_clear_line(folder, words, said):
    assert_one_clear_line(cellos_here("bank", *words, cwd=folder), 2, said)
