"""Whether a machine and a plan can answer a batch of proposals at all, before anything is compiled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.plate import plate_format
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.errors import CompileError, ProposalError
from cellos_nb.units import format_dose, is_positive
from cellos_nb.workflow.assays import declaration_of

_SHOWN = 12


def check_batch(proposals: Sequence[ExperimentProposal], plan: PlatePlan, machine: Capabilities) -> None:
    """Refuses what cannot be compiled, with what is possible.

    Raises:
        ProposalError: a proposal has no identifier, or one that another has too.
        CompileError: the machine does not know the plate, assay, step, cell line, compound or dose.
    """
    _check_ids(proposals)
    plate_format(plan.n_wells)
    if plan.n_wells not in machine.plate_formats:
        raise CompileError(
            f"plate_format: {machine.machine} holds no plates of {plan.n_wells} wells; possible: "
            f"{_listed(map(str, machine.plate_formats))}."
        )
    if plan.replicates < 1 or plan.controls.vehicle < 1 or not is_positive(plan.max_solvent_percent):
        raise CompileError("A plate needs at least 1 replicate, 1 vehicle control and a solvent fraction above 0.")
    if not is_positive(machine.min_volume_ul) or machine.max_volume_ul < machine.min_volume_ul:
        raise CompileError(
            f"{machine.machine} says that it delivers {machine.min_volume_ul:g} to {machine.max_volume_ul:g} µL, which "
            "is no range. Correct its description."
        )
    for name in dict.fromkeys(proposal.assay for proposal in proposals):
        _check_assay(name, plan, machine)
    _check_conditions(proposals, plan, machine)


def _check_ids(proposals: Sequence[ExperimentProposal]) -> None:
    counts = Counter(proposal.proposal_id for proposal in proposals)
    if "" in counts:
        first = next(p for p in proposals if not p.proposal_id)
        raise ProposalError(
            f"proposal_id: {counts['']} of {len(proposals)} experiments have none, first {first.compound} at "
            f"{format_dose(first.dose_um)} on {first.cell_line}. Give each its own."
        )
    twice = [uid for uid, n in counts.items() if n > 1]
    if twice:
        raise ProposalError(f"proposal_id: {_listed(twice)} stands more than once in the batch. Give each its own.")


def _check_assay(name: str, plan: PlatePlan, machine: Capabilities) -> None:
    assay = declaration_of(name, plan.assay)
    if name not in machine.assays:
        raise CompileError(f"assay: {machine.machine} cannot run '{name}'; possible: {_listed(machine.assays)}.")
    missing = [step.kind for step in assay.steps if step.kind not in machine.step_kinds]
    if missing:
        raise CompileError(
            f"assay: '{name}' needs the step '{missing[0]}', but {machine.machine} does only "
            f"{_listed(machine.step_kinds)}. Choose another assay or machine, or one that does it beside this one in a "
            "machine file of kind workcell."
        )


def _check_conditions(proposals: Sequence[ExperimentProposal], plan: PlatePlan, machine: Capabilities) -> None:
    lines = None if machine.cell_lines is None else frozenset(machine.cell_lines)
    compounds = None if machine.compounds is None else frozenset(machine.compounds)
    low, high = machine.dose_range_um or (0.0, float("inf"))
    caps = {stock.name: stock.max_dose_um for stock in plan.stocks if stock.max_dose_um is not None}
    for proposal in proposals:
        where = f"Experiment {proposal.proposal_id}"
        if lines is not None and proposal.cell_line not in lines:
            raise CompileError(_unknown(where, "cell line", proposal.cell_line, machine, machine.cell_lines))
        if compounds is not None and proposal.compound not in compounds:
            raise CompileError(_unknown(where, "compound", proposal.compound, machine, machine.compounds))
        if not low <= proposal.dose_um <= high:
            raise CompileError(_out_of_range(f"{where}, {proposal.compound}", proposal.dose_um, machine))
        cap = caps.get(proposal.compound)
        if cap is not None and proposal.dose_um > cap:
            raise CompileError(
                f"{where}: {format_dose(proposal.dose_um)} of {proposal.compound} is above its max_dose_um of "
                f"{format_dose(cap)}. Lower the dose, or raise the limit."
            )
    positive = plan.controls.positive
    if positive and proposals:
        if compounds is not None and positive.compound not in compounds:
            raise CompileError(_unknown("controls.positive", "compound", positive.compound, machine, machine.compounds))
        if not low <= positive.dose_um <= high:
            raise CompileError(_out_of_range(f"controls.positive, {positive.compound}", positive.dose_um, machine))


def _unknown(where: str, kind: str, name: str, machine: Capabilities, known: Iterable[str] | None) -> str:
    return f"{where}: the {kind} {name} is unknown to {machine.machine}; possible: {_listed(known or ())}."


def _out_of_range(where: str, dose_um: float, machine: Capabilities) -> str:
    low, high = machine.dose_range_um or (0.0, float("inf"))
    return (
        f"{where}: {format_dose(dose_um)} is outside what {machine.machine} can answer; possible: {format_dose(low)} "
        f"to {format_dose(high)}."
    )


def _listed(names: Iterable[str]) -> str:
    """Names in a row, cut where nobody reads on."""
    everything = list(names)
    more = f" and {len(everything) - _SHOWN} more" if len(everything) > _SHOWN else ""
    return ", ".join(everything[:_SHOWN]) + more
