"""The diagrams of states, drawn from the moves that the code declares: SVG without a script, for both themes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from commands import cell

from cellos_nb.execution.lifecycle import JOB_BEGINS, JOB_MOVES, STEP_BEGINS, STEP_MOVES, Move

WIDTH, HEIGHT = 104, 30
JOB_PLACES = {
    "queued": (80, 120), "claimed": (240, 120), "running": (400, 120), "succeeded": (640, 120),
    "cancelling": (520, 210), "cancelled": (400, 290), "paused": (240, 30), "in_doubt": (520, 30),
    "dead_letter": (80, 290),
}  # fmt: skip
STEP_PLACES = {
    "started": (80, 120), "done": (640, 30), "refused": (360, 120), "failed": (360, 200),
    "interrupted": (80, 220), "in_doubt": (360, 30), "continued": (640, 120), "discarded": (640, 250),
}  # fmt: skip
"""Where each state stands in its picture. A state without a place ends the build: give it one."""


def jobs() -> str:
    """The states of jobs: picture and table."""
    return _drawn(JOB_MOVES, JOB_PLACES, JOB_BEGINS.value, "States of a job, a plate's run among them")


def steps() -> str:
    """The states of attempts at steps: picture and table."""
    return _drawn(STEP_MOVES, STEP_PLACES, STEP_BEGINS.value, "States of one attempt at a step")


def _drawn(moves: Sequence[Move[Any]], places: dict[str, tuple[int, int]], begins: str, title: str) -> str:
    height = max(y for _, y in places.values()) + 40
    arrows = "".join(_arrow(move, moves, places) for move in moves)
    boxes = "".join(_box(name, *places[name], is_first=name == begins) for name in places)
    picture = (
        f'<svg class="states" viewBox="0 0 720 {height}" role="img" aria-label="{escape(title)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker></defs>'
        f"{arrows}{boxes}</svg>"
    )
    rows = [
        f"| {_words(move.before)} | {_words(move.after)} | {cell(move.when)} | {'yes' if move.by_person else ''} |"
        for move in moves
    ]
    return "\n".join([picture, "", "| from | to | when | by a person |", "|---|---|---|---|", *rows])


def _words(state: str) -> str:
    return state.replace("_", " ")


def _box(name: str, x: int, y: int, *, is_first: bool) -> str:
    kind = "state first" if is_first else "state"
    return (
        f'<g class="{kind}"><rect x="{x - WIDTH / 2}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="15"/>'
        f'<text x="{x}" y="{y + 4}">{_words(name)}</text></g>'
    )


def _arrow(move: Move[Any], moves: Sequence[Move[Any]], places: dict[str, tuple[int, int]]) -> str:
    """An arc from the edge of one box to that of another; arcs of a pair of opposite moves bend apart."""
    (x1, y1), (x2, y2) = places[move.before], places[move.after]
    has_return = any((other.before, other.after) == (move.after, move.before) for other in moves)
    length = math.hypot(x2 - x1, y2 - y1)
    bend = 14 if has_return else 0
    if _is_covered(move, places):
        bend = 46
    mid_x, mid_y = (x1 + x2) / 2 - (y2 - y1) / length * -bend, (y1 + y2) / 2 + (x2 - x1) / length * -bend
    begin, end = _edge(x1, y1, mid_x, mid_y), _edge(x2, y2, mid_x, mid_y)
    kind = "move person" if move.by_person else "move"
    return (
        f'<path class="{kind}" d="M{begin[0]:.0f} {begin[1]:.0f}Q{mid_x:.0f} {mid_y:.0f} {end[0]:.0f} {end[1]:.0f}" '
        f'marker-end="url(#tip)"><title>{escape(_words(move.before))} to {escape(_words(move.after))}: '
        f"{escape(move.when)}</title></path>"
    )


def _is_covered(move: Move[Any], places: dict[str, tuple[int, int]]) -> bool:
    """Whether a straight line would run through the box of a third state."""
    (x1, y1), (x2, y2) = places[move.before], places[move.after]
    between = [xy for name, xy in places.items() if name not in {move.before, move.after}]
    points = [(x1 + (x2 - x1) * k / 40, y1 + (y2 - y1) * k / 40) for k in range(41)]
    return any(abs(px - x) < WIDTH / 2 and abs(py - y) < HEIGHT / 2 for px, py in points for x, y in between)


def _edge(x: float, y: float, towards_x: float, towards_y: float) -> tuple[float, float]:
    """Where a line from the middle of a box leaves it."""
    dx, dy = towards_x - x, towards_y - y
    share = min((WIDTH / 2 + 2) / abs(dx) if dx else math.inf, (HEIGHT / 2 + 2) / abs(dy) if dy else math.inf)
    return x + dx * share, y + dy * share
