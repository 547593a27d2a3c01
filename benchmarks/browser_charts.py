"""The charts that benchmarks/browser.py compares: as panels draw them, and the same numbers by plotly's FigureWidget.

Ours get what the panels' models make of the numbers, plotly all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ipywidgets import Button, VBox, Widget

from cellos_nb.colours import SERIES
from cellos_nb.domain.objective import Estimate, ScoredCondition

Draw = Callable[[int], None]
"""Shows other numbers, those of a lap."""
LINES = ("A673", "RD", "SKNMC", "TC71", "U2OS", "VA13")
PER_CURVE, PER_BOX, GROUPS = 24, 5, 24
COLOURS = {"first": SERIES[0], "second": SERIES[1]}


def chart(library: str, kind: str, n: int) -> VBox:
    """A chart of n points, or cells, and a button that gives it other numbers."""
    shown, draw = MAKERS[kind][library](n)
    lap = iter(range(1, 10_000))
    button = Button(description="next")
    button.on_click(lambda _: draw(next(lap)))
    draw(0)
    return VBox([button, shown])


def wave(n: int, lap: int) -> np.ndarray:
    return np.sin(np.linspace(0.0, 100.0, n) / 7 + lap) + np.random.default_rng(lap).normal(0, 0.1, n)


def plotly(traces: list[Any]) -> Any:
    import plotly.graph_objects as go

    return go.FigureWidget(traces, layout={"width": 700, "height": 400})


# Best so far of two campaigns, one dot with an interval for each iteration.


def our_progress(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.panels.comparison.figures import ProgressFigure
    from cellos_nb.panels.comparison.model import Progress

    made = ProgressFigure()

    def draw(lap: int) -> None:
        laps = [Progress(name, x, y, y - 0.1, y + 0.1, None) for name, x, y in campaigns(n, lap)]
        made.draw(laps, COLOURS, ("iteration", "score"), is_regret=False)

    return made.figure, draw


def plotly_progress(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    bars = {"type": "constant", "value": 0.1}
    figure = plotly([go.Scatter(mode="lines+markers", line={"shape": "hv"}, error_y=bars) for _ in COLOURS])

    def draw(lap: int) -> None:
        with figure.batch_update():
            for trace, (_, x, y) in zip(figure.data, campaigns(n, lap), strict=True):
                trace.x, trace.y = x, y

    return figure, draw


def campaigns(n: int, lap: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    x = np.arange(n / 2) + 1
    return [(name, x, np.maximum.accumulate(wave(len(x), 2 * lap + k))) for k, name in enumerate(COLOURS)]


# Curves with bands, what the model expects, and points, of six cell lines.


def our_curves(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.panels.dose_response.chart import DoseResponseChart
    from cellos_nb.panels.dose_response.model import Curve, LineCurves, Points

    made = DoseResponseChart(LINES, (0.001, 10.0), "of vehicle")

    def draw(lap: int) -> None:
        lines = []
        for k, line in enumerate(LINES):
            dose, value, grid, curve = curves(n, lap, k)
            points = Points(dose, value, value - 0.1, value + 0.1, np.arange(len(dose)) // 4 + 1.0)
            fit, expected = (Curve(grid, each, each - 0.05, each + 0.05) for each in (curve, 0.95 * curve))
            lines.append(LineCurves(line, points, 0, fit, "fitted", "", expected))
        made.show("compound", tuple(lines), n // len(LINES) // 4)

    return made.figure, draw


def plotly_curves(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    traces = []
    for _ in LINES:
        for style, fill in (("solid", 0.22), ("dash", 0.1)):
            edge = {"mode": "lines", "line": {"width": 0}}
            traces += [go.Scatter(edge), go.Scatter(edge, fill="tonexty", fillcolor=f"rgba(0,114,178,{fill})")]
            traces.append(go.Scatter(mode="lines", line={"dash": style}))
        traces.append(go.Scatter(mode="markers", error_y={"type": "constant", "value": 0.1}))
    figure = plotly(traces)

    def draw(lap: int) -> None:
        with figure.batch_update():
            for k in range(len(LINES)):
                dose, value, grid, curve = curves(n, lap, k)
                shown = [(grid, share * curve + by) for share in (1.0, 0.95) for by in (-0.05, 0.05, 0.0)]
                for trace, (x, y) in zip(figure.data[7 * k : 7 * k + 7], [*shown, (dose, value)], strict=True):
                    trace.x, trace.y = x, y
                figure.data[7 * k + 6].marker.color = np.arange(len(dose)) // 4 + 1

    return figure, draw


def curves(n: int, lap: int, line: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng, grid = np.random.default_rng([lap, line]), np.linspace(-3.0, 1.0, 120)
    dose, middle = rng.uniform(-3.0, 1.0, n // len(LINES)), rng.uniform(-2.0, 0.5)
    at = 1.0 / (1.0 + 10.0 ** (1.2 * (dose - middle)))
    return dose, at + rng.normal(0, 0.05, len(dose)), grid, 1.0 / (1.0 + 10.0 ** (1.2 * (grid - middle)))


# Box plots of two campaigns, their quartiles given, and outliers.


def our_boxes(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.panels.comparison.figures import BoxFigure
    from cellos_nb.panels.comparison.model import Box, Boxes

    made = BoxFigure()

    def draw(lap: int) -> None:
        groups = tuple(f"compound {k}" for k in range(n // 2))
        found = [
            Box(name, group, 100, q[0], (q[1], q[2], q[3]), q[4], tuple(q[5:].tolist()))
            for name in COLOURS
            for group, q in zip(groups, boxes(n, lap, name), strict=True)
        ]
        made.draw(Boxes(groups, tuple(found), 0), COLOURS, "of vehicle")

    return made.figure, draw


def plotly_boxes(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    groups = [f"compound {k}" for k in range(n // 2)]
    figure = plotly([
        *(go.Box(y=groups, orientation="h", offsetgroup=name) for name in COLOURS),
        *(go.Scatter(mode="markers", y=np.repeat(groups, PER_BOX)) for _ in COLOURS),
    ])  # fmt: skip
    figure.update_layout(boxmode="group")

    def draw(lap: int) -> None:
        with figure.batch_update():
            for k, name in enumerate(COLOURS):
                low, q1, median, q3, high, *outliers = boxes(n, lap, name).T
                figure.data[k].update(lowerfence=low, q1=q1, median=median, q3=q3, upperfence=high)
                figure.data[2 + k].x = np.stack(outliers, axis=1).ravel()

    return figure, draw


def boxes(n: int, lap: int, name: str) -> np.ndarray:
    """Shape (groups, 5 + outliers): whisker, quartiles, whisker, outliers."""
    rng = np.random.default_rng([lap, list(COLOURS).index(name)])
    return np.hstack([np.sort(rng.uniform(0.2, 1.0, (n // 2, 5)), axis=1), rng.uniform(1.0, 1.3, (n // 2, PER_BOX))])


# A Pareto front, every dot with a name.


def our_front(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.analysis.pareto import pareto_front
    from cellos_nb.panels.comparison.figures import FrontFigure
    from cellos_nb.panels.comparison.front import MAX_DOTS, Front

    made = FrontFigure(lambda _: None)
    found = ScoredCondition("A673", "compound", 1.0, Estimate(0.5, 0.1, 2.0), Estimate(0.5, 0.1, 2.0))

    def draw(lap: int) -> None:
        x, y = cloud(n, lap)
        is_front = pareto_front(x, y)
        kept = np.union1d(np.flatnonzero(is_front), np.arange(n)[:: -(-n // MAX_DOTS)])
        conditions = tuple((name, found) for name in np.resize([*COLOURS], len(kept)).tolist())
        made.draw(Front("effect", "sparing", conditions, x[kept], y[kept], is_front[kept], 0, 0), COLOURS, None)

    return made.figure, draw


def plotly_front(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    from cellos_nb.analysis.pareto import pareto_front

    figure = plotly([go.Scatter(mode="markers"), go.Scatter(mode="markers+lines")])

    def draw(lap: int) -> None:
        x, y = cloud(n, lap)
        is_front = pareto_front(x, y)
        order = np.flatnonzero(is_front)[np.argsort(x[is_front])]
        with figure.batch_update():
            for trace, rows in zip(figure.data, (np.flatnonzero(~is_front), order), strict=True):
                trace.x, trace.y, trace.text = x[rows], y[rows], [f"compound at 1 µM on A673, {i}" for i in rows]

    return figure, draw


def cloud(n: int, lap: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(lap).normal(0.5, 0.2, (2, n))
    return x, y


# Why a dose: the model's curve with two bands and what was known, and the acquisition of every dose below it.


def our_why(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.domain.proposal import ExperimentProposal
    from cellos_nb.domain.result import ExperimentResult, ResultStatus
    from cellos_nb.panels.why.figures import AcquisitionFigure, CurveFigure
    from cellos_nb.planner.explanation import Choice, Explanation, Neighbour

    curve = CurveFigure()
    promise = AcquisitionFigure(curve.x)

    def draw(lap: int) -> None:
        doses, values, grid, mean = curves(n * len(LINES), lap, 0)
        asked = [ExperimentProposal("A673", "compound", 10.0**dose) for dose in doses.tolist()]
        known = tuple(
            Neighbour(ExperimentResult(each, ResultStatus.OK, value, 0.05, 3), 0.1, is_same_line=k % 2 == 0)
            for k, (each, value) in enumerate(zip(asked, values.tolist(), strict=True))
        )
        at, promised = 10.0 ** grid[::5], wave(24, lap)
        choice = Choice("ei", at, 3, promised, np.arange(24) % 4 > 0, 1, 100, 1, 0.5, 0.1, 0.4)
        told = Explanation(asked[0], 1, "model", 10.0**grid, mean, np.full(len(grid), 0.1), 0.5, 0.1, choice, known, n)
        curve.draw(told, None, "of vehicle")
        promise.draw(choice, grid)

    return VBox([curve.figure, promise.figure]), draw


def plotly_why(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    edge = {"mode": "lines", "line": {"width": 0}}
    bands = [trace for _ in range(2) for trace in (go.Scatter(edge), go.Scatter(edge, fill="tonexty"))]
    above = plotly([*bands, go.Scatter(mode="lines"), go.Scatter(mode="markers"), go.Scatter(mode="markers")])
    below = plotly([go.Scatter(mode="markers"), go.Bar(width=0.01)])

    def draw(lap: int) -> None:
        doses, values, grid, mean = curves(n * len(LINES), lap, 0)
        with above.batch_update():
            shown = [mean - 0.1, mean + 0.1, mean - 0.2, mean + 0.2, mean]
            for trace, y in zip(above.data[:5], shown, strict=True):
                trace.x, trace.y = grid, y
            for k, trace in enumerate(above.data[5:]):
                trace.x, trace.y = doses[k::2], values[k::2]
        with below.batch_update():
            for trace in below.data:
                trace.x, trace.y = grid[::5], wave(24, lap)

    return VBox([above, below]), draw


# What each iteration of a running campaign found, with intervals and names, and the best so far.


def our_trajectory(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.panels.live.figure import TrajectoryFigure
    from cellos_nb.panels.live.trajectory import MAX_DOTS, Trajectory

    made, every = TrajectoryFigure(), -(-n // MAX_DOTS)

    def draw(lap: int) -> None:
        x, y = np.linspace(0.0, 100.0, n), wave(n, lap)
        best, kept = np.maximum.accumulate(y), slice(None, None, every)
        records = np.flatnonzero(np.diff(best, prepend=-np.inf))
        names = np.array([f"condition {i}" for i in range(n)[kept]], dtype=object)
        shown = (x[kept], y[kept], y[kept] - 0.1, y[kept] + 0.1, np.arange(n)[kept] // every % 3, names)
        made.draw(Trajectory(*shown, x[records], best[records], n, "score", is_lower_better=False))

    return made.figure, draw


def plotly_trajectory(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    bars = {"type": "constant", "value": 0.1}
    figure = plotly([
        *(go.Scatter(mode="markers", error_y=bars) for _ in range(3)), go.Scatter(mode="lines", line={"shape": "hv"})
    ])  # fmt: skip

    def draw(lap: int) -> None:
        x, y = np.linspace(0.0, 100.0, n), wave(n, lap)
        with figure.batch_update():
            for k in range(3):
                figure.data[k].x, figure.data[k].y = x[k::3], y[k::3]
                figure.data[k].text = [f"condition {i}" for i in range(n)[k::3]]
            figure.data[3].x, figure.data[3].y = x, np.maximum.accumulate(y)

    return figure, draw


# A heat map, as the surface over doses and the pictures of plates are drawn.


def our_map(n: int) -> tuple[Widget, Draw]:
    from cellos_nb.panels.grid.cell import Cell
    from cellos_nb.panels.grid.widget import GridPicture

    (rows, columns), grid = shape(n), GridPicture()
    places = [(i, j) for i in range(rows) for j in range(columns)]

    def draw(lap: int) -> None:
        values = cells(n, lap)
        colours = [f"rgb({int(255 * values[place])},90,120)" for place in places]
        drawn = [
            Cell(f"{i}-{j}", i, j, colour, "", f"{values[i, j]:.3g}")
            for (i, j), colour in zip(places, colours, strict=True)
        ]
        grid.show([str(i) for i in range(rows)], [str(j) for j in range(columns)], drawn, caption="map")

    return grid, draw


def plotly_map(n: int) -> tuple[Widget, Draw]:
    import plotly.graph_objects as go

    figure = plotly([go.Heatmap(z=cells(n, 0))])

    def draw(lap: int) -> None:
        figure.data[0].z = cells(n, lap)

    return figure, draw


def shape(n: int) -> tuple[int, int]:
    """16 × 24 as a plate, or about a square."""
    return (16, 24) if n == 384 else (round(n**0.5), round(n**0.5))


def cells(n: int, lap: int) -> np.ndarray:
    return np.random.default_rng(lap).random(shape(n))


Maker = Callable[[int], tuple[Widget, Draw]]
MAKERS: dict[str, dict[str, Maker]] = {
    "campaigns compared": {"ours": our_progress, "plotly": plotly_progress},
    "dose curves": {"ours": our_curves, "plotly": plotly_curves},
    "box plots": {"ours": our_boxes, "plotly": plotly_boxes},
    "Pareto front": {"ours": our_front, "plotly": plotly_front},
    "why this dose": {"ours": our_why, "plotly": plotly_why},
    "trajectory": {"ours": our_trajectory, "plotly": plotly_trajectory},
    "heat map": {"ours": our_map, "plotly": plotly_map},
}
SIZES: tuple[tuple[str, int], ...] = (
    ("campaigns compared", 1_000),
    ("campaigns compared", 10_000),
    ("dose curves", 144),
    ("dose curves", 1_200),
    ("box plots", 2 * GROUPS),
    ("Pareto front", 1_000),
    ("Pareto front", 10_000),
    ("why this dose", 40),
    ("trajectory", 1_000),
    ("trajectory", 10_000),
    ("heat map", 384),
    ("heat map", 2_500),
)
