"""What the control room and the panels in its tabs know of each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cellos_nb.lab import Lab


@dataclass(frozen=True, slots=True)
class Seat:
    """What the control room has for a panel that is opened in it."""

    lab: Lab
    """Open for as long as the room is."""
    given: Lab | str | Path | None
    """What the room was opened with, for a connection that outlives the room."""
    campaign_id: str | None
    """The campaign in view; None while the database holds none."""
    static: bool
    """Figures and tables in place of widgets."""


class Begun(Protocol):
    """A campaign that a panel began."""

    @property
    def campaign_id(self) -> str:
        """Its identifier; empty until it is stored."""
