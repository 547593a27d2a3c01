"""History in, proposals out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellos_nb.planner.candidate_table import CandidateTable as CandidateTable
    from cellos_nb.planner.explanation import Explanation as Explanation
    from cellos_nb.planner.explanation import explain as explain
    from cellos_nb.planner.fidelity import FidelityCosts as FidelityCosts
    from cellos_nb.planner.fidelity import TwoFidelityPlanner as TwoFidelityPlanner
    from cellos_nb.planner.interface import Planner as Planner
    from cellos_nb.planner.mechanistic import MechanisticPlanner as MechanisticPlanner
    from cellos_nb.planner.model import DoseResponseGP as DoseResponseGP
    from cellos_nb.planner.plate_design import PlateDesignPlanner as PlateDesignPlanner
    from cellos_nb.planner.pool import pool_planner as pool_planner
    from cellos_nb.planner.prediction import CampaignModel as CampaignModel
    from cellos_nb.planner.preferences import PreferenceGP as PreferenceGP
    from cellos_nb.planner.prior import Prior as Prior
    from cellos_nb.planner.registry import make_planner as make_planner
    from cellos_nb.planner.uninformed import RandomPlanner as RandomPlanner
    from cellos_nb.planner.uninformed import SpaceFillingPlanner as SpaceFillingPlanner

_HOMES = {
    "CampaignModel": "prediction",
    "CandidateTable": "candidate_table",
    "DoseResponseGP": "model",
    "Explanation": "explanation",
    "FidelityCosts": "fidelity",
    "MechanisticPlanner": "mechanistic",
    "PlateDesignPlanner": "plate_design",
    "Planner": "interface",
    "PreferenceGP": "preferences",
    "Prior": "prior",
    "RandomPlanner": "uninformed",
    "SpaceFillingPlanner": "uninformed",
    "TwoFidelityPlanner": "fidelity",
    "explain": "explanation",
    "make_planner": "registry",
    "pool_planner": "pool",
}

__all__ = [*_HOMES]  # noqa: PLE0604 - the table above is the one place to edit


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
