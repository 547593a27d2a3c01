"""Everything a campaign has concluded so far, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellos_nb.domain.codec import to_json
from cellos_nb.domain.proposal import Condition, ExperimentProposal, ProposalReason
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus, WellResult
from cellos_nb.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: dict[str, str] = {
    "iteration": "Int64",
    "experiment": "string",
    "plate": "string",
    "well": "string",
    "replicate": "Int64",
    "cell_line": "string",
    "compound": "string",
    "dose_um": "float64",
    "assay": "string",
    "signal": "float64",
    "value": "float64",
    "measurement": "float64",
    "standard_error": "float64",
    "degrees_of_freedom": "Int64",
    "viability": "float64",
    "status": "string",
    "qc_flags": "string",
    "error": "string",
    "intent": "string",
    "predicted_mean": "float64",
    "predicted_sd": "float64",
    "acquisition": "float64",
    "planner": "string",
    "cost_usd": "float64",
}
"""The columns of `History.frame` and their pandas types: one row per well, experiment-wide values repeated. Wall-clock
times are left out, so that two runs with one seed are equal byte for byte."""


@dataclass(frozen=True, slots=True)
class History:
    """Results in the order in which they were asked for."""

    results: tuple[ExperimentResult, ...] = ()
    pending: tuple[ExperimentProposal, ...] = ()
    """Experiments under way, for planners: never asked for again, and what they will tell is taken into account."""
    withheld: frozenset[Condition] = frozenset()
    """Conditions that cannot be measured now and are not to be asked for, such as those a replay has no data of."""

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ExperimentResult]:
        return iter(self.results)

    @property
    def learnable(self) -> tuple[ExperimentResult, ...]:
        """The results that a model may learn from."""
        return tuple(result for result in self.results if result.is_learnable)

    def points(self) -> tuple[tuple[str, str, float, float], ...]:
        """Cell line, compound, dose in µM and value of every well that a curve may be fitted to."""
        return tuple(
            (result.proposal.cell_line, result.proposal.compound, result.proposal.dose_um, well.value)
            for result in self.learnable
            for well in result.wells
            if well.value is not None and not well.qc_flags
        )

    @property
    def iterations(self) -> tuple[int, ...]:
        """The numbers of the iterations that have results, ascending; some are missing where a campaign went back."""
        return tuple(sorted({result.iteration for result in self.results}))

    def digest(self) -> str:
        """The SHA-256, as 64 hex digits, of all that a planner may learn from.

        Wall-clock times, costs and the campaign's name are left out, so that equal campaigns have equal digests.
        """
        learnt: list[Any] = [list(_learnt(result)) for result in self.results]
        if self.pending or self.withheld:
            under_way = [list(proposal.condition) for proposal in self.pending]
            learnt += [{"pending": under_way, "withheld": sorted(map(list, self.withheld))}]
        text = to_json(learnt)
        return hashlib.sha256(text.encode()).hexdigest()

    def frame(self) -> pd.DataFrame:
        """One row per well, columns as in `COLUMNS`; an experiment without wells has one row."""
        import pandas as pd

        rows = [row for result in self.results for row in _rows(result)]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> History:
        """The history whose `frame` this is, as read back from a file; wall-clock times are not in it.

        Raises:
            InputError: columns are missing; the message names them.
        """
        missing = [column for column in COLUMNS if column not in frame.columns]
        if missing:
            raise InputError(f"history: the columns {', '.join(missing)} are missing; expected {', '.join(COLUMNS)}.")
        plain = frame.astype(object).where(frame.notna(), None)
        return cls(tuple(_result(group) for _, group in plain.groupby("experiment", sort=False)))


def _result(group: pd.DataFrame) -> ExperimentResult:
    rows = group.to_dict("records")
    head = rows[0]
    reason = None
    if head["planner"] is not None:
        reason = ProposalReason(
            head["planner"], head["predicted_mean"], head["predicted_sd"], head["acquisition"], head["intent"]
        )
    proposal = ExperimentProposal(
        head["cell_line"], head["compound"], head["dose_um"], head["assay"], head["experiment"], reason
    )
    flags = [tuple(QCFlag(flag) for flag in (row["qc_flags"] or "").split()) for row in rows]
    wells = tuple(
        WellResult(row["plate"], row["well"], int(row["replicate"]), row["signal"], row["value"], well_flags)
        for row, well_flags in zip(rows, flags, strict=True)
        if row["well"] is not None
    )
    return ExperimentResult(
        proposal=proposal,
        status=ResultStatus(head["status"]),
        measurement=head["measurement"],
        standard_error=head["standard_error"],
        degrees_of_freedom=int(head["degrees_of_freedom"]),
        viability=head["viability"],
        wells=wells,
        qc_flags=tuple(dict.fromkeys(flag for well_flags in flags for flag in well_flags)),
        error=head["error"],
        iteration=int(head["iteration"]),
        cost_usd=float(sum(row["cost_usd"] for row in rows)),
    )


def _learnt(result: ExperimentResult) -> Iterator[Any]:
    yield from (result.iteration, result.proposal.proposal_id, *result.proposal.condition, result.status)
    yield from (result.measurement, result.standard_error, result.degrees_of_freedom, result.viability)
    for well in result.wells:
        yield from (well.plate_id.rpartition("/")[2], well.well, well.signal, well.value, " ".join(well.qc_flags))


def _rows(result: ExperimentResult) -> Iterator[tuple[Any, ...]]:
    proposal, reason = result.proposal, result.proposal.reason
    named = (proposal.cell_line, proposal.compound, proposal.dose_um, proposal.assay)
    asked = (
        (reason.intent, reason.predicted_mean, reason.predicted_sd, reason.acquisition, reason.planner)
        if reason
        else (None,) * 5
    )
    n_wells = max(len(result.wells), 1)
    head, tail = (result.iteration, proposal.proposal_id), (*asked, result.cost_usd / n_wells)
    concluded = (result.measurement, result.standard_error, result.degrees_of_freedom, result.viability, result.status)
    for well in result.wells:
        flags = " ".join(dict.fromkeys((*result.qc_flags, *well.qc_flags))) or None
        place = (well.plate_id.rpartition("/")[2], well.well, well.replicate)
        yield (*head, *place, *named, well.signal, well.value, *concluded, flags, result.error, *tail)
    if not result.wells:
        flags = " ".join(result.qc_flags) or None
        yield (*head, None, None, None, *named, None, None, *concluded, flags, result.error, *tail)
