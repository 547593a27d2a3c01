"""The planners that stand beside ours, each over the same finite table by `ask(q)` and `tell(rows, y)`."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from peers_gp import Ax, Baybe, Emukit, nearest_new
from task import Row, Task

from cellos_nb.planner import pool_planner


class Random:
    """Wells without replacement, each with equal chance."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.rng, self.known = task, np.random.default_rng([11, seed]), set[Row]()

    def ask(self, q: int) -> list[dict[str, Any]]:
        open_ = [i for i, well in enumerate(self.task.wells) if well not in self.known]
        return [self.task.row(i) for i in self.rng.choice(open_, q, replace=False).tolist()]

    def tell(self, rows: Sequence[dict[str, Any]], y: Sequence[float]) -> None:  # noqa: ARG002 - chance learns nothing
        self.known |= {tuple(row.values()) for row in rows}


class Optuna:
    """A sampler of Optuna; numbers are floats between their limits, and the nearest new well of the table is run."""

    def __init__(self, task: Task, seed: int, sampler: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        made = {
            "TPE": lambda: optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=8
            ),
            "GP": lambda: optuna.samplers.GPSampler(seed=seed, n_startup_trials=8),
        }[sampler]()
        self.task, self.optuna = task, optuna
        self.study = optuna.create_study(direction="maximize", sampler=made)
        self.levels = {name: parameter["levels"] for name, parameter in task.space()["parameters"].items()}
        self.known: set[Row] = set()
        self.trials: dict[Row, Any] = {}

    def _distributions(self) -> dict[str, Any]:
        made = self.optuna.distributions
        return {
            name: made.CategoricalDistribution(self.levels[name])
            if kind == "categorical"
            else made.FloatDistribution(self.levels[name][0], self.levels[name][-1])
            for name, kind in self.task.types.items()
        }

    def ask(self, q: int) -> list[dict[str, Any]]:
        rows = []
        for _ in range(q):
            trial = self.study.ask(self._distributions())
            row = nearest_new(self.task, trial.params, self.known)
            well = tuple(row.values())
            self.known.add(well)
            self.trials[well] = trial
            rows.append(row)
        return rows

    def tell(self, rows: Sequence[dict[str, Any]], y: Sequence[float]) -> None:
        for row, value in zip(rows, y, strict=True):
            well = tuple(row.values())
            self.known.add(well)
            if well in self.trials:
                self.study.tell(self.trials.pop(well), value)
            else:
                self.study.add_trial(
                    self.optuna.trial.create_trial(params=row, distributions=self._distributions(), value=value)
                )


class Botorch:
    """BoTorch's mixed Gaussian process with log noisy expected improvement, exact over the finite table."""

    def __init__(self, task: Task, seed: int) -> None:
        import torch

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.task, self.torch = task, torch
        columns = []
        for i, kind in enumerate(task.types.values()):
            column = [well[i] for well in task.wells]
            if kind == "categorical":
                columns.append(np.unique(np.array(column), return_inverse=True)[1].astype(float))
            else:
                numbers = np.array(column, dtype=float)
                columns.append((numbers - numbers.min()) / max(np.ptp(numbers), 1e-12))
        self.x = torch.tensor(np.column_stack(columns), dtype=torch.double)
        self.categories = [i for i, kind in enumerate(task.types.values()) if kind == "categorical"]
        self.place = {well: i for i, well in enumerate(task.wells)}
        self.rows: list[int] = []
        self.y: list[float] = []

    def ask(self, q: int) -> list[dict[str, Any]]:
        from botorch.acquisition import qLogNoisyExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import MixedSingleTaskGP, SingleTaskGP
        from botorch.models.transforms import Standardize
        from botorch.optim import optimize_acqf_discrete
        from gpytorch.mlls import ExactMarginalLogLikelihood

        x = self.x[self.rows]
        y = self.torch.tensor(self.y, dtype=self.torch.double)[:, None]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = {"outcome_transform": Standardize(m=1)}
            model = (
                MixedSingleTaskGP(x, y, self.categories, **options)
                if self.categories
                else SingleTaskGP(x, y, **options)
            )
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            acquisition = qLogNoisyExpectedImprovement(model, X_baseline=x, prune_baseline=True)
            open_ = self.torch.tensor(sorted(set(range(len(self.task.wells))) - set(self.rows)))
            chosen, _ = optimize_acqf_discrete(acquisition, q=q, choices=self.x[open_], max_batch_size=512)
        places = [int(open_[int((self.x[open_] - point).abs().sum(dim=1).argmin())]) for point in chosen]
        return [self.task.row(i) for i in places]

    def tell(self, rows: Sequence[dict[str, Any]], y: Sequence[float]) -> None:
        self.rows += [self.place[tuple(row.values())] for row in rows]
        self.y += [float(value) for value in y]


def ours(task: Task, seed: int, prior: Any) -> Any:
    return pool_planner(task.space(), seed, prior=prior)


PLANNERS: dict[str, Callable[[Task, int], Any]] = {
    "random": Random,
    "cellos": lambda task, seed: ours(task, seed, task.prior()),
    "cellos, vague prior": lambda task, seed: ours(task, seed, "vague"),
    "optuna TPE": lambda task, seed: Optuna(task, seed, "TPE"),
    "optuna GP": lambda task, seed: Optuna(task, seed, "GP"),
    "emukit + GPy": Emukit,
    "BoTorch": Botorch,
    "BayBE": Baybe,
    "Ax": Ax,
}
NEEDS = {
    "optuna TPE": ("optuna",),
    "optuna GP": ("optuna", "torch"),
    "emukit + GPy": ("emukit", "GPy"),
    "BoTorch": ("botorch",),
    "BayBE": ("baybe",),
    "Ax": ("ax", "torch"),
}


def installed() -> list[str]:
    """The planners that can run here."""
    return [name for name in PLANNERS if all(importlib.util.find_spec(package) for package in NEEDS.get(name, ()))]
