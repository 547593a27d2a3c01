"""What a reader or imager answered, untouched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One signal of one site over all wells that were read."""

    name: str
    """`luminescence`, `reporter`, `cell_count`, `DAPI`, `GFP`, `RFP`."""
    unit: str
    """`RLU`, `RFU`, `cells`, `fraction of vehicle`."""
    values: tuple[float | None, ...]
    """In the order of the reading's wells; None where the device gave no number."""
    site: int | None = None
    """The imaged field, counted from 1; None for a whole-well signal."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The raw answer to one read or image step."""

    plate_id: str
    step_uid: str
    wells: tuple[str, ...]
    channels: tuple[Channel, ...]
    is_normalised: bool = False
    """Whether the source gives fractions of its own vehicle control, so that none is taken again."""
    instrument: str = ""

    def channel(self, name: str) -> tuple[Channel, ...]:
        """All sites of one signal; empty when the reading has none of that name."""
        return tuple(channel for channel in self.channels if channel.name == name)
