"""The one contract of every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from cellos_nb.domain.machine import Capabilities, Outcome
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step


class HardwareInterface(Protocol):
    """A machine that executes steps, one at a time.

    A step that was begun is known by its token. The caller journals the token before `execute`, and asks `reconcile`
    about it when it does not know how the call ended.
    """

    def describe(self) -> Capabilities:
        """What the machine can do. Called before compiling and before every run; touches nothing."""
        ...

    def preflight(self, step: Step) -> None:
        """Checks everything about a step that can be checked before it begins; nothing moves.

        A caller asks about all steps that are left of a plate, in order, before it executes the first of them: a
        machine that looks at contents takes the steps it was asked about as done when it is asked about the next.

        Raises:
            MachineRefusedError: the step cannot be executed; says what to change.
        """
        ...

    def execute(self, step: Step, token: str) -> Reading | None:
        """Executes one step and returns its reading, if its kind has one. Does its own preflight first.

        A token that this machine has executed before is not executed again: the recorded outcome is returned.

        Raises:
            MachineRefusedError: nothing has moved; the same token may be used again.
            StepFailedError: the step may have begun.
        """
        ...

    def reconcile(self, token: str) -> Outcome:
        """What became of the step with this token, also after a crash of the caller or of the machine."""
        ...

    def stop(self) -> None:
        """Ends any motion and closes the connection; what was recorded stays recorded. May be called twice."""
        ...


@runtime_checkable
class ProtocolMachine(HardwareInterface, Protocol):
    """A machine that is told what to do by protocols of its vendor's, which a person reads before they are executed."""

    def prove(self, steps: Sequence[Step], workflow_sha256: str) -> Mapping[str, bytes]:
        """What it would be told, by file name, checked by the vendor's software; touches no device.

        Raises:
            MachineRefusedError: a step cannot be executed; says what to change.
        """
        ...

    def load(self, steps: Sequence[Step], workflow_sha256: str, proof: Mapping[str, bytes]) -> None:
        """Takes the files of an approved proof, to execute exactly these. Called before the steps, in every process.

        Raises:
            MachineRefusedError: they are not what `prove` would give now.
        """
        ...
