"""Peers that bring a whole Gaussian-process loop of their own: BayBE, Ax, and emukit with GPy; all as they ship."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from task import Row, Task


class Baybe:
    """BayBE's default recommender over exactly the rows of the table."""

    def __init__(self, task: Task, seed: int) -> None:
        import pandas as pd
        import torch
        from baybe import Campaign
        from baybe.parameters import CategoricalParameter, NumericalDiscreteParameter
        from baybe.searchspace import SearchSpace
        from baybe.targets import NumericalTarget

        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what BayBE draws from
        torch.set_num_threads(1)
        levels = {name: parameter["levels"] for name, parameter in task.space()["parameters"].items()}
        self.names = list(task.types)
        parameters = [
            CategoricalParameter(name, levels[name])
            if kind == "categorical"
            else NumericalDiscreteParameter(name, levels[name])
            for name, kind in task.types.items()
            if len(levels[name]) > 1
        ]
        table = pd.DataFrame(task.wells, columns=self.names)
        self.constant = {name: values[0] for name, values in levels.items() if len(values) == 1}
        space = SearchSpace.from_dataframe(table[[one.name for one in parameters]], parameters)
        self.campaign = Campaign(space, NumericalTarget("y"), allow_recommending_already_measured=False)

    def ask(self, q: int) -> list[dict[str, Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = self.campaign.recommend(q)
        rows = [{**self.constant, **row} for row in table.to_dict("records")]
        return [{name: row[name] for name in self.names} for row in rows]

    def tell(self, rows: Sequence[dict[str, Any]], y: Sequence[float]) -> None:
        import pandas as pd

        table = pd.DataFrame([{**row, "y": value} for row, value in zip(rows, y, strict=True)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.campaign.add_measurements(table.drop(columns=list(self.constant)))


class Ax:
    """Ax's default generation; what it proposes beside the table becomes the nearest new well."""

    def __init__(self, task: Task, seed: int) -> None:
        import torch
        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig

        for name in list(logging.root.manager.loggerDict):
            if name.startswith("ax"):
                logging.getLogger(name).setLevel(logging.ERROR)
        torch.set_num_threads(1)
        self.task = task
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(
            [
                ChoiceParameterConfig(
                    name,
                    parameter["levels"],
                    "str" if parameter["type"] == "categorical" else "float",
                    is_ordered=parameter["type"] != "categorical",
                )
                for name, parameter in task.space()["parameters"].items()
            ]
        )
        self.client.configure_optimization("y")
        self.trials: dict[Row, list[int]] = {}
        self.known: set[Row] = set()

    def ask(self, q: int) -> list[dict[str, Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trials = self.client.get_next_trials(q)
        rows = []
        for number, wanted in trials.items():
            row = nearest_new(self.task, wanted, self.known)
            well = tuple(row.values())
            self.known.add(well)
            if well == tuple(wanted[name] for name in self.task.types):
                self.trials.setdefault(well, []).append(number)
            else:
                self.client.mark_trial_abandoned(number)
            rows.append(row)
        while len(rows) < q:
            row = nearest_new(self.task, rows[-1], self.known)
            self.known.add(tuple(row.values()))
            rows.append(row)
        return rows

    def tell(self, rows: Sequence[dict[str, Any]], y: Sequence[float]) -> None:
        for row, value in zip(rows, y, strict=True):
            well = tuple(row.values())
            self.known.add(well)
            waiting = self.trials.get(well)
            number = waiting.pop() if waiting else self.client.attach_trial(row)
            self.client.complete_trial(number, {"y": float(value)})


class Emukit:
    """emukit's expected improvement on GPy's Matérn process, categories one-hot, each choice believed (Kriging)."""

    def __init__(self, task: Task, seed: int) -> None:
        np.random.seed(seed)  # noqa: NPY002 - what GPy draws from
        self.task, columns = task, []
        for i, kind in enumerate(task.types.values()):
            column = np.array([well[i] for well in task.wells])
            if kind == "categorical":
                columns.append((column[:, None] == np.unique(column)[None]).astype(float))
            else:
                numbers = column.astype(float)[:, None]
                columns.append((numbers - numbers.min()) / max(np.ptp(numbers), 1e-12))
        self.x = np.hstack(columns)
        self.place = {well: i for i, well in enumerate(task.wells)}
        self.rows: list[int] = []
        self.y: list[float] = []

    def ask(self, q: int) -> list[dict[str, Any]]:
        import GPy
        from emukit.bayesian_optimization.acquisitions import ExpectedImprovement
        from emukit.model_wrappers import GPyModelWrapper

        y = np.array(self.y)
        standard = -(y - y.mean()) / max(float(y.std()), 1e-9)  # emukit minimises
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kernel = GPy.kern.Matern52(self.x.shape[1])
            process = GPy.models.GPRegression(self.x[self.rows], standard[:, None], kernel)
            model = GPyModelWrapper(process, n_restarts=3)
            process.optimize_restarts(3, verbose=False)
            open_ = np.array(sorted(set(range(len(self.x))) - set(self.rows)))
            chosen: list[int] = []
            for _ in range(q):
                value = ExpectedImprovement(model).evaluate(self.x[open_])[:, 0]
                pick = int(open_[int(np.argmax(value))])
                chosen.append(pick)
                open_ = open_[open_ != pick]
                believed = model.predict(self.x[pick : pick + 1])[0]
                model.set_data(np.vstack([model.X, self.x[pick]]), np.vstack([model.Y, believed]))
        return [self.task.row(i) for i in chosen]

    def tell(self, rows: Sequence[dict[str, Any]], y: Sequence[float]) -> None:
        self.rows += [self.place[tuple(row.values())] for row in rows]
        self.y += [float(value) for value in y]


def nearest_new(task: Task, wanted: Any, known: set[Row]) -> dict[str, Any]:
    """The well of the table closest to what is wanted that was not run; a wrong category counts most."""
    distance = np.zeros(len(task.wells))
    for i, (name, kind) in enumerate(task.types.items()):
        column = np.array([well[i] for well in task.wells], dtype=object if kind == "categorical" else float)
        if kind == "categorical":
            distance += 10.0 * (column != wanted[name])
        else:
            distance += ((column - wanted[name]) / max(np.ptp(column), 1e-12)) ** 2
    for i in np.argsort(distance, kind="stable").tolist():
        if task.wells[i] not in known:
            return task.row(i)
    return task.row(int(np.argmin(distance)))
