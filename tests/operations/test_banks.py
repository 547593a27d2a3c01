"""Simulated cell banks: equal luck for equal seeds, the model of a plain loop, troubles that cost."""

from __future__ import annotations

import random
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cellos_nb.errors import ConfigError, InputError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.inputs import inputs_of, vials_to_fill
from cellos_nb.operations.banks.outcome import Ending
from cellos_nb.operations.banks.parameters import load_bank_parameters
from cellos_nb.operations.banks.plan import plan_tasks, tasks_of_run
from cellos_nb.operations.banks.sensitivity import sensitivity
from cellos_nb.operations.banks.simulate import rehearse, simulate
from cellos_nb.operations.banks.summary import Share, crash_test, summarise
from cellos_nb.operations.banks.trouble import Trouble

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from plain_bank import plain_run

MASTER = {"name": "b", "cell_line": "HeLa", "master": {"vials": 30}}


def bank(**changes) -> BankConfig:
    return BankConfig.model_validate({**MASTER, **changes})


def calm(config: BankConfig, **values):
    """Inputs under which nothing rare happens, and these."""
    quiet = {"contamination_per_flask_day": 0.0, "incubator_failure_per_day": 0.0, "mixed_up": 0.0}
    return inputs_of(config, load_bank_parameters(config.parameters)).with_values(quiet | values)


def same(one, other) -> bool:
    return all(np.array_equal(one.measures[name], other.measures[name], equal_nan=True) for name in one.measures)


def test_the_same_seed_gives_the_same_runs_and_another_seed_others():
    config = BankConfig.shipped()
    first = simulate(config, n_runs=50, seed=4)
    assert same(first, simulate(config, n_runs=50, seed=4))
    assert not same(first, simulate(config, n_runs=50, seed=5))


def test_a_run_has_the_same_luck_in_every_copy():
    once = simulate(bank(), n_runs=40, seed=2)
    thrice = simulate(bank(), n_runs=40, seed=2, copies=3)
    for name, values in once.measures.items():
        assert np.array_equal(np.tile(values, 3), thrice.measures[name], equal_nan=True), name


@pytest.mark.parametrize(
    "config",
    [
        BankConfig.shipped(),
        bank(cell_line="Jurkat", restarts=0, weekends=True),
        bank(cell_line="WI-38", starting={"vials": 2, "doublings": 38}, master={"vials": 12}, max_flasks=12),
    ],
    ids=["both banks, weekends off", "in suspension", "a line that ages"],
)
def test_the_arrays_and_a_plain_loop_say_the_same(config):
    runs = simulate(config, n_runs=4000, seed=1)
    luck = random.Random(3)
    plain = [plain_run(config, luck) for _ in range(250)]
    released = [sum(one.is_released for one in plain), int(runs.last.is_released.sum())]
    table = [[released[0], len(plain) - released[0]], [released[1], runs.n_runs - released[1]]]
    assert stats.fisher_exact(table).pvalue > 1e-3
    days = [one.days for one in plain if one.is_released]
    assert stats.ks_2samp(runs.measures["days"][runs.last.is_released], days).pvalue > 1e-3
    vials = [one.vials for one in plain if one.is_released]
    assert stats.ks_2samp(runs.last.vials[runs.last.is_released], vials).pvalue > 1e-3


def test_contaminations_come_as_often_as_their_hazard_says():
    """With a hazard of its own for each flask and day, and no other way to fail."""
    config = bank(restarts=0)
    runs = simulate(config, n_runs=20_000, seed=1, inputs=calm(config, contamination_per_flask_day=0.002))
    flasks_and_days = rehearse(config).stages[0].diary()
    nights = sum(n * (until - day) for (day, _, n), (until, _, _) in pairwise(flasks_and_days))
    expected = 1 - (1 - 0.002) ** nights
    hit = (runs.stages[0].ending != Ending.RELEASED) | runs.stages[0].is_tainted
    assert hit.mean() == pytest.approx(expected, rel=0.15)


def test_what_no_eye_sees_is_refused_by_its_test():
    config = bank()
    hit = crash_test(config, Trouble(hidden_from=(2,)), n_runs=2000)
    after = hit.after.stages[0]
    refused = (after.ending == Ending.MYCOPLASMA).mean()
    sensitivity_of_test = load_bank_parameters().qc.mycoplasma_sensitivity.value
    assert refused == pytest.approx(sensitivity_of_test, abs=0.02)
    assert after.is_tainted.sum() == pytest.approx(2000 * (1 - sensitivity_of_test), abs=40)
    assert hit.after.measures["success"].mean() < 0.02


