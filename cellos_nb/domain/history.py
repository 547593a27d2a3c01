"""Everything a campaign has concluded so far, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellos_nb.domain.result import ExperimentResult

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

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ExperimentResult]:
        return iter(self.results)

    @property
    def learnable(self) -> tuple[ExperimentResult, ...]:
        """The results that a model may learn from."""
        return tuple(result for result in self.results if result.is_learnable)

    def frame(self) -> pd.DataFrame:
        """One row per well, columns as in `COLUMNS`; an experiment without wells has one row."""
        import pandas as pd

        rows = [row for result in self.results for row in _rows(result)]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


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
