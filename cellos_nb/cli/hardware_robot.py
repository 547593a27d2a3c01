"""Commands about one OT-2 or Flex: what it is doing, pause, resume, stop; and one that is simulated, for trying out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_json

if TYPE_CHECKING:
    from cellos_nb.hardware.opentrons.api import RunAction

app = typer.Typer(help="Look at an OT-2 or Flex; pause, resume or stop what it is doing.", no_args_is_help=True)
RobotFile = Annotated[Path, typer.Argument(help="The robot's YAML file.", metavar="ROBOT.yaml")]


@app.command()
def show(robot: RobotFile, as_json: AsJson = False) -> None:
    """Who answers at the robot's address, what is mounted, and what it is doing. Changes nothing."""
    from cellos_nb.hardware.opentrons.controls import api_of, current_run
    from cellos_nb.hardware.opentrons.settings import load_robot

    configured = load_robot(robot)
    api = api_of(configured)
    health, run = api.health(), current_run(api)
    mounted = {each["mount"]: each.get("instrumentName") for each in api.instruments() if "mount" in each}
    facts = {
        "robot": configured.name,
        "address": str(api.http.address),
        "answers as": f"{health.name}, {health.robot_model}",
        "software": f"{health.software}, protocols up to API {'.'.join(map(str, health.newest_protocol_api))}",
        "left": mounted.get("left") or "nothing",
        "right": mounted.get("right") or "nothing",
        "modules": ", ".join(str(each.get("moduleModel")) for each in api.modules()) or "none",
        "door": str(api.door().get("status")),
        "run": "none" if run is None else f"{run.run_id}, {run.status}",
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(tuple(facts.items()))


@app.command()
def pause(robot: RobotFile) -> None:
    """Pause the run that is under way, after the command that it is at."""
    from cellos_nb.hardware.opentrons.api import RunAction

    _tell(robot, RunAction.PAUSE)


@app.command()
def resume(robot: RobotFile) -> None:
    """Go on with a run that is paused or waits for a look at the deck. Begins none."""
    from cellos_nb.hardware.opentrons.api import RunAction

    _tell(robot, RunAction.PLAY)


@app.command()
def stop(robot: RobotFile) -> None:
    """End the run that is under way. Its plate is held until a person has decided about it."""
    from cellos_nb.hardware.opentrons.api import RunAction

    _tell(robot, RunAction.STOP)


def _tell(robot: Path, action: RunAction) -> None:
    from cellos_nb.hardware.opentrons.controls import tell
    from cellos_nb.hardware.opentrons.settings import load_robot

    run = tell(load_robot(robot), action)
    print_facts((("run", run.run_id), ("status", run.status)))


def simulate_robot(
    robot: RobotFile,
    port: Annotated[int, typer.Option("--port", help="Where it listens on 127.0.0.1; any free port when 0.")] = 31950,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="How long each command takes.")] = 0.05,
) -> None:
    """Stand in for a robot on this machine, to try things out: it answers as the robot's own server, until Ctrl-C.

    It has the pipettes, modules and deck of the file; protocols are analysed by Opentrons' own software.
    """
    import threading

    from cellos_nb.hardware.opentrons import environment
    from cellos_nb.hardware.opentrons.settings import load_robot
    from cellos_nb.hardware.opentrons.simulated.robot import SimulatedRobot
    from cellos_nb.hardware.opentrons.simulated.server import RobotServer
    from cellos_nb.hardware.opentrons.worker import OpentronsWorker

    settings = load_robot(robot)
    with OpentronsWorker(environment.require()) as worker:
        stand_in = SimulatedRobot(settings, worker.analyse_alone, seconds_per_command=seconds)
        with RobotServer(stand_in, port) as server:
            typer.echo(f"{settings.name} is simulated at {server.address}; write `address: {server.address}`.")
            threading.Event().wait()
