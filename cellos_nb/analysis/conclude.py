"""From a plate's reading to results: normalise, check, average, and say how sure."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from cellos_nb.analysis.curves import Array
from cellos_nb.analysis.faults import PlateFaults, no_faults, plate_faults
from cellos_nb.analysis.gates import DEFAULT_GATES, QualityGates, broken_gates
from cellos_nb.analysis.noise import Scatter, outliers, pooled_scatter, scale_of
from cellos_nb.analysis.normalise import Normalised, ReplicateGroups, group_means, normalise, replicate_groups
from cellos_nb.analysis.quality import line_qualities
from cellos_nb.analysis.signals import PlateWells, Signal, plate_wells, read_signal
from cellos_nb.domain.plate import PlateLayout
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus, WellResult
from cellos_nb.errors import AnalysisError

log = logging.getLogger(__name__)

_MEDIAN_LOSS = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for many normal values; for few it is less."""
_DROPPED = {QCFlag.MISSING, QCFlag.SATURATED, QCFlag.OUTLIER, QCFlag.BUBBLE}


@dataclass(frozen=True, slots=True)
class _Assay:
    channel: str
    """The signal that the measurement is made of."""
    viability_channel: str
    can_rise: bool
    """Whether a compound may raise the signal far above the vehicle's."""


_ASSAYS = {
    "viability": _Assay("luminescence", "luminescence", can_rise=False),
    "reporter": _Assay("reporter", "viability", can_rise=True),
    "imaging": _Assay("cell_count", "cell_count", can_rise=False),
}


@dataclass(frozen=True, slots=True)
class _Plate:
    """All numbers of one plate, before they become results."""

    plate_id: str
    wells: PlateWells
    groups: ReplicateGroups
    signal: Signal
    main: Normalised
    is_outlier: NDArray[np.bool_]
    mean: Array
    error: Array
    freedom: int
    viability: Array
    line_flags: tuple[tuple[QCFlag, ...], ...]
    """For each cell line, the gates that its results break."""
    faults: PlateFaults


def conclude(
    proposals: Iterable[ExperimentProposal],
    layout: PlateLayout,
    reading: Reading,
    *,
    plate_id: str,
    assay: str,
    iteration: int = 0,
    cost_usd: float = 0.0,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
    gates: QualityGates = DEFAULT_GATES,
) -> tuple[ExperimentResult, ...]:
    """The results of the proposals on one plate, in the order of the proposals; those on other plates are passed over.

    Every signal is divided by the median of the plate's vehicle wells of the same cell line, unless the source did so.
    The measurement is the mean of the replicates that passed; wells without a number, saturated wells and outliers do
    not enter it and keep their flag. Imaging counts cells, as a mean over sites.

    The whole plate is quarantined when its replicates show that rows were exchanged, or that the rim or a drift changes
    the signal by more than `gates.max_trend`. A well far from at least two replicates is dropped as a bubble; of two
    replicates that disagree so, nobody can say which is wrong, so that their experiment alone is quarantined.

    The standard error rests on one relative scatter, pooled over all replicates of the plate, control wells among them:
    two or three replicates of one experiment say little about its own noise. It includes the uncertainty of the
    vehicle's median. It is None when nothing on the plate was measured twice. The vehicle wells of a normalised source
    are 1 by definition and tell nothing.

    Args:
        proposals: what was asked, of this plate and perhaps of others.
        layout: what each well holds.
        reading: the raw answer.
        plate_id: the plate's barcode, for the wells of the results.
        assay: `viability`, `reporter` or `imaging`.
        iteration: lap of the campaign, counted from 1.
        cost_usd: of the whole plate; each of its experiments bears an equal part.
        started_at: when the plate was begun.
        finished_at: when it was read.
        gates: what controls and replicates must show; what breaks one is quarantined.

    Raises:
        AnalysisError: an unknown assay, or a reading that lacks the assay's channel or is of another length.
    """
    plate = _measure(proposals, layout, reading, plate_id=plate_id, assay=assay, gates=gates)
    for verdict in plate.faults.verdicts:
        log.info("%s: %s", plate_id, verdict)
    asked = plate.groups.proposals
    share_usd = cost_usd / len(asked) if asked else 0.0
    wells = _well_results(plate)
    rows = zip(
        asked,
        plate.mean.tolist(),
        plate.error.tolist(),
        plate.viability.tolist(),
        plate.groups.members,
        plate.groups.line.tolist(),
        strict=True,
    )
    results = []
    for proposal, mean, error, viability, members, line in rows:
        own = tuple(wells[position] for position in members)
        broken = plate.line_flags[line] + plate.faults.quarantining + _disagreement(plate, members)
        flags = broken + plate.faults.noted + tuple(flag for well in own for flag in well.qc_flags)
        is_measured = not math.isnan(mean)
        has_error = is_measured and not math.isnan(error)
        results.append(
            ExperimentResult(
                proposal=proposal,
                status=_status(broken, is_measured=is_measured),
                measurement=mean if is_measured else None,
                standard_error=error if has_error else None,
                degrees_of_freedom=plate.freedom if has_error else 0,
                viability=None if math.isnan(viability) else viability,
                wells=own,
                qc_flags=tuple(dict.fromkeys(flags)) if flags else (),
                error=None if is_measured else _why_not(plate, proposal, own, line),
                iteration=iteration,
                started_at=started_at,
                finished_at=finished_at,
                cost_usd=share_usd,
            )
        )
    return tuple(results)


