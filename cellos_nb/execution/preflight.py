"""Whether a machine can run a campaign, and what that will take, before anything is stored or moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.yaml_lines import KeyPath
from cellos_nb.errors import CompileError
from cellos_nb.units import format_dose, format_duration
from cellos_nb.workflow.assays import declaration_of
from cellos_nb.workflow.compile import compile_plates
from cellos_nb.workflow.estimate import estimate

# Pipetting errors of one dose may round its delivered concentration just over a machine's limit.
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a campaign will need."""

    n_iterations: int
    """At most."""
    plates_per_iteration: int
    hours_per_iteration: float
    """From seeding to reading, plates one after another on the machine and incubating side by side."""
    cost_per_iteration_usd: float
    tips_per_iteration: int
    warnings: tuple[str, ...] = ()

    @property
    def cost_usd(self) -> float:
        """Of all iterations, should none be saved by stopping early."""
        return self.n_iterations * self.cost_per_iteration_usd

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Label and value of each line, ready to print."""
        n, hours = self.n_iterations, self.hours_per_iteration
        each, whole = format_duration(hours * 3600), format_duration(n * hours * 3600)
        return (
            ("iterations", f"at most {n}"),
            ("plates", f"{self.plates_per_iteration} in an iteration, {n * self.plates_per_iteration} in all"),
            ("time", f"{each} an iteration, {whole} in all"),
            ("tips", f"{self.tips_per_iteration} an iteration"),
            ("cost", f"{self.cost_per_iteration_usd:,.2f} USD an iteration, {self.cost_usd:,.2f} USD in all"),
            *(("warning", warning) for warning in self.warnings),
        )


def check_campaign(config: CampaignConfig, machine: Capabilities) -> Preflight:
    """What a campaign will need on a machine.

    Raises:
        InputError: the machine does not know a cell line, compound, dose, assay or plate of the campaign, or cannot
            pipette it; the message has the key, the value, what is possible and the line of the YAML.
    """
    _check_names(config, machine)
    _check_protocol(config)
    _check_doses(config, machine)
    # The lowest and the highest dose of every compound decide whether all of them can be pipetted.
    ends = [
        ExperimentProposal(config.cell_lines[0], name, dose, config.assay.name, f"{name}/{dose}")
        for name in config.compound_names
        for dose in {config.doses_um(name)[0], config.doses_um(name)[-1]}
    ]
    compile_plates(ends, config.plate_plan(), machine, batch_id="preflight", seed=0)
    workflows = compile_plates(_typical_batch(config), config.plate_plan(), machine, batch_id="preflight", seed=0)
    estimates = [estimate(workflow, machine) for workflow in workflows]
    robot_h = sum(each.robot_minutes for each in estimates) / 60
    incubation_h = max(each.duration_h - each.robot_minutes / 60 for each in estimates)
    cost = sum(each.cost_usd for each in estimates)
    return Preflight(
        n_iterations=config.max_iterations,
        plates_per_iteration=len(workflows),
        hours_per_iteration=robot_h + incubation_h,
        cost_per_iteration_usd=cost,
        tips_per_iteration=sum(each.tips for each in estimates),
        warnings=tuple(_warnings(config, machine, cost)),
    )


def _check_names(config: CampaignConfig, machine: Capabilities) -> None:
    for index, line in enumerate(config.cell_lines):
        if machine.cell_lines is not None and line not in machine.cell_lines:
            raise config.refuse(
                ("cell_lines", index),
                f"{line!r} is unknown to the machine {machine.machine}; possible: {', '.join(machine.cell_lines)}",
            )
    positive = config.controls.positive
    named: list[tuple[KeyPath, str]] = [
        (("compounds", index), name) for index, name in enumerate(config.compound_names)
    ]
    if positive:
        named.append((("controls", "positive", "compound"), positive.compound))
    for at, name in named:
        if machine.compounds is not None and name not in machine.compounds:
            raise config.refuse(
                at, f"{name!r} is unknown to the machine {machine.machine}; possible: {', '.join(machine.compounds)}"
            )
    if config.assay.name not in machine.assays:
        raise config.refuse(
            ("assay",),
            f"{config.assay.name!r} is nothing that the machine {machine.machine} reads; "
            f"possible: {', '.join(machine.assays)}",
        )
    if config.plate_format not in machine.plate_formats:
        raise config.refuse(
            ("plate_format",),
            f"{config.plate_format} wells do not fit the machine {machine.machine}; "
            f"possible: {', '.join(map(str, machine.plate_formats))}",
        )


def _check_protocol(config: CampaignConfig) -> None:
    try:
        declaration_of(config.assay.name, config.assay)
    except CompileError as error:
        key, _, problem = str(error).partition(": ")
        raise config.refuse(tuple(key.split(".")), problem) from error


def _check_doses(config: CampaignConfig, machine: Capabilities) -> None:
    if machine.dose_range_um is None:
        return
    low, high = machine.dose_range_um
    positive = config.controls.positive
    doses: list[tuple[KeyPath, float]] = [(("dose_range_um",), dose) for dose in config.dose_range_um]
    if positive:
        doses.append((("controls", "positive", "dose_um"), positive.dose_um))
    for at, dose in doses:
        if not low * (1 - _TOLERANCE) <= dose <= high * (1 + _TOLERANCE):
            raise config.refuse(
                at,
                f"{format_dose(dose)} is outside what the machine {machine.machine} can answer; "
                f"possible: {format_dose(low)} to {format_dose(high)}",
            )


def _typical_batch(config: CampaignConfig) -> list[ExperimentProposal]:
    """One batch spread evenly over lines, compounds and doses, to count plates with."""
    doses = {name: config.doses_um(name) for name in config.compound_names}
    everything = [
        (line, name, dose)
        for rank in range(config.n_doses)
        for name in config.compound_names
        for line in config.cell_lines
        for dose in doses[name][rank : rank + 1]
    ]
    stride = max(len(everything) // config.batch_size, 1)
    while math.gcd(stride, len(everything)) != 1:
        stride += 1
    order = (everything[(k * stride) % len(everything)] for k in range(len(everything)))
    return [
        ExperimentProposal(line, name, dose, config.assay.name, f"e{k}")
        for k, (line, name, dose) in enumerate(islice(order, config.batch_size))
    ]


def _warnings(config: CampaignConfig, machine: Capabilities, cost_per_iteration_usd: float) -> list[str]:
    warnings = []
    if config.controls.positive is None:
        warnings.append("no positive control: Z′ cannot be computed, so plates are judged by their vehicle wells alone")
    if config.replicates == 1:
        warnings.append("one well for each experiment: intervals rest on the spread of the vehicle wells")
    if config.budget_usd is not None and config.budget_usd < config.max_iterations * cost_per_iteration_usd:
        n_affordable = int(config.budget_usd // cost_per_iteration_usd)
        warnings.append(f"the budget of {config.budget_usd:,.2f} USD ends the campaign after {n_affordable} iterations")
    if not machine.is_simulated and not machine.can_reconcile:
        warnings.append(f"the machine {machine.machine} cannot say what became of a step after a crash; a person must")
    return warnings
