"""How far a run came, by the robot's own account of its commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellos_nb.domain.step import Step
from cellos_nb.hardware.opentrons.deck import Deck, physical
from cellos_nb.hardware.opentrons.readback import TOLERANCE_UL, read_analysis
from cellos_nb.units import format_volume

_OWN = frozenset({"volume", "wellName", "flowRate"})
"""Of a command's parameters, those without identifiers of the run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the commands say that were copied from a robot."""

    n_started: int
    """Commands that it says it began: only those can have moved anything."""
    last: str
    """The last of them, in words; empty when there is none."""
    n_transfers: int | None = None
    """Transfers of the step, counted from its first, that were carried out whole; None when the step is not known."""
    n_of: int = 0
    is_exact: bool = True
    """Whether nothing was dispensed beyond those transfers."""

    def __str__(self) -> str:
        if not self.n_started:
            return "no command of it was seen to begin"
        said = f"{self.n_started} commands were seen to begin, the last: {self.last}"
        if self.n_transfers is not None:
            said += f"; the first {self.n_transfers} of {self.n_of} transfers were seen to be complete"
            said += "" if self.is_exact else ", and more was dispensed in part or out of order"
        return said


def account_of(commands: Iterable[Mapping[str, Any]], analysis: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The commands of a run with what the robot found in its analysis of the protocol, joined by their keys.

    A run gives its commands without results, so that it does not say by itself which labware an identifier stands for.
    Volumes and wells are the run's own. Without the analysis, the commands as they are.
    """
    planned = {command["key"]: command for command in (analysis or {}).get("commands", [])}
    account = []
    for command in commands:
        known = planned.get(command["key"], command)
        own = {name: value for name, value in command["params"].items() if name in _OWN}
        account.append({**known, **command, "result": known.get("result"), "params": {**known["params"], **own}})
    return account


def progress_of(commands: Sequence[Mapping[str, Any]], written: tuple[Step, Deck] | None = None) -> Progress:
    """How far the commands of a run came.

    Args:
        commands: in order, as `account_of` gives them; as far as they were seen.
        written: the step and its deck, to count transfers.
    """
    started = [command for command in commands if command.get("startedAt")]
    last = _in_words(started[-1], commands) if started else ""
    if written is None:
        return Progress(len(started), last)
    step, deck = written
    moved = dict(read_analysis({"commands": succeeded(commands)}).moved_ul)
    n_whole, transfers = 0, list(step.transfers or ())
    for transfer in transfers:
        source = physical(deck, (transfer.source_labware, transfer.source_well))
        destination = physical(deck, (transfer.destination_labware, transfer.destination_well))
        left = moved.get((source, destination), 0.0) - transfer.volume_ul
        if left < -TOLERANCE_UL:
            break
        moved[source, destination] = left
        n_whole += 1
    beyond = any(volume > TOLERANCE_UL for volume in moved.values())
    is_cut = bool(started) and started[-1]["status"] != "succeeded"
    return Progress(len(started), last, n_whole, len(transfers), is_exact=not (beyond or is_cut))


def succeeded(commands: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The commands that a robot says it carried out to their end."""
    return [command for command in commands if command["status"] == "succeeded"]


def _in_words(command: Mapping[str, Any], commands: Sequence[Mapping[str, Any]]) -> str:
    asked = command["params"]
    what = str(command["commandType"])
    if "volume" in asked:
        what += f" {format_volume(asked['volume'])}"
    if "wellName" in asked:
        what += f" at {_labware_name(asked.get('labwareId'), commands)} {asked['wellName']}"
    return what if command["status"] == "succeeded" else f"{what} ({command['status']})"


def _labware_name(labware_id: Any, commands: Sequence[Mapping[str, Any]]) -> str:
    for command in commands:
        if command["commandType"] == "loadLabware" and (command.get("result") or {}).get("labwareId") == labware_id:
            return str(command["params"].get("displayName") or command["params"]["loadName"])
    return "labware"
