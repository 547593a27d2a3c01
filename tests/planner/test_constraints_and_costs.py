"""What may not be asked for is not asked for, by whichever planner; what is dear must promise more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.errors import ConfigError
from cellos_nb.planner import DoseResponseGP, make_planner
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.costs import treatment_prices_usd
from cellos_nb.planner.curves import CurvePrior
from cellos_nb.planner.mechanistic import MechanisticPlanner
from cellos_nb.planner.viability import probability_of_viability
from cellos_nb.testing.planner_contract import campaign, conditions, measured, run, viability

PLANNERS = [
    pytest.param({"kind": "random"}, id="random"),
    pytest.param({"kind": "space_filling"}, id="space-filling"),
    pytest.param({"acquisition": "nei"}, id="nei"),
    pytest.param({"acquisition": "ei", "batch": "penalise"}, id="ei-penalise"),
    pytest.param({"acquisition": "entropy"}, id="entropy"),
]


@pytest.mark.parametrize("planner", PLANNERS)
def test_excluded_experiments_are_never_asked_for(planner):
    exclude = [
        {"compound": "c1"},
        {"compound": "c3", "cell_line": "A673"},
        {"compound": "c4", "cell_line": "U2OS", "above_um": 0.1},
    ]
    config = campaign({**planner, "constraints": {"exclude": exclude}}, n_doses=4, batch_size=10)
    asked = {result.proposal.condition[:3] for result in run(config, 10)}
    doses = config.doses_um("c4")
    expected = {
        (line, name, dose)
        for line in config.cell_lines
        for name in config.compound_names
        for dose in config.doses_um(name)
        if name != "c1" and (line, name) != ("A673", "c3") and not (line == "U2OS" and name == "c4" and dose > 0.1)
    }
    assert asked == expected
    assert any(dose > 0.1 for dose in doses)


@pytest.mark.parametrize("goal", ["minimise", "selectivity"])
@pytest.mark.parametrize("planner", PLANNERS)
def test_no_compound_gets_more_wells_than_it_may(planner, goal):
    limits = {"max_wells_per_compound": 18, "max_wells": [{"compound": "c3", "max_wells": 9}]}
    config = campaign({**planner, "constraints": limits}, goal, replicates=3, batch_size=9)
    history = run(config, 6)
    used = Counter(result.proposal.compound for result in history)
    assert used["c3"] == 3
    assert {used[name] for name in ("c0", "c1", "c2", "c4")} == {6}
    assert used["capped"] == 6


def test_one_batch_keeps_to_the_limit_by_itself():
    config = campaign({"acquisition": "nei", "constraints": {"max_wells_per_compound": 6}}, replicates=3, batch_size=12)
    history = run(campaign(replicates=3, batch_size=3), 1)
    batch = make_planner(config.planner).propose(config, history, 2, 12)
    done = Counter(result.proposal.compound for result in history)
    for name, n in Counter(p.compound for p in batch).items():
        assert n + done[name] <= 2
    assert len(batch) == 2 * 6 - 3


@pytest.mark.parametrize("planner", PLANNERS)
def test_what_is_under_way_is_not_asked_for_again(planner):
    config = campaign(planner)
    history = run(config, 2)
    first = make_planner(config.planner).propose(config, history, 3, 6)
    more = make_planner(config.planner).propose(config, History(history.results, first), 3, 6)
    assert len(set(conditions(first)) | set(conditions(more))) == 12


@pytest.mark.parametrize(
    "planner",
    [
        {"acquisition": name, "batch": batch}
        for name, batch in (("nei", "joint"), ("nei", "penalise"), ("log_ei", "believer"), ("entropy", "believer"))
    ],
    ids=str,
)
def test_what_is_under_way_counts_as_if_the_batch_had_begun_with_it(planner):
    config = campaign(planner)
    history = run(config, 2)
    whole = make_planner(config.planner).propose(config, history, 3, 6)
    rest = make_planner(config.planner).propose(config, History(history.results, whole[:3]), 3, 3)
    assert conditions(rest) == conditions(whole[3:])


def test_the_digest_of_a_history_tells_what_is_under_way():
    history = run(campaign(), 1)
    under_way = History(history.results, (ExperimentProposal("U2OS", "c1", 1.0),))
    assert under_way.digest() != history.digest()
    assert History(history.results).digest() == history.digest()


def test_an_experiment_costs_its_share_of_plate_robot_and_stock():
    cost = {"plate_usd": 96, "robot_usd_per_s": 0.1, "robot_s_per_well": 5}
    stocks = [{"compound": "c1", "usd_per_ul": 20}]
    config = campaign({"cost": {**cost, "stocks": stocks}}, replicates=2, plate_format=96, stock_mm=5.0)
    pool = CandidatePool.of(config, History())
    prices = treatment_prices_usd(config, pool)
    for name, dose, price in zip(pool.compounds, pool.doses_um, prices, strict=True):
        stock_ul = 100.0 * dose / 5000.0  # a well of a 96-well plate holds 100 µL
        assert price == pytest.approx(2 * (1.0 + 0.5 + (20 * stock_ul if name == "c1" else 0.0)))
    assert treatment_prices_usd(campaign(), pool) is None


@pytest.mark.parametrize("acquisition", ["nei", "ei", "log_ei", "ucb", "pi", "thompson", "entropy"])
def test_a_dear_compound_is_asked_for_less_often(acquisition):
    def share(cost):
        config = campaign({"acquisition": acquisition, "cost": cost}, compounds=["c1", "c3"], n_doses=12)
        history = run(campaign(compounds=["c1", "c3"], n_doses=12), 1)
        batch = make_planner(config.planner).propose(config, history, 2, 6)
        return sum(p.compound == "c3" for p in batch)

    fair = {"plate_usd": 10}
    assert share(fair) > 0
    assert share({**fair, "stocks": [{"compound": "c3", "usd_per_ul": 1e6}]}) < share(fair)


def test_information_is_bought_where_it_is_cheapest_per_dollar():
    cost = {"plate_usd": 10, "stocks": [{"compound": "c3", "usd_per_ul": 400}]}
    config = campaign({"acquisition": "entropy", "cost": cost})
    thought = MechanisticPlanner(config.planner).deliberate(config, run(campaign(), 1), 2, 1)
    asked = thought.model_asked
    pool = thought.pool
    prices = np.repeat(treatment_prices_usd(config, pool), pool.n_lines)
    (option, nats), *_ = asked.values.items()
    free = MechanisticPlanner(campaign({"acquisition": "entropy"}).planner)
    plain = free.deliberate(campaign({"acquisition": "entropy"}), run(campaign(), 1), 2, 1).model_asked
    ((best, most),) = plain.values.items()
    assert nats / prices[option] >= most / prices[best] - 1e-12


def test_viability_that_must_be_left_is_learnt_from_the_results():
    config = campaign({"constraints": {"min_viability": 0.7}}, "maximise", assay="reporter")
    told = [
        replace(r, measurement=1 + r.proposal.dose_um, viability=viability(*r.proposal.condition[:3]))
        for r in run(campaign(assay="reporter"), 5)
    ]
    pool = CandidatePool.of(config, History(tuple(told)))
    probability = probability_of_viability(config, pool)
    lines, compounds, doses = pool.conditions()
    model = DoseResponseGP(CurvePrior(), config.dose_range_um).fit(
        [r.proposal.cell_line for r in told],
        [r.proposal.compound for r in told],
        [r.proposal.dose_um for r in told],
        [r.viability for r in told],
    )
    drawn = model.sample(lines, compounds, doses, 4000, np.random.default_rng(0))
    np.testing.assert_allclose(probability, (drawn >= 0.7).mean(axis=0), atol=0.2)
    assert np.mean(np.abs(probability - (drawn >= 0.7).mean(axis=0))) < 0.05
    toxic = probability[
        [line == "U2OS" and c == "c3" and d == 10.0 for line, c, d in zip(lines, compounds, doses, strict=False)]
    ]
    assert toxic[0] < 0.05


def test_a_toxic_inducer_is_not_asked_for_where_cells_must_live():
    def fold(p):  # c3 induces most, and kills where it does
        return 1 + (8 if p.compound == "c3" else 3) * (1 - viability(*p.condition[:3]))

    def toxic(planner):
        config = campaign(planner, "maximise", assay="reporter", n_doses=12, compounds=["c1", "c3", "c4"])
        history = History()
        for iteration in range(1, 7):
            batch = make_planner(config.planner).propose(config, history, iteration, 6)
            alive = [viability(*p.condition[:3]) if p.compound == "c3" else 1.0 for p in batch]
            results = [
                replace(r, measurement=fold(r.proposal), viability=v)
                for r, v in zip(measured(batch, iteration), alive, strict=True)
            ]
            history = History(history.results + tuple(results))
        dead = sum(r.viability < 0.7 for r in history if r.iteration > 2)
        return dead, score_conditions(config, history), history

    free, _, _ = toxic({"acquisition": "nei"})
    kept, answers, history = toxic({"acquisition": "nei", "constraints": {"min_viability": 0.7}})
    assert kept < free
    dead = {r.proposal.condition[:3] for r in history if r.viability < 0.7}
    assert not dead & {(a.cell_line, a.compound, a.dose_um) for a in answers}


@pytest.mark.parametrize(
    ("planner", "goal", "message"),
    [
        (
            {"acquisition": "ei", "batch": "joint"},
            "minimise",
            r"planner.batch: joint does not go .* believer, penalise",
        ),
        (
            {"acquisition": "hypervolume"},
            "minimise",
            r"planner.acquisition: hypervolume .* choose the goal selectivity",
        ),
        ({"constraints": {"exclude": [{"compound": "x9"}]}}, "minimise", r"exclude.0.compound: x9 is not among"),
        ({"constraints": {"exclude": [{"compound": "c1", "cell_line": "HeLa"}]}}, "minimise", r"HeLa is not among"),
        (
            {"constraints": {"exclude": [{"compound": "c1", "cell_line": "U2OS"}]}},
            "selectivity",
            r"leave cell_line out",
        ),
        ({"constraints": {"max_wells_per_compound": 2}}, "minimise", r"2 wells of c0 hold no experiment; one takes 3"),
        ({"constraints": {"max_wells_per_compound": 8}}, "selectivity", r"one takes 9 wells"),
        ({"constraints": {"min_viability": 2}}, "minimise", r"min_viability: 2 is too large"),
        ({"cost": {"stocks": [{"compound": "c1", "usd_per_ul": 2}]}}, "minimise", r"planner.cost: every well would be"),
        ({"cost": {"plate_usd": 1, "stocks": [{"compound": "x", "usd_per_ul": 2}]}}, "minimise", r"x is not among"),
        ({"stop": {}}, "minimise", r"planner.stop: no rule is given"),
        ({"constraints": {"exclude": [{"compound": f"c{i}"} for i in range(5)]}}, "minimise", r"that are not excluded"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(planner, goal, message):
    with pytest.raises(ConfigError, match=message):
        campaign(planner, goal, replicates=3, batch_size=12)


def test_settings_of_the_planner_survive_yaml():
    planner = {
        "acquisition": "entropy",
        "batch": "penalise",
        "noise": "heavy_tailed",
        "constraints": {"exclude": [{"compound": "c1", "above_um": 1}], "max_wells_per_compound": 24},
        "cost": {"plate_usd": 40, "stocks": [{"compound": "c3", "usd_per_ul": 2}]},
        "stop": {"ec50_interval_decades": 0.5},
    }
    config = campaign(planner)
    assert CampaignConfig.from_dict(config.to_dict()) == config


def test_the_settings_that_the_how_to_page_shows_are_ones_that_can_be_run():
    page = (Path(__file__).parents[2] / "docs/how-to/planning.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    config = campaign(
        shown["planner"],
        cell_lines=["A549", "U2OS"],
        compounds=["staurosporine", "doxorubicin", "venetoclax"],
        replicates=3,
    )
    assert config.planner.stop.ec50_interval_decades == 0.4
    assert len(make_planner(config.planner).propose(config, run(config, 2), 3, 6)) == 6