def test_mycoplasma_that_a_test_missed_goes_on_into_the_working_bank():
    config = BankConfig.shipped()
    runs = simulate(
        config, n_runs=400, trouble=Trouble(hidden_from=(2,)), trouble_in="master",
        inputs=calm(config, mycoplasma_sensitivity=0.5),
    )  # fmt: skip
    master, working = runs.stages
    missed = master.is_released & master.is_tainted
    assert 120 < missed.sum() < 280
    assert np.all(np.isin(working.ending[missed & (working.filled > 0)], [Ending.MYCOPLASMA, Ending.RELEASED]))
    assert (working.ending[missed] == Ending.MYCOPLASMA).mean() == pytest.approx(0.5, abs=0.12)
    assert np.all(working.is_tainted[missed & working.is_released])


def test_with_one_incubator_its_failure_ends_a_bank_that_may_not_begin_anew():
    config = bank(incubators=1, restarts=0)
    test = crash_test(config, Trouble(incubator_fails=(5,)), n_runs=200)
    in_culture = test.before.stages[0].culture_days > 5
    assert np.all(test.after.stages[0].ending[in_culture] == Ending.INCUBATOR)
    assert np.all(test.after.stages[0].culture_days[in_culture] == 6)
    assert test.saved == 0.0


def test_with_vials_left_the_bank_begins_anew_and_is_late():
    config = bank(incubators=1, restarts=1, weekends=True)
    quiet = calm(config)
    before = simulate(config, n_runs=200, inputs=quiet)
    after = simulate(config, n_runs=200, inputs=quiet, trouble=Trouble(incubator_fails=(5,)))
    assert after.stages[0].attempts.tolist() == [2] * 200
    assert after.measures["success"].mean() > 0.9
    assert np.nanmean(after.measures["days"] - before.measures["days"]) == pytest.approx(6, abs=1)


def test_a_bank_begins_anew_no_more_often_than_there_are_vials():
    config = bank(starting={"vials": 2}, incubators=1, restarts=5)
    runs = simulate(config, n_runs=50, trouble=Trouble(incubator_fails=(0, 3, 6)))
    assert np.all(runs.stages[0].attempts == 2)
    assert np.all(runs.stages[0].ending == Ending.INCUBATOR)


def test_with_more_incubators_less_is_lost():
    def wasted(k):
        test = crash_test(bank(incubators=k, restarts=0), Trouble(incubator_fails=(9,)), n_runs=300)
        return next(one.difference for one in test.changes if one.measure == "waste")

    assert wasted(1) > wasted(2) > wasted(4) > 0


def test_a_contamination_that_is_found_ends_the_bank_on_that_day():
    config = bank(restarts=0, weekends=True)
    stage = simulate(config, n_runs=100, inputs=calm(config), trouble=Trouble(contamination_found=(4,))).stages[0]
    assert np.all(stage.ending == Ending.CONTAMINATED)
    assert np.all(stage.culture_days == 4)
    assert np.all(stage.vials == 0)


def test_a_contamination_waits_for_somebody_who_sees_it():
    config = bank(restarts=0, weekends=False)
    stage = simulate(config, n_runs=20, inputs=calm(config), trouble=Trouble(contamination_found=(5,))).stages[0]
    assert np.all(stage.culture_days == 7), "day 5 is a Saturday"


def test_cells_that_nobody_splits_overgrow_and_die():
    config = bank(weekends=True)
    quiet = calm(config)
    before = simulate(config, n_runs=100, inputs=quiet)
    after = simulate(config, n_runs=100, inputs=quiet, trouble=Trouble(person_away=((5, 20),)))
    assert np.nanmean(after.measures["days"]) > np.nanmean(before.measures["days"]) + 5
    assert after.stages[0].doublings.mean() > before.stages[0].doublings.mean() + 0.2


def test_a_line_that_ages_gives_fewer_banks_the_older_it_begins():
    def success(doublings):
        config = bank(cell_line="WI-38", master={"vials": 12}, max_flasks=12, starting={"doublings": doublings})
        return simulate(config, n_runs=300).measures["success"].mean()

    young, old, older = success(20), success(42), success(60)
    assert young > 0.9
    assert young > old > older
    assert older < 0.1


