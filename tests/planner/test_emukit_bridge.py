"""Emukit's own loop, with our model, our arg-max and emukit's acquisitions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from emukit.core.loop import FixedIntervalUpdater, OuterLoop
from emukit.core.loop.loop_state import create_loop_state

from cellos_nb.errors import ConfigError
from cellos_nb.planner import DoseResponseGP, emukit_bridge
from cellos_nb.planner.beliefs import Beliefs
from cellos_nb.planner.curves import CurvePrior

LINES, COMPOUNDS = ("A", "B"), ("x", "y", "z")
LOG10_DOSES = np.linspace(-3, 1, 7)
CANDIDATES = np.array([(i, j, d) for i in range(2) for j in range(3) for d in LOG10_DOSES], dtype=float)


def viability(x):
    log10_ec50 = np.array([[3.0, -1.0, 0.5], [3.0, -0.3, 3.0]])[x[:, 0].astype(int), x[:, 1].astype(int)]
    return (1 / (1 + 10 ** (1.5 * (x[:, 2] - log10_ec50))))[:, None]


def pool_model(sign=1.0):
    return emukit_bridge.PoolModel(DoseResponseGP(CurvePrior(), (0.001, 10.0)), LINES, COMPOUNDS, sign)


def loop(acquisition, batch_size=2, sign=1.0):
    start = CANDIDATES[[3, 10, 17, 24, 31]]
    model = pool_model(sign)
    calculator = emukit_bridge.PoolPointCalculator(model, CANDIDATES, acquisition, batch_size)
    state = create_loop_state(start, sign * viability(start))
    return OuterLoop(calculator, FixedIntervalUpdater(model), state)


@pytest.mark.parametrize("sign", [pytest.param(1.0, id="lowest"), pytest.param(-1.0, id="highest")])
@pytest.mark.parametrize("acquisition", ["ei", "ucb", "pi"])
def test_the_loop_finds_the_best_condition(acquisition, sign):
    outer = loop(acquisition, sign=sign)
    outer.run_loop(lambda x: sign * viability(x), 4)
    asked = [tuple(row) for row in outer.loop_state.X.tolist()]
    assert len(asked) == len(set(asked)) == 5 + 4 * 2
    best = (sign * viability(CANDIDATES)).min()
    assert outer.loop_state.Y.min() < best + 0.05


def test_a_batch_holds_no_duplicates_and_ends_with_the_pool():
    outer = loop("ei", batch_size=100)
    outer._update_models()
    points = outer.candidate_point_calculator.compute_next_points(create_loop_state(np.empty((0, 3)), np.empty((0, 1))))
    assert len(points) == len({tuple(row) for row in points.tolist()}) == len(CANDIDATES)
    rest = outer.candidate_point_calculator.compute_next_points(outer.loop_state)
    assert len(rest) == len(CANDIDATES) - 5


def test_context_fixes_a_parameter():
    outer = loop("ucb", batch_size=4)
    outer._update_models()
    points = outer.candidate_point_calculator.compute_next_points(outer.loop_state, {"cell_line": 1})
    assert set(points[:, 0]) == {1.0}
    with pytest.raises(ConfigError, match="no parameter 'line'; possible: cell_line, compound, log10_dose_um"):
        outer.candidate_point_calculator.compute_next_points(outer.loop_state, {"line": 1})


def test_predictions_have_emukits_shapes_and_agree_with_the_joint_covariance():
    model = pool_model()
    model.set_data(CANDIDATES[:5], viability(CANDIDATES[:5]))
    model.optimize()
    mean, variance = model.predict(CANDIDATES)
    assert mean.shape == variance.shape == (len(CANDIDATES), 1)
    joint_mean, covariance = model.predict_with_full_covariance(CANDIDATES)
    np.testing.assert_array_equal(joint_mean, mean)
    np.testing.assert_allclose(np.diag(covariance), variance[:, 0], atol=1e-8)
    assert model.X.shape == (5, 3)
    assert model.Y.shape == (5, 1)


def test_the_pool_is_a_parameter_space():
    space = emukit_bridge.pool_space(CANDIDATES)
    assert space.parameter_names == ["cell_line", "compound", "log10_dose_um"]
    assert np.all(space.check_points_in_domain(CANDIDATES))


def test_believing_a_candidate_makes_its_neighbours_surer():
    joint = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    beliefs = Beliefs(
        mean=np.array([0.3, 0.2, 0.1]),
        sd=np.ones(3),
        block=np.array([0, 0, 1]),
        covariance=lambda rows: joint[np.ix_(rows, rows)],
        noise_variance=0.01,
        incumbent=0.0,
    )
    beliefs.believe(0)
    np.testing.assert_allclose(beliefs.variance, [1 - 1 / 1.01, 1 - 0.81 / 1.01, 1.0])
    assert beliefs.incumbent == 0.3


def test_an_acquisition_that_emukit_lacks_is_refused():
    with pytest.raises(ConfigError, match="no 'nei' in emukit's form; possible: ei, ucb, pi"):
        emukit_bridge.make_acquisition("nei", pool_model())


def test_planning_by_sampling_imports_no_emukit():
    program = (
        "import sys, cellos_nb.planner as p\n"
        "p.make_planner, p.pool_planner, p.MechanisticPlanner, p.DoseResponseGP\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'emukit', 'GPy', 'pandas', 'matplotlib'}])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
