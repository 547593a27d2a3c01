"""Prefect with its ephemeral server: a flow of five tasks. Run by `run.py` in an environment of its own."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import N_STEPS, measured
from prefect import flow, task

N_THREADS = 4


@task
def step(k: int) -> dict[str, int]:
    return {"step": k}


@flow
def workflow(run: int) -> list[dict[str, int]]:  # noqa: ARG001 — what tells one run from another
    return [step(k) for k in range(N_STEPS)]


def together(n_runs: int) -> None:
    with ThreadPoolExecutor(N_THREADS) as threads:
        list(threads.map(workflow, range(n_runs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setting", choices=["shipped"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--single", type=int, required=True)
    args = parser.parse_args()
    measured(together, workflow, args.runs, args.single)


if __name__ == "__main__":
    main()