def _measure(
    proposals: Iterable[ExperimentProposal],
    layout: PlateLayout,
    reading: Reading,
    *,
    plate_id: str,
    assay: str,
    gates: QualityGates,
) -> _Plate:
    if assay not in _ASSAYS:
        raise AnalysisError(f"assay: {assay!r} has no analysis; possible: {', '.join(_ASSAYS)}.")
    about, wells = _ASSAYS[assay], plate_wells(layout)
    signal = read_signal(wells, reading, about.channel)
    if signal is None:
        known = ", ".join(dict.fromkeys(channel.name for channel in reading.channels)) or "none"
        raise AnalysisError(
            f"Plate {plate_id}: the {assay} assay is concluded from the channel {about.channel!r}, "
            f"but the reading has {known}."
        )
    groups = replicate_groups(wells, proposals)
    main = normalise(wells, signal.usable, is_normalised=reading.is_normalised)
    n_asked = len(groups.proposals)
    faults = _faults(layout, wells, main, groups, gates, is_normalised=reading.is_normalised)
    is_outlier = outliers(main.value, groups.of_well, groups.n) & (groups.of_well < n_asked)
    passed = np.where(is_outlier | faults.is_dropped, np.nan, main.value)
    is_unknown = groups.of_well == groups.n - 1
    is_told = reading.is_normalised & (wells.role == 1)
    scatter = pooled_scatter(np.where(is_unknown | is_told, np.nan, passed), groups.of_well, groups.n)
    mean, n = group_means(passed, groups)
    return _Plate(
        plate_id=plate_id,
        wells=wells,
        groups=groups,
        signal=signal,
        main=main,
        is_outlier=is_outlier,
        mean=mean,
        error=_standard_errors(mean, n, scatter, main.n_vehicle[groups.line]),
        freedom=scatter.degrees_of_freedom if scatter else 0,
        viability=_viability(wells, reading, about, passed, groups),
        line_flags=_line_flags(wells, signal.usable, about, gates, is_normalised=reading.is_normalised),
        faults=faults,
    )


def _faults(
    layout: PlateLayout,
    wells: PlateWells,
    main: Normalised,
    groups: ReplicateGroups,
    gates: QualityGates,
    *,
    is_normalised: bool,
) -> PlateFaults:
    if is_normalised:
        return no_faults(len(wells.assignments))
    return plate_faults(wells, main.value, layout.n_wells, groups.of_well, gates)


def _disagreement(plate: _Plate, members: tuple[int, ...]) -> tuple[QCFlag, ...]:
    """Set where wells are accused and cannot be dropped."""
    own = list(members)
    doubted = plate.faults.is_accused[own] & ~plate.faults.is_dropped[own]
    return (QCFlag.BUBBLE,) if doubted.any() else ()


