"""Workcell: each step on the machine that does its kind, and plates carried in between, by an arm or a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from cellos_nb.domain.machine import Capabilities, Device, Outcome, OutcomeState, Place
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.bench.machine import Bench
from cellos_nb.hardware.interface import HardwareInterface, ProtocolMachine
from cellos_nb.hardware.workcell.settings import WorkcellFile

T = TypeVar("T")
NEVER = OutcomeState.NEVER_STARTED


class Workcell:
    """Several machines as one: the plate goes to where its next step is done.

    workflow: seed ── to-incubator ── attach ── to-handler ── dose ── to-incubator ── treat ── to-reader ── read
    Every way is a step of the workflow, written by the compiler where two steps have different places, and so it is
    proved, approved, journaled and, when nobody knows whether it was made, held like any other.
    """

    def __init__(self, settings: WorkcellFile, machines: Mapping[str, HardwareInterface]) -> None:
        """A workcell of machines that are open.

        Args:
            settings: who does what.
            machines: by part; a machine that is several parts is given under each of them.
        """
        self._settings, self._machines = settings, machines
        for bench in self._each():
            if isinstance(bench, Bench) and len({id(machine) for machine in machines.values()}) > 1:
                bench.share_plates()

    def describe(self) -> Capabilities:
        """What the parts can do together; a plate format or assay counts where every part has it.

        Raises:
            ConfigError: a part cannot do what it is here for, or the parts have no plate format or assay in common.
        """
        said = {name: machine.describe() for name, machine in self._machines.items()}
        self._check(said)
        of = {kind: said[name] for kind in StepKind if (name := self._settings.part_for(kind)) is not None}
        wet = next((can for kind, can in of.items() if kind.moves_liquid), None)
        reader = of.get(StepKind.READ) or of.get(StepKind.IMAGE)
        incubator = of.get(StepKind.INCUBATE)
        parts = tuple({id(self._machines[name]): can for name, can in said.items()}.values())
        limits_s = [can.time_limit_s for can in parts if can.time_limit_s is not None]
        defaults = next(iter(parts))
        return Capabilities(
            machine=self._settings.name,
            is_simulated=all(can.is_simulated for can in parts),
            can_reconcile=all(can.can_reconcile for can in parts),
            step_kinds=tuple(of),
            plate_formats=_common((can.plate_formats for can in parts), "plate format"),
            assays=_common((can.assays for can in parts), "assay"),
            min_volume_ul=(wet or defaults).min_volume_ul,
            max_volume_ul=(wet or defaults).max_volume_ul,
            cell_lines=_common_or_any((can.cell_lines for can in parts), "cell line"),
            compounds=_common_or_any((can.compounds for can in parts), "compound"),
            dose_range_um=(reader or defaults).dose_range_um,
            seconds_per_transfer=(wet or defaults).seconds_per_transfer,
            seconds_per_well_read=(reader or defaults).seconds_per_well_read,
            usd_per_hour=max(can.usd_per_hour for can in parts),
            data_source="; ".join(dict.fromkeys(can.data_source for can in parts if can.data_source)),
            devices=self._devices(said),
            hour_s=(incubator or defaults).incubation_hour_s,
            time_limit_s=max(limits_s, default=None),
            is_by_person=all(can.is_by_person for can in parts),
            kinds_by_person=tuple(kind for kind, can in of.items() if can.is_by_person),
            places=self._places(),
        )

    def preflight(self, step: Step) -> None:
        """As the machine that does it. Raises as that."""
        self._machine_for(step).preflight(step)

    def execute(self, step: Step, token: str) -> Reading | None:
        """On the machine that does it. Raises as that."""
        return self._machine_for(step).execute(step, token)

    def reconcile(self, token: str) -> Outcome:
        """What the machine knows that the token was given to; none of them has it when it was never sent."""
        answers = [machine.reconcile(token) for machine in self._each()]
        return next((answer for answer in answers if answer.state is not NEVER), answers[0])

    def prove(self, steps: Sequence[Step], workflow_sha256: str) -> Mapping[str, bytes]:
        """The protocols of those machines that have such, under the names of the parts. Raises as those."""
        files: dict[str, bytes] = {}
        for name, machine, mine in self._with_protocols(steps):
            files |= {f"{name}.{file}": content for file, content in machine.prove(mine, workflow_sha256).items()}
        return files

    def load(self, steps: Sequence[Step], workflow_sha256: str, proof: Mapping[str, bytes]) -> None:
        """Gives each machine the protocols of it that a person approved. Raises as those."""
        for name, machine, mine in self._with_protocols(steps):
            own = {file.removeprefix(f"{name}."): proof[file] for file in proof if file.startswith(f"{name}.")}
            machine.load(mine, workflow_sha256, own)

    def stop(self) -> None:
        """Stops every machine. May be called twice."""
        for machine in self._each():
            machine.stop()

    def _each(self) -> Iterable[HardwareInterface]:
        """Every machine once, also where it is several parts."""
        return {id(machine): machine for machine in self._machines.values()}.values()

    def _machine_for(self, step: Step) -> HardwareInterface:
        name = self._settings.part_for(step.kind)
        if name is None:
            raise MachineRefusedError(
                f"Step {step.uid}: no part of {self._settings.name} does '{step.kind}'. Name one under `does`."
            )
        if step.to_place is not None and step.to_place not in self._settings.stations:
            raise MachineRefusedError(
                f"Step {step.uid}: {self._settings.name} has no place '{step.to_place}'; possible: "
                f"{', '.join(self._settings.stations)}. Compile the plate for this workcell."
            )
        return self._machines[name]

    def _with_protocols(self, steps: Sequence[Step]) -> Iterable[tuple[str, ProtocolMachine, tuple[Step, ...]]]:
        for name, machine in self._machines.items():
            mine = tuple(step for step in steps if self._settings.part_for(step.kind) == name)
            if mine and isinstance(machine, ProtocolMachine):
                yield name, machine, mine

    def _devices(self, said: Mapping[str, Capabilities]) -> tuple[Device, ...]:
        """A device for each machine that does one thing at a time; people and incubators have several plates."""
        found = []
        for name, part in self._settings.parts.items():
            kinds = tuple(kind for kind in part.kinds if kind is not StepKind.INCUBATE)
            if kinds and not said[name].is_by_person:
                found.append(Device(name, kinds))
        return tuple(found)

    def _places(self) -> tuple[Place, ...]:
        if len(self._settings.stations) < 2:
            return ()
        parts = self._settings.parts
        return tuple(
            Place(name, tuple(kind for kind in parts[name].kinds if kind is not StepKind.TRANSPORT))
            for name in self._settings.stations
        )

    def _check(self, said: Mapping[str, Capabilities]) -> None:
        for name, part in self._settings.parts.items():
            for kind in part.kinds:
                if kind not in said[name].step_kinds:
                    possible = ", ".join(said[name].step_kinds)
                    raise ConfigError(
                        f"parts.{name}.does: {said[name].machine} cannot do '{kind}'; possible: {possible}. Leave it "
                        "to another part."
                    )


def _common(each: Iterable[tuple[T, ...]], what: str) -> tuple[T, ...]:
    first, *others = each
    found = tuple(value for value in first if all(value in other for other in others))
    if not found:
        raise ConfigError(f"parts: the machines have no {what} in common. Describe each of them, and exchange one.")
    return found


def _common_or_any(each: Iterable[tuple[str, ...] | None], what: str) -> tuple[str, ...] | None:
    known = [values for values in each if values is not None]
    return _common(known, what) if known else None
