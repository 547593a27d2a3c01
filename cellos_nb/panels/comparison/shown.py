"""What the comparison shows: one frozen value, and its words, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from markupsafe import Markup

from cellos_nb.domain.objective import Estimate, ScoredCondition, best_condition
from cellos_nb.panels.comparison.front import Front, Objective
from cellos_nb.panels.comparison.model import ABSCISSAS, Abscissa, Boxes, Compared, Grouping, Progress, summary
from cellos_nb.panels.static import StaticFigure, StaticForm, StaticTable, new_figure, static_figure
from cellos_nb.panels.text import join, markup, rows_table
from cellos_nb.panels.theme import GREY, series_colour
from cellos_nb.records.figures import score_label, value_label
from cellos_nb.units import format_dose

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["best so far", "regret"]
Selected = tuple[str, str, str, float]
"""Campaign, cell line, compound and dose in µM."""


@dataclass(frozen=True, slots=True)
class ComparisonChoice:
    """What is compared, and how."""

    campaign_ids: tuple[str, ...]
    by: Grouping = "compound"
    abscissa: Abscissa = "experiments"
    measure: Measure = "best so far"
    x_key: str = ""
    """The objective across; the first that is answered when empty."""
    y_key: str = ""
    """The objective up; the second that is answered when empty."""
    selected: Selected | None = None
    """A condition on the Pareto plane."""


@dataclass(frozen=True, slots=True)
class ComparisonShown:
    """Everything the panel draws."""

    choice: ComparisonChoice
    known: tuple[str, ...]
    """All campaigns of the database, newest first."""
    campaigns: tuple[Compared, ...]
    boxes: Boxes
    progress: tuple[Progress, ...]
    objectives: tuple[Objective, ...]
    """Those that something measured answers."""
    front: Front | None
    """None when fewer than two objectives are answered."""
    selected: int | None
    """Number of the selected condition on the front's plane."""

    @property
    def colours(self) -> dict[str, str]:
        """Of each campaign."""
        return {one.campaign_id: series_colour(i) for i, one in enumerate(self.campaigns)}

    @property
    def value_label(self) -> str:
        """What is measured, for an axis."""
        return _common([value_label(one.config) for one in self.campaigns], "measurement")

    @property
    def progress_labels(self) -> tuple[str, str]:
        """What the progress is drawn over, and what of it."""
        score = _common([score_label(one.config) for one in self.campaigns], "score (larger is better)")
        up = "regret (true score lost)" if self.choice.measure == "regret" else f"best: {score}"
        return ABSCISSAS[self.choice.abscissa], up


def key(shown: ComparisonShown) -> Markup:
    """Which colour is which campaign, and what was left out of the figures."""
    names = join(
        markup(
            '<span class="cellos-key"><i style="background:{}"></i>{} ({})</span>',
            *(shown.colours[one.campaign_id], one.campaign_id, one.config.name),
        )
        for one in shown.campaigns
    )
    return markup("<div>{}</div>{}", names, join(markup('<p class="cellos-quiet">{}</p>', n) for n in notes(shown)))


def notes(shown: ComparisonShown) -> tuple[str, ...]:
    """What a person should know of the figures: whatever they leave out."""
    found = [f"{one.campaign_id}: its truth cannot be read: {one.truth_problem}" for one in shown.campaigns
             if one.truth_problem]  # fmt: skip
    found += [
        f"{lap.campaign_id}: dots and intervals of every {lap.step} iterations are drawn; its line has all."
        for lap in shown.progress
        if lap.step > 1
    ]
    if shown.boxes.n_left_out:
        found.append(
            f"Box plots: the {len(shown.boxes.groups)} groups with the lowest medians; {shown.boxes.n_left_out} more "
            "are not shown."
        )
    if shown.choice.measure == "regret":
        unknown = [one.campaign_id for one in shown.campaigns if one.truth is None]
        if unknown:
            found.append(f"Regret: nobody knows the true answer of {', '.join(unknown)}.")
    if shown.front is not None and shown.front.n_left_out:
        found.append(f"Pareto: {shown.front.n_left_out} dominated conditions are not drawn.")
    if shown.front is not None and shown.front.n_unanswered:
        found.append(f"Pareto: {shown.front.n_unanswered} conditions do not answer both objectives.")
    return tuple(found)


def detail(shown: ComparisonShown) -> Markup:
    """The selected condition, with every line that was measured at it."""
    if shown.front is None or shown.selected is None:
        return markup('<p class="cellos-quiet">{}</p>', "Choose a condition in the list, or click one in the figure.")
    campaign_id, condition = shown.front.conditions[shown.selected]
    lines: list[tuple[str, Estimate]] = [(condition.cell_line, condition.measurement), *condition.others]
    rows = [
        ("campaign", campaign_id),
        ("condition", f"{condition.compound} at {format_dose(condition.dose_um)}"),
        *((line, str(estimate)) for line, estimate in lines),
        ("score", str(condition.score)),
        ("complete in iteration", str(condition.iteration)),
        ("standing", "on the front" if shown.front.is_front[shown.selected] else "dominated"),
    ]
    return rows_table(rows)


