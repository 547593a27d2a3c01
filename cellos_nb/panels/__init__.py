"""Panels for notebook cells: each a model that knows no toolkit, and a view that decides nothing.

Each name is loaded at its first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME: dict[str, str] = {
    "AutonomyPanel": "autonomy.panel",
    "BankPanel": "bank.panel",
    "BenchPanel": "bench.panel",
    "CalendarPanel": "calendar.panel",
    "ComparisonPanel": "comparison.panel",
    "ControlRoom": "room",
    "DoseResponsePanel": "dose_response.panel",
    "FacilityPanel": "facility.panel",
    "HistoryImportPanel": "history_import.panel",
    "InventoryPanel": "inventory.panel",
    "LauncherPanel": "launcher.panel",
    "LiveCampaignPanel": "live.panel",
    "PlatesPanel": "plates.panel",
    "TablePanel": "table.panel",
    "WhyThisDosePanel": "why.panel",
}

__all__ = [*_HOME]  # noqa: PLE0604  # the keys are names


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
