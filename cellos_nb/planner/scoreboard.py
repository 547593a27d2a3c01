"""A finished history replayed: how soon each planner would have found its best, and how well its model foretold it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.proposal import Condition, ExperimentProposal
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.errors import AnalysisError
from cellos_nb.planner.calibration import Calibration, calibration
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.interface import Planner
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.registry import make_planner

CAMPAIGN = "the campaign itself"
GRID = "grid"
DEFAULT_CONTESTANTS = (
    "random",
    GRID,
    "space_filling",
    "mechanistic",
    "mechanistic/log_ei",
    "mechanistic/thompson",
    "mechanistic/entropy",
)
"""Kinds of planners, each with its acquisition after a slash where it is not the default one."""


@dataclass(frozen=True, slots=True)
class Line:
    """How one planner did."""

    planner: str
    n_seeds: int
    regret_25: float
    """(best − best found) / (best − median) after a quarter of the experiments, mean over seeds; 0 is the best."""
    regret_50: float
    mean_regret: float
    """Over the whole replay."""
    n_to_best: float
    """Experiments until the best was found, median over seeds."""


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """All planners on one history, best first, and the calibration of the campaign's model."""

    n_experiments: int
    lines: tuple[Line, ...]
    model: Calibration
    """Of the mechanistic model, each iteration foretold from those before it."""
    constant: Calibration
    """Of foretelling mean and spread of what was measured so far; a model should have the larger log score."""


@dataclass(frozen=True, slots=True)
class _Replay:
    config: CampaignConfig
    results: dict[Condition, ExperimentResult]
    withheld: frozenset[Condition]
    best: float
    spread: float
    """Between the best and the median score."""

    def regrets(self, revealed: Sequence[ExperimentResult]) -> Array:
        """Shape (n,): the regret after each experiment."""
        history = History(tuple(replace(result, iteration=k) for k, result in enumerate(revealed, start=1)))
        found = np.full(len(revealed), -np.inf)
        for scored in score_conditions(self.config, history):
            found[scored.iteration - 1] = max(found[scored.iteration - 1], scored.score.value)
        regret: Array = (self.best - np.maximum.accumulate(found)) / self.spread
        # Before anything is scored, a planner knows no more than the median.
        return np.where(np.isfinite(regret), regret, 1.0)


def scoreboard(
    config: CampaignConfig,
    history: History,
    contestants: Sequence[str] = DEFAULT_CONTESTANTS,
    n_seeds: int = 5,
    on_planner: Callable[[str], None] | None = None,
) -> Scoreboard:
    """Replays a history: every planner may ask for the conditions that were measured, and is told what came of them.

    The conditions are those that the campaign chose, so chance does better here than it would have done in the lab;
    compare the lines with each other. A condition measured more than once gives its first usable result.

    Args:
        config: of the campaign.
        history: what was measured.
        contestants: `random`, `grid`, or kinds of planners with an acquisition after a slash.
        n_seeds: replays of each planner, but one of the grid.
        on_planner: called with each contestant before it is replayed.

    Raises:
        AnalysisError: there are fewer than 8 usable results, or all score the same.
        ConfigError: there is no such planner or acquisition.
    """
    planners = {name: _planner(config, name) for name in contestants}
    replay = _replay(config, history)
    lines = [_line(CAMPAIGN, [replay.regrets(list(replay.results.values()))])]
    for name, (settings, planner) in planners.items():
        if on_planner is not None:
            on_planner(name)
        seeds = range(1 if name == GRID else n_seeds)
        runs = [_run(replace(replay, config=_with_seed(settings, seed)), planner) for seed in seeds]
        lines.append(_line(name, runs))
    model, constant = foretold(config, history)
    ranked = sorted(lines, key=lambda line: line.mean_regret)
    return Scoreboard(len(replay.results), tuple(ranked), model, constant)


def foretold(config: CampaignConfig, history: History) -> tuple[Calibration, Calibration]:
    """How well each iteration was foretold from those before it: by the mechanistic model, and by mean and spread."""
    pool = CandidatePool.of(config, history)
    seen: list[tuple[float, float, float]] = []
    plain: list[tuple[float, float, float]] = []
    for iteration in sorted({result.iteration for result in pool.results})[1:]:
        before = tuple(result for result in pool.results if result.iteration < iteration)
        coming = [result for result in pool.results if result.iteration == iteration]
        if len(before) < 3:
            continue
        model = fit_results(config, replace(pool, results=before))
        asked = [result.proposal for result in coming]
        mean, sd = model.predict(
            [p.cell_line for p in asked], [p.compound for p in asked], np.array([p.dose_um for p in asked])
        )
        known = np.array([result.measurement for result in before], dtype=float)
        for result, m, s in zip(coming, mean.tolist(), sd.tolist(), strict=True):
            y = float(result.measurement or 0.0)
            seen.append((y, m, float(np.sqrt(s**2 + model.noise_sd**2 + (result.standard_error or 0.0) ** 2))))
            plain.append((y, float(known.mean()), max(float(known.std(ddof=1)), 1e-6)))
    columns = [np.array(rows).reshape(-1, 3).T for rows in (seen, plain)]
    return calibration(*columns[0]), calibration(*columns[1])


