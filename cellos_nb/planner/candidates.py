"""The finite set of experiments that a campaign can ask for, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.constraints import is_permitted, rooms
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal, Intent, ProposalReason
from cellos_nb.domain.result import ExperimentResult

_MAX_ATTEMPTS = 3
"""A condition that gave no usable result this often is left alone."""


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """Every condition of a campaign; a treatment is a compound at a dose, and spans all cell lines.

    Condition number = treatment number × number of cell lines + cell line number.
    """

    cell_lines: tuple[str, ...]
    """The target first when lines are compared, else as configured."""
    compounds: tuple[str, ...]
    """Of each treatment."""
    doses_um: NDArray[np.float64]
    """Of each treatment, in µM."""
    is_measured: NDArray[np.bool_]
    """Shape (n_treatments, n_cell_lines): whether there is a result to learn from."""
    is_open: NDArray[np.bool_]
    """Same shape: whether it may be asked for."""
    is_comparison: bool
    """Whether the goal compares cell lines, so that a treatment is asked for on all of them together."""
    assay: str
    results: tuple[ExperimentResult, ...]
    """What may be learnt from, in the campaign's assay."""
    pending: tuple[int, ...] = ()
    """Numbers of the conditions under way."""
    rooms: Mapping[str, int] = field(default_factory=dict)
    """How many further experiments each compound allows; one that is not in it has no limit."""

    @classmethod
    def of(cls, config: CampaignConfig, history: History) -> CandidatePool:
        """The conditions of a campaign after its history."""
        is_comparison = config.objective.goal == "selectivity"
        lines = config.cell_lines
        if is_comparison:
            lines = (config.target_line, *(line for line in lines if line != config.target_line))
        treatments = [(compound, dose) for compound in config.compound_names for dose in config.doses_um(compound)]
        place = {treatment: i for i, treatment in enumerate(treatments)}
        column = {line: i for i, line in enumerate(lines)}
        measured = np.zeros((len(treatments), len(lines)), dtype=bool)
        attempts = np.zeros(measured.shape, dtype=int)
        for result in history.results:
            asked = result.proposal
            row, line = place.get((asked.compound, asked.dose_um)), column.get(asked.cell_line)
            if row is not None and line is not None and asked.assay == config.assay.name:
                attempts[row, line] += 1
                measured[row, line] |= result.is_learnable
        pool = cls(
            cell_lines=lines,
            compounds=tuple(compound for compound, _ in treatments),
            doses_um=np.array([dose for _, dose in treatments]),
            is_measured=measured,
            is_open=~measured & (attempts < _MAX_ATTEMPTS) & _is_offered(config, history, treatments, lines),
            is_comparison=is_comparison,
            assay=config.assay.name,
            results=tuple(result for result in history.learnable if result.proposal.assay == config.assay.name),
            rooms=rooms(config, history.results, history.pending),
        )
        return pool.with_pending(history)

    @property
    def n_lines(self) -> int:
        """Cell lines."""
        return len(self.cell_lines)

    def conditions(self) -> tuple[list[str], list[str], NDArray[np.float64]]:
        """Cell line, compound and dose (µM) of every condition."""
        lines = list(self.cell_lines) * len(self.compounds)
        compounds = [compound for compound in self.compounds for _ in self.cell_lines]
        return lines, compounds, np.repeat(self.doses_um, self.n_lines)

    def row_of(self, cell_line: str, compound: str, dose_um: float) -> int | None:
        """The number of a condition; None when the campaign has no such condition."""
        if cell_line not in self.cell_lines:
            return None
        treatments = zip(self.compounds, self.doses_um.tolist(), strict=True)
        place = next((i for i, treatment in enumerate(treatments) if treatment == (compound, dose_um)), None)
        return None if place is None else place * self.n_lines + self.cell_lines.index(cell_line)

    def open_of(self, treatment: int) -> list[int]:
        """The conditions of one treatment that may be asked for, the target's first."""
        columns: list[int] = np.flatnonzero(self.is_open[treatment]).tolist()
        return [treatment * self.n_lines + column for column in columns]

    def expand(self, treatments: Iterable[int], n: int) -> list[int]:
        """The open conditions of treatments, one treatment after another, `n` at most."""
        rows: list[int] = []
        for treatment in treatments:
            rows += self.open_of(treatment)
            if len(rows) >= n:
                break
        return rows[:n]

    def without(self, rows: Iterable[int]) -> CandidatePool:
        """The pool after some conditions were chosen."""
        is_open, left, chosen = self.is_open.copy(), dict(self.rooms), list(rows)
        is_open.reshape(-1)[chosen] = False
        for row in chosen:
            compound = self.compounds[row // self.n_lines]
            if compound in left:
                left[compound] -= 1
        return replace(self, is_open=is_open, rooms=left)

    def with_pending(self, history: History) -> CandidatePool:
        """The pool with what is under way; it is not asked for again."""
        under_way = {p.condition[:3] for p in history.pending if p.assay == self.assay}
        if not under_way:
            return self
        lines, compounds, doses = self.conditions()
        every = zip(lines, compounds, doses.tolist(), strict=True)
        rows = tuple(i for i, condition in enumerate(every) if condition in under_way)
        is_open = self.is_open.copy()
        is_open.reshape(-1)[list(rows)] = False
        return replace(self, is_open=is_open, pending=rows)

    @property
    def room(self) -> NDArray[np.float64]:
        """Shape (n_treatments,): how many further experiments the treatment's compound allows; inf without a limit."""
        return np.array([self.rooms.get(compound, np.inf) for compound in self.compounds])

    def proposal(
        self,
        row: int,
        planner: str,
        intent: Intent,
        numbers: tuple[float, float, float] | None = None,
    ) -> ExperimentProposal:
        """The proposal of one condition; `numbers` are predicted mean, its standard deviation, and the acquisition."""
        treatment, line = divmod(row, self.n_lines)
        mean, sd, value = numbers or (None, None, None)
        return ExperimentProposal(
            cell_line=self.cell_lines[line],
            compound=self.compounds[treatment],
            dose_um=float(self.doses_um[treatment]),
            assay=self.assay,
            reason=ProposalReason(planner, mean, sd, value, intent),
        )


def _is_offered(
    config: CampaignConfig, history: History, treatments: list[tuple[str, float]], lines: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Shape (n_treatments, n_cell_lines): permitted by the constraints and not withheld by the history."""
    constraints, assay = config.planner.constraints, config.assay.name
    offered = np.ones((len(treatments), len(lines)), dtype=bool)
    if history.withheld:
        away = history.withheld
        offered &= [[(line, c, dose, assay) not in away for line in lines] for c, dose in treatments]
    if constraints is not None and constraints.exclude:
        offered &= [[is_permitted(constraints, line, c, dose) for line in lines] for c, dose in treatments]
    return offered
