"""Commands that ask a language model for drafts, where one is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import AsJson, CampaignId, Database

app = typer.Typer(
    help="Draft a campaign or a summary by a language model, where one is configured; never needed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def draft(
    question: Annotated[str, typer.Argument(help="What you want to know, in words.", metavar="QUESTION")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the YAML here; standard output when left out.", show_default=False),
    ] = None,
) -> None:
    """Draft a campaign's YAML from a question. Nothing is run; read it, then `cellos plan` it.

    The service is told the question and which settings exist. It is named by CELLOS_ASSISTANT_URL,
    CELLOS_ASSISTANT_MODEL and CELLOS_ASSISTANT_KEY.
    """
    from cellos_nb.errors import InputError
    from cellos_nb.planner.assistant import Assistant, draft_campaign

    if out is not None and out.exists():
        raise InputError(f"{out} exists already; give --out a new name.")
    config = draft_campaign(question, Assistant.from_environment())
    text = f"# Drafted by a language model from: {' '.join(question.split())}\n# Read every line before you run it.\n"
    text += config.to_yaml()
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {out}; `cellos plan {out}` shows what it needs", err=True)


@app.command()
def summary(campaign: CampaignId, db: Database = None, as_json: AsJson = False) -> None:
    """Draft a paragraph on what a campaign found, beside its numbers.

    The service is told the campaign's summary and its ten best conditions.
    """
    from cellos_nb.cli.tables import print_facts, print_json
    from cellos_nb.lab import Lab
    from cellos_nb.planner.assistant import Assistant, draft_summary

    assistant = Assistant.from_environment()
    with Lab.open(db, must_exist=True) as lab:
        asked = lab.campaign(campaign)
        results = asked.results
        numbers = asked.summary(results)
    words = draft_summary(asked.config, results, numbers, assistant)
    if as_json:
        print_json({"campaign": campaign, "model": assistant.model, "draft": words})
        return
    print_facts(numbers.rows())
    typer.echo(f"\nDrafted by {assistant.model}; check it against the numbers above:\n\n{words}")
