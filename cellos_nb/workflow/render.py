"""A workflow as a person reads it before approving it: as text and as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from cellos_nb.domain.plate import WellRole, plate_format, row_label
from cellos_nb.units import format_dose, format_duration
from cellos_nb.workflow.estimate import CostLine, WorkflowEstimate
from cellos_nb.workflow.overview import (
    Condition,
    conditions,
    describe_fill,
    describe_step,
    describe_transfers,
    format_amount,
)
from cellos_nb.workflow.workflow import Workflow

_FILLS_SHOWN = 8
_WELLS_SHOWN = 12
_LABELLED_WELLS = 96
"""Larger plates have too little room for names in their wells."""

_STYLE = """<style>
.cellos-workflow {font: 13px/1.45 system-ui, sans-serif; max-width: 1200px}
.cellos-workflow h3 {margin: 0 0 4px; font-size: 16px} .cellos-workflow h4 {margin: 14px 0 4px; font-size: 13px}
.cellos-workflow .sha {font: 11px ui-monospace, monospace; opacity: .75; overflow-wrap: anywhere}
.cellos-workflow .map {overflow-x: auto}
.cellos-workflow table {border-collapse: separate; border-spacing: 2px; margin: 4px 0}
.cellos-workflow .map th {font-weight: 500; opacity: .7; padding: 0 3px; font-size: 11px; text-align: center}
.cellos-workflow .map td {border-radius: 3px; text-align: center; vertical-align: middle; line-height: 1.15;
 padding: 1px; color: #10202c; font-size: 10px; overflow: hidden}
.cellos-workflow .w96 td {min-width: 74px; max-width: 74px; height: 38px}
.cellos-workflow .w384 td {min-width: 38px; height: 21px; font-size: 9px}
.cellos-workflow .w1536 td {min-width: 15px; height: 13px; font-size: 0}
.cellos-workflow .empty {box-shadow: inset 0 0 0 1px rgba(128,128,128,.3)}
.cellos-workflow .medium {background: #e9e4d4} .cellos-workflow .vehicle {background: #cfd6da}
.cellos-workflow .positive {background: #f2a58c}
.cellos-workflow .key span {display: inline-block; padding: 0 8px; margin-right: 6px; border-radius: 3px;
 color: #10202c}
.cellos-workflow .rows td, .cellos-workflow .rows th {padding: 2px 10px 2px 0; text-align: left; vertical-align: top;
 background: none}
.cellos-workflow .rows .n {text-align: right; font-variant-numeric: tabular-nums}
.cellos-workflow ul {margin: 2px 0; padding-left: 18px}
.cellos-workflow summary {cursor: pointer; opacity: .8}
</style>"""


def render_text(workflow: Workflow, estimate: WorkflowEstimate | None = None) -> str:
    """Header, plate map with its key, steps and, when given, the estimate, for a terminal."""
    return "\n".join(
        (
            f"Plate {workflow.plate_id}: {_title(workflow)}",
            f"SHA-256 {workflow.sha256}",
            "",
            *_text_map(workflow),
            "",
            *_text_steps(workflow),
            *(_text_estimate(estimate) if estimate else ()),
            "",
        )
    )


def render_html(workflow: Workflow, estimate: WorkflowEstimate | None = None) -> str:
    """The same as one HTML fragment with its own style, readable on a light and on a dark page."""
    return "\n".join(
        (
            _STYLE,
            '<div class="cellos-workflow">',
            f"<h3>{escape(workflow.plate_id)}</h3>",
            f"<div>{escape(_title(workflow))}</div>",
            f'<div class="sha">SHA-256 {workflow.sha256}</div>',
            *_html_map(workflow),
            *_html_steps(workflow),
            *(_html_estimate(estimate) if estimate else ()),
            "</div>",
        )
    )


def _title(workflow: Workflow) -> str:
    layout = workflow.layout
    lines = sorted({well.cell_line for well in layout.wells if well.cell_line})
    proposals = {well.proposal_id for well in layout.with_role(WellRole.SAMPLE)}
    counts = [(len(layout.with_role(role)), role.value) for role in WellRole]
    wells = ", ".join(f"{n} {role}" for n, role in counts if n)
    return (
        f"{workflow.assay} assay on {', '.join(lines)}, {len(proposals)} experiments, {layout.n_wells}-well plate "
        f"({wells} wells)"
    )


def _text_map(workflow: Workflow) -> Iterator[str]:
    layout = workflow.layout
    groups = conditions(layout)
    fmt, marks = plate_format(layout.n_wells), {well: group.mark for group in groups for well in group.wells}
    width = max(*(len(mark) for mark in marks.values()), len(str(fmt.n_columns))) + 1
    yield " " * 3 + "".join(f"{column + 1:>{width}}" for column in range(fmt.n_columns))
    for row in range(fmt.n_rows):
        names = (f"{row_label(row)}{column + 1}" for column in range(fmt.n_columns))
        yield f"{row_label(row):<3}" + "".join(f"{marks.get(name, '·'):>{width}}" for name in names)
    yield ""
    for group in groups:
        wells = ", ".join(group.wells[:_WELLS_SHOWN]) + (" …" if len(group.wells) > _WELLS_SHOWN else "")
        named = f" [{group.proposal_id}]" if group.proposal_id else ""
        yield f"{group.mark:>{width + 1}}  {group.role.value}: {group.text}{named}: {wells}"


def _text_steps(workflow: Workflow) -> Iterator[str]:
    width = max(len(step.uid) for step in workflow.steps)
    for step in workflow.steps:
        yield f"{step.uid:<{width}}  {describe_step(step)}"
        for fill in step.fills[:_FILLS_SHOWN]:
            yield f"{'':<{width}}    fill {describe_fill(fill)}"
        if len(step.fills) > _FILLS_SHOWN:
            yield f"{'':<{width}}    fill {len(step.fills) - _FILLS_SHOWN} more positions"
        for line in describe_transfers(step):
            yield f"{'':<{width}}    {line}"


def _text_estimate(estimate: WorkflowEstimate) -> Iterator[str]:
    yield ""
    yield from (f"{label:<20} {value}" for label, value in _totals(estimate))
    for line in estimate.lines:
        yield f"  {line.item:<22} {_quantity(line):>16} {line.cost_usd:>9,.2f} USD"


def _quantity(line: CostLine) -> str:
    return format_amount(line.quantity) if line.unit == "µL" else f"{line.quantity:.4g} {line.unit}"


def _totals(estimate: WorkflowEstimate) -> Iterator[tuple[str, str]]:
    yield "duration", format_duration(estimate.duration_h * 3600)
    yield "machine busy", format_duration(estimate.robot_minutes * 60)
    yield "tips", str(estimate.tips)
    yield "cost", f"{estimate.cost_usd:,.2f} USD (prices of {estimate.prices_as_of})"


def _html_map(workflow: Workflow) -> Iterator[str]:
    layout = workflow.layout
    fmt = plate_format(layout.n_wells)
    groups = conditions(layout)
    by_well = {well: group for group in groups for well in group.wells}
    shade = _Shade([group.dose_um for group in groups if group.role is WellRole.SAMPLE and group.dose_um])
    size = 1536 if fmt.n_wells == 1536 else 384 if fmt.n_wells == 384 else 96
    yield f'<div class="map"><table class="w{size}">'
    yield "<tr><th></th>" + "".join(f"<th>{column + 1}</th>" for column in range(fmt.n_columns)) + "</tr>"
    for row in range(fmt.n_rows):
        names = [f"{row_label(row)}{column + 1}" for column in range(fmt.n_columns)]
        cells = (_html_well(name, by_well.get(name), fmt.n_wells, shade) for name in names)
        yield f"<tr><th>{row_label(row)}</th>{''.join(cells)}</tr>"
    yield "</table></div>"
    low, high = shade.ends
    legend = ((WellRole.VEHICLE, "vehicle"), (WellRole.POSITIVE, "positive control"), (WellRole.MEDIUM, "medium"))
    # The blanks are for where styles are not shown, as in a notebook that nobody trusts yet.
    controls = [f'<span class="{role}">{label}</span>' for role, label in legend if layout.with_role(role)]
    ends = (f'<span style="background:{shade.colour(dose)}">sample, {format_dose(dose)}</span>' for dose in (low, high))
    yield f'<div class="key">{" ".join([*controls, *ends])}</div>'


def _html_well(name: str, group: Condition | None, n_wells: int, shade: _Shade) -> str:
    if group is None:
        return f'<td class="empty" title="{name}: empty"></td>'
    named = f", {group.proposal_id}" if group.proposal_id else ""
    title = escape(f"{name}: {group.role.value}, {group.text}{named}")
    is_sample = group.role is WellRole.SAMPLE and group.dose_um is not None
    style = f' style="background:{shade.colour(group.dose_um or 0.0)}"' if is_sample else ""
    dose = f"{group.dose_um:.3g}" if group.dose_um is not None else group.mark
    label = [dose]
    if n_wells <= _LABELLED_WELLS:
        parts = (group.cell_line, group.compound or ("vehicle" if group.cell_line else "medium"))
        label = [*(_short(part) for part in parts if part), *([format_dose(group.dose_um)] if group.dose_um else [])]
    return f'<td class="{group.role.value}"{style} title="{title}">{"<br>".join(escape(part) for part in label)}</td>'


def _html_steps(workflow: Workflow) -> Iterator[str]:
    yield '<h4>Steps</h4><table class="rows">'
    for step in workflow.steps:
        detail = _html_list([*describe_transfers(step)])
        if step.fills:
            fills = _html_list([describe_fill(fill) for fill in step.fills])
            detail += f"<details><summary>{len(step.fills)} positions to fill</summary>{fills}</details>"
        yield f"<tr><th>{escape(step.uid)}</th><td>{escape(describe_step(step))}{detail}</td></tr>"
    yield "</table>"


def _html_list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _html_estimate(estimate: WorkflowEstimate) -> Iterator[str]:
    yield '<h4>Estimate</h4><table class="rows">'
    yield from (f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in _totals(estimate))
    yield '</table><table class="rows">'
    for line in estimate.lines:
        yield (
            f'<tr><td>{escape(line.item)}</td><td class="n">{escape(_quantity(line))}</td>'
            f'<td class="n">{line.cost_usd:,.2f} USD</td></tr>'
        )
    yield "</table>"


def _short(text: str, n: int = 12) -> str:
    return text if len(text) <= n else text[: n - 1] + "…"


class _Shade:
    """Colours for doses: the darker the higher, on a logarithmic scale."""

    def __init__(self, doses_um: Sequence[float]) -> None:
        self.ends = (min(doses_um, default=1.0), max(doses_um, default=1.0))

    def colour(self, dose_um: float) -> str:
        """A CSS colour on which dark text can be read."""
        low, high = (math.log(end) for end in self.ends)
        share = (math.log(dose_um) - low) / (high - low) if high > low else 0.5
        return f"hsl(205 70% {88 - 30 * min(max(share, 0.0), 1.0):.0f}%)"
