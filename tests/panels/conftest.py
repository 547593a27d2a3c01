"""A lab with one small finished campaign, made once for each test process."""

from __future__ import annotations

import shutil
from importlib import resources

import pytest
from hostile_names import EVIL, EVIL_COMPOUND

from cellos_nb import CampaignConfig, Lab


def small_config(parameters: str, **changes) -> CampaignConfig:
    return CampaignConfig(
        **{
            "name": EVIL,
            "cell_lines": ["U2OS", "HepG2"],
            "compounds": [EVIL_COMPOUND, "paclitaxel"],
            "dose_range_um": [0.001, 10],
            "n_doses": 7,
            "objective": "minimise",
            "batch_size": 14,
            "max_iterations": 2,
            "replicates": 2,
            "controls": {"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
            "machine": {"kind": "biology", "parameters": parameters},
            "planner": {"kind": "mechanistic", "n_initial": 14},
            "seed": 3,
        }
        | changes
    )


@pytest.fixture(scope="session")
def finished_lab_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels")
    shipped = resources.files("cellos_nb.hardware").joinpath("parameters/biology.yaml").read_text(encoding="utf-8")
    hostile = folder / "biology.yaml"
    hostile.write_text(shipped.replace("name: staurosporine", f"name: '{EVIL_COMPOUND}'"), encoding="utf-8")
    with Lab.open(folder / "lab.db") as lab:
        lab.run(small_config(str(hostile)))
    return folder


@pytest.fixture
def lab_url(finished_lab_folder, tmp_path) -> str:
    """A database of one's own, with one finished campaign whose names are hostile."""
    shutil.copytree(finished_lab_folder, tmp_path / "copy")
    return str(tmp_path / "copy" / "lab.db")


@pytest.fixture
def lab(lab_url):
    with Lab.open(lab_url) as opened:
        yield opened