def _standard_errors(mean: Array, n: NDArray[np.intp], scatter: Scatter | None, n_vehicle: NDArray[np.intp]) -> Array:
    """Of each proposal's mean: its own wells' scatter, and that of the vehicle's median, which multiplies the mean."""
    if scatter is None:
        return np.full(mean.shape, np.nan)
    loss = np.where(n_vehicle > 2, _MEDIAN_LOSS, 1.0)
    of_vehicle = np.where(n_vehicle > 0, loss / np.sqrt(np.maximum(n_vehicle, 1)), 0.0)
    own = scale_of(mean) / np.sqrt(np.maximum(n, 1))
    error: Array = scatter.relative_sd * np.hypot(own, np.abs(mean) * of_vehicle)
    return error


def _viability(wells: PlateWells, reading: Reading, about: _Assay, passed: Array, groups: ReplicateGroups) -> Array:
    """Living cells of each proposal as a fraction of vehicle; NaN where the reading does not tell."""
    if about.viability_channel == about.channel:
        return group_means(passed, groups)[0]
    signal = read_signal(wells, reading, about.viability_channel)
    if signal is None:
        return np.full(len(groups.proposals), np.nan)
    value = normalise(wells, signal.usable, is_normalised=reading.is_normalised).value
    # A well that failed for the measurement failed as a well.
    return group_means(np.where(np.isnan(passed), np.nan, value), groups)[0]


def _line_flags(
    wells: PlateWells, usable: Array, about: _Assay, gates: QualityGates, *, is_normalised: bool
) -> tuple[tuple[QCFlag, ...], ...]:
    flags: list[tuple[QCFlag, ...]] = []
    for index, quality in enumerate(line_qualities(wells, usable, is_normalised=is_normalised)):
        has_told_vehicle = is_normalised and quality.vehicle_cv is None
        if has_told_vehicle:
            flags.append(())
            continue
        samples = None if about.can_rise or is_normalised else usable[wells.is_sample & (wells.line == index)]
        flags.append(broken_gates(gates, quality, samples))
    return tuple(flags)


def _well_results(plate: _Plate) -> dict[int, WellResult]:
    """The result of each well that answers a proposal, by its position."""
    raw, value = plate.signal.raw.tolist(), plate.main.value.tolist()
    is_saturated, is_outlier = plate.signal.is_saturated.tolist(), plate.is_outlier.tolist()
    is_accused = plate.faults.is_accused.tolist()
    n_asked = len(plate.groups.proposals)
    results: dict[int, WellResult] = {}
    for position, (well, group) in enumerate(zip(plate.wells.assignments, plate.groups.of_well.tolist(), strict=True)):
        if group >= n_asked:
            continue
        flags: tuple[QCFlag, ...] = ()
        if is_saturated[position]:
            flags = (QCFlag.SATURATED,)
        elif not math.isfinite(raw[position]):
            flags = (QCFlag.MISSING,)
        elif is_outlier[position]:
            flags = (QCFlag.OUTLIER,)
        elif is_accused[position]:
            flags = (QCFlag.BUBBLE,)
        results[position] = WellResult(
            plate.plate_id, well.well, well.replicate, _number(raw[position]), _number(value[position]), flags
        )
    return results


def _status(broken: tuple[QCFlag, ...], *, is_measured: bool) -> ResultStatus:
    if not is_measured:
        return ResultStatus.FAILED
    return ResultStatus.QUARANTINED if broken else ResultStatus.OK


def _why_not(plate: _Plate, proposal: ExperimentProposal, wells: tuple[WellResult, ...], line: int) -> str:
    named = ", ".join(well.well for well in wells)
    where = f"Plate {plate.plate_id}, well{'s' if len(wells) > 1 else ''} {named}"
    if all(QCFlag.MISSING in well.qc_flags for well in wells):
        return f"{where}: the reading has no number. Read the plate again, or propose the experiment again."
    if all(_DROPPED & set(well.qc_flags) for well in wells):
        return f"{where}: the signal is at the detector's limit. Read the plate again at a lower gain."
    n_vehicle = plate.main.n_vehicle[line]
    what = "gave a number" if n_vehicle == 0 else "gave a signal above zero"
    return (
        f"Plate {plate.plate_id}: no vehicle well of {proposal.cell_line} {what}, so its wells cannot be compared with "
        "untreated cells. Read the plate again, or give the line more vehicle wells."
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
