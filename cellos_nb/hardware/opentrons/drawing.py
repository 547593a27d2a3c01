"""A drawing of the deck for the person who sets it up: what stands where, and what to fill in. SVG, self-contained."""

from __future__ import annotations

from collections import defaultdict
from html import escape

from cellos_nb.domain.step import Fill, Step
from cellos_nb.hardware.opentrons.catalogue import RobotKind
from cellos_nb.hardware.opentrons.deck import Deck, PlacedLabware, TipRack

_WIDTH, _HEIGHT, _GAP, _TOP = 240, 150, 10, 54
_LINE = 15
_MAX_LINES = 5
_MAX_LETTERS = 36
_COLUMNS = 3

GRID: dict[RobotKind, tuple[str, ...]] = {
    "OT-2": ("10", "11", "12", "7", "8", "9", "4", "5", "6", "1", "2", "3"),
    "Flex": ("A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3", "D1", "D2", "D3"),
}
"""Slots as a person in front of the robot sees them, row by row from the back."""

_STYLE = (
    "text{font:12px sans-serif;fill:#1a1a1a}.title{font-size:16px;font-weight:bold}.slot{font-weight:bold}"
    "rect{stroke:#555;stroke-width:1}.empty{fill:#fff;stroke-dasharray:4 3}.labware{fill:#dceefb}.tips{fill:#fdf1d6}"
    ".trash{fill:#e4e4e4}.module{fill:#e1f3e6}"
)


def draw_deck(step: Step, deck: Deck) -> str:
    """The deck during one step, seen from the front, as an SVG document."""
    robot = deck.robot
    width = _COLUMNS * (_WIDTH + _GAP) + _GAP
    rows = len(GRID[robot.robot]) // _COLUMNS
    height = _TOP + rows * (_HEIGHT + _GAP)
    cells = []
    for index, slot in enumerate(GRID[robot.robot]):
        row, column = divmod(index, _COLUMNS)
        kind, lines = _content(slot, deck)
        cells.append(_cell(_GAP + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP), slot, kind, lines))
    title = escape(f"{step.plate_id}, step {step.uid}: deck of {robot.name} ({robot.robot})")
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    hint = "Seen from the front. Fill in what is listed before the run; the volumes hold what cannot be drawn."
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">',
            f"<style>{_STYLE}</style>",
            f'<rect width="{width}" height="{height}" fill="#fff" stroke="none"/>',
            f'<text class="title" x="{_GAP}" y="24">{title}</text>',
            f'<text x="{_GAP}" y="43">{hint}</text>',
            *cells,
            "</svg>\n",
        )
    )


def _cell(x: int, y: int, slot: str, kind: str, lines: list[str]) -> str:
    texts = [f'<text class="slot" x="{x + 8}" y="{y + 18}">{escape(slot)}</text>']
    for number, line in enumerate(lines):
        shown = line if len(line) <= _MAX_LETTERS else f"{line[: _MAX_LETTERS - 1]}…"
        texts.append(
            f'<text x="{x + 8}" y="{y + 18 + (number + 1) * _LINE}"><title>{escape(line)}</title>{escape(shown)}</text>'
        )
    box = f'<rect class="{kind}" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
    return "\n".join((f"<g>{box}", *texts, "</g>"))


def _content(slot: str, deck: Deck) -> tuple[str, list[str]]:
    robot = deck.robot
    for placed in deck.labware:
        if placed.slot == slot:
            return ("module" if placed.chilled_c is not None else "labware"), _labware_lines(placed, deck)
    for rack in deck.tip_racks:
        if rack.slot == slot:
            return "tips", _tip_lines(rack)
    if slot == (robot.used_trash or "12"):
        return "trash", ["trash"]
    if slot in robot.temperature_modules:
        return "module", ["temperature module, not used"]
    if slot in robot.closed_slots:
        return "trash", ["kept clear by configuration"]
    return "empty", ["empty"]


def _labware_lines(placed: PlacedLabware, deck: Deck) -> list[str]:
    lines = [placed.name, placed.load_name, placed.barcode]
    if placed.chilled_c is not None:
        lines.append(f"on the temperature module, {placed.chilled_c:g} °C")
    fills: dict[str, list[Fill]] = defaultdict(list)
    for fill in deck.fills:
        if fill.labware == placed.name:
            fills[fill.liquid.name].append(fill)
    listed = [
        f"{placed.well(fill.well)}: {fill.volume_ul:g} µL {name}"
        for name, of_liquid in fills.items()
        for fill in of_liquid
    ]
    if len(listed) > _MAX_LINES:
        listed = [*listed[: _MAX_LINES - 1], f"and {len(listed) - _MAX_LINES + 1} more: see the protocol"]
    return lines + listed


def _tip_lines(rack: TipRack) -> list[str]:
    return ["tips", rack.pipette.tips, f"for {rack.pipette.name} ({rack.pipette.mount}), rack {rack.number}"]
