"""What a person is asked to do, as a page that prints: no script, nothing from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cellos_nb.domain.plate import PLATE_FORMATS, row_label
from cellos_nb.domain.step import Fill, Step, StepKind, TipPolicy, Transfer
from cellos_nb.hardware.bench.settings import BenchFile
from cellos_nb.units import format_duration, format_volume

STYLE = """
.cellos-bench {font: 14px/1.45 system-ui, sans-serif; max-width: 1180px; color: inherit}
.cellos-bench h1 {font-size: 20px; margin: 0 0 2px} .cellos-bench h2 {font-size: 16px; margin: 22px 0 4px}
.cellos-bench h3 {font-size: 13px; margin: 12px 0 3px}
.cellos-bench table {border-collapse: collapse; margin: 4px 0}
.cellos-bench td, .cellos-bench th {border: 1px solid rgba(128,128,128,.55); padding: 2px 6px; text-align: left;
 font-variant-numeric: tabular-nums}
.cellos-bench .map td, .cellos-bench .map th {padding: 1px; text-align: center; font-size: 10px; line-height: 1.15}
.cellos-bench .map td {min-width: 42px; height: 26px} .cellos-bench .w384 td {min-width: 30px; font-size: 8px}
.cellos-bench .w1536 td {min-width: 14px; font-size: 0; height: 12px}
.cellos-bench .map .full {background: rgba(120,160,200,.28)}
.cellos-bench .map th {border: none; opacity: .75}
.cellos-bench .tick {display: inline-block; width: 12px; height: 12px; border: 1.5px solid currentColor;
 margin-right: 6px; vertical-align: -1px}