class GridPlanner:
    """Every compound on every cell line at the same dose, then at the next: the ends, the middle, then between."""

    name = GRID

    def propose(
        self,
        config: CampaignConfig,
        history: History,
        iteration: int,  # noqa: ARG002 - the Protocol's
        n: int,
    ) -> tuple[ExperimentProposal, ...]:
        """See `Planner.propose`; it knows no randomness."""
        pool = CandidatePool.of(config, history)
        turn = {dose: i for i, dose in enumerate(_coarse_to_fine(sorted(set(pool.doses_um.tolist()), reverse=True)))}
        order = sorted(range(len(pool.compounds)), key=lambda treatment: turn[float(pool.doses_um[treatment])])
        return tuple(pool.proposal(row, self.name, "explore") for row in pool.expand(order, n))


def _coarse_to_fine(doses: list[float]) -> list[float]:
    """The first, the last, the middle, and then what lies between, ever finer."""
    order, gaps = doses[:1] + doses[-1:] * (len(doses) > 1), [(0, len(doses) - 1)]
    while gaps:
        low, high = gaps.pop(0)
        if high - low > 1:
            middle = (low + high) // 2
            order.append(doses[middle])
            gaps += [(low, middle), (middle, high)]
    return order


def _planner(config: CampaignConfig, name: str) -> tuple[CampaignConfig, Planner]:
    """The campaign as a contestant plays it, and the planner."""
    if name == GRID:
        return config, GridPlanner()
    kind, _, acquisition = name.partition("/")
    chosen: dict[str, Any] = {"kind": kind, "stop": None, "batch": "auto", "acquisition": acquisition or "nei"}
    content = config.to_dict()
    settings = CampaignConfig.from_dict({**content, "planner": {**content["planner"], **chosen}})
    return settings, make_planner(settings.planner)


def _with_seed(config: CampaignConfig, seed: int) -> CampaignConfig:
    return config.model_copy(update={"seed": seed})


def _replay(config: CampaignConfig, history: History) -> _Replay:
    pool = CandidatePool.of(config, History(history.results))
    results: dict[Condition, ExperimentResult] = {}
    for result in pool.results:
        proposal = result.proposal
        if pool.row_of(proposal.cell_line, proposal.compound, proposal.dose_um) is not None:
            results.setdefault(proposal.condition, result)
    scores = [each.score.value for each in score_conditions(config, History(tuple(results.values())))]
    if len(results) < 8 or len(scores) < 2:
        raise AnalysisError(
            f"scoreboard: {len(results)} usable experiments of the campaign's own conditions are too few; "
            "8 or more are needed to tell planners apart."
        )
    spread = max(scores) - float(np.median(scores))
    if spread <= 0:
        raise AnalysisError("scoreboard: all conditions score the same, so no planner can be better than another.")
    lines, compounds, doses = pool.conditions()
    every = {(line, c, dose, pool.assay) for line, c, dose in zip(lines, compounds, doses.tolist(), strict=True)}
    return _Replay(config, results, frozenset(every - set(results)), max(scores), spread)


def _run(replay: _Replay, planner: Planner) -> Array:
    """The regret after each experiment of one replay."""
    config, left, revealed = replay.config, dict(replay.results), list[ExperimentResult]()
    iteration = 0
    while left:
        iteration += 1
        history = History(tuple(revealed), withheld=replay.withheld)
        asked = planner.propose(config, history, iteration, config.batch_size)
        told = [left.pop(proposal.condition) for proposal in asked if proposal.condition in left]
        if not told:
            break
        revealed += [replace(result, iteration=iteration) for result in told]
    # What a planner never asks for, as when comparisons cannot be completed, counts as found at the very end.
    return replay.regrets([*revealed, *left.values()])


def _line(name: str, runs: Sequence[Array]) -> Line:
    table = np.stack(runs)
    n = table.shape[1]
    return Line(
        planner=name,
        n_seeds=len(runs),
        regret_25=float(table[:, max(n // 4 - 1, 0)].mean()),
        regret_50=float(table[:, max(n // 2 - 1, 0)].mean()),
        mean_regret=float(table.mean()),
        n_to_best=float(np.median((table > 1e-12).sum(axis=1) + 1)),
    )
