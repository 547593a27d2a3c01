"""Recorded campaigns side by side: what each found, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellos_nb.colours import series_colour
from cellos_nb.domain.comparing import check_same_question
from cellos_nb.domain.objective import best_condition, score_conditions
from cellos_nb.errors import InputError
from cellos_nb.records.figures import legend, new_figure, score_label
from cellos_nb.records.folder import RecordedCampaign
from cellos_nb.units import format_dose

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_comparable(records: Sequence[RecordedCampaign]) -> None:
    """Refuses campaigns whose scores do not mean the same.

    Raises:
        InputError: fewer than two, one without a result, or another goal, target line or assay; names the campaign.
    """
    if len(records) < 2:
        raise InputError(f"records: {len(records)} campaign cannot be compared; give the folders of at least two.")
    for record in records:
        if not record.history.learnable:
            raise InputError(f"{record.run.campaign_id}: has no result that passed quality control; leave it out.")
    check_same_question({record.run.campaign_id: record.config for record in records})


def comparison_table(records: Sequence[RecordedCampaign]) -> pd.DataFrame:
    """One row for each campaign: how it asked, what it cost and what it found."""
    rows = []
    for record in records:
        summary, best = record.summary, record.summary.best
        rows.append({
            "campaign": record.run.campaign_id,
            "planner": record.config.planner.kind,
            "seed": str(record.run.seed),
            "experiments": str(summary.n_experiments),
            "passed QC": str(summary.n_learnable),
            "cost": f"{summary.cost_usd:,.2f} USD",
            "best": "none" if best is None else f"{best.compound} at {format_dose(best.dose_um)} on {best.cell_line}",
            "score": "–" if best is None else str(best.score),
        })  # fmt: skip
    return pd.DataFrame(rows)


def best_so_far(records: Sequence[RecordedCampaign]) -> Figure:
    """The best score after each experiment, one line for each campaign."""
    figure, axes = new_figure(7.2, 3.8)
    for index, record in enumerate(records):
        x, y = progress(record)
        axes.step(x, y, where="post", lw=1.8, color=series_colour(index), label=record.run.campaign_id)
    axes.set(xlabel="experiments", ylabel=score_label(records[0].config), title="Best so far")
    legend(axes)
    return figure


def progress(record: RecordedCampaign) -> tuple[np.ndarray, np.ndarray]:
    """Experiments made and best score after each iteration, each of shape (iterations,); NaN before there is one."""
    conditions = score_conditions(record.config, record.history)
    laps = record.history.iterations
    made = [sum(result.iteration <= lap for result in record.history) for lap in laps]
    best = [best_condition(each for each in conditions if each.iteration <= lap) for lap in laps]
    return np.array(made, dtype=float), np.array([np.nan if one is None else one.score.value for one in best])
