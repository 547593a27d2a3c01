"""The main job, end to end, on real measurements."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import Database, Records
from cellos_nb.cli.tables import print_facts


def demo(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same history, byte for byte.")] = 0,
    question: Annotated[
        str, typer.Option("--question", help="`selectivity`, `potency`, or `both`, one after the other.")
    ] = "both",
    records: Records = Path("records"),
    db: Database = None,
) -> None:
    """Run campaigns on a real screen; write records.

    Two closed-loop campaigns on measured viabilities, with the record of each.
    """
    from cellos_nb.cli.progress import IterationBars
    from cellos_nb.lab import Lab
    from cellos_nb.records.examples import QUESTIONS, example_config
    from cellos_nb.records.record import NOTEBOOK, PAGE, write_record

    started = time.perf_counter()
    configs = [example_config(each, seed=seed) for each in (QUESTIONS if question == "both" else (question,))]
    with Lab.open(db) as lab:
        for config in configs:
            typer.echo(f"{config.name}, on the measurements of Lee et al. 2023 (doi:10.1038/s44320-023-00004-7)")
            with IterationBars(config.max_iterations) as bars:
                campaign = lab.run(config, on_event=bars)
            print_facts(campaign.summary().rows())
            typer.echo("writing the record …")
            folder = write_record(lab, campaign.campaign_id, records)
            print_facts(
                (
                    ("page", str(folder / PAGE)),
                    ("notebook", str(folder / NOTEBOOK)),
                    ("data", str(folder / "history.csv")),
                )
            )
            typer.echo("")
    typer.echo(
        f"Done in {time.perf_counter() - started:.1f} s. Next: open the page in a browser, `cellos list`, "
        "or a campaign of your own: `cellos run CAMPAIGN.yaml`."
    )
