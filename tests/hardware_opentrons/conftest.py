"""The real `opentrons` package, installed once and kept for later runs, and one worker for each test process."""

from __future__ import annotations

import json
import os
from functools import cache

import pytest
from platformdirs import user_cache_path
from robot_faults import Bench, as_files
from robots import FLEX, OT2, WORKFLOW_SHA256, dose_step

from cellos_nb.hardware.opentrons import environment
from cellos_nb.hardware.opentrons.environment import Environment
from cellos_nb.hardware.opentrons.proof import prove_steps
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


@pytest.fixture(scope="session")
def analyse(worker):
    """The real package's analysis of a protocol, made once for each text."""

    @cache
    def analysed(name, text):
        return json.dumps(worker.analyse(name, text).analysis)

    return lambda name, text: json.loads(analysed(name, text))


@pytest.fixture(scope="session", params=[OT2, FLEX], ids=lambda robot: robot.name)
def bench(request, worker, analyse):
    """A step of three doses, proved for an OT-2 and for a Flex."""
    settings = request.param.model_copy(update={"deck_check": "none"})
    steps = (dose_step([("A1", "B1", 5.0), ("A2", "C1", 8.0), ("A2", "C2", 25.0)]),)
    proof = prove_steps(steps, WORKFLOW_SHA256, settings, worker)
    for file in proof.files:
        if file.name.endswith(".py"):
            analyse(file.name, file.content.decode())
    return Bench(settings, steps, WORKFLOW_SHA256, as_files(proof.files), analyse)
