"""A Cytation behind PyLabRobot, with a camera of ours in its place: images, counts, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from bench_rig import PLATE, labware
from pydantic import ValidationError

from cellos_nb.domain.machine import OutcomeState
from cellos_nb.domain.step import Readout, Step, StepKind
from cellos_nb.errors import MachineRefusedError, StepFailedError
from cellos_nb.hardware.imaging.render import Camera, render
from cellos_nb.hardware.imaging.scene import draw_scene
from cellos_nb.hardware.pylabrobot.machine import InstrumentLine
from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile
from cellos_nb.hardware.registry import read_file, template_of

SIGNALS = ("cell_count", "DAPI", "GFP", "RFP")
SHOTS = {name: {"mode": name, "exposure_ms": 20, "focal_height_mm": 3.2} for name in ("DAPI", "GFP", "RFP")}
N_PX = 320


def imager(folder, **changes):
    return {"model": "chatterbox", "folder": str(folder), "channels": SHOTS, "reading": {"um_per_px": 1.3}} | changes


def line_file(folder, **changes) -> PyLabRobotFile:
    content = yaml.safe_load(template_of("pylabrobot")) | {"reader": None, "imager": imager(folder)}
    return PyLabRobotFile.model_validate(content | {"name": "scope", "timeout_s": 60} | changes)


def image_step(wells=("B2", "B3"), n_sites=4, channels=SIGNALS) -> Step:
    readout = Readout("imaging", channels, wells, n_sites)
    held = (labware("plate"),)
    return Step("6-image", "image", StepKind.IMAGE, PLATE, held, assay="imaging", readout=readout)


@pytest.fixture
def line(tmp_path):
    made = InstrumentLine(line_file(tmp_path / "images"), tmp_path / "scope.ledger")
    yield made
    made.stop()


def test_a_line_with_an_imager_images_and_says_so(line):
    can = line.describe()
    assert can.step_kinds[-1] is StepKind.IMAGE
    assert can.assays == ("imaging",)


def test_every_site_and_channel_is_a_tiff_and_dark_images_have_no_cells(line, tmp_path):
    reading = line.execute(image_step(), "6-image")
    assert len(list((tmp_path / "images").rglob("*.tif"))) == 2 * 4 * 3
    assert {site.values for site in reading.channel("cell_count")} == {(0.0, 0.0)}
    assert line.reconcile("6-image").state is OutcomeState.DONE
    assert line.execute(image_step(), "6-image") == reading


def scenes(backend, counts):
    """Has a stand-in see cells: how many in which well."""
    drawn = {}

    async def capture(**asked):
        from pylabrobot.plate_reading.standard import ImagingResult

        place = asked["row"], asked["column"]
        n_live, n_dead = counts[place]
        images = []
        for site in range(asked["coverage"][0] * asked["coverage"][1]):
            random = np.random.default_rng([*place, site])
            scene = draw_scene(random, N_PX * 1.3, n_live, n_dead, 0.5)
            drawn[place, site] = scene
            images.append(render(scene, random, Camera(n_px=N_PX))[asked["mode"].name])
        return ImagingResult(images, asked["exposure_time"], asked["focal_height"])

    backend.capture = capture
    return drawn


def test_cells_that_the_camera_sees_are_counted_by_well_and_site(line):
    line.execute(image_step(wells=("A1",), n_sites=1), "first")  # which connects
    drawn = scenes(line._imager.front.backend, {(1, 1): (60, 5), (1, 2): (10, 40)})
    reading = line.execute(replace(image_step(), uid="7-image"), "second")
    for index, place in enumerate([(1, 1), (1, 2)]):
        for channel in reading.channel("cell_count"):
            scene = drawn[place, channel.site - 1]
            assert channel.values[index] == pytest.approx(scene.n_live, abs=4)
        found = [channel.values[index] for channel in reading.channel("nuclei")]
        true = [drawn[place, site].n_live + drawn[place, site].n_dead for site in range(4)]
        assert sum(found) == pytest.approx(sum(true), rel=0.06)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        pytest.param(image_step(n_sites=5), r"5 sites make no square.*1, 4, 9 or 16", id="sites"),
        pytest.param(image_step(channels=("CY5",)), r"has no channel 'CY5'; possible: cell_count, DAPI", id="channel"),
    ],
)
def test_what_it_cannot_image_is_refused_before_the_plate_is_taken_in(line, step, problem):
    with pytest.raises(MachineRefusedError, match=problem):
        line.execute(step, "6-image")
    assert line.reconcile("6-image").state is OutcomeState.NEVER_STARTED


def test_a_camera_that_fails_fails_the_step_with_what_it_said(line):
    line.execute(image_step(wells=("A1",), n_sites=1), "first")

    async def capture(**asked):
        raise RuntimeError("Spinnaker: no frame")

    line._imager.front.backend.capture = capture
    with pytest.raises(StepFailedError, match=r"Spinnaker: no frame"):
        line.execute(replace(image_step(), uid="7-image"), "second")


def test_a_cytation_that_is_not_there_moves_nothing_and_says_so_in_one_line(tmp_path):
    file = line_file(tmp_path, imager=imager(tmp_path, model="Cytation"))
    line = InstrumentLine(file, tmp_path / "scope.ledger")
    with pytest.raises(MachineRefusedError, match=r"the imager of scope is not there \(.*Switch it on") as refused:
        line.execute(image_step(), "6-image")
    assert "\n" not in str(refused.value)
    assert line.reconcile("6-image").state is OutcomeState.NEVER_STARTED
    line.stop()


def test_one_cytation_cannot_be_reader_and_imager_of_one_file(tmp_path):
    with pytest.raises(ValidationError, match="are one Cytation, which one connection has at a time"):
        line_file(tmp_path, imager=imager(tmp_path, model="Cytation"), reader={"model": "Cytation"})


def test_a_channel_without_an_exposure_is_refused(tmp_path):
    with pytest.raises(ValidationError, match=r"has no RFP, which reading.stains names"):
        line_file(tmp_path, imager=imager(tmp_path, channels={"DAPI": SHOTS["DAPI"], "GFP": SHOTS["GFP"]}))


def test_the_folder_of_images_is_beside_the_machine_file(tmp_path):
    content = {"kind": "pylabrobot", "imager": imager("pictures")}
    (tmp_path / "scope.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert read_file(tmp_path / "scope.yaml").imager.folder == str(tmp_path / "pictures")


def test_the_imager_in_the_template_is_accepted_when_it_is_let_in():
    text = template_of("pylabrobot")
    lines = [
        line.removeprefix("# ") if "imager:" in line or line.startswith("#   ") else line for line in text.splitlines()
    ]
    content = yaml.safe_load("\n".join(lines)) | {"name": "line"}
    assert PyLabRobotFile.model_validate(content).imager.reading.um_per_px == 0.57
