"""The command that replays a finished history against other planners."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson, Database
from cellos_nb.cli.tables import print_facts, print_json, print_table

if TYPE_CHECKING:
    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.domain.history import History
    from cellos_nb.planner.calibration import Calibration


def scoreboard(  # noqa: PLR0917 - typer's parameters are options, given by name
    history: Annotated[
        str, typer.Argument(help="A campaign, or a CSV of `cellos export --csv`.", metavar="CAMPAIGN|HISTORY.csv")
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="The campaign's YAML, for a CSV.", show_default=False)
    ] = None,
    planners: Annotated[
        list[str] | None,
        typer.Option(
            "--planner",
            help="A planner to replay, as in random, grid, botorch or mechanistic/ei; repeat for more. "
            "Default: a selection of those here.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Replays of each planner.")] = 5,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Replay a finished history: who would have found its best sooner?

    Every planner may ask for the conditions that were measured. Then: did the model's intervals hold what they said?
    """
    from cellos_nb.planner.scoreboard import DEFAULT_CONTESTANTS, scoreboard

    campaign, results = _read(history, config, db)

    def say(name: str) -> None:
        if not as_json:
            typer.echo(f"replaying {name} …", err=True)

    board = scoreboard(campaign, results, tuple(planners or DEFAULT_CONTESTANTS), seeds, say)
    if as_json:
        print_json(asdict(board))
        return
    typer.echo(
        f"{campaign.name}: {board.n_experiments} experiments replayed; regret is 0 at the best and 1 at the median"
    )
    print_table([asdict(line) for line in board.lines], as_json=False, empty="")
    typer.echo("\nforetold from the iterations before")
    print_facts((("mechanistic model", _words(board.model)), ("mean and spread", _words(board.constant))))
    if board.model.is_overconfident:
        typer.echo(
            "\nThe model is overconfident: its intervals hold fewer measurements than they say. Look for outliers or "
            "drift, or give the planner `noise: heavy_tailed`."
        )


def _read(history: str, config: Path | None, db: str | None) -> tuple[CampaignConfig, History]:
    from cellos_nb.domain.campaign import CampaignConfig
    from cellos_nb.errors import InputError
    from cellos_nb.lab import Lab
    from cellos_nb.records.folder import read_csv

    if not history.endswith(".csv"):
        if config is not None:
            raise InputError("--config belongs to a CSV; a campaign has its own configuration.")
        with Lab.open(db, must_exist=True) as lab:
            campaign = lab.campaign(history)
            return campaign.config, campaign.results
    if config is None:
        raise InputError(f"{history}: give the campaign's YAML with --config; a CSV does not say what could be asked.")
    return CampaignConfig.from_yaml(config), read_csv(Path(history))


def _words(known: Calibration) -> str:
    if not known.n:
        return "nothing was foretold: one iteration alone"
    return (
        f"{known.verdict}: {known.coverage_50:.0%} inside the 50 % intervals, {known.coverage_95:.0%} inside the 95 % "
        f"ones, mean log score {known.log_score:.3g}, {known.n} measurements"
    )
