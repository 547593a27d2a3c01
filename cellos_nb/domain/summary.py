"""A campaign in a few numbers, as the command line, the panels and the record show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.objective import ScoredCondition, best_condition, score_conditions
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.units import format_dose, format_duration


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """What a campaign did and found."""

    campaign_id: str
    question: str
    status: str
    stop_reason: str
    n_iterations: int
    n_experiments: int
    n_wells: int
    n_learnable: int
    """Experiments that passed quality control."""
    duration_s: float
    """Wall-clock time of the iterations themselves."""
    cost_usd: float
    """Of the campaign's own plates; superseded iterations cost what they cost."""
    best: ScoredCondition | None
    parent: str = ""
    """The campaign and iteration that it was forked from; its results up to there are counted in the numbers above."""
    superseded: tuple[str, ...] = ()
    """The iterations that no longer count: number, who, when, why."""
    quarantined: tuple[str, ...] = ()
    """The plates that no model learns from: barcode, how much of it, and why."""
    overruled: tuple[str, ...] = ()
    """Quarantined plates that a person let count: who, when, why; and who took it back."""

    @property
    def experiments_per_s(self) -> float:
        """Experiments per second of wall-clock time; 0 for a campaign that has not run."""
        return self.n_experiments / self.duration_s if self.duration_s > 0 else 0.0

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Label and value of each line, ready to print."""
        head = (
            ("campaign", self.campaign_id),
            ("question", self.question),
            ("status", f"{self.status} ({self.stop_reason})" if self.stop_reason else self.status),
            ("iterations", str(self.n_iterations)),
            ("experiments", f"{self.n_experiments} in {self.n_wells} wells ({self.n_learnable} passed QC)"),
            ("duration", format_duration(self.duration_s)),
            ("experiments per second", f"{self.experiments_per_s:.4g}"),
            ("cost", f"{self.cost_usd:,.2f} USD"),
        )
        forked = (("forked from", self.parent),) if self.parent else ()
        gone = tuple(("rolled back", each) for each in self.superseded)
        doubted = tuple(("quarantined", each) for each in self.quarantined)
        decided = tuple(("overruled", each) for each in self.overruled)
        return (*head, *forked, *gone, *doubted, *decided, *_best_rows(self.best))


class Tally:
    """What is counted of a campaign's results; further results cost as much as they are many."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.n_results = self.n_wells = self.n_learnable = 0
        self.cost_usd = 0.0
        self._iterations: set[int] = set()
        self._quarantined: dict[str, list[ExperimentResult]] = {}

    def add(self, results: Iterable[ExperimentResult]) -> None:
        """Counts further results."""
        for result in results:
            self.n_results += 1
            self.n_wells += len(result.wells)
            self.n_learnable += result.is_learnable
            self.cost_usd += result.cost_usd
            self._iterations.add(result.iteration)
            if result.status is ResultStatus.QUARANTINED and result.wells:
                self._quarantined.setdefault(result.wells[0].plate_id, []).append(result)

    @property
    def n_iterations(self) -> int:
        """Iterations with results."""
        return len(self._iterations)

    @property
    def quarantined(self) -> dict[str, tuple[ExperimentResult, ...]]:
        """The quarantined results of each plate that has any, by barcode, in order."""
        return {plate: tuple(results) for plate, results in self._quarantined.items()}


def summarise(
    campaign_id: str,
    config: CampaignConfig,
    history: History,
    *,
    status: str,
    stop_reason: str,
    duration_s: float,
    spent_usd: float | None = None,
    parent: str = "",
    superseded: tuple[str, ...] = (),
    overruled: tuple[str, ...] = (),
    scores: tuple[ScoredCondition, ...] | None = None,
    tally: Tally | None = None,
) -> CampaignSummary:
    """The summary of a campaign's history.

    When left out, `spent_usd` is what the history itself cost, `scores` are its conditions as scored, and `tally` what
    is counted of it.
    """
    if tally is None:
        tally = Tally()
        tally.add(history)
    return CampaignSummary(
        campaign_id=campaign_id,
        question=question(config),
        status=status,
        stop_reason=stop_reason,
        n_iterations=tally.n_iterations,
        n_experiments=tally.n_results,
        n_wells=tally.n_wells,
        n_learnable=tally.n_learnable,
        duration_s=duration_s,
        cost_usd=tally.cost_usd if spent_usd is None else spent_usd,
        best=best_condition(score_conditions(config, history) if scores is None else scores),
        parent=parent,
        superseded=superseded,
        quarantined=tuple(_quarantine(plate, found) for plate, found in tally.quarantined.items()),
        overruled=overruled,
    )


def quarantined_plates(history: History) -> dict[str, tuple[ExperimentResult, ...]]:
    """The quarantined results of each plate that has any, by barcode, in the order of the history."""
    tally = Tally()
    tally.add(history)
    return tally.quarantined


def _quarantine(plate_id: str, results: tuple[ExperimentResult, ...]) -> str:
    """How much of a plate is quarantined, why, and what a person can do about it."""
    flags = dict.fromkeys(flag for result in results for flag in result.qc_flags)
    n = len(results)
    return f"{plate_id}: {n} experiment{'s' if n > 1 else ''} ({'; '.join(flag.words for flag in flags)})"


def question(config: CampaignConfig) -> str:
    """The campaign's question in one sentence."""
    low, high = config.dose_range_um
    n, doses = len(config.compounds), f"from {format_dose(low)} to {format_dose(high)}"
    asked = f"Which dose of {config.compound_names[0]} {doses}" if n == 1 else f"Which of {n} compounds {doses}"
    measured = {"viability": "viability", "reporter": "reporter signal", "imaging": "cell count"}[config.assay.name]
    if config.objective.goal == "selectivity":
        spared = ", ".join(line for line in config.cell_lines if line != config.target_line)
        return f"{asked} lowers the {measured} of {config.target_line} and spares {spared}?"
    extreme = "highest" if config.objective.goal == "maximise" else "lowest"
    lines = ", ".join(config.cell_lines)
    return f"{asked} gives the {extreme} {measured} in {lines if len(config.cell_lines) == 1 else f'any of {lines}'}?"


def _best_rows(best: ScoredCondition | None) -> tuple[tuple[str, str], ...]:
    if best is None:
        return (("best result", "none yet"),)
    rows = (
        ("best: cell line", best.cell_line),
        ("best: compound", best.compound),
        ("best: dose", format_dose(best.dose_um)),
        ("best: measurement", f"{best.measurement}, fraction of vehicle"),
    )
    if not best.others:
        return rows
    spared = ", ".join(f"{line} {estimate.value:.3f}" for line, estimate in best.others)
    return (*rows, ("best: spared lines", spared), ("best: selectivity", str(best.score)))
