"""A scoreboard of planners as tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cellos_nb.colours import SERIES
from cellos_nb.errors import ConfigError
from cellos_nb.planner.calibration import Calibration
from cellos_nb.planner.scoreboard import CAMPAIGN, Scoreboard
from cellos_nb.records.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_contest(planners: Sequence[object], n_seeds: int) -> None:
    """Refuses a contest without contestants or without replays.

    Raises:
        ConfigError: there are no planners, one is no text or stands there twice, or `n_seeds` is below 1.
    """
    if not planners or not all(isinstance(name, str) for name in planners):
        raise ConfigError(f"planners: {list(planners)!r}; give names such as random, grid or mechanistic/entropy.")
    if len(set(planners)) < len(planners):
        raise ConfigError(f"planners: {', '.join(map(str, planners))}; give each of them once.")
    if n_seeds < 1:
        raise ConfigError(f"n_seeds: {n_seeds}; give 1 or more.")


def score_table(board: Scoreboard) -> pd.DataFrame:
    """One row for each planner, best first."""
    return pd.DataFrame([
        {
            "planner": line.planner,
            "replays": str(line.n_seeds),
            "regret after a quarter": f"{line.regret_25:.2f}",
            "after half": f"{line.regret_50:.2f}",
            "mean regret": f"{line.mean_regret:.3f}",
            f"experiments until the best (of {board.n_experiments})": f"{line.n_to_best:.0f}",
        }
        for line in board.lines
    ])  # fmt: skip


def regret_figure(board: Scoreboard) -> Figure:
    """Mean regret as bars, the campaign itself in another colour."""
    figure, axes = new_figure(7.2, 0.6 + 0.4 * len(board.lines))
    lines = board.lines[::-1]
    colours = [SERIES[1] if line.planner == CAMPAIGN else SERIES[0] for line in lines]
    bars = axes.barh([line.planner for line in lines], [line.mean_regret for line in lines], color=colours)
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.margins(x=0.12)
    axes.set(xlabel="mean regret over the replay (0 is the best)", title="Who would have been sooner")
    return figure


def calibration_table(board: Scoreboard) -> pd.DataFrame:
    """How the predictions of the campaign's model came true, beside foretelling mean and spread."""
    rows = {"the campaign's model": board.model, "mean and spread": board.constant}
    return pd.DataFrame([
        {
            "foretold by": name,
            "measurements": str(known.n),
            "inside the 50 % intervals": _share(known, known.coverage_50),
            "inside the 95 % intervals": _share(known, known.coverage_95),
            "mean log score": f"{known.log_score:.2f}" if known.n else "–",
            "verdict": known.verdict,
        }
        for name, known in rows.items()
    ])  # fmt: skip


def warnings(board: Scoreboard) -> list[str]:
    """What a reader must know before the model is trusted; empty when there is nothing."""
    found = []
    if board.model.is_overconfident:
        found.append(
            "The model is overconfident: its intervals hold fewer measurements than they say. Look for outliers or "
            "drift, or give the planner `noise: heavy_tailed`."
        )
    if board.model.n and board.model.log_score < board.constant.log_score:
        found.append(
            "The model foretold less well than mean and spread of what was known. Look whether its curves fit "
            "(template `dose_response_report`) before it plans again."
        )
    return found


def _share(known: Calibration, share: float) -> str:
    return f"{share:.0%}" if known.n else "–"
