"""Simulated screens, drug combinations and test functions, more varied than what any prior here expects."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from task import DOSES, Row, Task, noisy

_DESIGNS = (
    # Lowest dose in log10 M, decades, doses: half-logarithmic, five points, fourfold, twofold, dense.
    (-9.0, 5.0, 11),
    (-8.0, 4.0, 5),
    (-9.2, 4.2, 8),
    (-6.9, 2.4, 9),
    (-8.5, 4.2, 15),
    (-7.5, 3.5, 8),
)


def screen_of_another_lab(seed: int, question: str) -> Task:
    """A screen whose doses, noise, replicates, plateaus and kinds of compounds differ from seed to seed.

    The truth of a well is the mean of its replicates, as on a real screen.

    Args:
        seed: of everything.
        question: `potent` (less a cost per decade of dose) or `selective` (the difference of two lines).
    """
    rng = np.random.default_rng([11, seed])
    low, decades, n_doses = _DESIGNS[int(rng.integers(len(_DESIGNS)))]
    doses = np.linspace(low, low + decades, n_doses).round(4)
    n_lines, n_compounds = int(rng.integers(3, 11)), int(rng.integers(16, 61))
    if question == "selective":
        n_lines, n_compounds = 2, int(rng.integers(40, 101))
    viability = _viabilities(rng, doses, n_lines, n_compounds)
    noise, n_replicates = float(np.exp(rng.uniform(np.log(0.03), np.log(0.15)))), int(rng.integers(1, 5))
    departures = rng.normal(size=(*viability.shape, n_replicates))
    is_outlier = rng.random(departures.shape) < rng.choice([0.0, 0.02])
    departures = np.where(is_outlier, 3 * rng.standard_t(4, departures.shape), departures)
    grows = rng.choice([0.0, 1.0])
    spread = noise * (0.5 + viability) ** grows
    measured = np.maximum(viability[..., None] + spread[..., None] * departures, 0.0)
    if question == "selective":
        difference = measured[1][..., :, None] - measured[0][..., None, :]
        replicates = difference.reshape(n_compounds * n_doses, -1)
        types = {name: DOSES[name] for name in ("compound", "log10_dose_M")}
        wells: list[Row] = [(f"c{j}", float(d)) for j in range(n_compounds) for d in doses]
        return Task(types, wells, replicates, replicates.mean(axis=1), {"kind": "difference"})
    per_decade = float(rng.uniform(0.05, 0.2))
    score = (1 - measured - per_decade * (doses - low)[:, None]).reshape(-1, n_replicates)
    objective = {"kind": "inhibition_minus_dose_cost", "per_decade": per_decade, "log10_dose_ref": float(low)}
    names = itertools.product(range(n_lines), range(n_compounds), doses.tolist())
    wells = [(f"line {i}", f"c{j}", d) for i, j, d in names]
    return Task(DOSES, wells, score, score.mean(axis=1), objective)


def _viabilities(rng: np.random.Generator, doses: np.ndarray, n_lines: int, n_compounds: int) -> np.ndarray:
    """Shape (n_lines, n_compounds, n_doses), with mechanisms that lines answer alike, bad plateaus, and hooks."""
    mechanism = rng.integers(0, 6, n_compounds)
    answer = rng.normal(0, rng.uniform(0.2, 0.8), (n_lines, 6))
    middle = rng.uniform(doses[0] + 0.5, doses[-1] + 0.8, n_compounds)
    ec50 = middle + answer[:, mechanism] + rng.normal(0, rng.uniform(0.1, 0.5), (n_lines, n_compounds))
    acts = rng.random(n_compounds) > rng.uniform(0.2, 0.7)
    spared = rng.random((n_lines, n_compounds)) < rng.choice([0.0, 0.1, 0.3])
    efficacy = rng.beta(*((4, 1) if rng.random() < 0.5 else (1.5, 1.2)), n_compounds)
    efficacy = np.clip(efficacy + rng.normal(0, 0.1, (n_lines, n_compounds)), 0, 1) * acts * ~spared
    slope = np.exp(rng.normal(0.2, 0.45, n_compounds))[None, :, None]
    x = doses - ec50[..., None]
    share = 1 / (1 + 10 ** (-slope * x))
    has_two_steps = (rng.random(n_compounds) < 0.15)[None, :, None]
    share = np.where(has_two_steps, 0.5 * share + 0.5 / (1 + 10 ** (-slope * (x - 1.5))), share)
    stimulates = (rng.random(n_compounds) < 0.2)[None, :, None] * rng.uniform(0, 0.25)
    hormesis = stimulates * np.exp(-0.5 * ((x + 0.8) / 0.35) ** 2)
    plateau = 1 + rng.normal(0, rng.uniform(0, 0.06), (n_lines, n_compounds))
    viability: np.ndarray = plateau[..., None] * (1 - efficacy[..., None] * share + hormesis)
    return viability


def combination_screen(seed: int) -> Task:
    """Pairs of drugs at graded doses of both, most of them flat or additive, one measurement a well, costs of dose.

    The effect is Loewe-like or Bliss independence, with synergy or antagonism in some pairs; what was measured once is
    what is true, noise and all, as in a published matrix.
    """
    rng = np.random.default_rng([12, seed])
    n_levels, n_pairs = int(rng.choice([5, 6, 8, 10])), int(rng.integers(6, 16))
    grid = np.arange(float(n_levels))
    noise, shared = float(rng.uniform(0.02, 0.08)), bool(rng.random() < 0.5)
    drugs = [_drug(rng, grid) for _ in range(6)]
    wells: list[Row] = []
    values = []
    for pair in range(n_pairs):
        picked = rng.choice(6, 2, replace=False) if shared else None
        first, second = (drugs[i] for i in picked) if picked is not None else (_drug(rng, grid), _drug(rng, grid))
        both = _combined(rng, grid, first, second) + noise * rng.normal(size=(n_levels, n_levels))
        cost = 0.32 / n_levels
        values.append((both - cost * (grid[:, None] + grid[None])).ravel())
        wells += [(f"pair {pair}", a, b) for a in grid.tolist() for b in grid.tolist()]
    truth = np.concatenate(values)
    types = {"pair": "categorical", "dose1": "float", "dose2": "float"}
    return Task(types, wells, truth[:, None], truth, {"kind": "response"})


def drug_pairs(seed: int) -> Task:
    """All pairs of a few drugs on one to three cell lines, both named, doses as levels or in µM with none as zero."""
    rng = np.random.default_rng([24, seed])
    n_levels, n_drugs, n_lines = int(rng.choice([4, 5, 6])), int(rng.integers(4, 7)), int(rng.choice([1, 1, 2, 3]))
    grid = np.arange(float(n_levels))
    micromolar = np.concatenate([[0.0], 10.0 ** np.linspace(-1.5, 1, n_levels - 1)]).round(4)
    doses = (micromolar if rng.random() < 0.5 else grid).tolist()
    noise, cost = float(rng.uniform(0.02, 0.08)), 0.32 / n_levels
    drugs = [_drug(rng, grid) for _ in range(n_drugs)]
    wells: list[Row] = []
    values = []
    for line in range(n_lines):
        here = [(top, middle + rng.normal(0, 0.12 * n_levels), slope) for top, middle, slope in drugs]
        for i, j in itertools.combinations(range(n_drugs), 2):
            both = _combined(rng, grid, here[i], here[j]) + noise * rng.normal(size=(n_levels, n_levels))
            values.append((both - cost * (grid[:, None] + grid[None])).ravel())
            wells += [(f"line {line}", f"d{i}", f"d{j}", a, b) for a in doses for b in doses]
    truth = np.concatenate(values)
    types = dict.fromkeys(("line", "first", "second"), "categorical") | dict.fromkeys(("dose1", "dose2"), "float")
    return Task(types, wells, truth[:, None], truth, {"kind": "response"})


def _drug(rng: np.random.Generator, grid: np.ndarray) -> tuple[float, float, float]:
    """Plateau, level of half the effect, and slope per level."""
    n = len(grid)
    top = float(rng.beta(2, 1)) if rng.random() < 0.7 else 0.03
    return top, float(rng.uniform(0.15 * n, 1.1 * n)), float(rng.uniform(0.6, 2.2) * 8 / n)


def _combined(
    rng: np.random.Generator, grid: np.ndarray, first: tuple[float, float, float], second: tuple[float, float, float]
) -> np.ndarray:
    def effect(drug: tuple[float, float, float], level: np.ndarray) -> np.ndarray:
        top, middle, slope = drug
        result: np.ndarray = top / (1 + np.exp(slope * (middle - level)))
        return result

    absent = -50.0
    levels = np.where(grid > 0, grid, absent)
    a, b = effect(first, levels)[:, None], effect(second, levels)[None]
    both = 1 - (1 - a) * (1 - b)
    kind = rng.choice(["bliss", "potency", "local", "antagonism"], p=[0.4, 0.25, 0.2, 0.15])
    present = (grid[:, None] > 0) & (grid[None] > 0)
    if kind == "potency":
        helped = first[0], first[1] - rng.uniform(0.5, 3), first[2]
        strength = np.clip(grid / grid[-1] * 3, 0, 1)[None]
        helped_a = (1 - strength) * a + strength * effect((max(helped[0], 0.7), *helped[1:]), levels)[:, None]
        both = 1 - (1 - helped_a) * (1 - b)
    elif kind == "local":
        where = rng.uniform(1, grid[-1], 2)
        distance = (grid[:, None] - where[0]) ** 2 + (grid[None] - where[1]) ** 2
        both = both + rng.uniform(0.1, 0.5) * np.exp(-0.5 * distance / 2.0) * present
    elif kind == "antagonism":
        both = np.maximum(a, b) * (1 - 0.3 * present * rng.random())
    clipped: np.ndarray = np.clip(both, -0.05, 1.02)
    return clipped


def known_function(seed: int, name: str) -> Task:
    """A known function of numbers, of which a category may turn the sign of one or move it; a grid or random points."""
    rng = np.random.default_rng([13, seed, len(name)])
    types: dict[str, str]
    if name == "branin":
        axis = np.linspace(0, 1, 28).round(4)
        x = np.array(list(itertools.product(axis, axis)))
        a, b = 15 * x[:, 0] - 5, 15 * x[:, 1]
        curve = b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6
        value = -(curve**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)
    elif name == "hartmann":
        x = rng.random((1200, 6)).round(4)
        value = _hartmann(x)
    else:
        x = rng.random((900, 3)).round(4)
        groups, shifts = rng.integers(0, 5, 900), 0.4 * (rng.random((5, 3)) - 0.5)
        z = 6 * (x - 0.5 - shifts[groups])
        value = 20 * np.exp(-0.2 * np.sqrt((z**2).mean(axis=1))) + np.exp(np.cos(2 * np.pi * z).mean(axis=1))
        types = {f"x{i}": "float" for i in range(3)} | {"material": "categorical"}
        wells: list[Row] = [(*row, f"m{g}") for row, g in zip(x.tolist(), groups.tolist(), strict=True)]
        return noisy(types, wells, value, 0.1 * float(value.std()), seed)
    types = {f"x{i}": "float" for i in range(x.shape[1])}
    return noisy(types, [tuple(row) for row in x.tolist()], value, 0.1 * float(value.std()), seed)


def _hartmann(x: np.ndarray) -> np.ndarray:
    """Source: Surjanovic & Bingham, Virtual Library of Simulation Experiments, the 6-dimensional Hartmann function."""
    steep = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    centre = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    weights = np.array([1.0, 1.2, 3.0, 3.2])
    value: np.ndarray = np.exp(-((x[:, None] - centre) ** 2 * steep).sum(axis=2)) @ weights
    return value


def reaction_table(seed: int) -> Task:
    """Every combination of four categories, whose effects add up but for some pairs, as yields of a reaction."""
    rng = np.random.default_rng([14, seed])
    sizes = (4, 8, 5, 6)
    codes = np.array(list(itertools.product(*(range(n) for n in sizes))))
    scales = rng.gamma(2, 0.5, len(sizes)).tolist()
    value = np.zeros(len(codes))
    for i, (n, scale) in enumerate(zip(sizes, scales, strict=True)):
        value = value + rng.normal(0, scale, n)[codes[:, i]]
    for i, j in itertools.combinations(range(4), 2):
        value = value + 0.35 * rng.normal(size=(sizes[i], sizes[j]))[codes[:, i], codes[:, j]]
    value = 100 / (1 + np.exp(1.0 - value))
    types: dict[str, Any] = dict.fromkeys(("ligand", "additive", "base", "halide"), "categorical")
    wells: list[Row] = [tuple(f"{name[0]}{c}" for name, c in zip(types, row, strict=True)) for row in codes.tolist()]
    return noisy(types, wells, value, 0.1 * float(value.std()), seed)