def test_a_bank_of_old_cells_says_why_it_failed():
    config = bank(cell_line="WI-38", master={"vials": 12}, max_flasks=12, starting={"doublings": 70})
    assert summarise(simulate(config, n_runs=100)).stages[0].endings[0][0] == str(Ending.SENESCENT)


def test_a_bank_is_refused_when_too_few_cells_live_after_thawing():
    config = bank()
    runs = simulate(config, n_runs=100, inputs=calm(config, post_thaw_viability=0.5, post_thaw_sd=0.0))
    assert np.all(runs.stages[0].ending == Ending.VIABILITY)
    assert np.all(runs.measures["waste"] == 1.0)


def test_cells_are_conserved_from_flask_to_vial():
    """No more cells in released vials than were harvested, and the waste is what is missing."""
    runs = simulate(BankConfig.shipped(), n_runs=500)
    for stage in runs.stages:
        assert np.all(stage.kept <= stage.grown * (1 + 1e-12))
    waste = runs.measures["waste"]
    assert waste.min() >= 0.0
    assert waste.max() <= 1.0


def test_vials_are_filled_for_those_wanted_spare_ones_and_the_tests():
    config = bank()
    assert float(vials_to_fill(config.stages[0][1], load_bank_parameters(), 0.05)) == 32 + 2 + 1 + 1
    calm_run = rehearse(config).stages[0]
    assert (calm_run.filled[0], calm_run.vials[0]) == (36, 32)


def test_the_working_bank_begins_from_the_vials_of_the_master_bank():
    master, working = simulate(BankConfig.shipped(), n_runs=300).stages
    both = master.is_released & (working.filled > 0)
    assert np.all(working.passage[both] > master.passage[both])
    assert np.all(working.doublings[both] > master.doublings[both])
    assert np.all(working.ending[~master.is_released] == Ending.NOT_BEGUN)
    assert np.all(working.cost_usd[~master.is_released] == 0)


def test_flasks_that_cannot_hold_the_cells_are_refused_with_how_many_would_do():
    with pytest.raises(ConfigError, match=r"max_flasks: 3 flasks .* Give at least 6 flasks"):
        simulate(bank(max_flasks=3), n_runs=10)
    simulate(bank(max_flasks=6), n_runs=10)


def test_an_unknown_line_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match=r"'Hella' is not known; possible: A549, .*WI-38"):
        simulate(bank(cell_line="Hella"), n_runs=10)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n_runs": 0}, "0 runs cannot be simulated"),
        ({"n_runs": 2_000_000}, "give 1 to 1,000,000"),
        ({"n_runs": 200_000, "copies": 10}, "give 1 to 100,000"),
        ({"seed": -1}, "below 0"),
        ({"trouble_in": "working"}, "no working bank in this file; possible: master"),
    ],
    ids=["no runs", "too many", "too many copies", "negative seed", "no such bank"],
)
def test_what_cannot_be_simulated_is_refused(asked, message):
    with pytest.raises(InputError, match=message):
        simulate(bank(), **asked)


def test_an_absence_that_ends_before_it_begins_is_refused():
    with pytest.raises(InputError, match="end before they begin"):
        Trouble(person_away=((9, 5),))
    with pytest.raises(InputError, match="before the first thaw"):
        Trouble(incubator_fails=(-1,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"master": None}, "neither a master nor a working bank"),
        ({"starting": {"vials": 1}, "master": {"vials": 9, "thawed": 2}}, "fewer than the 2 that are thawed"),
        ({"master": {"vials": 3}, "working": {"vials": 9, "thawed": 5}}, "no more than that can be thawed"),
        ({"max_flask": 9}, "max_flask"),
    ],
    ids=["nothing wanted", "too few to begin", "master too small", "misspelt"],
)
def test_a_bank_that_cannot_be_made_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        bank(**changes)


def test_a_number_that_matters_alone_has_the_largest_effect():
    config = bank()
    found = sensitivity(config, "days", n_runs=200, ranges={"qc_days": (10.0, 60.0)})
    assert found.effects[0].range.name == "qc_days"
    assert (found.effects[0].at_low, found.effects[0].at_high) == (-18.0, 32.0)
    assert found.effects[0].low_half_width == 0.0
    assert found.correlations[0].range.name == "qc_days"
    assert 0.9 < found.correlations[0].low < found.correlations[0].rho < found.correlations[0].high <= 1.0