.cellos-bench .sign {margin: 8px 0; display: flex; gap: 26px; flex-wrap: wrap}
.cellos-bench .sign span {border-bottom: 1px solid currentColor; min-width: 150px; padding-bottom: 1px}
.cellos-bench .quiet {opacity: .75; font-size: 12px; overflow-wrap: anywhere}
@media print {
 @page {size: A4 landscape; margin: 11mm}
 .cellos-bench {max-width: none; font-size: 11px; color: #000}
 .cellos-bench section {break-inside: avoid-page} .cellos-bench section + section {break-before: page}
 .cellos-bench thead {display: table-header-group}
 .cellos-bench .map .full {-webkit-print-color-adjust: exact; print-color-adjust: exact}
}
"""
_TIPS = {
    TipPolicy.PER_SOURCE: "one tip for each source, without touching the liquid in the wells",
    TipPolicy.PER_TRANSFER: "a new tip for every transfer",
}
_VERBS = {
    StepKind.SEED: "Dispense cells and medium",
    StepKind.DILUTE: "Make the dilutions",
    StepKind.DOSE: "Add the doses and the vehicle",
    StepKind.STAIN: "Add the stain",
}


def protocol_page(title: str, steps: Sequence[Step], bench: BenchFile, *, quiet: str = "") -> str:
    """The protocol of a plate as one HTML file; the browser prints it, or saves it as PDF."""
    sections = Markup("\n").join(step_html(step, bench) for step in steps)
    plate = steps[0].labware_named("plate") if steps else None
    about = f"{plate.n_wells}-well plate, {bench.name}" if plate else bench.name
    return str(
        Markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{}</title><style>{}</style></head>\n'
            '<body><main class="cellos-bench"><h1>{}</h1><div>{}</div><div class="quiet">{}</div>\n{}\n</main></body>'
            "</html>\n"
        ).format(title, Markup(STYLE), title, about, quiet, sections)  # noqa: S704 — a constant of ours
    )


def step_html(step: Step, bench: BenchFile) -> Markup:
    """One step: what to prepare, what goes where, and room for what was done otherwise."""
    parts: list[Markup] = [Markup("<section><h2>{}. {}</h2>").format(step.uid.partition("-")[0], _title(step, bench))]
    parts.append(Markup('<div class="quiet">plate {}, step {}</div>').format(step.plate_id, step.uid))
    if step.fills:
        parts.append(_fills(step, bench))
    if step.transfers is not None:
        parts += _moves(step, bench)
    parts.append(_sign(step))
    parts.append(Markup("</section>"))
    return Markup("\n").join(parts)


def _title(step: Step, bench: BenchFile) -> str:
    if step.transfers is not None:
        n = len(step.transfers)
        return f"{_VERBS.get(step.kind, step.name)}: {n} transfers, {_TIPS[step.transfers.tip_policy]}"
    if step.readout is not None:
        what = ", ".join(step.readout.channels)
        return f"Read {what} of {len(step.readout.wells)} wells ({step.readout.mode}), and bring the reader's file"
    if step.to_place is not None:
        return f"Carry the plate to {labware_text(step.to_place, bench)}"
    return f"Incubate {format_duration((step.duration_h or 0.0) * 3600)} at {step.temperature_c:g} °C"


def _fills(step: Step, bench: BenchFile) -> Markup:
    """What must stand ready before the step begins."""
    rows = Markup("").join(
        Markup('<tr><td><span class="tick"></span>{} {}</td><td>{}</td><td>{}</td><td>{}</td></tr>').format(
            labware_text(fill.labware, bench), fill.well, fill.liquid.name, _amount(fill.volume_ul), _from(fill, bench)
        )
        for fill in step.fills
    )
    head = Markup("<thead><tr><th>prepare</th><th>liquid</th><th>volume</th><th>from</th></tr></thead>")
    return Markup("<h3>Prepare</h3><table>{}<tbody>{}</tbody></table>").format(head, rows)


def _from(fill: Fill, bench: BenchFile) -> str:
    density = f"{fill.liquid.cells_per_ul * 1e3:,.0f} cells/mL" if fill.liquid.cells_per_ul else ""
    stock = bench.stocks.get(fill.liquid.compound or "")
    return ", ".join(part for part in (density, stock.place if stock else "") if part)


def _moves(step: Step, bench: BenchFile) -> Iterator[Markup]:
    """One map of each labware that is filled, by source labware; a list where the order matters."""
    if _is_chain(step):
        yield Markup("<h3>In this order</h3>")
        yield _list(step.transfers or (), bench)
        if step.transfers is not None and step.transfers.mix_after:
            yield Markup("<div>Mix after each dispense.</div>")
        return
    by_pair: dict[tuple[str, str], list[Transfer]] = defaultdict(list)
    for transfer in step.transfers or ():
        by_pair[transfer.source_labware, transfer.destination_labware].append(transfer)
    for (source, destination), transfers in by_pair.items():
        yield Markup("<h3>{} → {}: {} transfers with {}</h3>").format(
            *(labware_text(source, bench), labware_text(destination, bench)),
            *(len(transfers), _pipettes(transfers, bench)),
        )
        yield _map(transfers, step.labware_named(destination).n_wells)
    if step.transfers is not None and step.transfers.mix_after:
        yield Markup("<div>Mix after each dispense.</div>")


def _is_chain(step: Step) -> bool:
    """Whether something is drawn from what this step fills, as in a dilution series."""
    filled: set[tuple[str, str]] = set()
    for t in step.transfers or ():
        if (t.source_labware, t.source_well) in filled:
            return True
        filled.add((t.destination_labware, t.destination_well))
    return False


def _list(transfers: Iterable[Transfer], bench: BenchFile) -> Markup:
    """Every transfer in a line of its own, to be ticked off."""
    rows = Markup("").join(
        Markup(
            '<tr><td><span class="tick"></span>{}</td><td>{} {}</td><td>{} {}</td><td>{}</td><td>{}</td></tr>'
        ).format(
            *(number, labware_text(t.source_labware, bench), t.source_well),
            *(labware_text(t.destination_labware, bench), t.destination_well),
            *(format_volume(t.volume_ul), _pipettes([t], bench)),
        )
        for number, t in enumerate(transfers, 1)
    )
    head = Markup("<thead><tr><th></th><th>from</th><th>into</th><th>volume</th><th>with</th></tr></thead>")
    return Markup("<table>{}<tbody>{}</tbody></table>").format(head, rows)


def _pipettes(transfers: Iterable[Transfer], bench: BenchFile) -> str:
    fitting = (bench.pipette_for(transfer.volume_ul) for transfer in transfers)
    return ", ".join(dict.fromkeys(pipette.name if pipette else "no pipette" for pipette in fitting))


@dataclass(slots=True)
class _Cell:
    """What one well gets from one labware."""

    source: str
    volume_ul: float
    n_parts: int = 1


def _map(transfers: Sequence[Transfer], n_wells: int) -> Markup:
    """The wells as they lie: in each the source well and the volume."""
    cells: dict[str, _Cell] = {}
    for t in transfers:
        if t.destination_well in cells and cells[t.destination_well].source == t.source_well:
            cells[t.destination_well].volume_ul += t.volume_ul
            cells[t.destination_well].n_parts += 1
        else:
            cells[t.destination_well] = _Cell(t.source_well, t.volume_ul)
    fmt = PLATE_FORMATS[n_wells]
    columns = Markup("").join(Markup("<th>{}</th>").format(column + 1) for column in range(fmt.n_columns))
    rows = [Markup("<tr><th></th>{}</tr>").format(columns)]
    for row in range(fmt.n_rows):
        wells = (f"{row_label(row)}{column + 1}" for column in range(fmt.n_columns))
        body = Markup("").join(_cell(well, cells.get(well)) for well in wells)
        rows.append(Markup("<tr><th>{}</th>{}</tr>").format(row_label(row), body))
    size = n_wells if n_wells in {384, 1536} else 96
    return Markup('<table class="map w{}"><tbody>{}</tbody></table>').format(size, Markup("\n").join(rows))


def _cell(well: str, held: _Cell | None) -> Markup:
    if held is None:
        return Markup("<td></td>")
    parts = f" in {held.n_parts} parts" if held.n_parts > 1 else ""
    title = f"{well}: {format_volume(held.volume_ul)} from {held.source}{parts}"
    return Markup('<td class="full" title="{}">{}<br>{}</td>').format(title, held.source, _number(held.volume_ul))


def _number(volume_ul: float) -> str:
    """A volume in as few characters as a well has room for; n stands for nL."""
    return f"{volume_ul:.4g}" if volume_ul >= 0.1 else f"{volume_ul * 1e3:.3g} n"


def _sign(step: Step) -> Markup:
    """Room for a hand."""
    fields = ["begun at", "done at", "by", "barcode"]
    # The blank is for where styles are not shown, as in a notebook that nobody trusts yet.
    lines = Markup(" ").join(Markup("<span>{}</span>").format(name) for name in fields)
    if step.kind is StepKind.INCUBATE:
        return Markup('<div class="sign">{}</div>').format(lines)
    return Markup(
        '<div class="sign">{}</div><div class="sign"><span style="min-width:100%">done otherwise (wells left out, '
        "other volumes)</span></div>"
    ).format(lines)


def labware_text(name: str, bench: BenchFile) -> str:
    """Labware in the words of this lab: `stocks-2` is another of what `stocks` is."""
    own = bench.labware.get(name) or bench.labware.get(name.partition("-")[0])
    return name if own is None else f"{name} ({own})"


def _amount(volume_ul: float) -> str:
    return f"{volume_ul / 1e3:.4g} mL" if volume_ul >= 1e3 else format_volume(volume_ul)
