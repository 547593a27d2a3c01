"""EqualRobots: several machines of one make that share the work, a plate staying on one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import NoReturn

from cellos_nb.domain.machine import Capabilities, Outcome
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.interface import HardwareInterface


class Named:
    """A machine under a name of its own, which tells it from equal ones in journal, devices and approvals."""

    def __init__(self, name: str, machine: HardwareInterface) -> None:
        self.name, self._machine = name, machine

    def describe(self) -> Capabilities:
        """What the machine can do, under this name."""
        return replace(self._machine.describe(), machine=self.name)

    def preflight(self, step: Step) -> None:
        """As the machine does."""
        self._machine.preflight(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """As the machine does."""
        return self._machine.execute(step, token)

    def reconcile(self, token: str) -> Outcome:
        """As the machine does."""
        return self._machine.reconcile(token)

    def stop(self) -> None:
        """As the machine does."""
        self._machine.stop()


def _always(name: str) -> bool:  # noqa: ARG001 — a machine in this process is there
    return True


class EqualRobots:
    """Equal machines by name. It describes them as one and leaves steps to whoever knows where each plate is."""

    def __init__(
        self,
        machines: Mapping[str, HardwareInterface],
        *,
        is_there: Callable[[str], bool] = _always,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        """A group of robots.

        Args:
            machines: each under the name that journal and approvals know; never give it to another robot.
            is_there: whether a robot can take work now.
            on_stop: called after all of them were stopped.

        Raises:
            ConfigError: there is none.
        """
        if not machines:
            raise ConfigError("machine.robots: name at least one robot.")
        self.machines: Mapping[str, HardwareInterface] = MappingProxyType(
            {name: Named(name, machine) for name, machine in machines.items()}
        )
        self.is_there, self._on_stop = is_there, on_stop

    @property
    def there(self) -> tuple[str, ...]:
        """The robots that can take work now."""
        return tuple(name for name in self.machines if self.is_there(name))

    def describe(self) -> Capabilities:
        """What each of them that is there can do, under the name of the first.

        Raises:
            MachineError: none of them is there.
            ConfigError: they are not equal, so that a plate made for one may not be possible on another.
        """
        # The first one knows best why it is not there.
        found = {name: self.machines[name].describe() for name in self.there or tuple(self.machines)[:1]}
        (first, what), *others = found.items()
        for name, other in others:
            for field in fields(what):
                mine, its = getattr(what, field.name), getattr(other, field.name)
                if mine != its and field.name != "machine":
                    raise ConfigError(
                        f"machine.robots: {first} and {name} are not equal: {field.name} is {mine} and {its}. "
                        "Put them into campaigns of their own."
                    )
        return what

    def preflight(self, step: Step) -> None:
        """Refused: see `execute`."""
        self._refuse(step.plate_id)

    def execute(self, step: Step, token: str) -> Reading | None:
        """Refused: it is not known here which robot has the plate.

        Raises:
            MachineRefusedError: always; nothing has moved.
        """
        self._refuse(f"{step.plate_id} ({token})")

    def reconcile(self, token: str) -> Outcome:
        """Refused: see `execute`."""
        self._refuse(token)

    def stop(self) -> None:
        """Stops all of them. May be called twice."""
        for machine in self.machines.values():
            machine.stop()
        self._on_stop()

    def _refuse(self, what: str) -> NoReturn:
        raise MachineRefusedError(
            f"{what}: a plate stays on one of the robots {', '.join(self.machines)}, and only the journal knows on "
            "which. Execute its workflow through a RobotPool."
        )
