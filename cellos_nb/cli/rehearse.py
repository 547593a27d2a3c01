"""`cellos rehearse`: what places and chance would do to a campaign's plates, before wet work."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson, ConfigFile
from cellos_nb.cli.tables import print_facts, print_json

if TYPE_CHECKING:
    from cellos_nb.analysis.rehearsal import LayoutRehearsal, NuisanceEffects

N_SHOWN = 3


def rehearse(
    config: ConfigFile,
    edge: Annotated[float | None, typer.Option(min=0, max=0.9, help="Signal that rim wells lose; 0.12.")] = None,
    drift: Annotated[float | None, typer.Option(min=0, max=0.9, help="Loss from first to last; 0.15.")] = None,
    well_cv: Annotated[float | None, typer.Option(min=0, max=2, help="From well to well; 0.1.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try the layout of a campaign's first plates on paper.

    Shows what an edge effect, drift and noise would do to its results, and which effects one experiment can tell. A
    layout that position alone would make an effect of is refused, with what to change. Nothing is stored.
    """
    from cellos_nb.analysis.rehearsal import NuisanceEffects
    from cellos_nb.checks import rehearse_config
    from cellos_nb.domain.campaign import CampaignConfig

    given = {"edge": edge, "drift": drift, "well_cv": well_cv}
    effects = NuisanceEffects(**{name: value for name, value in given.items() if value is not None})
    found = rehearse_config(CampaignConfig.from_yaml(config), effects)
    if as_json:
        print_json({"assumed": asdict(effects), **asdict(found), "confounded": [c.name for c in found.confounded]})
    else:
        print_facts(_rows(found, effects))
    found.check()


def _rows(found: LayoutRehearsal, effects: NuisanceEffects) -> list[tuple[str, str]]:
    assumed = ", ".join(f"{name.replace('_', ' ')} {value:.0%}" for name, value in asdict(effects).items())
    rows = [
        ("assumed", assumed),
        ("error of one experiment", f"{found.noise_sd:.1%} of vehicle; by its place alone {found.bias_sd:.1%}"),
    ]
    rows += [(f"power for an effect of {size:.0%}", f"{power:.0%}") for size, power in found.power]
    worst = sorted(found.comparisons, key=lambda each: -abs(each.bias))[:N_SHOWN]
    rows += [
        (f"shift of {each.name}", f"{each.bias:+.1%} by its {each.n} places, mostly {each.cause}") for each in worst
    ]
    verdict = "confounded" if found.confounded else "no comparison is confounded with the places of its wells"
    return [*rows, ("verdict", verdict)]
