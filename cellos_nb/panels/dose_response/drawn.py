"""The words and static figures of the dose-response panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from cellos_nb.panels.dose_response.model import LineCurves, value_range
from cellos_nb.panels.dose_response.surface import WORDS, Surface
from cellos_nb.panels.static import new_figure, over_doses
from cellos_nb.panels.text import esc, join, markup, table
from cellos_nb.panels.theme import GREY, SEQUENTIAL, series_colour

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SHAPES = ("●", "■", "▲", "◆", "✚", "▼")
"""The chart's markers, in its order."""
_MATPLOTLIB = "os^DPv"


def key_html(lines: tuple[LineCurves, ...], n_iterations: int, *, has_model: bool) -> Markup:
    """Which colour and shape is which cell line, and how iterations are coloured."""
    shape = '<span class="cellos-key"><b style="color:{}">{}</b>{}</span>'
    names = join(
        markup(shape, series_colour(i), _SHAPES[i % len(_SHAPES)], line.cell_line) for i, line in enumerate(lines)
    )
    model = "dashed: what the model expects, ± 1 sd" if has_model else ""
    scale = gradient_html("iteration 1", str(max(n_iterations, 2)))
    return markup('<div>{}{}<span class="cellos-quiet">{}</span></div>', names, scale, model)


def gradient_html(low: str, high: str) -> Markup:
    """The sequential colours between two ends."""
    bar = markup('<i class="cellos-gradient" style="background:linear-gradient(90deg,{})"></i>', ",".join(SEQUENTIAL))
    return markup('<span class="cellos-key">{}{}{}</span>', low, bar, high)


_COLUMNS = ("cell line", "experiments", "curve", "EC50 (95 % interval)")


def _curve_rows(lines: tuple[LineCurves, ...]) -> list[tuple[object, ...]]:
    return [(line.cell_line, line.points.value.size, line.verdict, line.ec50) for line in lines]


def curves_table(lines: tuple[LineCurves, ...]) -> pd.DataFrame:
    """One row for each cell line."""
    import pandas as pd

    return pd.DataFrame(_curve_rows(lines), columns=list(_COLUMNS))


def curves_html(lines: tuple[LineCurves, ...]) -> Markup:
    """The fits in words, and what the chart leaves out."""
    n_hidden = sum(line.n_hidden for line in lines)
    hidden = f"{n_hidden:,} earlier experiments are fitted but not drawn." if n_hidden else ""
    return markup('{}<p class="cellos-quiet">{}</p>', table(_COLUMNS, _curve_rows(lines)), hidden)


def scale_html(over: Surface) -> Markup:
    """The surface's colours, and what it leaves out."""
    hidden = f"{over.n_hidden} compounds with fewer experiments are not shown. " if over.n_hidden else ""
    what = f"{hidden}Dashed: not measured. Click a row for its curves." if over.kind == "measured" else hidden
    if over.low is None or over.high is None:
        return markup('<p class="cellos-quiet">{}</p>', "Nothing was measured yet.")
    is_even = over.low == over.high
    scale = esc(f"{over.low:.3g} everywhere, ") if is_even else gradient_html(f"{over.low:.3g}", f"{over.high:.3g}")
    return markup('<div>{}{} <span class="cellos-quiet">{}</span></div>', scale, WORDS[over.kind] + ".", what)


def curves_figure(compound: str, lines: tuple[LineCurves, ...], label: str) -> Figure:
    """The same curves on paper."""
    figure = new_figure()
    axes = figure.add_subplot()
    for index, line in enumerate(lines):
        colour, points = series_colour(index), line.points
        x, bounds = 10.0**points.log10_dose, [points.value - points.low, points.high - points.value]
        spread = np.nan_to_num(np.maximum(bounds, 0.0))
        axes.errorbar(x, points.value, yerr=spread, fmt="none", ecolor=colour, lw=0.8, alpha=0.6)
        look: dict[str, Any] = {
            "c": points.iteration,
            "cmap": "cividis",
            "edgecolors": colour,
            "marker": _MATPLOTLIB[index % 6],
        }
        axes.scatter(x, points.value, s=26, label=line.cell_line.replace("$", r"\$"), zorder=3, **look)
        for curve, style, alpha in ((line.fit, "-", 0.22), (line.expected, "--", 0.1)):
            if curve is not None:
                axes.plot(10.0**curve.log10_dose, curve.value, style, color=colour, lw=1.5)
                axes.fill_between(10.0**curve.log10_dose, curve.low, curve.high, color=colour, alpha=alpha, lw=0)
    axes.axhline(1.0, color=GREY, lw=0.8, ls=":")
    over_doses(axes)
    axes.set(ylabel=label, ylim=value_range(lines))
    axes.set_title(f"{compound} (dashed: what the model expects)", fontsize=10, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def surface_figure(over: Surface) -> Figure:
    """The same surface on paper; what is not known stays grey."""
    figure = new_figure(7.2, 1.5 + 0.22 * len(over.compounds))
    axes = figure.add_subplot()
    axes.set(xlim=(-0.5, len(over.doses_um) - 0.5), ylim=(len(over.compounds) - 0.5, -0.5), xlabel="dose (µM)")
    axes.set_facecolor("#EEEEEE")
    for cell in over.cells:
        if cell.colour:
            axes.add_patch(_square(cell.column, cell.row, cell.colour))
    axes.set_xticks(range(len(over.doses_um)), over.column_names, fontsize=7, rotation=45)
    axes.set_yticks(range(len(over.compounds)), over.compounds, fontsize=7, parse_math=False)
    ends = "nothing yet" if over.low is None else f"dark {over.low:.3g}, light {over.high:.3g}"
    ends = f"{over.low:.3g} everywhere" if over.low is not None and over.low == over.high else ends
    axes.set_title(f"{over.cell_line}: {WORDS[over.kind]} ({ends})", fontsize=10, parse_math=False)
    return figure


def _square(column: int, row: int, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, facecolor=colour)
