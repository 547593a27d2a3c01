"""What a workflow says in words: conditions, steps and transfers, summed up for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cellos_nb.domain.plate import PlateLayout, WellAssignment, WellRole
from cellos_nb.domain.step import Fill, Step, StepKind, TipPolicy
from cellos_nb.units import format_dose, format_duration, format_volume

_VERBS = {
    StepKind.SEED: "dispense cells",
    StepKind.DILUTE: "make dilutions",
    StepKind.DOSE: "add doses and vehicle",
    StepKind.STAIN: "add stain",
}
_TIPS = {TipPolicy.PER_SOURCE: "one tip per source", TipPolicy.PER_TRANSFER: "a new tip for every transfer"}


@dataclass(frozen=True, slots=True)
class Condition:
    """Wells that are treated alike, and the mark that stands for them on a plate map."""

    mark: str
    """A number for samples; V, P and - for vehicle, positive controls and medium, numbered by cell line."""
    role: WellRole
    cell_line: str | None
    compound: str | None
    dose_um: float | None
    proposal_id: str | None
    wells: tuple[str, ...]

    @property
    def text(self) -> str:
        """What the wells hold."""
        parts = [self.cell_line or "medium"]
        if self.compound is None and self.cell_line:
            parts.append("vehicle")
        if self.compound and self.dose_um is not None:
            parts.append(f"{self.compound} {format_dose(self.dose_um)}")
        return ", ".join(parts)


def conditions(layout: PlateLayout) -> tuple[Condition, ...]:
    """The conditions of a plate: controls, samples, medium; each by cell line, compound and dose."""
    wells: dict[tuple[WellRole, str | None, str | None], list[WellAssignment]] = {}
    for well in layout.wells:
        wells.setdefault((well.role, well.proposal_id, well.cell_line), []).append(well)
    lines = sorted({well.cell_line for well in layout.wells if well.cell_line})
    order = {WellRole.VEHICLE: 0, WellRole.POSITIVE: 1, WellRole.SAMPLE: 2, WellRole.MEDIUM: 3}
    marks = {WellRole.VEHICLE: "V", WellRole.POSITIVE: "P"}
    found, n_samples = [], 0
    groups = sorted(
        wells.items(),
        key=lambda item: (order[item[0][0]], item[0][2] or "", item[1][0].compound or "", item[1][0].dose_um or 0.0),
    )
    for (role, proposal_id, line), group in groups:
        if role is WellRole.SAMPLE:
            n_samples += 1
        number = lines.index(line) + 1 if line else 0
        mark = f"{marks[role]}{number}" if role in marks else str(n_samples) if role is WellRole.SAMPLE else "-"
        first, names = group[0], tuple(well.well for well in group)
        found.append(Condition(mark, role, line, first.compound, first.dose_um, proposal_id, names))
    return tuple(found)


def format_amount(volume_ul: float) -> str:
    """A volume for people, in mL from 1 mL on.

    >>> format_amount(20590.0), format_amount(50.0)
    ('20.59 mL', '50 µL')
    """
    return f"{volume_ul / 1e3:.4g} mL" if volume_ul >= 1e3 else format_volume(volume_ul)


def describe_step(step: Step) -> str:
    """One line on what a step does."""
    if step.transfers is not None:
        mixing = ", mixed after each" if step.transfers.mix_after else ""
        tips = _TIPS[step.transfers.tip_policy]
        return f"{_VERBS.get(step.kind, step.name)}: {len(step.transfers)} transfers, {tips}{mixing}"
    if step.readout is not None:
        sites = f", {step.readout.n_sites} sites each" if step.readout.n_sites > 1 else ""
        channels = ", ".join(step.readout.channels)
        return f"{step.readout.mode} ({channels}) of {len(step.readout.wells)} wells{sites}"
    if step.to_place is not None:
        return f"carry the plate to {step.to_place}"
    return f"incubate {format_duration((step.duration_h or 0.0) * 3600)} at {step.temperature_c:g} °C"


def describe_transfers(step: Step) -> Iterator[str]:
    """One line for each pair of source and destination labware, in the order of first use."""
    columns = step.transfers
    if columns is None:
        return
    volumes: dict[tuple[str, str], list[float]] = {}
    for source, destination, volume in zip(
        columns.source_labware, columns.destination_labware, columns.volume_ul, strict=True
    ):
        volumes.setdefault((source, destination), []).append(volume)
    for (source, destination), group in volumes.items():
        low, high = format_amount(min(group)), format_amount(max(group))
        each = low if low == high else f"{low} to {high}"
        yield f"{source} → {destination}: {len(group)} × {each}, {format_amount(sum(group))} in all"


def describe_fill(fill: Fill) -> str:
    """What must stand in one source well."""
    cells = f", {fill.liquid.cells_per_ul * 1e3:,.0f} cells/mL" if fill.liquid.cells_per_ul else ""
    return f"{fill.labware} {fill.well}: {format_amount(fill.volume_ul)} {fill.liquid.name}{cells}"
