"""What is read from the pixels of one field, against the cells that were drawn into them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cellos_nb.errors import ConfigError, ReaderFileError
from cellos_nb.hardware.imaging.measure import measure_field
from cellos_nb.hardware.imaging.render import Camera, render
from cellos_nb.hardware.imaging.scene import Scene, draw_scene, side_of
from cellos_nb.hardware.imaging.settings import ImagingSettings, StainSettings, load_imaging

SIDE_UM = side_of(0.0044)
HOW = ImagingSettings()


def field_of(n_live, n_dead, *, defocus_um=0.5, how=HOW, seed=1, **camera):
    random = np.random.default_rng(seed)
    scene = draw_scene(random, SIDE_UM, n_live, n_dead, defocus_um)
    return scene, measure_field(render(scene, random, Camera(**camera)), how)


@pytest.mark.parametrize(
    ("n_live", "n_dead", "within"),
    [
        pytest.param(40, 0, 0.05, id="few, all alive"),
        pytest.param(0, 40, 0.08, id="few, all dead"),
        pytest.param(150, 30, 0.05, id="a common field"),
        pytest.param(100, 150, 0.05, id="more dead than alive"),
        pytest.param(450, 0, 0.06, id="confluent"),
    ],
)
def test_cells_are_counted_and_called_living_or_dead(n_live, n_dead, within):
    scene, found = field_of(n_live, n_dead)
    assert found.flags == ()
    assert found.n_nuclei == pytest.approx(scene.n_live + scene.n_dead, rel=within)
    assert found.n_dead == pytest.approx(scene.n_dead, rel=0.08)
    assert found.viability == pytest.approx(scene.n_live / (scene.n_live + scene.n_dead), abs=0.02)


def test_an_empty_field_has_no_cells_and_nothing_is_wrong_with_it():
    _, found = field_of(0, 0)
    assert (found.n_nuclei, found.n_dead, found.flags) == (0, 0, ())
    assert math.isnan(found.viability)
    assert math.isnan(found.edge_um)


def test_light_of_living_cells_that_spills_over_makes_none_of_them_dead():
    _, found = field_of(300, 0)
    assert found.n_dead == 0
    careless = HOW.model_copy(update={"dead_over_live": 1e-6})
    assert field_of(300, 0, how=careless)[1].n_dead > 10


def test_a_field_out_of_focus_is_told_and_one_in_focus_is_not():
    _, sharp = field_of(150, 30, defocus_um=0.5)
    _, lost = field_of(150, 30, defocus_um=6.0)
    assert sharp.is_sharp
    assert 3 < sharp.edge_um < 6
    assert lost.flags == ("out of focus",)
    assert lost.edge_um > 10


def test_a_channel_at_the_cameras_limit_has_no_intensity_and_its_cells_still_count():
    scene, found = field_of(150, 30, exposure=16.0)
    assert found.flags == ("saturated DAPI", "saturated GFP")
    assert math.isinf(found.intensity["DAPI"])
    assert math.isfinite(found.intensity["RFP"])
    assert found.n_nuclei == pytest.approx(scene.n_live + scene.n_dead, rel=0.05)


def test_the_limit_of_a_twelve_bit_camera_is_a_setting():
    _, found = field_of(150, 30, how=HOW.model_copy(update={"saturated_at": 4095.0}))
    assert found.flags[0] == "saturated DAPI"


def test_brightness_follows_the_stain_and_not_the_uneven_lamp():
    _, level = field_of(150, 0, shading=0.0)
    _, shaded = field_of(150, 0, shading=0.4)
    assert shaded.n_nuclei == pytest.approx(level.n_nuclei, abs=2)
    random = np.random.default_rng(1)
    scene = draw_scene(random, SIDE_UM, 150, 0, 0.5)
    half = measure_field(render(scene, random, Camera(shading=0.0), {"GFP": 0.5}), HOW)
    assert half.intensity["GFP"] == pytest.approx(level.intensity["GFP"] / 2, rel=0.1)
    assert half.intensity["DAPI"] == pytest.approx(level.intensity["DAPI"], rel=0.02)


def test_a_cell_that_two_fields_share_counts_in_one_of_them():
    """The upper and the left rim count, the lower and the right rim do not."""
    middle = SIDE_UM / 2
    x, y = np.array([middle, middle, 0.0, SIDE_UM]), np.array([0.0, SIDE_UM, middle, middle])
    scene = Scene(SIDE_UM, x, y, np.ones(4, bool), np.full(4, 14.0), np.ones(4), 0.5)
    found = measure_field(render(scene, np.random.default_rng(1)), HOW)
    assert found.n_nuclei == 2
    assert min(found.x_px) < 10
    assert min(found.y_px) < 10


def test_without_a_stain_for_dead_cells_every_nucleus_lives():
    alone = HOW.model_copy(update={"stains": StainSettings(live=None, dead=None)})
    scene, found = field_of(100, 50, how=alone)
    assert found.n_live == found.n_nuclei == pytest.approx(scene.n_live + scene.n_dead, rel=0.05)
    assert set(found.intensity) == {"DAPI"}


def test_a_threshold_of_ones_own_decides_who_is_dead():
    strict = HOW.model_copy(update={"positive_at": 1e6})
    assert field_of(100, 50, how=strict)[1].n_dead == 0


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        pytest.param({"DAPI": np.zeros((64, 64))}, r"plate, A1: has no image of channel 'GFP'; there: DAPI", id="none"),
        pytest.param(
            {name: np.zeros((64, 64, 3)) for name in ("DAPI", "GFP", "RFP")},
            r"the image of DAPI has the shape \(64, 64, 3\), but one plane of grey values is read",
            id="colours",
        ),
        pytest.param(
            {"DAPI": np.zeros((64, 64)), "GFP": np.zeros((64, 32)), "RFP": np.zeros((64, 64))},
            r"the images of its channels have the shapes \(64, 64\) and \(64, 32\)",
            id="two sizes",
        ),
    ],
)
def test_images_that_are_none_of_one_field_are_refused(images, problem):
    with pytest.raises(ReaderFileError, match=problem):
        measure_field(images, HOW, "plate, A1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("um_per_px: 6.5\n", r"a nucleus of 13 µm is 2\.0 pixels wide; at least 4 are needed", id="coarse"),
        pytest.param("stains: {nuclei: w1, live: w1}\n", r"two stains cannot be in one channel", id="one channel"),
        pytest.param("pixel: 1\n", r"line 1: pixel", id="unknown key"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_change(tmp_path, text, problem):
    (tmp_path / "imaging.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        load_imaging(tmp_path / "imaging.yaml")
