"""What a planner knew when it proposed an iteration, in plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED


@dataclass(frozen=True, slots=True)
class ModelState:
    """Evidence, not memory: a planner keeps no state, so a resumed campaign needs none of this to go on.

    It says what was known at the time, and its digest tells whether the results it rests on are still those stored.
    """

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    iteration: int
    """The one that was proposed from it."""
    planner: str
    seed: int
    """Behind all randomness, together with the iteration."""
    n_observations: int
    """Results that could be learnt from."""
    history_sha256: str
    """Of all results that were there: `History.digest`."""
    parameters: dict[str, Any]
    """What the planner had fitted, as it names it; numbers to 4 digits. Empty for a planner that fits nothing."""
