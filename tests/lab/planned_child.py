"""A campaign that learns, in a process of its own that is killed when the results of an iteration are stored."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pandas", "cellos_nb.lab", "cellos_nb.hardware.replay", "cellos_nb.planner.registry"])

CONFIG = {
    "name": "learning",
    "cell_lines": ["SK-LMS-1"],
    "compounds": ["Trametinib", "Dinaciclib", "Capmatinib"],
    "dose_range_um": [0.001, 10],
    "n_doses": 6,
    "batch_size": 3,
    "max_iterations": 4,
    "plate_format": 24,
    "controls": {"vehicle": 2},
    "machine": "replay",
    "planner": "mechanistic",
    "seed": 11,
}


def run(folder: Path, die_after: int | None = None) -> int | None:
    """Runs or continues the campaign; dies by SIGKILL after the iteration of that number. Returns the exit code."""
    process = CONTEXT.Process(target=_campaign, args=(folder, die_after))
    process.start()
    process.join(120)
    return process.exitcode


def _campaign(folder: Path, die_after: int | None) -> None:
    from cellos_nb import CampaignConfig, Lab
    from cellos_nb.execution.events import ResultsStored

    def deadly(event: object) -> None:
        if isinstance(event, ResultsStored) and event.iteration == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    with Lab.open(folder / "lab.db") as lab:
        if lab.campaigns():
            lab.resume("learning", deadly)
        else:
            lab.run(CampaignConfig(**CONFIG), deadly)
