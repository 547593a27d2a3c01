"""The figures of a record: each takes frozen values and returns one matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cellos_nb.colours import GREY, SERIES, series_colour
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import Estimate, best_condition, score_conditions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTENTS = {"initial": GREY, "explore": SERIES[0], "exploit": SERIES[1]}


def score_label(config: CampaignConfig) -> str:
    """The name of what the campaign makes large, for an axis."""
    if config.objective.goal == "selectivity":
        return f"selectivity for {config.target_line}"
    sign = "−" if config.objective.goal == "minimise" else ""
    return f"{sign}{value_label(config)}"


def value_label(config: CampaignConfig) -> str:
    """The name of what is measured, for an axis."""
    names = {"viability": "viability", "reporter": "reporter signal", "imaging": "cell count"}
    return f"{names[config.assay.name]} (fraction of vehicle)"


def trajectory(config: CampaignConfig, history: History) -> Figure:
    """The score of every condition with its 95 % interval, by the iteration that completed it, and the best so far."""
    from matplotlib.ticker import MaxNLocator

    conditions = score_conditions(config, history)
    figure, axes = new_figure(7.2, 3.6)
    intents = {result.proposal.condition[:3]: _intent(result.proposal.reason) for result in history}
    for intent, colour in INTENTS.items():
        chosen = [c for c in conditions if intents[c.cell_line, c.compound, c.dose_um] == intent]
        if chosen:
            x = _spread([c.iteration for c in chosen])
            _points(axes, x, [c.score for c in chosen], colour=colour, label=intent)
    iterations = range(1, max((c.iteration for c in conditions), default=0) + 1)
    best = [best_condition(c for c in conditions if c.iteration <= iteration) for iteration in iterations]
    axes.step(
        iterations,
        [np.nan if condition is None else condition.score.value for condition in best],
        where="post",
        color="black",
        lw=1.8,
        label="best so far",
    )
    axes.set(xlabel="iteration", ylabel=score_label(config), title="What each iteration found")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes)
    return figure


def dose_response(config: CampaignConfig, history: History, compound: str) -> Figure:
    """Every measured dose of one compound, coloured by cell line, with a fitted curve where the data allow it."""
    from cellos_nb.analysis.fit import fit_dose_response

    figure, axes = new_figure(7.2, 3.8)
    for index, line in enumerate(config.cell_lines):
        results = [r for r in history.learnable if r.proposal.compound == compound and r.proposal.cell_line == line]
        if not results:
            continue
        colour = series_colour(index)
        doses = np.array([r.proposal.dose_um for r in results])
        estimates = [Estimate(r.measurement or 0.0, r.standard_error, r.degrees_of_freedom) for r in results]
        _points(axes, doses, estimates, colour=colour, label=line)
        wells = [(r.proposal.dose_um, w.value) for r in results for w in r.wells if w.value is not None]
        if len({dose for dose, _ in wells}) < 5 or len(wells) < 8:
            continue
        fit = fit_dose_response(np.array([dose for dose, _ in wells]), np.array([value for _, value in wells]))
        if fit.verdict == "flat":
            continue
        x = np.geomspace(doses.min(), doses.max(), 200)
        axes.plot(x, fit.lower + (fit.upper - fit.lower) / (1 + (x / fit.ec50) ** fit.hill), color=colour, lw=1.4)
    axes.axhline(1.0, color=GREY, lw=0.8, ls=":")
    axes.set(xscale="log", xlabel="dose (µM)", ylabel=value_label(config), title=f"{compound}: what was measured")
    legend(axes)
    return figure


def overview(config: CampaignConfig, history: History) -> Figure:
    """Where the experiments went: compounds against doses for one line, coloured by the mean measurement.

    The line is that of the best condition. Compounds that were asked on it stand in the order of their lowest value.
    """
    line = _best_line(config, history)
    doses = sorted({dose for name in config.compound_names for dose in config.doses_um(name)})
    measured: dict[str, dict[float, list[float]]] = {}
    for result in history.learnable:
        proposal = result.proposal
        if proposal.cell_line == line and result.measurement is not None:
            measured.setdefault(proposal.compound, {}).setdefault(proposal.dose_um, []).append(result.measurement)
    means = {name: {dose: float(np.mean(values)) for dose, values in at.items()} for name, at in measured.items()}
    names = sorted(means, key=lambda name: min(means[name].values()))
    grid = np.array([[means[name].get(dose, np.nan) for dose in doses] for name in names]).reshape(-1, len(doses))
    figure, axes = new_figure(7.2, 1.6 + 0.17 * len(names))
    axes.set_facecolor("#EEEEEE")
    image = axes.imshow(grid, aspect="auto", cmap="cividis", vmin=0, vmax=max(1.2, np.nanmax(grid, initial=0.0)))
    not_asked = len(config.compounds) - len(names)
    axes.set(title=f"{line}: what was asked (grey: not; {not_asked} compounds not at all)", xlabel="dose (µM)")
    axes.set_xticks(range(len(doses)), [f"{dose:.3g}" for dose in doses], rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.grid(visible=False)
    figure.colorbar(image, ax=axes, label=value_label(config), fraction=0.05, pad=0.02)
    return figure


def _best_line(config: CampaignConfig, history: History) -> str:
    best = best_condition(score_conditions(config, history))
    return best.cell_line if best else config.target_line


def _intent(reason: Any) -> str:
    return reason.intent if reason else "initial"


def new_figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    """A figure of this size in inches with one pair of axes, in the style of a record."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width_in, height_in), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#E3E3E3", lw=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _points(axes: Axes, x: Any, estimates: list[Estimate], *, colour: str, label: str) -> None:
    """Values with their 95 % intervals; a value without an interval stands alone."""
    values = np.array([estimate.value for estimate in estimates])
    bounds = [estimate.interval or (estimate.value, estimate.value) for estimate in estimates]
    down = values - np.array([low for low, _ in bounds])
    up = np.array([high for _, high in bounds]) - values
    axes.errorbar(x, values, yerr=np.array([down, up]), fmt="o", ms=4, lw=0.9, color=colour, label=label, alpha=0.85)


def _spread(iterations: list[int]) -> np.ndarray:
    """Iterations with the points of one iteration side by side instead of on top of one another."""
    x = np.array(iterations, dtype=float)
    for iteration in set(iterations):
        here = np.flatnonzero(x == iteration)
        x[here] += np.linspace(-0.28, 0.28, len(here)) if len(here) > 1 else 0.0
    return x


def legend(axes: Axes) -> None:
    """Names what is drawn, to the right of the axes, if anything has a name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
