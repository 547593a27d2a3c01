"""A small campaign in a process of its own that can be killed at any commit of the database."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
# What every one of the processes needs is imported once, so that each starts in milliseconds.
CONTEXT.set_forkserver_preload(
    [
        "pandas",
        "cellos_nb.lab",
        "cellos_nb.hardware.replay",
        "cellos_nb.planner.registry",
        "cellos_nb.planner.uninformed",
    ]
)


def run(folder: Path, die_at: int | None = None, *, after: bool = False) -> int | None:
    """Runs or continues the campaign; dies by SIGKILL before or after the commit of that number. Returns the exit code.

    A process that was not killed leaves the number of its commits in the file `commits`.
    """
    process = CONTEXT.Process(target=_campaign, args=(folder, die_at, after))
    process.start()
    process.join(120)
    return process.exitcode


def _campaign(folder: Path, die_at: int | None, after: bool) -> None:
    from sqlalchemy.engine import Connection

    from cellos_nb import CampaignConfig, Lab

    n_commits = 0
    commit: Callable[[Connection], None] = Connection._commit_impl

    def deadly(connection: Connection) -> None:
        nonlocal n_commits
        n_commits += 1
        if n_commits == die_at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)
        if n_commits == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    Connection._commit_impl = deadly
    config = CampaignConfig(
        name="mortal",
        cell_lines=["SK-LMS-1"],
        compounds=["Trametinib", "Dinaciclib"],
        dose_range_um=[0.001, 10],
        n_doses=4,
        batch_size=2,
        max_iterations=2,
        plate_format=24,
        controls={"vehicle": 2},
        machine="replay",
        planner="random",
        seed=5,
    )
    with Lab.open(folder / "lab.db") as lab:
        known = lab.campaigns()
        campaign = lab.resume(known[0].campaign_id) if known else lab.run(config)
        campaign.history().to_csv(folder / "history.csv", index=False)
    (folder / "commits").write_text(str(n_commits))
