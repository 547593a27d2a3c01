"""Prints which parts of emukit run with the numpy and pandas that are installed, each on a small problem.

`uv run --group peers python benchmarks/planner/emukit_features.py` (the group brings GPy). A part "runs" when it does
what it says: proposes inside the space, points of a batch that differ, a model that predicts finite numbers. What fails
is shown with the first line of its error. Decision note 36 says what follows.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

X = np.random.default_rng(0).random((8, 1)) * 10
Y = np.sin(X) + 0.1 * X
MIXED_X = np.column_stack([X[:, 0], np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]]])


def space() -> Any:
    from emukit.core import ContinuousParameter, ParameterSpace

    return ParameterSpace([ContinuousParameter("x", 0, 10)])


def mixed_space() -> Any:
    from emukit.core import CategoricalParameter, ContinuousParameter, OneHotEncoding, ParameterSpace

    encoding = OneHotEncoding(["a", "b", "c"])
    return ParameterSpace([ContinuousParameter("x", 0, 10), CategoricalParameter("line", encoding)])


def model(x: np.ndarray = X, y: np.ndarray = Y) -> Any:
    import GPy
    from emukit.model_wrappers import GPyModelWrapper

    return GPyModelWrapper(GPy.models.GPRegression(x, y, GPy.kern.RBF(x.shape[1])))


def asks(loop: Any, n: int = 1) -> str:
    points = np.asarray(loop.get_next_points(loop.loop_state.results))
    assert points.shape[0] == n, f"{points.shape[0]} points in place of {n}"
    assert np.isfinite(points).all(), "no finite point"
    assert np.all(np.abs(points[:, 0] - 5) <= 5), "outside the space"
    apart = len(np.unique(points.round(6), axis=0))
    assert apart == n, f"{n} points of which {apart} differ"
    return "runs"


def loop(acquisition: Callable[[Any], Any], n: int = 1, *, mixed: bool = False) -> str:
    from emukit.bayesian_optimization.loops import BayesianOptimizationLoop

    fitted = model(MIXED_X, Y) if mixed else model()
    where = mixed_space() if mixed else space()
    return asks(BayesianOptimizationLoop(where, fitted, acquisition(fitted), batch_size=n), n)


def named(name: str, **options: Any) -> Callable[[Any], Any]:
    from emukit.bayesian_optimization import acquisitions

    return lambda fitted: getattr(acquisitions, name)(fitted, **options)


def of_space(name: str) -> Callable[[Any], Any]:
    from emukit.bayesian_optimization import acquisitions

    return lambda fitted: getattr(acquisitions, name)(fitted, space())


def logarithm() -> str:
    from emukit.bayesian_optimization.acquisitions import ExpectedImprovement
    from emukit.bayesian_optimization.acquisitions.log_acquisition import LogAcquisition

    return loop(lambda fitted: LogAcquisition(ExpectedImprovement(fitted)))


def known_constraint() -> str:
    from emukit.bayesian_optimization.loops import BayesianOptimizationLoop
    from emukit.core import ContinuousParameter, ParameterSpace
    from emukit.core.constraints import LinearInequalityConstraint

    at_most_3 = LinearInequalityConstraint(np.array([[1.0]]), np.array([0.0]), np.array([3.0]))
    inside = ParameterSpace([ContinuousParameter("x", 0, 10)], constraints=[at_most_3])
    found = BayesianOptimizationLoop(inside, model()).get_next_points([])
    assert found.max() <= 3 + 1e-6, "the constraint is broken"
    return "runs"


def unknown_constraint() -> str:
    from emukit.bayesian_optimization.loops import UnknownConstraintBayesianOptimizationLoop

    return asks(UnknownConstraintBayesianOptimizationLoop(space(), model(), model(X, X - 5)))


def cost_per_second() -> str:
    from emukit.bayesian_optimization.loops.cost_sensitive_bayesian_optimization_loop import (
        CostSensitiveBayesianOptimizationLoop,
    )

    return asks(CostSensitiveBayesianOptimizationLoop(space(), model(), model(X, 1 + X)))


def two_fidelities(kind: str) -> str:
    import GPy
    from emukit.multi_fidelity import convert_lists_to_array as convert
    from emukit.multi_fidelity.kernels import LinearMultiFidelityKernel
    from emukit.multi_fidelity.models import GPyLinearMultiFidelityModel
    from emukit.multi_fidelity.models.non_linear_multi_fidelity_model import (
        NonLinearMultiFidelityModel,
        make_non_linear_kernels,
    )

    x = convert.convert_x_list_to_array([X, X[:4]])
    y = np.vstack([Y, 2 * Y[:4]])
    if kind == "linear":
        kernel = LinearMultiFidelityKernel([GPy.kern.RBF(1), GPy.kern.RBF(1)])
        from emukit.model_wrappers import GPyMultiOutputWrapper

        fitted: Any = GPyMultiOutputWrapper(
            GPyLinearMultiFidelityModel(x, y, kernel, n_fidelities=2), 2, n_optimization_restarts=1
        )
    else:
        fitted = NonLinearMultiFidelityModel(
            x, y, 2, make_non_linear_kernels(GPy.kern.RBF, 2, 1), n_samples=20, optimization_restarts=1
        )
    fitted.optimize()
    mean, variance = fitted.predict(np.array([[2.0, 1.0]]))
    assert np.isfinite([mean, variance]).all(), "no finite prediction"
    return "runs"


def design() -> str:
    from emukit.experimental_design import ExperimentalDesignLoop
    from emukit.experimental_design.acquisitions import IntegratedVarianceReduction

    fitted = model()
    return asks(ExperimentalDesignLoop(space(), fitted, IntegratedVarianceReduction(fitted, space())))


def sensitivity() -> str:
    from emukit.sensitivity.monte_carlo import MonteCarloSensitivity

    main, *_ = MonteCarloSensitivity(model(), space()).compute_effects(num_monte_carlo_points=1000)
    assert np.isfinite(list(main.values())).all(), "no finite effect"
    return "runs"


def saved() -> str:
    fitted = model()
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(again.predict(X)[0], fitted.predict(X)[0])
    return "runs"


def from_table() -> str:
    import pandas as pd

    table = pd.DataFrame({"x": X[:, 0], "y": Y[:, 0]})
    fitted = model(table[["x"]].to_numpy(), table[["y"]].to_numpy())
    assert np.isfinite(fitted.predict(table[["x"]].to_numpy())[0]).all(), "no finite prediction"
    return "runs"


PARTS: dict[str, Callable[[], str]] = {
    "expected improvement": lambda: loop(named("ExpectedImprovement")),
    "confidence bound": lambda: loop(named("NegativeLowerConfidenceBound")),
    "probability of improvement": lambda: loop(named("ProbabilityOfImprovement")),
    "logarithm of an acquisition": logarithm,
    "max-value entropy search": lambda: loop(of_space("MaxValueEntropySearch")),
    "entropy search": lambda: loop(of_space("EntropySearch")),
    "batch of 4, local penalisation, one number": lambda: loop(named("ExpectedImprovement"), 4),
    "batch of 4, local penalisation, categories": lambda: loop(named("ExpectedImprovement"), 4, mixed=True),
    "categories, one at a time": lambda: loop(named("ExpectedImprovement"), mixed=True),
    "known constraint": known_constraint,
    "unknown constraint": unknown_constraint,
    "cost-sensitive loop": cost_per_second,
    "two fidelities, linear": lambda: two_fidelities("linear"),
    "two fidelities, non-linear": lambda: two_fidelities("other"),
    "experimental design, integrated variance": design,
    "sensitivity of a model": sensitivity,
    "a model pickled": saved,
    "a model of a pandas table": from_table,
}


def tried(part: Callable[[], str]) -> str:
    np.random.seed(3)  # noqa: NPY002 - emukit draws from the global generator
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - whatever it raises is the answer
        text = str(error).strip() or repr(error)
        return f"fails: {type(error).__name__}: {text.splitlines()[0][:90]}"


def main() -> None:
    warnings.simplefilter("ignore")
    print(", ".join(f"{name} {version(name)}" for name in ("emukit", "GPy", "numpy", "scipy", "pandas")))
    for name, part in PARTS.items():
        print(f"{name:45}{tried(part)}", flush=True)


if __name__ == "__main__":
    main()
