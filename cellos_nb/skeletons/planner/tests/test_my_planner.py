"""The planner holds what every planner promises; add tests of what is special about yours."""

from __future__ import annotations

from cellos_nb.testing import PlannerContract


class TestMyPlanner(PlannerContract):
    """Each test of the contract, on this planner."""

    settings = {"kind": "my_planner"}
