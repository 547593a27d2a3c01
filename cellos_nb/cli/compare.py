"""The command that puts campaigns side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_table

if TYPE_CHECKING:
    from cellos_nb.panels.comparison.model import Compared


def compare(
    campaigns: Annotated[
        list[str] | None, typer.Argument(help="Campaigns with one question; all of the database when left out.")
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Put campaigns side by side: what each found, how soon, and for how much.

    The score at equal effort is the best after as many experiments as the shortest campaign made. The regret is how far
    that stayed below the true best, where a replayed screen knows it.
    """
    from cellos_nb.domain.comparing import check_same_question
    from cellos_nb.errors import InputError
    from cellos_nb.lab import Lab
    from cellos_nb.panels.comparison.model import read_campaigns

    with Lab.open(db, must_exist=True) as lab:
        names = list(dict.fromkeys(campaigns or [each.campaign_id for each in lab.campaigns()]))
        if len(names) < 2:
            raise InputError(f"{len(names)} campaign cannot be compared. Give at least two that `cellos list` shows.")
        read = read_campaigns(lab, names)
    check_same_question({each.campaign_id: each.config for each in read})
    effort = min(len(each.history) for each in read)
    print_table([_row(each, effort) for each in read], as_json=as_json, empty="")
    if not as_json:
        typer.echo(f"\nEqual effort: {effort} experiments.")


def _row(campaign: Compared, effort: int) -> dict[str, Any]:
    from cellos_nb.domain.objective import best_condition
    from cellos_nb.units import format_dose

    best = best_condition(campaign.scores)
    at_effort, regret = _at(campaign, effort)
    return {
        "campaign": campaign.campaign_id,
        "planner": campaign.config.planner.kind,
        "seed": campaign.config.seed,
        "experiments": len(campaign.history),
        "passed_qc": len(campaign.history.learnable),
        "cost_usd": sum(result.cost_usd for result in campaign.history),
        "best": None if best is None else f"{best.compound} {format_dose(best.dose_um)} on {best.cell_line}",
        "score": None if best is None else best.score.value,
        "found_in_iteration": None if best is None else best.iteration,
        "score_at_equal_effort": at_effort,
        "regret_at_equal_effort": regret,
    }


def _at(campaign: Compared, effort: int) -> tuple[float | None, float | None]:
    """Best score and regret after the iterations that made no more than `effort` experiments; None while unknown."""
    import numpy as np

    from cellos_nb.panels.comparison.model import progress

    done = progress(campaign, "experiments")
    within = np.flatnonzero(done.x <= effort)
    if not len(within):
        return None, None
    last = int(within[-1])
    return _known(done.best[last]), None if done.regret is None else _known(done.regret[last])


def _known(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124 - NaN is not itself
