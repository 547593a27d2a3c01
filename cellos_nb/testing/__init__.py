"""What every planner, machine, assay, action and panel must hold, as test classes that a plug-in's own tests inherit.

    from cellos_nb.testing import PlannerContract

    class TestMine(PlannerContract):
        settings = {"kind": "mine"}

They are the same suites that this package's own implementations pass. They need pytest: the extra `testing`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "cellos_nb.testing needs pytest. Install it: pip install 'cellos-nb[testing]'.", name="pytest"
    ) from error

if TYPE_CHECKING:
    from cellos_nb.testing.action_contract import ActionContract as ActionContract
    from cellos_nb.testing.assay_contract import AssayContract as AssayContract
    from cellos_nb.testing.machine_contract import MachineContract as MachineContract
    from cellos_nb.testing.panel_contract import PanelContract as PanelContract
    from cellos_nb.testing.planner_contract import PlannerContract as PlannerContract

_HOME = {
    "ActionContract": "action_contract",
    "AssayContract": "assay_contract",
    "MachineContract": "machine_contract",
    "PanelContract": "panel_contract",
    "PlannerContract": "planner_contract",
}

__all__ = [*_HOME]  # noqa: PLE0604  # the keys are names

# Before they are imported, so that a failing assert shows its values as in any other test.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _HOME.values()))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
