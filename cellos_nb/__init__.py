"""Autonomous cell-biology experiments from JupyterLab; the names that a notebook author imports.

Each name is loaded at its first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellos_nb.analysis.fit import fit_dose_response as fit_dose_response
    from cellos_nb.campaign import Campaign as Campaign
    from cellos_nb.domain.campaign import CampaignConfig as CampaignConfig
    from cellos_nb.domain.proposal import ExperimentProposal as ExperimentProposal
    from cellos_nb.domain.result import ExperimentResult as ExperimentResult
    from cellos_nb.execution.autonomous import AutonomousExecutor as AutonomousExecutor
    from cellos_nb.execution.executor import WorkflowExecutor as WorkflowExecutor
    from cellos_nb.execution.queue import JobQueue as JobQueue
    from cellos_nb.hardware.biology import BiologicalVirtualMachine as BiologicalVirtualMachine
    from cellos_nb.hardware.interface import HardwareInterface as HardwareInterface
    from cellos_nb.hardware.replay import ReplayMachine as ReplayMachine
    from cellos_nb.hardware.virtual import VirtualMachine as VirtualMachine
    from cellos_nb.lab import Lab as Lab
    from cellos_nb.planner.model import DoseResponseGP as DoseResponseGP
    from cellos_nb.workflow.workflow import Workflow as Workflow

_HOME = {
    "AutonomousExecutor": "execution.autonomous",
    "BiologicalVirtualMachine": "hardware.biology",
    "Campaign": "campaign",
    "CampaignConfig": "domain.campaign",
    "DoseResponseGP": "planner.model",
    "ExperimentProposal": "domain.proposal",
    "ExperimentResult": "domain.result",
    "HardwareInterface": "hardware.interface",
    "JobQueue": "execution.queue",
    "Lab": "lab",
    "ReplayMachine": "hardware.replay",
    "VirtualMachine": "hardware.virtual",
    "Workflow": "workflow.workflow",
    "WorkflowExecutor": "execution.executor",
    "fit_dose_response": "analysis.fit",
}

__all__ = [*_HOME, "__version__"]  # noqa: PLE0604  # the keys are names


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("cellos-nb")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
