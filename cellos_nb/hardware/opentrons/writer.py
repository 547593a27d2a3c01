"""Protocols as a person would write them: literal Python without loops, one file for each physical step."""

from __future__ import annotations

import json
import keyword
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from cellos_nb.domain.step import Fill, Step
from cellos_nb.hardware.opentrons.catalogue import API_LEVELS, TEMPERATURE_MODULE, TIPS_PER_RACK
from cellos_nb.hardware.opentrons.deck import Deck, PlacedLabware, TipRack
from cellos_nb.hardware.opentrons.moves import EIGHT, MIX_REPETITIONS, Move
from cellos_nb.hardware.opentrons.settings import Pipette

CLEARANCE_MM = 1.0
"""Tips that touch liquid stay this far above the bottom; tips that must not, this far below the rim."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""Of liquids, in order of their appearance: those of Okabe and Ito, which colour-blind people tell apart."""

_INDENT = "    "

_SIGNS = {"-": "_", "_": "__"}
_TAKEN = {"protocol", "protocol_api", "run", "metadata", "requirements"}


def write_protocol(step: Step, workflow_sha256: str, deck: Deck, moves: Sequence[Move]) -> str:
    """The protocol file of one step. The same step on the same deck gives the same text.

    The step's uid and the workflow's hash stand in it, so that text, the robot's protocol id and the step correspond
    one to one.
    """
    robot = deck.robot
    body = [
        *_labware(deck),
        *_tip_racks(deck),
        *_pipettes(deck),
        *_liquids(deck),
        *_check(deck, step),
        *_actions(deck, moves),
    ]
    lines = [
        f"# Step {_plain(step.uid)} of plate {_plain(step.plate_id)} for {_plain(robot.name)}, written by cellos_nb.",
        f"# step: {_plain(step.uid)}",
        f"# workflow-sha256: {_plain(workflow_sha256)}",
        "from opentrons import protocol_api",
        "",
        "metadata = {",
        f'    "protocolName": {_text(f"{step.plate_id} {step.uid}")},',
        f'    "description": {_text(f"workflow {workflow_sha256}")},',
        '    "author": "cellos_nb",',
        "}",
        f'requirements = {{"robotType": {_text(robot.robot)}, "apiLevel": {_text(API_LEVELS[robot.robot])}}}',
        "",
        "",
        "def run(protocol: protocol_api.ProtocolContext) -> None:",
        *(f"{_INDENT}{line}" if line else "" for line in body),
    ]
    return "\n".join(lines) + "\n"


def _labware(deck: Deck) -> Iterator[str]:
    for placed in deck.labware:
        name = variable(placed.name)
        if placed.chilled_c is None:
            yield (
                f"{name} = protocol.load_labware({_text(placed.load_name)}, {_text(placed.slot)}, "
                f"label={_text(placed.name)})  # {_plain(placed.barcode)}"
            )
            continue
        yield f"{name}_module = protocol.load_module({_text(TEMPERATURE_MODULE)}, {_text(placed.slot)})"
        yield f"{name}_module.set_temperature({placed.chilled_c:g})"
        yield (
            f"{name} = {name}_module.load_labware({_text(placed.load_name)}, label={_text(placed.name)})"
            f"  # {_plain(placed.barcode)}"
        )


def _tip_racks(deck: Deck) -> Iterator[str]:
    for rack in deck.tip_racks:
        yield f"{_rack(rack)} = protocol.load_labware({_text(rack.pipette.tips)}, {_text(rack.slot)})"


def _pipettes(deck: Deck) -> Iterator[str]:
    racks: dict[Pipette, list[str]] = defaultdict(list)
    for rack in deck.tip_racks:
        racks[rack.pipette].append(_rack(rack))
    if deck.robot.used_trash is not None:
        yield f"protocol.load_trash_bin({_text(deck.robot.used_trash)})"
    for pipette, names in racks.items():
        yield (
            f"{_short(pipette)} = protocol.load_instrument({_text(pipette.name)}, {_text(pipette.mount)}, "
            f"tip_racks=[{', '.join(names)}])"
        )


def _liquids(deck: Deck) -> Iterator[str]:
    kinds: dict[str, list[Fill]] = defaultdict(list)
    for fill in deck.fills:
        kinds[fill.liquid.name].append(fill)
    if kinds:
        yield ""
    for number, (name, fills) in enumerate(kinds.items(), start=1):
        liquid = f"liquid_{number}"
        said, colour = _text(name), _text(COLOURS[(number - 1) % len(COLOURS)])
        yield f"{liquid} = protocol.define_liquid({said}, description={said}, display_color={colour})"
        for fill in fills:
            placed = deck.labware_named(fill.labware)
            yield f"{_well(placed, fill.well)}.load_liquid({liquid}, volume={_number(fill.volume_ul)})"


