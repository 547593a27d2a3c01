"""DBOS: five steps that each return a small value. Run by `run.py` in an environment of its own."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path

from dbos import DBOS, DBOSConfig
from measure import N_STEPS, measured
from sqlalchemy import Engine, event


@DBOS.step()
def step(k: int) -> dict[str, int]:
    return {"step": k}


@DBOS.workflow()
def workflow(run: int) -> list[dict[str, int]]:  # noqa: ARG001 — what tells one run from another
    return [step(k) for k in range(N_STEPS)]


def wal_and_normal(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")


def together(n_runs: int) -> None:
    # On its own threads; through its queue it would wait for the next poll.
    for handle in [DBOS.start_workflow(workflow, run) for run in range(n_runs)]:
        handle.get_result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setting", choices=["shipped", "wal", "url"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--single", type=int, required=True)
    args = parser.parse_args()
    if args.setting == "wal":
        event.listen(Engine, "connect", wal_and_normal)
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": args.url or f"sqlite:///{args.folder / 'dbos.db'}",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    measured(together, lambda run: DBOS.start_workflow(workflow, run).get_result(), args.runs, args.single)
    DBOS.destroy()


if __name__ == "__main__":
    main()
