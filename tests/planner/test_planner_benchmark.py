"""The planners' benchmark: its tasks hold what they say, and its tables count right."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "planner"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(FOLDER))
    try:
        import peers
        import run
        import tables
        import tasks

        yield run, tasks, peers, tables
    finally:
        sys.path.remove(str(FOLDER))
        for name in ("peers", "results", "run", "tables", "tasks", "task", "simulated", "learn_prior"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def transfer(benchmark):
    sys.path.insert(0, str(FOLDER))
    try:
        import transfer
        import transfer_tables

        yield transfer, transfer_tables
    finally:
        sys.path.remove(str(FOLDER))
        for name in ("transfer", "transfer_tables"):
            sys.modules.pop(name, None)


def test_what_is_asked_about_is_left_out_of_the_prior(benchmark):
    _, tasks, _, _ = benchmark
    task = tasks.potent(0)
    lines, compounds = task.left_out
    assert {well[0] for well in task.wells} == lines
    assert {well[1] for well in task.wells} == compounds
    assert task.prior().n_compounds == 72 - len(compounds)
    assert task.prior().n_curves == (9 - len(lines)) * (72 - len(compounds))


def test_every_planner_gets_the_same_first_wells_and_regret_falls_to_zero_at_the_best(benchmark):
    run, tasks, peers, _ = benchmark
    task = tasks.combination(1)
    results = [run.campaign(task, peers.PLANNERS[name](task, 3), 3) for name in ("random", "cellos")]
    first = np.random.default_rng([8, 3]).choice(len(task.wells), run.N_FIRST, replace=False).tolist()
    assert all(result["regret"]["20"] <= task.regret(first) for result in results)
    assert task.regret([int(np.argmax(task.truth))]) == 0.0
    assert results[1]["regret"]["60"] < results[0]["regret"]["60"]


def test_tables_pair_the_seeds_and_replace_their_own_section_of_the_page(benchmark):
    _, _, _, tables = benchmark

    def runs(planner, regrets):
        return [
            {"task": "t", "planner": planner, "seed": i, "ask_s": 0.1, "regret": dict.fromkeys(("20", "40", "60"), r)}
            for i, r in enumerate(regrets)
        ]

    found = tables.tables(runs("cellos", [0.1] * 6) + runs("random", [0.3] * 5 + [0.0]), ["t"], ["random", "cellos"])
    assert tables.PREAMBLE in found
    assert "| random | 6 | 0.250 | 0.250 | 0.250 |" in found
    assert "5 better, 1 worse, p = 0.22" in found
    assert "| random | 6 | +0.150 ± 0.050; 5 : 1, p = 0.22 | +0.150 ± 0.050;" in found
    page = tables.page_with("# Page\n", found)
    assert tables.page_with(page, "other") == page.replace(found, "other")


def test_simulated_tasks_are_repeatable_and_their_best_well_leaves_no_regret(benchmark):
    _, tasks, _, _ = benchmark
    real = {name for name in tasks.TASKS if "(screen)" in name}
    for name in sorted(set(tasks.TASKS) - real):
        task, again = tasks.TASKS[name](3), tasks.TASKS[name](3)
        assert task.wells == again.wells, name
        assert len(set(task.wells)) == len(task.wells), name
        np.testing.assert_array_equal(task.replicates, again.replicates)
        assert task.regret([int(np.argmax(task.truth))]) == 0.0, name
        assert np.isclose(task.regret([int(np.argsort(task.truth)[len(task.truth) // 2])]), 1.0, atol=0.02), name
        assert isinstance(task.measure(0, np.random.default_rng(0)), float), name


def test_screens_of_other_labs_differ_in_doses_noise_and_replicates(benchmark):
    _, tasks, _, _ = benchmark
    screens = [tasks.TASKS["potent pair (another lab)"](seed) for seed in range(8)]
    doses = {tuple(sorted({well[-1] for well in screen.wells})) for screen in screens}
    assert len(doses) > 2
    assert len({screen.replicates.shape[1] for screen in screens}) > 1
    spreads = [screen.replicates.std(axis=1).mean() for screen in screens if screen.replicates.shape[1] > 1]
    assert max(spreads) > 2 * min(spreads)
    assert all(np.array_equal(screen.truth, screen.replicates.mean(axis=1)) for screen in screens)


@pytest.mark.parametrize(("kind", "n_parts"), [("cell line", 9), ("compounds", 4)])
def test_campaigns_that_came_before_saw_nothing_of_what_is_left_out(transfer, kind, n_parts):
    history, _ = transfer
    parts = history.parts()[kind]
    assert len(parts) == n_parts
    for left in parts.values():
        asked = {well[:2] for well in history.question(left).wells}
        campaigns = [{index[:2] for index in history.cells(*share).index} for share in history.before(left, 3)]
        assert len(campaigns) == 4
        assert all(campaign and not campaign & asked for campaign in campaigns)
        every = set().union(*campaigns, asked)
        assert sum(map(len, campaigns)) + len(asked) == len(every) == len({i[:2] for i in history.wide().index})


def test_a_lie_keeps_the_wells_and_changes_what_they_say(transfer):
    history, _ = transfer
    table = history.told(history.parts()["compounds"]["fold 2"], "")
    shuffled, reversed_ = (
        history.told(history.parts()["compounds"]["fold 2"], lie) for lie in ("shuffled", "reversed")
    )
    assert sorted(shuffled.viability) == sorted(table.viability)
    assert not np.array_equal(shuffled.viability, table.viability)
    one = [each[(each.cell_line == table.cell_line.iloc[0]) & (each["compound"] == table["compound"].iloc[0])]
           for each in (table, reversed_)]  # fmt: skip
    assert np.corrcoef(np.log(one[0].dose_um), np.log(one[1].dose_um))[0, 1] == pytest.approx(-1.0)


def test_who_remembers_names_asks_first_for_what_scored_best_on_other_lines(transfer):
    history, _ = transfer
    left = history.parts()["cell line"]["RD-ES"]
    task = history.question(left)
    seen = history.told(left, "")
    planner = history.Remembered(task, [seen[seen["compound"].isin(["Dinaciclib", "Imatinib"])]])
    asked = planner.ask(4)
    assert {row["compound"] for row in asked} == {"Dinaciclib"}
    assert min(row["log10_dose_M"] for row in asked) > min(well[-1] for well in task.wells)
    planner.tell(asked, [0.0] * 4)
    assert all(row not in asked for row in planner.ask(40))


def test_no_name_is_remembered_of_compounds_that_were_left_out(transfer):
    history, _ = transfer
    left = history.parts()["compounds"]["fold 1"]
    assert set(history.planners(history.question(left), left, 0, {"names, whole screen", "random"})) == {"random"}


def test_tables_of_histories_pair_runs_of_the_same_part_and_seed(transfer):
    _, tables = transfer
    runs = [
        {
            "kind": "cell line",
            "left_out": line,
            "planner": planner,
            "seed": seed,
            "regret": {"20": r, "40": r, "60": r},
            "rmse": 2 * r,
        }
        for planner, r in (("no prior", 0.4), ("whole screen", 0.1))
        for line in ("A", "B")
        for seed in range(3)
    ]
    runs[-1]["regret"] = {"20": 0.7, "40": 0.7, "60": 0.7}
    runs[-2]["rmse"] = None
    found = tables.tables(runs, ["no prior", "whole screen"])
    assert "| no prior | 6 | 0.400 | 0.400 | 0.400 | 0.400 [0.400, 0.400] | – | – |" in found
    assert "5 better, 1 worse, p = 0.22 | -0.200 ± 0.100 |" in found
    assert "| whole screen | -0.200 ± 0.100; 5 : 1, p = 0.22 | -0.200 ± 0.100;" in found
    assert "p = 0.22 | 0.200 | -0.600 ± 0.000 |" in found
    assert "| B | 3 | 0.400 | 0.300 |" in found
    page = tables.page_with("# Page\n", found)
    assert tables.page_with(page, "other") == page.replace(found, "other")
