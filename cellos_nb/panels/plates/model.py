"""One plate as it stands: what each well holds, what was read of it, what it concluded, and how good the plate is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cellos_nb.analysis.artefacts import ArtefactFinding, plate_artefacts
from cellos_nb.analysis.quality import PlateQuality, plate_quality
from cellos_nb.analysis.signals import plate_wells, read_signal
from cellos_nb.domain.plate import WellAssignment, WellRole
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.result import ExperimentResult, QCFlag, ResultStatus
from cellos_nb.execution.journal import reading_of
from cellos_nb.execution.runs import load_workflow
from cellos_nb.execution.story import Attempt, PlateRecord, attempts
from cellos_nb.store.results import batch_results
from cellos_nb.store.store import Store
from cellos_nb.workflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Well:
    """One used well."""

    assignment: WellAssignment
    signal: float | None
    """Raw, in the unit of the reading; None where there is none yet."""
    value: float | None
    """As a fraction of the vehicle wells of its line."""
    flags: tuple[QCFlag, ...]
    """Doubts about this well; those about the whole plate are the plate's."""
    status: ResultStatus | None
    """Of its experiment; None for controls and before the conclusion."""

    @property
    def name(self) -> str:
        """Its place: B7."""
        return self.assignment.well


@dataclass(frozen=True, slots=True)
class Plate:
    """One plate, whatever state it is in."""

    record: PlateRecord
    workflow: Workflow
    channel: str
    """The signal shown; empty before the plate is read."""
    unit: str
    wells: dict[str, Well]
    quality: PlateQuality | None
    """None before the plate is read."""
    attempts: tuple[Attempt, ...]
    reading: Reading | None
    verdict: str = ""
    """What keeps results of the plate from the model, or whether a person let them count; empty where nothing does."""

    @property
    def n_wells(self) -> int:
        """The plate's format."""
        return self.workflow.layout.n_wells


def load_plate(store: Store, record: PlateRecord) -> Plate:
    """A plate from the store: its frozen workflow, its journal and reading, and the results that name it.

    Raises:
        StoreCorruptError: the stored workflow is not what was submitted.
    """
    workflow = load_workflow(store, record.run_id)
    reading = reading_of(store, record.run_id)
    channel = reading.channels[0].name if reading and reading.channels else ""
    with store.read() as tx:
        concluded = batch_results(tx, record.batch_id)
    wells = _wells(workflow, reading, channel, concluded)
    return Plate(
        record=record,
        workflow=workflow,
        channel=channel,
        unit=reading.channel(channel)[0].unit if reading and channel else "",
        wells={well.name: well for well in wells},
        quality=plate_quality(workflow.layout, reading, channel) if reading and channel else None,
        attempts=attempts(store, record.run_id),
        reading=reading,
        verdict=_verdict(workflow.plate_id, concluded),
    )


def _verdict(plate_id: str, results: Iterable[ExperimentResult]) -> str:
    """Quarantined or overruled, and why, in words."""
    own = [result for result in results if any(well.plate_id == plate_id for well in result.wells)]
    doubted = [r for r in own if r.status is ResultStatus.QUARANTINED or QCFlag.OVERRULED in r.qc_flags]
    if not doubted:
        return ""
    flags = dict.fromkeys(flag for result in doubted for flag in result.qc_flags)
    why = "; ".join(flag.words for flag in flags if flag is not QCFlag.OVERRULED)
    if all(QCFlag.OVERRULED in result.qc_flags for result in doubted):
        return f"Counts by a person's decision, although: {why}."
    return f"Quarantined, {len(doubted)} of {len(own)} experiments: {why}. No planner learns from them."


def find_artefacts(plate: Plate) -> tuple[ArtefactFinding, ...]:
    """What the plate's own replicates betray: edge, drift, bubbles, swapped rows; nothing before it is read.

    Raises:
        AnalysisError: the reading does not fit the layout.
    """
    if plate.reading is None or not plate.channel:
        return ()
    found = {one.kind: one for one in plate_artefacts(plate.workflow.layout, plate.reading, plate.channel)}
    return tuple(found[kind] for kind in ("edge", "drift", "bubble", "swapped_rows"))


def _wells(
    workflow: Workflow, reading: Reading | None, channel: str, results: Iterable[ExperimentResult]
) -> Iterable[Well]:
    signals = _signals(workflow, reading, channel)
    vehicle = _vehicle(workflow, reading, signals)
    concluded = {
        well.well: (result, well) for result in results for well in result.wells if well.plate_id == workflow.plate_id
    }
    for assignment in workflow.layout:
        signal = signals.get(assignment.well)
        result, of_well = concluded.get(assignment.well, (None, None))
        if result is not None and of_well is not None:
            yield Well(assignment, of_well.signal, of_well.value, of_well.qc_flags, result.status)
            continue
        scale = vehicle.get(assignment.cell_line or "")
        value = signal / scale if signal is not None and scale else None
        yield Well(assignment, signal, value, (), None)


def _signals(workflow: Workflow, reading: Reading | None, channel: str) -> dict[str, float]:
    """The signal of each well that gave a finite one, averaged over sites."""
    if reading is None or not channel:
        return {}
    wells = plate_wells(workflow.layout)
    signal = read_signal(wells, reading, channel)
    values = [] if signal is None else signal.raw.tolist()
    pairs = zip((well.well for well in wells.assignments), values, strict=False)
    return {name: value for name, value in pairs if math.isfinite(value)}


def _vehicle(workflow: Workflow, reading: Reading | None, signals: dict[str, float]) -> dict[str, float]:
    """What each line's controls are divided by, as the conclusions divide its samples."""
    from statistics import median

    found: dict[str, list[float]] = {}
    for well in workflow.layout.with_role(WellRole.VEHICLE):
        if well.cell_line is not None and well.well in signals:
            found.setdefault(well.cell_line, []).append(signals[well.well])
    if reading is not None and reading.is_normalised:
        return dict.fromkeys({well.cell_line or "" for well in workflow.layout.with_cells}, 1.0)
    return {line: median(values) for line, values in found.items()}
