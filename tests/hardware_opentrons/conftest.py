"""The real `opentrons` package, installed once and kept for later runs, and one worker for each test process."""

from __future__ import annotations

import os

import pytest
from platformdirs import user_cache_path

from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.environment import Environment
from cellos_nb.hardware.opentrons.worker import OpentronsWorker


@pytest.fixture(scope="session")
def opentrons() -> Environment:
    """The private environment, made if need be: in CELLOS_HARDWARE_HOME, else in the user's cache."""
    if environment.HOME_VARIABLE not in os.environ:
        os.environ[environment.HOME_VARIABLE] = str(user_cache_path("cellos_nb-tests", appauthor=False))
    return environment.install()


@pytest.fixture(scope="session")
def worker(opentrons):
    with OpentronsWorker(opentrons) as running:
        yield running
