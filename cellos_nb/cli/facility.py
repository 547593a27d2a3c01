"""Commands about the lab as a whole: what a week of it would be like, and the months to come."""

from __future__ import annotations

import typer

from cellos_nb.cli import facility_plan, facility_week

app = typer.Typer(help="Live through a lab's weeks and months before they come.", no_args_is_help=True)
app.command()(facility_week.simulate)
app.command()(facility_plan.plan)
