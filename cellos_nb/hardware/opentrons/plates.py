"""What a robot is to do for each plate: the protocols that a person approved, or one written for a remainder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cellos_nb.domain import codec
from cellos_nb.domain.step import Step, TransferList
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.opentrons.deck import choose_reservoirs
from cellos_nb.hardware.opentrons.proof import NO_CONTEXT, Context, WrittenStep, analyse, write_steps
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, volume_range_ul
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
from cellos_nb.hardware.transfers import VolumeLimits, simulate

_REMAINDER = re.compile(r"(?P<uid>.+)-from-(?P<first>[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Planned:
    """One step with the protocol that carries it out."""

    written: WrittenStep
    analysis: Mapping[str, Any]
    """By the vendor's software here; of an approved protocol in its canonical form."""

    @property
    def keys(self) -> list[str]:
        """The commands by their keys, which are the same in every analysis and run of the protocol."""
        return [command["key"] for command in self.analysis["commands"]]


@dataclass(frozen=True, slots=True)
class LoadedPlate:
    """A workflow, and what a person read and approved of it."""

    steps: tuple[Step, ...]
    workflow_sha256: str
    planned: Mapping[str, Planned]
    """By step uid."""


def load_plate(
    steps: Sequence[Step], workflow_sha256: str, proof: Mapping[str, bytes], robot: OpentronsSettings
) -> LoadedPlate:
    """The protocols of a workflow from its proof, each compared with what would be written now.

    Raises:
        MachineRefusedError: a protocol is missing, or the robot's configuration or this software has changed since.
    """
    planned = {}
    for written in write_steps(steps, workflow_sha256, robot):
        protocol, analysis = proof.get(f"{written.stem}.py"), proof.get(f"{written.stem}.analysis.json")
        where = f"Step {written.step.uid} of {written.step.plate_id}"
        again = (
            f"Write the proof again (`cellos proof {written.step.plate_id}`, `Lab.prove_plate`), read it, approve it."
        )
        if protocol is None or analysis is None:
            raise MachineRefusedError(f"{where}: the approved proof has no protocol for {robot.name}. {again}")
        if protocol != written.protocol.encode():
            raise MachineRefusedError(
                f"{where}: the protocol that was approved is not what would be written now, because the configuration "
                f"of {robot.name} or this software has changed. {again}"
            )
        planned[written.step.uid] = Planned(written, json.loads(analysis))
    return LoadedPlate(tuple(steps), workflow_sha256, planned)


def plan_step(
    step: Step, plate: LoadedPlate | None, robot: OpentronsSettings, worker: Callable[[], OpentronsWorker]
) -> Planned:
    """The protocol of one step: as approved with its workflow, or written and proved now.

    Raises:
        MachineRefusedError: the step cannot be carried out; says what to change.
        MachineError: the vendor's software is not installed, or died.
    """
    if plate is not None:
        approved = plate.planned.get(step.uid)
        if approved is not None and approved.written.step == step:
            return approved
    sha256 = plate.workflow_sha256 if plate else hashlib.sha256(codec.to_json(step).encode()).hexdigest()
    (written,) = write_steps((step,), sha256, robot, _context(step, plate, robot) if plate else NO_CONTEXT)
    return Planned(written, analyse(written, worker()).analysis)


def _context(step: Step, plate: LoadedPlate, robot: OpentronsSettings) -> Context:
    """What was done before what is left of a step: the steps before it, and the transfers that a person saw done."""
    match = _REMAINDER.fullmatch(step.uid)
    uid, n_done = (match["uid"], int(match["first"]) - 1) if match else (step.uid, 0)
    limits = VolumeLimits(*volume_range_ul(robot))
    wet = [each for each in plate.steps if each.kind.moves_liquid]
    known: dict[str, Contents] = {}
    for each in wet:
        if each.uid == uid:
            if n_done:
                known |= simulate(_first(each, n_done), known, limits)
            return Context(known, choose_reservoirs(wet, robot))
        known |= simulate(each, known, limits)
    raise MachineRefusedError(
        f"Step {step.uid} of {step.plate_id}: it is no step of the workflow {plate.workflow_sha256[:12]}…, which was "
        "loaded for this plate. Submit it with its own workflow."
    )


def _first(step: Step, n: int) -> Step:
    moves = step.transfers or TransferList()
    columns = ("source_labware", "source_well", "destination_labware", "destination_well", "volume_ul")
    return replace(step, transfers=replace(moves, **{name: getattr(moves, name)[:n] for name in columns}))


def digest_of(step: Step) -> str:
    """What tells a step from every other one."""
    return hashlib.blake2b(codec.to_json(step).encode(), digest_size=16).hexdigest()