def static_form(title: str, shown: ComparisonShown) -> StaticForm:
    """The panel without widgets."""
    figures = [_progress_picture(shown), _front_picture(shown), _box_picture(shown)]
    tables = [StaticTable("best of each campaign", _best_frame(shown.campaigns))]
    if shown.front is not None:
        tables.append(StaticTable("Pareto front", _front_frame(shown.front)))
    words = " ".join((summary(shown.campaigns), *notes(shown)))
    return StaticForm(title, words, figures=tuple(one for one in figures if one is not None), tables=tuple(tables))


def _common(labels: Sequence[str], otherwise: str) -> str:
    return labels[0] if len(set(labels)) == 1 else otherwise


def _best_frame(campaigns: Sequence[Compared]) -> pd.DataFrame:
    import pandas as pd

    best = [(one.campaign_id, best_condition(one.scores)) for one in campaigns]
    rows = [(name, "none yet" if found is None else str(found), _score(found)) for name, found in best]
    return pd.DataFrame(rows, columns=["campaign", "best condition", "score"])


def _score(found: ScoredCondition | None) -> float:
    return float("nan") if found is None else found.score.value


def _front_frame(front: Front) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (
            front.conditions[i][0],
            front.conditions[i][1].compound,
            front.conditions[i][1].dose_um,
            front.x[i],
            front.y[i],
        )
        for i in np.flatnonzero(front.is_front).tolist()
    ]
    return pd.DataFrame(rows, columns=["campaign", "compound", "dose (µM)", front.x_label, front.y_label])


def _progress_picture(shown: ComparisonShown) -> StaticFigure | None:
    is_regret = shown.choice.measure == "regret"
    laps = [(lap, lap.regret if is_regret else lap.best) for lap in shown.progress]
    figure = new_figure()
    axes = figure.subplots()
    for lap, values in laps:
        if values is not None and len(values):
            axes.step(lap.x, values, where="post", color=shown.colours[lap.campaign_id], label=lap.campaign_id)
            if not is_regret:
                axes.vlines(lap.x, lap.low, lap.high, color=shown.colours[lap.campaign_id], lw=0.8)
    if not axes.lines:
        return None
    axes.set(xlabel=shown.progress_labels[0], ylabel=shown.progress_labels[1])
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return static_figure(figure, f"{shown.choice.measure} of each campaign. {summary(shown.campaigns)}")


def _front_picture(shown: ComparisonShown) -> StaticFigure | None:
    front = shown.front
    if front is None or not len(front.x):
        return None
    figure = new_figure()
    axes = figure.subplots()
    paint = np.array([shown.colours[name] for name, _ in front.conditions])
    rest, chosen = np.flatnonzero(~front.is_front), np.flatnonzero(front.is_front)
    chosen = chosen[np.argsort(front.x[chosen])]
    axes.scatter(front.x[rest], front.y[rest], c=paint[rest].tolist(), s=14, alpha=0.4)
    axes.plot(front.x[chosen], front.y[chosen], color=GREY, lw=1.2)
    axes.scatter(front.x[chosen], front.y[chosen], c=paint[chosen].tolist(), s=44, marker="D")
    axes.set(xlabel=front.x_label, ylabel=front.y_label)
    return static_figure(figure, f"Pareto front of {front.x_label} and {front.y_label}: {len(chosen)} conditions")


def _box_picture(shown: ComparisonShown) -> StaticFigure | None:
    groups = shown.boxes.groups
    if not groups:
        return None
    figure = new_figure(7.2, 1.2 + 0.28 * len(groups))
    axes = figure.subplots()
    names = list(shown.colours)
    width = 0.8 / len(names)
    for box in shown.boxes.boxes:
        q1, median, q3 = box.quartiles
        stats = {"q1": q1, "med": median, "q3": q3, "whislo": box.low, "whishi": box.high, "fliers": list(box.outliers)}
        at = groups.index(box.group) + (names.index(box.campaign_id) - (len(names) - 1) / 2) * width
        line = {"color": shown.colours[box.campaign_id]}
        axes.bxp(
            [stats], positions=[at], widths=0.84 * width, orientation="horizontal", manage_ticks=False,
            boxprops=line, medianprops=line | {"lw": 2}, whiskerprops=line, capprops={"lw": 0},
            flierprops={"marker": ".", "markersize": 3, "markeredgecolor": line["color"]},
        )  # fmt: skip
    axes.axvline(1.0, color=GREY, lw=0.8, ls=":")
    axes.set_yticks(range(len(groups)), [name.replace("$", r"\$") for name in groups])
    axes.invert_yaxis()
    axes.set_xlabel(shown.value_label)
    return static_figure(figure, f"box plots by {shown.choice.by.replace('_', ' ')}: {', '.join(groups)}")
