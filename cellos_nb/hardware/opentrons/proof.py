"""PROOF for a robot: every physical step written, analysed by Opentrons' own software, and checked well by well."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cellos_nb.domain.step import Step
from cellos_nb.errors import OutputError, ProtocolRefusedError
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.opentrons.canonical import canonical_analysis
from cellos_nb.hardware.opentrons.deck import Deck, choose_reservoirs, lay_out_deck
from cellos_nb.hardware.opentrons.drawing import draw_deck
from cellos_nb.hardware.opentrons.duration import estimate_duration_s
from cellos_nb.hardware.opentrons.moves import Move, Place, plan_moves
from cellos_nb.hardware.opentrons.readback import check_against, read_analysis
from cellos_nb.hardware.opentrons.settings import OpentronsSettings, volume_range_ul
from cellos_nb.hardware.opentrons.worker import Answer, OpentronsWorker
from cellos_nb.hardware.opentrons.writer import write_protocol
from cellos_nb.hardware.transfers import VolumeLimits, simulate

MANIFEST = "opentrons.json"
FORM = 1
"""Of the manifest; raised when its keys change."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """One file of a proof; whoever keeps it names it by the SHA-256 of its bytes."""

    name: str
    """Letters, digits, dots, - and _: `3-dose.py`."""
    content: bytes

    @property
    def sha256(self) -> str:
        """Of the content, 64 hex digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Context:
    """What steps that are written by themselves follow upon."""

    contents: Mapping[str, Contents] = field(default_factory=dict)
    """By barcode, of all labware that is not fresh."""
    reservoirs: frozenset[str] | None = None
    """Racks that a reservoir stands in for; chosen anew when None."""


NO_CONTEXT = Context()


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """One physical step as it will stand on the robot."""

    step: Step
    deck: Deck
    moves: tuple[Move, ...]
    protocol: str

    @property
    def stem(self) -> str:
        """What the names of its files begin with: `3-dose`."""
        return re.sub(r"[^A-Za-z0-9._-]", "-", self.step.uid).lstrip("._-") or "step"


@dataclass(frozen=True, slots=True)
class StepProof:
    """What was found about one physical step."""

    step_uid: str
    protocol_sha256: str
    n_commands: int
    n_tips: int
    duration_s: float
    """Estimated from the analysis; see `duration`."""


@dataclass(frozen=True, slots=True)
class OpentronsProof:
    """Everything about one workflow on one robot. The same workflow, robot and software give the same bytes."""

    robot: str
    steps: tuple[StepProof, ...]
    files: tuple[ProofFile, ...]
    """For each step protocol, run log, canonical analysis and drawing of the deck; the manifest last."""


def write_steps(
    steps: Sequence[Step], workflow_sha256: str, robot: OpentronsSettings, context: Context = NO_CONTEXT
) -> tuple[WrittenStep, ...]:
    """The protocols of all physical steps of one plate; nothing is asked of the vendor's software.

    Args:
        steps: of one workflow, in order; those that move no liquid are other machines' business.
        workflow_sha256: stands in each protocol.
        robot: what it is written for.
        context: what was done before the first of them.

    Raises:
        MachineRefusedError: a volume is out of reach, a source runs empty, the deck is full or a module is missing;
            says what to change.
    """
    limits = VolumeLimits(*volume_range_ul(robot))
    wet = [step for step in steps if step.kind.moves_liquid]
    known = dict(context.contents)
    before = []
    for step in wet:
        before.append(_volumes(step, known))
        known |= simulate(step, known, limits)  # empty stock, overfull wells and small volumes are refused here
    reservoirs = choose_reservoirs(wet, robot) if context.reservoirs is None else context.reservoirs
    written = []
    for step, volumes in zip(wet, before, strict=True):
        moves = plan_moves(step, robot, reservoirs, volumes)
        deck = lay_out_deck(step, robot, reservoirs, moves)
        written.append(WrittenStep(step, deck, moves, write_protocol(step, workflow_sha256, deck, moves)))
    return tuple(written)


