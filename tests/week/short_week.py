"""A week small enough for a test: two short campaigns, a bank, a robot that fails, stock that runs out, people."""

import re
from pathlib import Path

import yaml

from cellos_nb.week.config import WeekConfig
from cellos_nb.week.run import WeekRun

SHIPPED = Path(__file__).parents[2] / "examples" / "week.yaml"


def small(**changes):
    """The shipped week with two campaigns of small plates; `changes` replace whole sections."""
    week = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    base = {"dose_range_um": [0.001, 10], "n_doses": 4, "replicates": 2, "planner": "space_filling"}
    viability = {"name": "viability", "treatment_h": 24}
    week["campaigns"] = [
        {
            "arrives": "Mon 07:00",
            "campaign": base
            | {"name": "Panel", "cell_lines": ["U2OS"], "compounds": ["staurosporine", "doxorubicin"], "batch_size": 8}
            | {"max_iterations": 1, "assay": viability, "seed": 1},
        },
        {
            "arrives": "Mon 07:10",
            "campaign": base
            | {"name": "Potency", "cell_lines": ["A549"], "compounds": ["cisplatin"], "batch_size": 2}
            | {"max_iterations": 2, "assay": viability, "seed": 2},
        },
    ]
    week["banks"] = week["banks"][1:]
    week["handlers"] = [{"name": "lh-1"}, {"name": "lh-2"}]
    for person in week["people"]:
        person["away"] = []
    return week | changes


def live(week, folder, **options):
    """Lives through a week, first come, first served unless said otherwise; the caller closes it."""
    config = WeekConfig.model_validate(week)
    run = WeekRun(config, Path(folder), is_solved=options.pop("is_solved", False), say=lambda _: None, **options)
    run.run()
    return run


def down(name, begins, ends):
    """Two robots, one of which breaks down."""
    gone = [{"begins": begins, "ends": ends, "reason": "jammed", "is_planned": False}]
    return [{"name": each, "down": gone if each == name else []} for each in ("lh-1", "lh-2")]


def lots(week, **quantities):
    """The week's lots with other quantities, by resource with blanks as underscores."""
    for lot in week["stock"]["lots"]:
        key = re.sub(r"\W", "_", lot["resource"])
        if key in quantities and "arrives" not in lot:
            lot["quantity"] = quantities[key]
    return week
