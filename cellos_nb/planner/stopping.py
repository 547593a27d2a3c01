"""When the model says that enough is known: narrow intervals, a potency out of range, nothing more to gain."""

from __future__ import annotations

import numpy as np

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import best_condition, score_conditions
from cellos_nb.domain.planning import StoppingSettings
from cellos_nb.planner.acquisition import n_samples_for, sampled_improvement
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.costs import treatment_prices_usd
from cellos_nb.planner.curves import Array
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.model import DoseResponseGP
from cellos_nb.planner.question import question_about
from cellos_nb.planner.scores import scores_of
from cellos_nb.units import format_dose

_N_SAMPLES = 4000
"""Posterior samples of an EC50: its 95 % interval is known to about a tenth of its width."""
_SEED = 21
"""Of those samples: the same history gives the same answer."""


def reason_known_enough(config: CampaignConfig, history: History) -> str | None:
    """Why the model needs no further iteration, in words; None to go on, or where the campaign states no such rule.

    Asks the mechanistic model, whichever planner proposes; before the planner's first experiments are done it is not
    asked, since it would speak from its prior.
    """
    rules = config.planner.stop
    if rules is None:
        return None
    pool = CandidatePool.of(config, history)
    if len(pool.results) < (config.planner.n_initial or config.batch_size):
        return None
    model = fit_results(config, pool)
    return (
        _narrow(config, history, model, rules)
        or _out_of_range(config, pool, model, rules)
        or _nothing_to_gain(config, pool, model, rules)
        or _not_worth_it(config, pool, model, rules)
    )


def ec50_interval(model: DoseResponseGP, cell_line: str, compound: str, level: float = 0.95) -> tuple[float, float]:
    """The posterior interval of log10 EC50 (µM), by quantiles, given that the compound acts at all.

    Both ends are infinite where hardly a sample says that it acts.
    """
    drawn = _log10_ec50(model, cell_line, compound)
    active = drawn[np.isfinite(drawn)]
    if len(active) < 0.05 * len(drawn):
        return -np.inf, np.inf
    low, high = np.quantile(active, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def probability_out_of_range(model: DoseResponseGP, cell_line: str, compound: str, max_dose_um: float) -> float:
    """Posterior probability that a compound does nothing, or acts half above the highest dose only."""
    drawn = _log10_ec50(model, cell_line, compound)
    return float(np.mean(~np.isfinite(drawn) | (drawn > np.log10(max_dose_um))))


def expected_improvement_left(config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP) -> float:
    """The largest improvement of the best score that any open experiment is expected to bring; 0 when none is open."""
    gains, _ = _gains_left(config, pool, model)
    return float(gains.max(initial=0.0))


def expected_improvement_per_usd(config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP) -> float:
    """The largest of these improvements for each dollar that its experiment costs; the campaign has to state costs."""
    gains, prices_usd = _gains_left(config, pool, model)
    return float((gains / prices_usd).max(initial=0.0))


def _gains_left(config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP) -> tuple[Array, Array]:
    """Of each experiment that is open: its expected improvement, and what it costs in USD (1 each where not stated)."""
    conditions = pool.conditions()
    mean, sd = model.predict(*conditions)
    samples = model.sample(*conditions, n_samples_for(len(mean)), np.random.default_rng(_SEED))
    scores = question_about(config, pool, model, scores_of(config, pool, model, (samples, mean, sd))).scores
    prices = treatment_prices_usd(config, pool)
    # Where cell lines are compared, an option is an experiment on each of them.
    price: Array = np.ones(len(scores.mean)) if prices is None else np.repeat(prices, len(scores.mean) // len(prices))
    each: Array = price * scores.costs
    if not scores.allowed.any():
        return np.zeros(0), np.zeros(0)
    return sampled_improvement(scores.samples[:, scores.allowed], scores.incumbent_samples), each[scores.allowed]


def _narrow(config: CampaignConfig, history: History, model: DoseResponseGP, rules: StoppingSettings) -> str | None:
    best = best_condition(score_conditions(config, history))
    if rules.ec50_interval_decades is None or best is None:
        return None
    low, high = ec50_interval(model, best.cell_line, best.compound)
    if high - low > rules.ec50_interval_decades:
        return None
    return (
        f"known well enough: the EC50 of {best.compound} on {best.cell_line} lies between {format_dose(10**low)} and "
        f"{format_dose(10**high)} (95 %), {high - low:.2g} decades of at most {rules.ec50_interval_decades:g}"
    )


def _out_of_range(
    config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, rules: StoppingSettings
) -> str | None:
    if rules.out_of_range_probability is None or not _reaches_top(config, pool):
        return None
    least = 1.0
    for compound in config.compound_names:
        for line in pool.cell_lines:
            least = min(least, probability_out_of_range(model, line, compound, config.doses_um(compound)[-1]))
            if least < rules.out_of_range_probability:
                return None
    return (
        f"potency out of range: each compound is inactive or has its EC50 above its highest dose, with a probability "
        f"of {least:.3f} or more (asked: {rules.out_of_range_probability:g})"
    )


def _reaches_top(config: CampaignConfig, pool: CandidatePool) -> bool:
    """Whether each compound was measured on each line at one of its two highest doses: low doses prove nothing."""
    high = {name: config.doses_um(name)[-2:][0] for name in config.compound_names}
    asked = [result.proposal for result in pool.results]
    measured = {(p.cell_line, p.compound) for p in asked if p.dose_um >= high.get(p.compound, np.inf)}
    return all((line, name) in measured for line in pool.cell_lines for name in config.compound_names)


def _nothing_to_gain(
    config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, rules: StoppingSettings
) -> str | None:
    if rules.min_expected_improvement is None:
        return None
    left = expected_improvement_left(config, pool, model)
    if left >= rules.min_expected_improvement:
        return None
    return (
        f"nothing more to gain: no experiment left is expected to improve the best score by more than {left:.2g} "
        f"(asked: {rules.min_expected_improvement:g})"
    )


def _not_worth_it(
    config: CampaignConfig, pool: CandidatePool, model: DoseResponseGP, rules: StoppingSettings
) -> str | None:
    if rules.min_improvement_per_usd is None:
        return None
    left = expected_improvement_per_usd(config, pool, model)
    if left >= rules.min_improvement_per_usd:
        return None
    return (
        f"not worth its price: no experiment left is expected to improve the best score by more than {left:.2g} for "
        f"each dollar that it costs (asked: {rules.min_improvement_per_usd:g})"
    )


def _log10_ec50(model: DoseResponseGP, cell_line: str, compound: str) -> Array:
    rng = np.random.default_rng(_SEED)
    return model.sample_with_ec50([cell_line], [compound], [1.0], _N_SAMPLES, rng)[1][:, 0]
