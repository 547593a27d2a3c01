"""The names a notebook author imports are there, and importing them costs nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import cellos_nb

HEAVY = ("GPy", "emukit", "matplotlib", "papermill", "bqplot", "opentrons", "pandas", "scipy", "sqlalchemy", "IPython")


def test_importing_the_package_imports_nothing_heavy():
    code = f"import sys, cellos_nb; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_a_lab_imports_no_plotting_and_no_planner_library():
    code = (
        "import sys\nfrom cellos_nb import AutonomousExecutor, CampaignConfig, ExperimentProposal, Lab\n"
        "print([n for n in ('GPy', 'emukit', 'matplotlib', 'papermill', 'bqplot', 'opentrons') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    for name in cellos_nb.__all__:
        assert getattr(cellos_nb, name) is not None
    assert set(dir(cellos_nb)) == set(cellos_nb.__all__)
