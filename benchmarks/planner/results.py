"""What runs of planners gave: gathered line by line, so that a comparison can be resumed, and put onto the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
AT = ("20", "40", "60")
"""Wells after which regret is looked at."""
_EQUAL = 1e-9


def done(path: Path) -> list[dict[str, Any]]:
    """What stands in a file of runs; nothing where there is none yet."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def keep(path: Path, run: dict[str, Any]) -> None:
    """Adds a run to the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(run) + "\n")


def mean_regret(regret: dict[str, float]) -> float:
    """Over 20, 40 and 60 wells: regret at 60 alone is often zero for both of a pair."""
    return float(np.mean([regret[n] for n in AT]))


def signs(gains: list[float]) -> tuple[int, int, float]:
    """Of paired runs: how many gain, how many lose, and the two-sided sign test."""
    better, worse = sum(gain > _EQUAL for gain in gains), sum(gain < -_EQUAL for gain in gains)
    return better, worse, float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def difference(gaps: list[float]) -> str:
    """Mean of paired runs and its standard error."""
    error = float(np.std(gaps, ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else float("nan")
    return f"{np.mean(gaps):+.3f} ± {error:.3f}"


def placed(page: str, found: str, marks: tuple[str, str], heading: str) -> str:
    """The page with what was found between its marks; at its end, under a heading, where there were none."""
    begin, end = marks
    block = f"{begin}\n\n{found}\n{end}"
    if begin in page:
        return page[: page.index(begin)] + block + page[page.index(end) + len(end) :]
    return f"{page.rstrip()}\n\n## {heading}\n\n{block}\n"
