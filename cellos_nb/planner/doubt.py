"""When a learnt prior is laid aside for the vague one, because what was measured denies it."""

from __future__ import annotations

import math

ODDS = 3.0
"""So many times as well the vague prior has to explain the measurements: true histories fall behind by less."""
CHECKS = (2, 16, 24, 32, 48)
"""Measurements after which it is asked; a lie that agrees with itself takes some of them to be seen."""
CHECKED_AT_MOST = 200
"""Measurements, told at once, from which the shares of the learnt classes learn enough by themselves."""


def is_denied(log_evidence: float, log_evidence_vague: float) -> bool:
    """Whether the measurements speak against a learnt prior, given the log evidence of it and of the vague one."""
    return log_evidence_vague - log_evidence > math.log(ODDS)
