"""An experiment as a planner asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.errors import ProposalError
from cellos_nb.units import is_positive

Intent = Literal["explore", "exploit", "initial"]
Condition = tuple[str, str, float, str]
"""Cell line, compound, dose in µM, assay."""


@dataclass(frozen=True, slots=True)
class ProposalReason:
    """Why a planner asked for this experiment, in its own numbers."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    planner: str
    """Name of the planner that asked."""
    predicted_mean: float | None = None
    """Expected measurement, in the measurement's own unit."""
    predicted_sd: float | None = None
    """Standard deviation of that expectation, noise of the measurement left out."""
    acquisition: float | None = None
    """Value of the acquisition function; comparable within one batch only."""
    intent: Intent = "initial"
    """`initial`: before there is a model; `exploit`: expected to be good; `explore`: uncertain."""


@dataclass(frozen=True, slots=True)
class ExperimentProposal:
    """One experiment: a cell line, a compound, a dose and an assay.

    Raises:
        ProposalError: a name is empty or the dose is not a finite number above zero.
    """

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    cell_line: str
    compound: str
    dose_um: float
    """Final concentration in the well, in µM."""
    assay: str = "viability"
    proposal_id: str = ""
    """Unique within its campaign; given by the campaign when left empty."""
    reason: ProposalReason | None = None

    def __post_init__(self) -> None:
        for name in ("cell_line", "compound", "assay"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ProposalError(f"{name}: {value!r} is not a name; give the {name.replace('_', ' ')} as text.")
        if isinstance(self.dose_um, bool) or not isinstance(self.dose_um, int | float) or not is_positive(self.dose_um):
            raise ProposalError(
                f"dose_um: {self.dose_um!r} for {self.compound} is no dose; give a finite number of µM above 0. "
                "Untreated wells are the vehicle controls that every plate has."
            )

    @property
    def condition(self) -> Condition:
        """What makes two proposals the same experiment: cell line, compound, dose in µM, assay."""
        return (self.cell_line, self.compound, float(self.dose_um), self.assay)