def test_slower_cells_take_longer():
    found = {one.range.name: one for one in sensitivity(bank(), "days", n_runs=300).effects}
    slow = found["doubling_time_h"]
    assert slow.at_low + slow.low_half_width < 0 < slow.at_high - slow.high_half_width
    assert found["breakage"].swing == 0.0


def test_what_cannot_be_varied_is_refused():
    with pytest.raises(InputError, match="colour: cannot be varied; possible: doubling_time_h"):
        sensitivity(bank(), "days", n_runs=10, ranges={"colour": (0, 1)})
    with pytest.raises(InputError, match="from 2 to 1 cannot be"):
        sensitivity(bank(), "days", n_runs=10, ranges={"margin": (2, 1)})
    with pytest.raises(InputError, match="beauty: is not measured"):
        sensitivity(bank(), "beauty", n_runs=10)


def test_the_interval_of_a_share_holds_the_true_share_as_often_as_it_says():
    random_runs = np.random.default_rng(1).random((400, 60)) < 0.9
    held = [(found := Share.of(row.astype(float))).low <= 0.9 <= found.high for row in random_runs]
    assert np.mean(held) > 0.9


def test_the_fan_widens_from_the_first_thaw_and_ends_at_the_vials():
    fan = simulate(bank(), n_runs=300).stages[0].fan
    assert fan.quantiles.shape == (len(fan.days), 5)
    assert np.all(np.diff(fan.quantiles, axis=1) >= 0)
    assert fan.quantiles[-1, 2] == 36


def test_a_bank_is_planned_as_tasks_that_follow_one_another():
    tasks = plan_tasks(BankConfig.shipped())
    assert list(tasks) == ["master", "working"]
    for each in tasks.values():
        assert [each[0].kind, each[-2].kind, each[-1].kind] == ["thaw", "freeze", "qc"]
        assert [one.earliest_h for one in each] == sorted(one.earliest_h for one in each)
        assert all(one.earliest_h < one.latest_h and one.duration_h > 0 for one in each)
        assert each[-2].incubator_slots == 0 < each[-3].incubator_slots


def test_the_diary_of_each_run_is_its_own():
    runs = simulate(BankConfig.shipped(), n_runs=60)
    for run in range(60):
        for stage, tasks in zip(runs.stages, tasks_of_run(runs, run).values(), strict=True):
            what = [one[1] for one in stage.diary(run)]
            assert what.count("thaw") == stage.attempts[run]
            assert what.count("freeze") == (stage.filled[run] > 0)
            assert sum(task.person_h for task in tasks) == pytest.approx(stage.hands_h[run], abs=0.02)


def test_the_hours_of_the_tasks_are_the_hours_that_are_paid():
    run = rehearse(BankConfig.shipped())
    for stage, tasks in zip(run.stages, plan_tasks(BankConfig.shipped()).values(), strict=True):
        assert sum(task.person_h for task in tasks) == pytest.approx(stage.hands_h[0], abs=0.01)


def test_files_of_ones_own_are_looked_for_beside_the_bank(tmp_path):
    (tmp_path / "mine.yaml").write_text("qc: {duration_days: 14}\n", encoding="utf-8")
    path = tmp_path / "bank.yaml"
    path.write_text("name: b\ncell_line: HeLa\nmaster: {vials: 30}\nparameters: mine.yaml\n", encoding="utf-8")
    config = BankConfig.from_yaml(path)
    assert rehearse(config).measures["days"][0] == rehearse(bank()).measures["days"][0] - 14
    (tmp_path / "mine.yaml").unlink()
    with pytest.raises(ConfigError, match="no such file"):
        simulate(config, n_runs=1)


def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path):
    path = tmp_path / "bank.yaml"
    path.write_text("name: b\ncell_line: HeLa\nmaster: {vials: 0}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 3: master\.vials: 0 is too small; give a number of at least 1"):
        BankConfig.from_yaml(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"incubator_fails": ["nine"]}, "are no whole days"),
        ({"contamination_found": [True]}, "are no whole days"),
        ({"person_away": [9]}, "no first and last day"),
    ],
    ids=["a word", "yes", "one day"],
)
def test_troubles_from_parameters_are_checked(given, message):
    with pytest.raises(InputError, match=message):
        Trouble.on_days(**given)


def test_troubles_from_parameters_are_those_that_are_meant():
    assert Trouble.on_days([9], [12], [10, 14]) == Trouble((9,), (12,), (), ((10, 14),))
