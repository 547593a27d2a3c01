"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Database = Annotated[
    str | None,
    typer.Option(
        "--db", help="Database file or URL. Default: CELLOS_DATABASE_URL, or lab.db here.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CampaignId = Annotated[str, typer.Argument(help="The campaign, as `cellos list` names it.", metavar="CAMPAIGN")]
ConfigFile = Annotated[Path, typer.Argument(help="The campaign's YAML file.", metavar="CAMPAIGN.yaml")]
Records = Annotated[Path, typer.Option("--records", help="Folder that records are written into.")]
Submit = Annotated[bool, typer.Option("--submit", help="Hand it to `cellos daemon` and return at once.")]
