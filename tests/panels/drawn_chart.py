"""What a `Chart` sends to the page, taken apart again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from cellos_nb.panels.chart.widget import Chart

ROWS = {"line": 2, "area": 2, "strokes": 3, "dots": 2}


@dataclass
class Drawn:
    """One mark: its look, its numbers (rows of its kind) and the names of its dots."""

    look: dict
    rows: np.ndarray
    names: list[str] = field(default_factory=list)

    @property
    def x(self) -> np.ndarray:
        return self.rows[0]

    @property
    def y(self) -> np.ndarray:
        return self.rows[1]


def drawn_of(chart: Chart, kind: str = "", **look) -> list[Drawn]:
    """The marks of a kind that look as is said, in order; all of them when nothing is."""
    numbers, names, found = np.frombuffer(chart.numbers, "<f8"), json.loads(chart.names), []
    for mark in chart.marks:
        size = ROWS[mark["kind"]] * mark["n"]
        rows, numbers = numbers[:size].reshape(ROWS[mark["kind"]], -1), numbers[size:]
        own, names = names[: mark.get("n_names", 0)], names[mark.get("n_names", 0) :]
        found.append(Drawn(mark, rows, own))
    assert not len(numbers)
    assert not names
    wanted = look | ({"kind": kind} if kind else {})
    return [each for each in found if all(each.look.get(name) == value for name, value in wanted.items())]
