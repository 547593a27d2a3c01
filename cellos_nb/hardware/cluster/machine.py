"""ClusterMachine: a robot whose host is a worker of a Dask cluster."""

from __future__ import annotations

from collections.abc import Sequence

from cellos_nb.domain import codec
from cellos_nb.domain.machine import Capabilities, Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import MachineRefusedError, RobotAwayError
from cellos_nb.hardware.cluster import service
from cellos_nb.hardware.cluster.connection import Connection, motion_of, question_to
from cellos_nb.hardware.robots import EqualRobots


class ClusterMachine:
    """One robot by its name in a cluster. Every call goes to the worker that owns it and waits for the answer."""

    def __init__(self, robot: str, connection: Connection) -> None:
        self.robot = robot
        self._connection = connection
        self._capabilities: Capabilities | None = None
        self._permits: dict[str, str] = {}

    def describe(self) -> Capabilities:
        """What the robot says that it can do; asked once.

        Raises:
            RobotAwayError: nobody offers the robot.
        """
        if self._capabilities is None:
            text = self._connection.ask(self.robot, question_to(self.robot), service.describe)
            self._capabilities = codec.from_json(Capabilities, text)
        return self._capabilities

    def preflight(self, step: Step) -> None:
        """Has the robot check a step; nothing moves.

        Raises:
            MachineRefusedError: the step cannot be executed; says what to change.
            MachineError: nobody offers the robot, or its worker was lost.
        """
        self._connection.ask(self.robot, question_to(self.robot), service.preflight, codec.to_json(step))

    def execute(self, step: Step, token: str) -> Reading | None:
        """Has the robot execute a step, once for each token, also where Dask repeats the call.

        Raises:
            MachineRefusedError: nothing has moved, also when nobody offers the robot.
            StepFailedError: the step may have begun.
            MachineError: the worker was lost after the call was sent.
        """
        arguments = (codec.to_json(step), token, self._permits.get(token, ""))
        try:
            text = self._connection.ask(self.robot, motion_of(self.robot), service.execute, *arguments)
        except RobotAwayError as error:
            raise MachineRefusedError(f"{error} Nothing was sent.") from error
        self._permits.pop(token, None)
        return None if text is None else codec.from_json(Reading, text)

    def reconcile(self, token: str) -> Outcome:
        """What became of a step, as the robot's host and the robot know it; waits for a worker that is away.

        Raises:
            MachineError: it did not come back, or was lost again.
        """
        text, permit = self._connection.ask(self.robot, question_to(self.robot), service.reconcile, token)
        outcome = codec.from_json(Outcome, text)
        if outcome.state is OutcomeState.NEVER_STARTED:
            self._permits[token] = permit
        return outcome

    def stop(self) -> None:
        """Ends this side's part. The robot belongs to its worker, which brings a step in progress to its end."""
        self._permits.clear()


def open_cluster(address: str, robots: Sequence[str]) -> EqualRobots:
    """Equal robots of one cluster; connects when the first of them is asked."""
    connection = Connection(address)
    machines = {name: ClusterMachine(name, connection) for name in robots}
    return EqualRobots(machines, is_there=connection.has_worker_of, on_stop=connection.close)
