"""Ask and tell over tables of any columns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cellos_nb.errors import ConfigError
from cellos_nb.planner import pool_planner

LINES, COMPOUNDS, DOSES = ("A", "B"), ("x", "y", "z", "w"), tuple(np.linspace(-9, -5, 9).round(3).tolist())
TYPES = {"cell_line": "categorical", "compound": "categorical", "log10_dose_M": "log10", "dose1": "float"}
LEVELS = {"cell_line": LINES, "compound": COMPOUNDS, "log10_dose_M": DOSES, "dose1": (0.0, 1.0, 2.0, 5.0)}


def space(names, kind, wells=True, **objective):
    rows = list(itertools.product(*(LEVELS[name] for name in names)))
    parameters = {name: {"type": TYPES[name], "levels": list(LEVELS[name])} for name in names}
    described = {"parameters": parameters, "goal": "maximize", "objective": {"kind": kind, **objective}}
    return described | ({"wells": rows} if wells else {})


SPACES = [
    pytest.param(
        space(("cell_line", "compound", "log10_dose_M"), "inhibition_minus_dose_cost", per_decade=0.1), id="potent"
    ),
    pytest.param(space(("compound", "log10_dose_M"), "difference"), id="difference"),
    pytest.param(space(("cell_line", "compound", "log10_dose_M"), "response"), id="response"),
    pytest.param(space(("cell_line", "compound", "log10_dose_M"), "learn_ic50"), id="ic50"),
    pytest.param(space(("compound", "dose1"), "response"), id="no-log-dose"),
    pytest.param(space(("dose1", "log10_dose_M"), "response", wells=False), id="numbers"),
    pytest.param(space(("cell_line", "compound"), "response"), id="categories"),
]


def response(row) -> float:
    dose = row.get("log10_dose_M", -6.0)
    ec50 = {"x": -7.0, "y": -6.0}.get(row.get("compound", "x"), -2.0)
    return float(1 / (1 + 10 ** (ec50 - dose))) + 0.05 * row.get("dose1", 0.0) + 0.1 * (row.get("cell_line") == "A")


@pytest.mark.parametrize("described", SPACES)
class TestEveryTable:
    def test_rows_exist_are_distinct_and_repeatable(self, described):
        answers = []
        for _ in range(2):
            planner, asked = pool_planner(described, 7), []
            for _ in range(3):
                rows = planner.ask(3)
                planner.tell(rows, [response(row) for row in rows])
                asked += [tuple(row.values()) for row in rows]
            answers.append(asked)
        assert answers[0] == answers[1]
        n_wells = len(described.get("wells") or range(36))
        assert len(set(answers[0])) == min(9, n_wells)
        assert all(row in itertools.product(*(LEVELS[name] for name in described["parameters"])) for row in answers[0])

    def test_missing_measurements_are_left_out(self, described):
        planner = pool_planner(described, 0)
        for _ in range(3):
            rows = planner.ask(2)
            planner.tell(rows, [float("nan")] * 2)
        assert len(planner.ask(2)) == 2

    def test_a_full_table_is_asked_again(self, described):
        planner = pool_planner(described, 0)
        rows = planner.ask(10_000)
        planner.tell(rows, [response(row) for row in rows])
        assert len(planner.ask(3)) == 3


def test_the_best_well_is_found_although_higher_doses_cost():
    described = space(("cell_line", "compound", "log10_dose_M"), "inhibition_minus_dose_cost", per_decade=0.1)

    def score(row):
        return response(row) - 0.1 * (row["log10_dose_M"] + 9)

    planner, values = pool_planner(described, 1), []
    for _ in range(6):
        rows = planner.ask(4)
        planner.tell(rows, [score(row) for row in rows])
        values += [score(row) for row in rows]
    every = [dict(zip(described["parameters"], well, strict=True)) for well in described["wells"]]
    assert max(values) > max(map(score, every)) - 0.03


def test_ec50s_are_learnt_from_few_wells():
    described = space(("cell_line", "compound", "log10_dose_M"), "learn_ic50")
    planner = pool_planner(described, 2)
    for _ in range(6):
        rows = planner.ask(4)
        planner.tell(rows, [1 / (1 + 10 ** (row["log10_dose_M"] - true_ec50(row))) for row in rows])
    estimate = planner.estimate()
    assert set(estimate) == set(itertools.product(LINES, COMPOUNDS))
    assert estimate["A", "x"] == pytest.approx(-7.0, abs=0.4)
    assert estimate["B", "y"] == pytest.approx(-6.0, abs=0.5)


def test_ec50s_have_an_estimate_where_a_table_has_one_dose_alone():
    described = space(("cell_line", "compound", "log10_dose_M"), "learn_ic50", wells=False)
    described["parameters"]["log10_dose_M"] = {"type": "log10", "levels": [-6.0]}
    planner = pool_planner(described, 3)
    asked = planner.ask(4)
    planner.tell(asked, [1.0, 0.4, 0.9, 0.5])
    assert np.isfinite(list(planner.estimate().values())).all()


def true_ec50(row) -> float:
    return {"x": -7.0, "y": -6.0}.get(row["compound"], -2.0)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param({"parameters": {}}, "there are none", id="no-parameters"),
        pytest.param({"parameters": {"a": {"type": "text", "levels": ["b"]}}}, "type 'text'; possible", id="type"),
        pytest.param(
            {"objective": {"kind": "beauty"}}, "'beauty'; possible: inhibition_minus_dose_cost", id="objective"
        ),
        pytest.param({"wells": []}, "the table is empty", id="empty"),
    ],
)
def test_a_malformed_space_is_refused(change, match):
    with pytest.raises(ConfigError, match=match):
        pool_planner(space(("compound", "log10_dose_M"), "response") | change, 0)


def test_an_unknown_prior_and_a_foreign_row_are_refused():
    described = space(("compound", "log10_dose_M"), "response")
    with pytest.raises(ConfigError, match="no prior 'magic'; possible: default"):
        pool_planner(described, 0, prior="magic")
    with pytest.raises(ConfigError, match="is no row of the table"):
        pool_planner(described, 0).tell([{"compound": "x", "log10_dose_M": 3.0}], [1.0])
