"""The words, tables and static figure of the live campaign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from cellos_nb.domain.objective import ScoredCondition
from cellos_nb.domain.proposal import Intent
from cellos_nb.domain.summary import CampaignSummary
from cellos_nb.execution.queue import JobStatus
from cellos_nb.panels.chart.marks import Shape
from cellos_nb.panels.html import cards
from cellos_nb.panels.live.model import LiveShown, PlateProgress
from cellos_nb.panels.live.trajectory import Trajectory
from cellos_nb.panels.static import StaticForm, StaticTable, new_figure, static_figure
from cellos_nb.panels.text import join, markup, table
from cellos_nb.panels.theme import GREY, SERIES
from cellos_nb.units import counted, format_dose, format_duration

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Look:
    """How conditions of one intent are drawn."""

    colour: str
    shape: Shape
    sign: str
    """The same in a text."""
    on_paper: str
    """The same in matplotlib."""
    said: str


LOOKS: dict[Intent, Look] = {
    "initial": Look(GREY, "square", "■", "s", "before there was a model"),
    "explore": Look(SERIES[0], "circle", "●", "o", "explore: uncertain"),
    "exploit": Look(SERIES[1], "diamond", "◆", "D", "exploit: expected to be good"),
}
STATES: dict[JobStatus, str] = {
    JobStatus.QUEUED: "waits",
    JobStatus.CLAIMED: "begins",
    JobStatus.RUNNING: "runs",
    JobStatus.CANCELLING: "ends",
    JobStatus.SUCCEEDED: "done",
    JobStatus.CANCELLED: "cancelled",
    JobStatus.DEAD_LETTER: "given up",
    JobStatus.IN_DOUBT: "in doubt: decide in the Autonomy panel",
    JobStatus.PAUSED: "waits for an approval",
}


def who(shown: LiveShown) -> str:
    """Who executes the campaign, or why nobody does."""
    held = [f"All work of this database is {f.name} by {f.set_by}{_because(f.reason)}." for f in shown.flags]
    holder = shown.holder
    if held:
        return " ".join(held)
    if shown.summary.status == "queued" and holder is None:
        return "It waits for the daemon; start `cellos daemon`."
    if holder is None or shown.summary.status not in {"running", "queued"}:
        return ""
    return f"Executed by process {holder.pid} on {holder.host}."


def summary(shown: LiveShown) -> str:
    """The campaign in two or three sentences."""
    said = shown.summary
    state = f"{said.status} ({said.stop_reason})" if said.stop_reason else said.status
    best = "Nothing was found yet." if said.best is None else f"Best: {said.best}."
    done = f"{counted(said.n_iterations, 'iteration')} and {counted(said.n_experiments, 'experiment')} done"
    return " ".join(filter(None, (f"{said.question} {state}: {done}.", best, who(shown))))


def numbers(shown: LiveShown) -> list[tuple[str, str]]:
    """Name and value of each card."""
    said, config = shown.summary, shown.config
    spent = f"{said.cost_usd:,.0f} USD"
    if config.budget_usd is not None:
        spent = f"{said.cost_usd:,.0f} of {config.budget_usd:,.0f} USD ({said.cost_usd / config.budget_usd:.0%})"
    return [
        ("status", said.status),
        ("iterations", f"{said.n_iterations} of {config.max_iterations}"),
        (f"experiments, {said.n_learnable} passed QC", f"{said.n_experiments:,}"),
        ("duration of the iterations", format_duration(said.duration_s)),
        ("throughput", rate(said)),
        ("spent" if config.budget_usd is None else "spent of the budget", spent),
    ]


def rate(said: CampaignSummary) -> str:
    """Experiments in a time that gives a number above one."""
    per_s = said.experiments_per_s
    for unit, seconds in (("s", 1.0), ("min", 60.0), ("h", 3600.0)):
        if per_s * seconds >= 1.0:
            return f"{per_s * seconds:.3g} per {unit}"
    return f"{per_s * 86400.0:.3g} per day" if per_s > 0 else "–"


def numbers_html(shown: LiveShown) -> Markup:
    """The cards."""
    return cards(list(numbers(shown)))


def best_html(best: ScoredCondition | None) -> Markup:
    """The best result with its interval."""
    if best is None:
        return markup('<div class="cellos-card cellos-best"><b>none yet</b><span>best result</span></div>')
    spared = "".join(f"; {line} {estimate.value:.3f}" for line, estimate in best.others)
    score = f"selectivity {best.score}" if best.others else ""
    return markup(
        '<div class="cellos-card cellos-best"><span>best result, iteration {}</span><b>{} at {}</b>'
        "<span>{}: {} of vehicle{}</span><br><span>{}</span></div>",
        *(best.iteration, best.compound, format_dose(best.dose_um), best.cell_line, best.measurement, spared, score),
    )


def key_html(found: Trajectory) -> Markup:
    """Which shape and colour is which intent, and what is not drawn."""
    keys = join(
        markup('<span class="cellos-key"><b style="color:{}">{}</b>{}</span>', look.colour, look.sign, look.said)
        for look in LOOKS.values()
    )
    line = markup('<span class="cellos-key"><b style="color:{}">━</b>best so far</span>', GREY)
    left = found.n_conditions - found.n_drawn
    hidden = f"{left:,} of {found.n_conditions:,} conditions are not drawn; none that was the best. " if left else ""
    better = "Lower is better." if found.is_lower_better else "Higher is better."
    words = f"{hidden}{better} Strokes are 95 % intervals."
    return markup('<div>{}{}<span class="cellos-quiet">{}</span></div>', keys, line, words)


_COLUMNS = ("plate", "iteration", "state", "steps done", "step", "note")


def plates_html(shown: LiveShown) -> Markup:
    """How far each plate is."""
    if not shown.plates:
        return markup('<p class="cellos-quiet">{}</p>', "No plate was submitted yet.")
    rows = ((p.name, p.iteration, STATES[p.status], _bar(p), p.current, p.error) for p in shown.plates)
    more = f"{shown.n_more_plates:,} more plates are not shown." if shown.n_more_plates else ""
    held = markup('<div class="cellos-scroll">{}</div>', table(_COLUMNS, rows))
    return markup('{}<p class="cellos-quiet">{}</p>', held, more)


def _bar(plate: PlateProgress) -> Markup:
    return markup(
        '<progress max="{}" value="{}" aria-label="{}"></progress> {} of {}',
        *(plate.n_steps, plate.n_done, f"steps of {plate.plate_id}", plate.n_done, plate.n_steps),
    )


def static_form(title: str, shown: LiveShown) -> StaticForm:
    """Numbers and plates as tables, the trajectory as a figure."""
    import pandas as pd

    said = summary(shown)
    rows = [
        (p.name, p.iteration, STATES[p.status], f"{p.n_done} of {p.n_steps}", p.current, p.error) for p in shown.plates
    ]
    held = pd.DataFrame([(name, value) for name, value in numbers(shown)], columns=["what", "value"])
    figure = static_figure(_picture(shown.found), f"What each iteration found. {said}")
    plates = pd.DataFrame(rows, columns=list(_COLUMNS))
    return StaticForm(title, said, (figure,), (StaticTable("summary", held), StaticTable("plates", plates)))


def _picture(found: Trajectory) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure = new_figure()
    axes = figure.add_subplot()
    for intent, look in LOOKS.items():
        here = found.of(intent)
        if not len(here):
            continue
        x, y = found.x[here], found.value[here]
        spread = np.nan_to_num(np.maximum([y - found.low[here], found.high[here] - y], 0.0))
        axes.errorbar(x, y, yerr=spread, fmt="none", ecolor=look.colour, lw=0.8, alpha=0.5)
        axes.scatter(x, y, s=22, color=look.colour, marker=look.on_paper, label=look.said, zorder=3)
    axes.step(found.best_x, found.best, where="post", color=GREY, lw=1.8, label="best so far")
    axes.set(xlabel="iteration")
    axes.set_ylabel(found.label, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)
    return figure


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
