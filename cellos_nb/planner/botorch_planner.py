"""BoTorch as a planner of campaigns: a Gaussian process over one-hot categories, for comparison (extra `botorch`).

Importing this module imports no torch.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import score_conditions
from cellos_nb.domain.planning import PlannerSettings
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.errors import ConfigError
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import Array
from cellos_nb.planner.uninformed import choose_evenly, within_room

_MC_SAMPLES = 128


class BotorchPlanner:
    """`SingleTaskGP` and `qLogNoisyExpectedImprovement`, the arg-max over every open option.

    An option is a condition, or a treatment where cell lines are compared; its score is the campaign's. The first
    experiments are spread evenly, as the mechanistic planner spreads them.

    Source: Balandat et al. 2020, arXiv:1910.06403; Ament et al. 2023, arXiv:2310.20708.
    """

    name = "botorch"

    def __init__(self, settings: PlannerSettings) -> None:
        if find_spec("botorch") is None:
            raise ConfigError("planner.kind: botorch is not installed; `pip install 'cellos-nb[botorch]'` brings it.")
        self._settings = settings

    def propose(
        self, config: CampaignConfig, history: History, iteration: int, n: int
    ) -> tuple[ExperimentProposal, ...]:
        """See `Planner.propose`."""
        pool = CandidatePool.of(config, history)
        n_first = min(n, max((self._settings.n_initial or config.batch_size) - len(pool.results), 0))
        first = choose_evenly(pool, n_first, np.random.default_rng([config.seed, iteration, 3]))
        pool = pool.without(first)
        scores, rows = _scores(config, History(pool.results), pool), list(first)
        if len(scores) < 2:
            rows += choose_evenly(pool, n - len(first), np.random.default_rng([config.seed, iteration, 6]))
        else:
            rows += _ask(
                pool, scores, n - len(first), seed=int(np.random.default_rng([config.seed, iteration]).integers(2**31))
            )
        return tuple(pool.proposal(row, self.name, "initial" if row in first else "explore") for row in rows)


def _ask(pool: CandidatePool, scores: dict[int, float], n: int, *, seed: int) -> list[int]:
    """The open conditions of the best options, `n` at most, as long as their compounds have wells left."""
    width = pool.n_lines if pool.is_comparison else 1
    is_open = np.array(pool.is_open.any(axis=1) if pool.is_comparison else pool.is_open.ravel())
    pending = sorted({row // pool.n_lines if pool.is_comparison else row for row in pool.pending})
    rows: list[int] = []
    while len(rows) < n and is_open.any():
        wanted = min(-(-(n - len(rows)) // width), int(is_open.sum()))
        options = _choose(_features(pool), scores, [*pending], np.flatnonzero(is_open), n=wanted, seed=seed)
        is_open[options] = False
        kept = within_room(pool, options)
        found = pool.expand(kept, n - len(rows)) if pool.is_comparison else kept
        pool, pending = pool.without(found), [*pending, *kept]
        rows += found
    return rows


def _choose(
    features: Array, scores: dict[int, float], pending: list[int], allowed: NDArray[np.int64], *, n: int, seed: int
) -> list[int]:
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling import SobolQMCNormalSampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    def tensor(values: Any) -> Any:
        return torch.as_tensor(np.asarray(values, dtype=float), dtype=torch.double)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        x, y = tensor(features[list(scores)]), tensor(list(scores.values()))[:, None]
        model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        sampler = SobolQMCNormalSampler(torch.Size([_MC_SAMPLES]), seed=seed)
        under_way = tensor(features[pending]) if pending else None
        acquisition = qLogNoisyExpectedImprovement(model, x, sampler=sampler, X_pending=under_way)
        choices = tensor(features[allowed])
        points, _ = optimize_acqf_discrete(acquisition, q=n, choices=choices, unique=True)
    # Features are exact copies of the choices', so each point is found again by equality.
    place = {tuple(row): int(option) for row, option in zip(choices.tolist(), allowed.tolist(), strict=True)}
    return [place[tuple(point)] for point in points.tolist()]


def _features(pool: CandidatePool) -> Array:
    """Shape (n_options, n_features): compound one-hot, line one-hot unless lines are compared, log dose in [0, 1]."""
    compound = np.unique(np.array(pool.compounds), return_inverse=True)[1]
    log_dose = np.log10(pool.doses_um)
    share = (log_dose - log_dose.min()) / max(float(np.ptp(log_dose)), 1e-9)
    one_hot = np.eye(int(compound.max()) + 1)[compound]
    if pool.is_comparison:
        return np.column_stack([one_hot, share])
    lines = np.tile(np.eye(pool.n_lines), (len(compound), 1))
    return np.column_stack([np.repeat(one_hot, pool.n_lines, axis=0), lines, np.repeat(share, pool.n_lines)])


def _scores(config: CampaignConfig, history: History, pool: CandidatePool) -> dict[int, float]:
    """The score of every option that was measured."""
    found: dict[int, float] = {}
    for scored in score_conditions(config, history):
        row = pool.row_of(scored.cell_line, scored.compound, scored.dose_um)
        if row is not None:
            found[row // pool.n_lines if pool.is_comparison else row] = scored.score.value
    return found
