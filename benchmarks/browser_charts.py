"""The charts that benchmarks/browser.py compares: the same numbers by our marks and by plotly's FigureWidget."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ipywidgets import Button, VBox, Widget

MAX_DOTS = 600
"""As in the panels: beyond, dots are decimated."""


def numbers(n: int, lap: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(lap)
    x = np.linspace(0.0, 100.0, n)
    return x, np.sin(x / 7 + lap) + rng.normal(0, 0.1, n)


def chart(library: str, kind: str, n: int) -> VBox:
    """A chart with n points, or about n cells, and a button that gives it other numbers."""
    draw: Callable[[int], None]
    shown, draw = MAKERS[library, kind](n)
    lap = iter(range(1, 10_000))
    button = Button(description="next")
    button.on_click(lambda _: draw(next(lap)))
    draw(0)
    return VBox([button, shown])


def our_line(n: int) -> tuple[Widget, Callable[[int], None]]:
    return _bqplot(n, is_line=True)


def our_scatter(n: int) -> tuple[Widget, Callable[[int], None]]:
    return _bqplot(n, is_line=False)


def _bqplot(n: int, *, is_line: bool) -> tuple[Widget, Callable[[int], None]]:
    from bqplot import Axis, Figure, LinearScale, Lines, Scatter

    from cellos_nb.panels.envelope import envelope

    def drawn(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return envelope(x, y) if is_line else (x[::every], y[::every])

    scales = {"x": LinearScale(min=0.0, max=100.0), "y": LinearScale(min=-2.0, max=2.0)}
    every = -(-n // MAX_DOTS)
    x, y = drawn(*numbers(n, 0))
    mark = Lines(x=x, y=y, scales=scales) if is_line else Scatter(x=x, y=y, scales=scales, default_size=26)
    axes = [Axis(scale=scales["x"]), Axis(scale=scales["y"], side="left")]
    figure = Figure(marks=[mark], axes=axes, layout={"width": "700px", "height": "400px"})

    def draw(lap: int) -> None:
        x, y = drawn(*numbers(n, lap))
        with mark.hold_sync():
            mark.x, mark.y = x, y

    return figure, draw


def our_trajectory(n: int) -> tuple[Widget, Callable[[int], None]]:
    """Dots with intervals and the best so far, as the live panel draws them."""
    from cellos_nb.panels.chart.marks import Axis, Dots, Line, Strokes
    from cellos_nb.panels.chart.widget import Chart

    shown, every = Chart(height=400, layout={"width": "700px"}), -(-n // MAX_DOTS)
    across = Axis("iteration", 0.0, 100.0, tuple(range(0, 101, 20)))
    up = Axis("score", -2.0, 2.0, (-2.0, -1.0, 0.0, 1.0, 2.0), has_grid=True)

    def draw(lap: int) -> None:
        x, y = numbers(n, lap)
        best, kept = np.maximum.accumulate(y), slice(None, None, every)
        records = np.flatnonzero(np.diff(best, prepend=-np.inf))
        marks = (
            Line(x[records], best[records], "#8A8A8A", is_step=True),
            Strokes(x[kept], y[kept] - 0.1, y[kept] + 0.1, "#0072B2"),
            Dots(x[kept], y[kept], "#0072B2", names=[f"condition {i}" for i in range(n)[kept]]),
        )
        shown.show(marks, across, up, caption="trajectory")

    return shown, draw


def our_map(n: int) -> tuple[Widget, Callable[[int], None]]:
    from cellos_nb.panels.grid.cell import Cell
    from cellos_nb.panels.grid.widget import GridPicture

    rows, columns = shape(n)
    grid = GridPicture()

    def draw(lap: int) -> None:
        values = cells(n, lap)
        grid.show(
            [str(i) for i in range(rows)],
            [str(j) for j in range(columns)],
            [
                Cell(f"{i}-{j}", i, j, f"rgb({int(255 * values[i, j])},90,120)", "", f"{values[i, j]:.3g}")
                for i in range(rows)
                for j in range(columns)
            ],
            caption="map",
        )

    return grid, draw


def plotly_line(n: int) -> tuple[Widget, Callable[[int], None]]:
    return _plotly(n, "lines")


def plotly_scatter(n: int) -> tuple[Widget, Callable[[int], None]]:
    return _plotly(n, "markers")


def _plotly(n: int, mode: str) -> tuple[Widget, Callable[[int], None]]:
    import plotly.graph_objects as go

    x, y = numbers(n, 0)
    figure = go.FigureWidget(go.Scatter(x=x, y=y, mode=mode), layout={"width": 700, "height": 400})

    def draw(lap: int) -> None:
        x, y = numbers(n, lap)
        with figure.batch_update():
            figure.data[0].x, figure.data[0].y = x, y

    return figure, draw


def plotly_trajectory(n: int) -> tuple[Widget, Callable[[int], None]]:
    import plotly.graph_objects as go

    x, y = numbers(n, 0)
    dots = go.Scatter(x=x, y=y, mode="markers", error_y={"type": "constant", "value": 0.1})
    best = go.Scatter(x=x, y=np.maximum.accumulate(y), mode="lines", line={"shape": "hv"})
    figure = go.FigureWidget([dots, best], layout={"width": 700, "height": 400})

    def draw(lap: int) -> None:
        x, y = numbers(n, lap)
        with figure.batch_update():
            figure.data[0].x, figure.data[0].y = x, y
            figure.data[1].x, figure.data[1].y = x, np.maximum.accumulate(y)

    return figure, draw


def plotly_map(n: int) -> tuple[Widget, Callable[[int], None]]:
    import plotly.graph_objects as go

    figure = go.FigureWidget(go.Heatmap(z=cells(n, 0)), layout={"width": 700, "height": 400})

    def draw(lap: int) -> None:
        figure.data[0].z = cells(n, lap)

    return figure, draw


def shape(n: int) -> tuple[int, int]:
    """16 × 24 as a plate, or about a square."""
    return (16, 24) if n == 384 else (round(n**0.5), round(n**0.5))


def cells(n: int, lap: int) -> np.ndarray:
    return np.random.default_rng(lap).random(shape(n))


MAKERS: dict[tuple[str, str], Callable[[int], tuple[Widget, Callable[[int], None]]]] = {
    ("ours", "line"): our_line,
    ("ours", "scatter"): our_scatter,
    ("ours", "trajectory"): our_trajectory,
    ("ours", "heat map"): our_map,
    ("plotly", "line"): plotly_line,
    ("plotly", "scatter"): plotly_scatter,
    ("plotly", "trajectory"): plotly_trajectory,
    ("plotly", "heat map"): plotly_map,
}