def _check(deck: Deck, step: Step) -> Iterator[str]:
    if deck.robot.deck_check == "none":
        return
    stands = [f"{placed.name} ({placed.barcode}) in {placed.slot}" for placed in deck.labware]
    stands += [f"fresh {rack.pipette.tips} in {rack.slot}" for rack in deck.tip_racks]
    said = f"Step {step.uid}. Look at the deck: {', '.join(stands)}. Then resume."
    yield ""
    yield f"protocol.pause({_text(said)})"


def _actions(deck: Deck, moves: Sequence[Move]) -> Iterator[str]:
    names = {(fill.labware, fill.well): fill.liquid.name for fill in deck.fills}
    used: Counter[Pipette] = Counter()
    holding: Pipette | None = None
    for index, move in enumerate(moves):
        if move.new_tip:
            if holding is not None:
                yield f"{_short(holding)}.drop_tip()"
            if index == 0 or moves[index - 1].source != move.source:
                yield ""
                yield f"protocol.comment({_text(_heading(move, names))})"
            yield f"{_short(move.pipette)}.pick_up_tip({_tip(move.pipette, used[move.pipette])})"
            used[move.pipette] += move.pipette.n_channels
            holding = move.pipette
        yield from _transfer(deck, move)
    if holding is not None:
        yield f"{_short(holding)}.drop_tip()"


def _transfer(deck: Deck, move: Move) -> Iterator[str]:
    pipette, gap = _short(move.pipette), move.air_gap_ul
    source = _well(deck.labware_named(move.source[0]), move.source[1])
    first = move.destinations[0]
    destination = _well(deck.labware_named(first[0]), first[1])
    above = f"{destination}.top(-{CLEARANCE_MM:g})"
    within = f"{destination}.bottom({CLEARANCE_MM:g})"
    if move.stir_ul:
        yield f"{pipette}.mix({MIX_REPETITIONS}, {_number(move.stir_ul)}, {source}.bottom({CLEARANCE_MM:g}))"
    yield f"{pipette}.aspirate({_number(move.volume_ul)}, {source}.bottom({CLEARANCE_MM:g}))"
    if gap:
        yield f"{pipette}.air_gap({_number(gap)})"
    yield f"{pipette}.dispense({_number(move.volume_ul + gap)}, {within if move.touches else above})"
    if move.mix_ul:
        yield f"{pipette}.mix({MIX_REPETITIONS}, {_number(move.mix_ul)}, {within})"
    yield f"{pipette}.blow_out({above})"


def _heading(move: Move, names: dict[tuple[str, str], str]) -> str:
    liquid = names.get(move.source)
    return f"{move.source[0]} {move.source[1]}{f': {liquid}' if liquid else ''}"


def _tip(pipette: Pipette, n_used: int) -> str:
    """The next fresh tip, column by column."""
    rack, place = divmod(n_used, TIPS_PER_RACK)
    column, row = divmod(place, EIGHT)
    return f'{_short(pipette)}_tips_{rack + 1}["{"ABCDEFGH"[row]}{column + 1}"]'


def _rack(rack: TipRack) -> str:
    return f"{_short(rack.pipette)}_tips_{rack.number}"


def _short(pipette: Pipette) -> str:
    """A pipette's variable: `left_p20`, `right_p1000_multi`; its mount tells two of the same kind apart."""
    words = pipette.name.split("_")
    size = f"p{words[-1]}" if pipette.name.startswith("flex") else words[0]
    return f"{pipette.mount}_{size}{'_multi' if pipette.n_channels == EIGHT else ''}"


def variable(name: str) -> str:
    """A name of the workflow as one of Python's: `dilutions-2` as `dilutions_2`; different names stay different."""
    word = "".join(
        _SIGNS.get(sign) or (sign if sign.isascii() and sign.isalnum() else f"_{ord(sign)}_") for sign in name
    )
    is_taken = keyword.iskeyword(word) or word in _TAKEN or word.startswith(("left_", "right_", "liquid_"))
    return f"the_{word}" if is_taken or not word.isidentifier() else word


def _well(placed: PlacedLabware, well: str) -> str:
    return f"{variable(placed.name)}[{_text(placed.well(well))}]"


def _number(volume_ul: float) -> str:
    return f"{volume_ul:.6f}".rstrip("0").rstrip(".")


def _text(text: str) -> str:
    """A text as Python writes it, in double quotes; what JSON escapes, Python escapes alike."""
    return json.dumps(text, ensure_ascii=False)


def _plain(text: str) -> str:
    """Text that stays within the line of its comment."""
    return "".join(character if character.isprintable() else " " for character in text)
