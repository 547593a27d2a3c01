"""The plate on robots: PyLabRobot's stand-in of a Hamilton STAR, a simulated OT-2 and Flex behind their HTTP API."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import yaml
from accounts.plate import Row, wet_steps

from cellos_nb.domain.step import Step, TransferList
from cellos_nb.hardware.contents import Contents
from cellos_nb.hardware.opentrons.deck import Deck, physical
from cellos_nb.hardware.opentrons.machine import OpentronsMachine
from cellos_nb.hardware.opentrons.progress import account_of as commands_of
from cellos_nb.hardware.opentrons.proof import MANIFEST, prove_steps, write_steps
from cellos_nb.hardware.opentrons.readback import Pipetted, read_analysis
from cellos_nb.hardware.opentrons.run_log import RunLog
from cellos_nb.hardware.opentrons.settings import OpentronsSettings
from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
from cellos_nb.hardware.opentrons.simulated.server import RobotServer
from cellos_nb.hardware.opentrons.worker import OpentronsWorker
from cellos_nb.hardware.pylabrobot.hamilton import Hamilton
from cellos_nb.hardware.pylabrobot.machine import InstrumentLine
from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile
from cellos_nb.hardware.registry import template_of
from cellos_nb.hardware.transfers import VolumeLimits, simulate
from cellos_nb.workflow.workflow import Workflow

ROBOTS = (
    OpentronsSettings(
        name="OT-2, p20 + p300", robot="OT-2", left="p20_single_gen2", right="p300_single_gen2", deck_check="none"
    ),
    OpentronsSettings(
        name="OT-2, p20 + 8 × p300", robot="OT-2", left="p20_single_gen2", right="p300_multi_gen2", deck_check="none"
    ),
    OpentronsSettings(
        name="Flex, p50 + p1000", robot="Flex", left="flex_1channel_50", right="flex_1channel_1000", deck_check="none"
    ),
    OpentronsSettings(
        name="Flex, p1000 + 8 × p1000",
        robot="Flex",
        left="flex_1channel_1000",
        right="flex_8channel_1000",
        deck_check="none",
    ),
)


def line_of() -> PyLabRobotFile:
    content = yaml.safe_load(template_of("pylabrobot"))
    handler = content["liquid_handler"]
    tips, plates, more = handler["carriers"]
    tips["holds"] = ["hamilton_96_tiprack_50uL"] * 3 + ["hamilton_96_tiprack_300uL"] * 2
    spare = [{"rails": rails, "type": tips["type"], "holds": tips["holds"]} for rails in (23, 29)]
    handler |= {"deck": "STAR", "carriers": [tips, plates, more, *spare]}
    handler["labware"]["plate"] = ["cor_96_wellplate_360uL_Fb", "biorad_384_wellplate_50uL_Vb"]
    handler["labware"]["vehicle"] = handler["labware"]["vehicle"] + ["cor_cos_6_wellplate_16800uL_Fb"]
    handler["limits"] = {"min_volume_ul": 1, "max_volume_ul": 300}
    return PyLabRobotFile.model_validate({"kind": "pylabrobot", "name": "star", "liquid_handler": handler})


def hamilton(steps: list[Step]) -> Row:
    """The plate on PyLabRobot's stand-in: volumes by its trackers, commands and tips as it was told."""
    told: dict[str, int] = defaultdict(int)
    tracked: dict[str, float] = {}
    run = Hamilton.commands

    def watched(self):
        for command in run(self):
            told["commands"] += 1
            told["tips"] += command.text.startswith("pick up")
            yield command
        if "plate" in self._labware:
            tracked.update(self.volumes("plate"))

    with tempfile.TemporaryDirectory() as folder:
        line = InstrumentLine(line_of(), Path(folder) / "star.ledger")
        Hamilton.commands = watched  # type: ignore[method-assign]
        try:
            for step in steps:
                line.execute(step, step.uid)
        finally:
            Hamilton.commands = run  # type: ignore[method-assign]
            line.stop()
        own = {well: line.account.contents(steps[0].plate_id, well) for well, ul in tracked.items() if ul > 0}
    account = {well: (tracked[well], dict(held.dose_um)) for well, held in own.items()}
    minutes = sum(len(step.transfers or ()) for step in steps) * 12.0 / 60
    # Each step was rehearsed once before it was executed.
    commands, tips = told["commands"] // 2, told["tips"] // 2
    return Row("Hamilton STAR (stand-in)", account, commands, tips, minutes, "PyLabRobot's tip and volume trackers")


def opentrons(robot: OpentronsSettings, workflow: Workflow, worker: OpentronsWorker) -> Row:
    """The plate on a simulated robot behind its HTTP API, by the commands that the driver has copied from it."""
    files = {file.name: file.content for file in prove_steps(workflow.steps, workflow.sha256, robot, worker).files}
    proofs = json.loads(files[MANIFEST])["steps"]
    decks = {written.step.uid: written.deck for written in write_steps(workflow.steps, workflow.sha256, robot)}
    account: dict[str, Contents] = {}
    n_commands = n_tips = 0
    for step, pipetted in carried_out(robot, workflow, files, worker):
        as_done = replace(step, transfers=transfers_of(step, decks[step.uid], pipetted))
        account |= simulate(as_done, account, VolumeLimits(1e-4, 1e5))
        n_commands, n_tips = n_commands + pipetted.n_commands, n_tips + pipetted.n_tips
    held = account[workflow.plate_id]
    wells = {well: held.well(well) for well in held.wells}
    found = {well: (one.volume_ul, dict(one.dose_um)) for well, one in wells.items() if one.volume_ul > 0}
    minutes = sum(proof["duration_s"] for proof in proofs) / 60
    return Row(
        robot.name,
        found,
        n_commands,
        n_tips,
        minutes,
        "analysis here and on the robot equal, key by key; its commands by the driver's copy",
    )


def carried_out(
    robot: OpentronsSettings, workflow: Workflow, files: dict[str, bytes], worker: OpentronsWorker
) -> Iterator[tuple[Step, Pipetted]]:
    """Every wet step with the robot's account of it, as the driver has kept it."""
    wet = wet_steps(workflow)
    with (
        RobotServer(SimulatedRobot(robot, worker.analyse_alone)) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        log = Path(folder) / "robot.log"
        machine = OpentronsMachine(
            robot.model_copy(update={"address": server.address, "poll_s": 0.5, "analysis_s": 3600.0}), log
        )
        machine.load(workflow.steps, workflow.sha256, files)
        for step in wet:
            machine.execute(step, step.uid)
        machine.stop()
        with closing(RunLog(log)) as kept:
            for step in wet:
                entry = kept.entry(step.uid)
                assert entry is not None
                with closing(kept.commands(entry.run_id)) as archive:
                    commands = commands_of(archive.commands, kept.analysis(entry.protocol_id))
                yield step, read_analysis({"commands": commands})


def transfers_of(step: Step, deck: Deck, pipetted: Pipetted) -> TransferList:
    """What a robot did, by the workflow's names of wells."""
    moves = step.transfers
    assert moves is not None
    sources = zip(moves.source_labware, moves.source_well, strict=True)
    places = {*sources, *zip(moves.destination_labware, moves.destination_well, strict=True)}
    names = {physical(deck, place): place for place in places}
    rows = [(*names[source], *names[target], ul) for (source, target), ul in pipetted.moved_ul.items()]
    return TransferList(*zip(*rows, strict=True))
