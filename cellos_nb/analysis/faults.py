"""What a plate's artefacts mean for its results: which wells are dropped, what is noted, and what is quarantined."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.artefacts import Artefact, ArtefactFinding, find_artefacts
from cellos_nb.analysis.curves import Array, IntArray
from cellos_nb.analysis.gates import QualityGates
from cellos_nb.analysis.signals import PlateWells
from cellos_nb.domain.result import QCFlag

_FLAGS: dict[Artefact, QCFlag] = {
    "edge": QCFlag.EDGE_EFFECT,
    "drift": QCFlag.DRIFT,
    "swapped_rows": QCFlag.SWAPPED_ROWS,
}
_MIN_REPLICATES = 3
"""Replicates of which one can be told to be wrong; of two that differ, nobody can say which."""


@dataclass(frozen=True, slots=True)
class PlateFaults:
    """The artefacts of one plate, by their consequence."""

    quarantining: tuple[QCFlag, ...]
    """Faults that condemn every result of the plate."""
    noted: tuple[QCFlag, ...]
    """Faults that its results carry as flags, and are learnt from all the same: the standard errors hold them."""
    is_accused: NDArray[np.bool_]
    """Wells that stand far from their replicates, in the order of the plate's wells."""
    is_dropped: NDArray[np.bool_]
    """Those among them that at least two replicates contradict; they do not enter a result."""
    verdicts: tuple[str, ...]
    """What was found, in words."""


def plate_faults(wells: PlateWells, value: Array, n_wells: int, group: IntArray, gates: QualityGates) -> PlateFaults:
    """Looks for artefacts that matter.

    Args:
        wells: the wells with cells.
        value: as fractions of vehicle; NaN where a well tells nothing.
        n_wells: the plate's format.
        group: which wells are replicates of one another.
        gates: from where an effect is noted, and from where it condemns.
    """
    none = np.zeros(value.shape, dtype=np.bool_)
    # On a logarithmic scale, where the effects are measured.
    noted, most = -math.log1p(-gates.noted_trend), -math.log1p(-gates.max_trend)
    findings = find_artefacts(wells, value, n_wells, level=gates.level, least=noted)
    found = {finding.kind: finding for finding in findings if finding.is_found}
    bubble = found.get("bubble")
    is_accused = none if bubble is None else np.isin([well.well for well in wells.assignments], bubble.wells)
    n_present = np.bincount(group[np.isfinite(value)], minlength=int(group.max(initial=0)) + 1)
    return PlateFaults(
        quarantining=tuple(flag for kind, flag in _FLAGS.items() if _condemns(found.get(kind), most)),
        noted=tuple(flag for kind, flag in _FLAGS.items() if kind in found and not _condemns(found[kind], most)),
        is_accused=is_accused,
        is_dropped=is_accused & (n_present[group] >= _MIN_REPLICATES),
        verdicts=tuple(finding.verdict for finding in found.values()),
    )


def no_faults(n: int) -> PlateFaults:
    """What is said of a plate whose wells have no positions of their own: a source that normalised another one's."""
    none = np.zeros(n, dtype=np.bool_)
    return PlateFaults((), (), none, none, ())


def _condemns(finding: ArtefactFinding | None, most: float) -> bool:
    if finding is None:
        return False
    return finding.kind == "swapped_rows" or abs(finding.statistic) >= most
