"""Signals as fractions of vehicle, and which wells are replicates of one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cellos_nb.analysis.curves import Array, IntArray
from cellos_nb.analysis.signals import PlateWells
from cellos_nb.domain.plate import WellRole
from cellos_nb.domain.proposal import ExperimentProposal


@dataclass(frozen=True, slots=True)
class Normalised:
    """A plate's wells as fractions of the vehicle wells of their own cell line."""

    value: Array
    """In the order of the plate's wells; NaN where signal or vehicle is missing."""
    vehicle: Array
    """Median signal of each line's vehicle wells, shape (lines,); 1 where the source normalised; NaN without wells."""
    n_vehicle: IntArray
    """Vehicle wells behind each median; 0 where the source normalised."""


def normalise(wells: PlateWells, usable: Array, *, is_normalised: bool) -> Normalised:
    """Divides each well by the median of its line's vehicle wells, unless the source has done so.

    The median, because one bad control well must not shift every result of its line. A median of 0 or below allows no
    fraction.
    """
    n_lines = len(wells.lines)
    if is_normalised:
        return Normalised(usable, np.ones(n_lines), np.zeros(n_lines, dtype=np.intp))
    vehicle, n_vehicle = np.full(n_lines, np.nan), np.zeros(n_lines, dtype=np.intp)
    for line in range(n_lines):
        controls = usable[wells.controls(line, WellRole.VEHICLE)]
        controls = controls[~np.isnan(controls)]
        n_vehicle[line] = controls.size
        if controls.size and (median := float(np.median(controls))) > 0:
            vehicle[line] = median
    return Normalised(usable / vehicle[wells.line], vehicle, n_vehicle)


@dataclass(frozen=True, slots=True)
class ReplicateGroups:
    """Which wells measure the same: the replicates of each proposal, then each line's vehicle and positive wells."""

    of_well: IntArray
    """Group of each well, counted from 0."""
    n: int
    """All groups; the last one holds wells of proposals that were not asked about."""
    proposals: tuple[ExperimentProposal, ...]
    """Those on this plate, in the order in which they were given; the first groups are theirs."""
    line: IntArray
    """Cell line of each proposal, as a position in the plate's lines."""
    members: tuple[tuple[int, ...], ...]
    """The wells of each proposal, as positions."""


def replicate_groups(wells: PlateWells, proposals: Iterable[ExperimentProposal]) -> ReplicateGroups:
    """Groups the wells of a plate."""
    found: dict[str, list[int]] = {}
    for position, well in enumerate(wells.assignments):
        if well.role is WellRole.SAMPLE and well.proposal_id is not None:
            found.setdefault(well.proposal_id, []).append(position)
    here = {proposal.proposal_id: proposal for proposal in proposals if proposal.proposal_id in found}
    members = tuple(tuple(found[proposal_id]) for proposal_id in here)
    n_lines = len(wells.lines)
    n = len(here) + 2 * n_lines + 1
    of_well = np.full(len(wells.assignments), n - 1, dtype=np.intp)
    for role_code in (1, 2):
        controls = wells.role == role_code
        of_well[controls] = len(here) + (role_code - 1) * n_lines + wells.line[controls]
    for index, positions in enumerate(members):
        of_well[list(positions)] = index
    line = np.array([wells.line[positions[0]] for positions in members], dtype=np.intp)
    return ReplicateGroups(of_well, n, tuple(here.values()), line, members)


def group_means(value: Array, groups: ReplicateGroups) -> tuple[Array, IntArray]:
    """Mean of the present values of each proposal, NaN without any, and how many they are."""
    present = ~np.isnan(value)
    of_well = groups.of_well[present]
    n = np.bincount(of_well, minlength=groups.n)
    total = np.bincount(of_well, weights=value[present], minlength=groups.n)
    n_asked = len(groups.proposals)
    mean: Array = np.where(n > 0, total / np.maximum(n, 1), np.nan)[:n_asked]
    return mean, n[:n_asked]
