"""Writes the planner's shipped prior anew: `uv run python benchmarks/planner/learn_prior.py`; takes a few seconds.

The screen is the one that the package ships for its virtual machine. Equal data give an equal file; the tests compare.
"""

from __future__ import annotations

import argparse
from functools import cache
from importlib import resources
from pathlib import Path

import pandas as pd

from cellos_nb.planner import Prior
from cellos_nb.planner.prior import SHIPPED

SOURCE = "Lee et al. 2023, Molecular Systems Biology, doi:10.1038/s44320-023-00004-7, supplementary table 4 (CC BY 4.0)"
HERE = Path(__file__).parents[2] / "cellos_nb" / "planner" / "parameters" / f"{SHIPPED}.yaml"


def screen() -> pd.DataFrame:
    with resources.as_file(resources.files("cellos_nb.hardware") / "screens" / f"{SHIPPED}.csv.gz") as path:
        return pd.read_csv(path)


@cache
def prior_without(lines: frozenset[str], compounds: frozenset[str]) -> Prior:
    """Learnt from the rest of the screen."""
    table = screen()
    return Prior.learn(table[~table.cell_line.isin(lines) & ~table["compound"].isin(compounds)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="where to write; the shipped file when left out")
    out = parser.parse_args().out
    prior = Prior.learn(screen(), SOURCE)
    prior.save(out)
    print(out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
