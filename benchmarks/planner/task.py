"""What a planner is asked in a benchmark: a finite table of wells with their measurements and their truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from learn_prior import prior_without

from cellos_nb.planner import Prior

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Task:
    """A finite table of wells, what one measurement of each may give, and what is true of each."""

    types: dict[str, str]
    wells: list[Row]
    replicates: np.ndarray
    """Shape (n_wells, n_replicates); a measurement is one of them, NaN where it was not made."""
    truth: np.ndarray
    objective: dict[str, Any]
    left_out: tuple[frozenset[str], frozenset[str]] | None = None
    """Cell lines and compounds of the screen that our planner's prior must not know; None off the screen."""
    log10_ec50: dict[tuple[str, str], float] = field(default_factory=dict)
    """By cell line and compound, in log10 M, where the question is to learn them."""

    def space(self) -> dict[str, Any]:
        parameters = {
            name: {"type": kind, "levels": sorted({well[i] for well in self.wells})}
            for i, (name, kind) in enumerate(self.types.items())
        }
        return {"parameters": parameters, "goal": "maximize", "objective": self.objective, "wells": self.wells}

    def prior(self) -> str | Prior:
        """What our planner may know."""
        return "default" if self.left_out is None else prior_without(*self.left_out)

    def row(self, i: int) -> dict[str, Any]:
        return dict(zip(self.types, self.wells[i], strict=True))

    def measure(self, i: int, rng: np.random.Generator) -> float:
        values = self.replicates[i]
        return float(rng.choice(values[np.isfinite(values)]))

    def regret(self, rows: list[int]) -> float:
        """(Best − best found) / (best − median): 0 is perfect."""
        best = self.truth.max()
        return float((best - self.truth[rows].max()) / (best - np.median(self.truth)))


DOSES = {"cell_line": "categorical", "compound": "categorical", "log10_dose_M": "log10"}


def noisy(
    types: dict[str, str], wells: list[Row], truth: np.ndarray, noise_sd: float, seed: int, **options: Any
) -> Task:
    noise = np.random.default_rng([9, seed]).normal(size=(len(truth), 32))
    noise -= noise.mean(axis=1, keepdims=True)
    return Task(types, wells, truth[:, None] + noise_sd * noise, truth, options.pop("objective", {"kind": "response"}))
