"""How good a measured condition is for the campaign's goal; larger is always better."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.result import ExperimentResult
from cellos_nb.units import format_dose

UNTREATED = 1.0
"""The value of a vehicle well by definition, and so the most that a cell line can be spared."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over wells with its uncertainty."""

    value: float
    standard_error: float | None
    degrees_of_freedom: int

    def __str__(self) -> str:
        interval = self.interval
        if interval is None:
            return f"{self.value:.3f} (interval unknown: too few wells)"
        return f"{self.value:.3f} (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval (Student t); None without a standard error."""
        if self.standard_error is None or self.degrees_of_freedom < 1:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees_of_freedom, 0.975)) * self.standard_error
        return (self.value - half, self.value + half)


@dataclass(frozen=True, slots=True)
class ScoredCondition:
    """One measured answer to the campaign's question."""

    cell_line: str
    """The line measured; for selectivity the target."""
    compound: str
    dose_um: float
    measurement: Estimate
    """Of that cell line, over all its wells in the campaign."""
    score: Estimate
    """What the campaign makes large: the measurement, its negative, or the selectivity."""
    others: tuple[tuple[str, Estimate], ...] = ()
    """The measurements of the spared lines, for selectivity."""
    iteration: int = 0
    """When the condition was complete."""

    def __str__(self) -> str:
        spared = "".join(f"; {line} {estimate.value:.3f}" for line, estimate in self.others)
        return f"{self.compound} at {format_dose(self.dose_um)} on {self.cell_line}: {self.measurement}{spared}"


_Key = tuple[str, str, float]
"""Cell line, compound and dose in µM."""


class ConditionScores:
    """The conditions that a growing number of results answers; a further result costs as much as its own condition.

    Repeated measurements of a condition are pooled by the number of their wells. A selectivity counts once the target
    and all other cell lines were measured at that compound and dose. Where the planner's constraints ask for a
    viability, conditions that were measured to leave less are no answers.
    """

    def __init__(self, config: CampaignConfig) -> None:
        """No results yet."""
        self._config = config
        self._is_selectivity = config.objective.goal == "selectivity"
        self._sign = 1.0 if config.objective.goal == "maximise" else -1.0
        self._measured: dict[_Key, list[ExperimentResult]] = {}
        self._pooled: dict[_Key, Estimate] = {}
        self._scored: dict[_Key, ScoredCondition | None] = {}

    def add(self, results: Iterable[ExperimentResult]) -> None:
        """Takes further results, in order; those that nothing is learnt from are passed over."""
        changed: dict[_Key, None] = {}
        for result in results:
            if result.is_learnable:
                proposal = result.proposal
                key = proposal.cell_line, proposal.compound, proposal.dose_um
                if key not in self._measured:
                    self._measured[key] = []
                    if not self._is_selectivity or proposal.cell_line == self._config.target_line:
                        self._scored[key] = None
                self._measured[key].append(result)
                changed[key] = None
        for key in changed:
            if _is_viable(self._config, self._measured[key]):
                self._pooled[key] = _pool(self._measured[key])
            else:
                self._pooled.pop(key, None)
        if not self._is_selectivity:
            self._scored.update((key, self._score(key)) for key in changed)
            return
        target = self._config.target_line
        of_target = dict.fromkeys((target, compound, dose) for _, compound, dose in changed)
        self._scored.update((key, self._selectivity(key)) for key in of_target if key in self._scored)

    def conditions(self) -> tuple[ScoredCondition, ...]:
        """Every condition that is answered, in the order in which it was completed."""
        # No condition is false: this leaves those out that are not answered, 100,000 of them in a few milliseconds.
        answered = filter(None, self._scored.values())
        return tuple(sorted(answered, key=attrgetter("iteration")) if self._is_selectivity else answered)

    def _score(self, key: _Key) -> ScoredCondition | None:
        if key not in self._pooled:
            return None
        estimate = self._pooled[key]
        return ScoredCondition(*key, estimate, _scaled(estimate, self._sign), iteration=self._done_in(key))

    def _selectivity(self, key: _Key) -> ScoredCondition | None:
        line, compound, dose = key
        spared = [other for other in self._config.cell_lines if other != line]
        others = [(other, self._pooled[other, compound, dose]) for other in spared if self._has(other, compound, dose)]
        if not self._has(*key) or len(others) < len(spared):
            return None
        worst = min((other for _, other in others), key=lambda other: other.value)
        # Growth beyond the untreated control is noise or proliferation; it spares nothing further.
        worst = replace(worst, value=min(worst.value, UNTREATED))
        done = max(self._done_in((name, compound, dose)) for name in self._config.cell_lines)
        score = _difference(worst, self._pooled[key])
        return ScoredCondition(*key, self._pooled[key], score, tuple(others), iteration=done)

    def _has(self, cell_line: str, compound: str, dose_um: float) -> bool:
        return (cell_line, compound, dose_um) in self._pooled

    def _done_in(self, key: _Key) -> int:
        return min(result.iteration for result in self._measured[key])


def score_conditions(config: CampaignConfig, history: History) -> tuple[ScoredCondition, ...]:
    """Every condition that the history answers, in the order in which it was completed, as `ConditionScores` has it."""
    scores = ConditionScores(config)
    scores.add(history.results)
    return scores.conditions()


def best_condition(conditions: Iterable[ScoredCondition]) -> ScoredCondition | None:
    """The one with the highest score; the earliest of equals; None when there is none."""
    return max(conditions, key=attrgetter("score.value"), default=None)


def _is_viable(config: CampaignConfig, results: list[ExperimentResult]) -> bool:
    constraints = config.planner.constraints
    told = [result.viability for result in results if result.viability is not None]
    if constraints is None or constraints.min_viability is None or not told:
        return True
    return sum(told) / len(told) >= constraints.min_viability


def _pool(results: list[ExperimentResult]) -> Estimate:
    if len(results) == 1 and (only := results[0]).measurement is not None:
        # Most conditions are measured once, and a screen has 100,000 of them.
        known = only.standard_error is not None
        return Estimate(only.measurement, only.standard_error, only.degrees_of_freedom if known else 0)
    weights = [max(len(result.wells), 1) for result in results]
    total = sum(weights)
    values = [result.measurement for result in results if result.measurement is not None]
    mean = sum(w * value for w, value in zip(weights, values, strict=True)) / total
    errors = [result.standard_error for result in results]
    if any(error is None for error in errors):
        return Estimate(mean, None, 0)
    variance = sum((w / total) ** 2 * error**2 for w, error in zip(weights, errors, strict=True) if error is not None)
    return Estimate(mean, math.sqrt(variance), sum(result.degrees_of_freedom for result in results))


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(factor * estimate.value, estimate.standard_error, estimate.degrees_of_freedom)


def _difference(a: Estimate, b: Estimate) -> Estimate:
    """The difference of two independent means; degrees of freedom after Welch and Satterthwaite.

    Source: Welch 1947, doi:10.1093/biomet/34.1-2.28.
    """
    value = a.value - b.value
    if a.standard_error is None or b.standard_error is None or min(a.degrees_of_freedom, b.degrees_of_freedom) < 1:
        return Estimate(value, None, 0)
    variances = a.standard_error**2, b.standard_error**2
    total = sum(variances)
    spread = variances[0] ** 2 / a.degrees_of_freedom + variances[1] ** 2 / b.degrees_of_freedom
    freedom = int(total**2 / spread) if spread > 0 else a.degrees_of_freedom + b.degrees_of_freedom
    return Estimate(value, math.sqrt(total), max(freedom, 1))
