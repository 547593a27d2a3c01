"""What an experiment concluded, with its uncertainty and whether it may be learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.domain.proposal import ExperimentProposal


class ResultStatus(StrEnum):
    """How an experiment ended."""

    OK = "ok"
    QUARANTINED = "quarantined"
    """Measured, but its plate or wells failed quality control: kept, shown, never learnt from."""
    FAILED = "failed"
    """Not measured; `error` says why."""


class QCFlag(StrEnum):
    """A reason to doubt a well or a plate."""

    SATURATED = "saturated"
    MISSING = "missing"
    OUTLIER = "outlier"
    LOW_ZPRIME = "low_zprime"
    LOW_VEHICLE = "low_vehicle"
    NOISY_VEHICLE = "noisy_vehicle"
    EDGE_EFFECT = "edge_effect"
    DRIFT = "drift"
    SWAPPED_ROWS = "swapped_rows"
    BUBBLE = "bubble"
    OVERRULED = "overruled"
    """A person decided that a quarantined plate counts; who, when and why stands in the campaign's overrulings."""

    @property
    def words(self) -> str:
        """What the flag means, in a few words."""
        return _WORDS[self]


_WORDS = {
    QCFlag.SATURATED: "signal at the detector's limit",
    QCFlag.MISSING: "no number read",
    QCFlag.OUTLIER: "far from its replicates",
    QCFlag.LOW_ZPRIME: "controls not told apart (Z′ below 0.4)",
    QCFlag.LOW_VEHICLE: "vehicle wells lower than the samples",
    QCFlag.NOISY_VEHICLE: "vehicle wells scatter by more than 20 %",
    QCFlag.EDGE_EFFECT: "rim wells differ from inner ones",
    QCFlag.DRIFT: "signal drifts across the plate",
    QCFlag.SWAPPED_ROWS: "two rows look exchanged",
    QCFlag.BUBBLE: "well far from its like, as after a bubble or a missed tip",
    QCFlag.OVERRULED: "a person decided that it counts",
}


@dataclass(frozen=True, slots=True)
class WellResult:
    """One well of an experiment: raw signal beside the normalised value."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    plate_id: str
    well: str
    replicate: int
    signal: float | None
    """Raw, in the unit of the reading."""
    value: float | None
    """Normalised to the plate's vehicle controls of the same cell line: 1.0 is untreated."""
    qc_flags: tuple[QCFlag, ...] = ()


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """The conclusion of one proposal over its replicate wells."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    proposal: ExperimentProposal
    status: ResultStatus
    measurement: float | None = None
    """The assay's answer: mean of the replicates that passed, as a fraction of vehicle (reporter: fold of vehicle)."""
    standard_error: float | None = None
    """Of the measurement; None when neither replicates nor controls allow one."""
    degrees_of_freedom: int = 0
    """Behind the standard error."""
    viability: float | None = None
    """Living cells as a fraction of vehicle; None when the assay does not tell."""
    wells: tuple[WellResult, ...] = ()
    qc_flags: tuple[QCFlag, ...] = ()
    """Of the whole plate and of any well."""
    error: str | None = None
    iteration: int = 0
    """Counted from 1 within its campaign; 0 outside one."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cost_usd: float = 0.0

    @property
    def is_learnable(self) -> bool:
        """Whether a model may learn from it."""
        return self.status is ResultStatus.OK and self.measurement is not None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval of the measurement (Student t); None without a standard error."""
        if self.measurement is None or self.standard_error is None or self.degrees_of_freedom < 1:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(self.degrees_of_freedom, 0.975)) * self.standard_error
        return (self.measurement - half, self.measurement + half)