def prove_steps(
    steps: Sequence[Step], workflow_sha256: str, robot: OpentronsSettings, worker: OpentronsWorker
) -> OpentronsProof:
    """Writes all physical steps, has each analysed, and compares the analysis with what was compiled.

    Raises:
        MachineRefusedError: as `write_steps`.
        ProtocolRefusedError: the vendor's software refuses a protocol, or it does other than was compiled.
        WorkerError: the vendor's software died.
    """
    files: list[ProofFile] = []
    proofs: list[StepProof] = []
    for written in write_steps(steps, workflow_sha256, robot):
        proof, of_step = _prove(written, worker)
        proofs.append(proof)
        files += of_step
    manifest = {
        "form": FORM,
        "workflow_sha256": workflow_sha256,
        "robot": robot.model_dump(mode="json"),
        "opentrons": worker.environment.version,
        "lock_sha256": worker.environment.lock_sha256,
        "duration": "estimated from positions, volumes and flow rates of the analysis, without set-up",
        "steps": [asdict(proof) for proof in proofs],
        "files": [{"name": file.name, "sha256": file.sha256} for file in files],
    }
    text = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    return OpentronsProof(robot.name, tuple(proofs), (*files, ProofFile(MANIFEST, text.encode())))


def write_files(proof: OpentronsProof, folder: Path) -> None:
    """Writes the files of a proof into a folder, which is made if need be.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in proof.files:
            (folder / file.name).write_bytes(file.content)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror or error}. Free disk space, or choose another folder."
        ) from error


def _prove(written: WrittenStep, worker: OpentronsWorker) -> tuple[StepProof, Iterator[ProofFile]]:
    step, deck = written.step, written.deck
    stem, answer = written.stem, analyse(written, worker)
    pipetted = read_analysis(answer.analysis)
    protocol = ProofFile(f"{stem}.py", written.protocol.encode())
    seconds = round(estimate_duration_s(answer.analysis, deck.robot.robot), 1)
    proof = StepProof(step.uid, protocol.sha256, pipetted.n_commands, pipetted.n_tips, seconds)
    others = (
        (f"{stem}.run_log.txt", answer.run_log.encode()),
        (f"{stem}.analysis.json", canonical_analysis(answer.analysis)),
        (f"{stem}.deck.svg", draw_deck(step, deck).encode()),
    )
    return proof, iter((protocol, *(ProofFile(name, content) for name, content in others)))


def analyse(written: WrittenStep, worker: OpentronsWorker) -> Answer:
    """What the vendor's software says of one written step; by that it does exactly what was compiled.

    Raises:
        ProtocolRefusedError: the software refuses it, or it does something else.
        WorkerError: the software died.
    """
    answer = worker.analyse(f"{written.stem}.py", written.protocol)
    _check_accepted(written.step, answer)
    check_against(written.step, written.deck, read_analysis(answer.analysis))
    return answer


def _check_accepted(step: Step, answer: Answer) -> None:
    errors = [error.get("detail", "") for error in answer.analysis.get("errors", [])]
    if answer.refusal is None and answer.analysis.get("result") == "ok":
        return
    said = answer.refusal or " / ".join(errors) or "it gives no reason"
    raise ProtocolRefusedError(
        f"Step {step.uid}: Opentrons' software refuses the protocol: {said}. Check labware and pipettes in the robot's "
        "configuration; if they are right, report it with the workflow."
    )


def _volumes(step: Step, known: dict[str, Contents]) -> dict[Place, float]:
    """What stands in the wells when a step begins, its fills included."""
    held: dict[Place, float] = {}
    for item in step.labware:
        contents = known.get(item.barcode)
        if contents is not None:  # of a rack, only the positions that were named so far
            held |= {(item.name, well): float(v) for well, v in zip(contents.wells, contents.volume_ul, strict=False)}
    return held | {(fill.labware, fill.well): fill.volume_ul for fill in step.fills}
