"""Tables of experiments that other self-driving laboratories published, with the noise of a measurement added."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from task import Task, noisy

_FOLDER = Path(__file__).parent / "published"
_IS_MINIMISED = frozenset({"photobleaching"})
TABLES = tuple(sorted(path.name.removesuffix(".csv.gz") for path in _FOLDER.glob("*.csv.gz")))
"""Their sources stand in `published/README.md`."""


@cache
def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(_FOLDER / f"{name}.csv.gz")


def published_table(seed: int, name: str) -> Task:
    """Which experiment of a table is best? A measurement departs from it by a tenth of the table's spread.

    Args:
        seed: of the noise.
        name: one of `TABLES`; the last column is what was measured.
    """
    table = _table(name)
    *columns, outcome = table.columns
    truth = table[outcome].to_numpy(dtype=float) * (-1 if name in _IS_MINIMISED else 1)
    types = {column: "float" if table[column].dtype.kind in "if" else "categorical" for column in columns}
    wells = list(table[columns].itertuples(index=False, name=None))
    return noisy(types, wells, truth, 0.1 * float(np.std(truth)), seed)
