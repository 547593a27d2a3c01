"""A plate that is imaged on the simulated machine: TIFFs of its cells, and a reading that was read from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from machine_plates import Plate, Well, run

from cellos_nb.errors import ConfigError
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.imaging.agreement import compare
from cellos_nb.hardware.imaging.folder import measured_sites
from cellos_nb.hardware.imaging.settings import MicroscopeSettings, load_imaging
from cellos_nb.hardware.registry import identity_of, read_file, settings_of

N_SITES = 2
WELLS = {"B2": Well("U2OS"), "C5": Well("U2OS", "staurosporine", 10.0)}


def plate_of(wells, **values):
    return Plate(wells, assay="imaging", cells_per_well=5_000.0, treatment_h=48.0, seed=7, **values)


def imaged(folder, wells, *, seed=1, **settings):
    """The reading of a plate on a machine that takes images."""
    how = MicroscopeSettings(folder=str(folder), n_px=384, **settings)
    machine = BiologicalVirtualMachine(seed=seed, images=how)
    plate = plate_of(wells)
    *before, image = plate.steps()
    for step in before:
        machine.execute(step, step.uid)
    readout = replace(image.readout, n_sites=N_SITES)
    return machine.execute(replace(image, readout=readout), "image")


def values(reading, name):
    return {site.site: dict(zip(reading.wells, site.values, strict=True)) for site in reading.channel(name)}


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    return folder / "test_i001-p1" / "9-read", imaged(folder, WELLS)


def test_each_site_and_channel_is_a_tiff_and_the_reading_is_what_is_in_them(taken):
    folder, reading = taken
    assert len(list(folder.glob("*.tif"))) == len(WELLS) * N_SITES * 3
    found = {(s.well, s.number): field for s, field in measured_sites(folder, load_imaging(folder / "imaging.yaml"))}
    counts = values(reading, "cell_count")
    assert {(well, site): counts[site][well] for site in counts for well in WELLS} == {
        place: field.n_live for place, field in found.items()
    }
    assert [channel.name for channel in reading.channels if channel.site == 1] == [
        *("cell_count", "DAPI", "GFP", "RFP"),
        *("nuclei", "viability"),
    ]


def test_what_is_read_agrees_with_the_cells_of_the_simulator(taken):
    folder, reading = taken
    agreement = compare(folder, load_imaging(folder / "imaging.yaml"))
    assert agreement.recall > 0.95
    assert agreement.called_right > 0.98
    counts, share = values(reading, "cell_count")[1], values(reading, "viability")[1]
    assert counts["C5"] < counts["B2"] / 2, "staurosporine at 10 µM kills"
    assert share["C5"] < share["B2"]


def test_counts_are_those_that_the_machine_without_images_draws(taken):
    """Both look at the same cells; chance differs."""
    plate = plate_of({f"{row}{column}": Well("U2OS") for row in "BCDE" for column in range(2, 12)})
    drawn = run(BiologicalVirtualMachine(seed=1), plate)
    numbers = [value for site in drawn.channel("cell_count") for value in site.values]
    untreated = [sites["B2"] for sites in values(taken[1], "cell_count").values()]
    assert sum(untreated) / N_SITES == pytest.approx(sum(numbers) / len(numbers), rel=0.35)


def test_the_same_seed_gives_the_same_images_and_a_well_is_the_same_whatever_else_is_imaged(taken, tmp_path):
    folder, reading = taken
    again = imaged(tmp_path / "again", WELLS)
    assert again == reading
    for path in folder.iterdir():
        assert (tmp_path / "again" / "test_i001-p1" / "9-read" / path.name).read_bytes() == path.read_bytes()
    assert imaged(tmp_path / "other", WELLS, seed=2) != reading


def test_a_field_out_of_focus_gives_no_number(tmp_path):
    reading = imaged(tmp_path, {"B2": Well("U2OS")}, out_of_focus=1.0)
    assert {channel.values for channel in reading.channels} == {(None,)}
    assert "out of focus: sites 1, 2" in next(tmp_path.rglob("wells.csv")).read_text()


def test_a_camera_at_its_limit_gives_counts_and_no_intensity(tmp_path):
    reading = imaged(tmp_path, {"B2": Well("U2OS")}, exposure=30.0)
    assert [site.values for site in reading.channel("DAPI")] == [(None,), (None,)]
    assert values(reading, "cell_count")[1]["B2"] > 20
    assert "OVER" in next(tmp_path.rglob("wells.csv")).read_text()


def test_a_machine_file_names_the_folder_and_a_machine_without_images_keeps_its_memory(tmp_path, monkeypatch):
    with_images, without = tmp_path / "with.yaml", tmp_path / "without.yaml"
    with_images.write_text("kind: biology\nname: cells\nimages: {folder: pictures}\n", encoding="utf-8")
    without.write_text("kind: biology\nname: cells\n", encoding="utf-8")
    assert Path(read_file(with_images).images.folder) == tmp_path / "pictures"
    assert "images" not in read_file(without).model_dump_json()
    assert identity_of(settings_of(str(with_images)), 1) != identity_of(settings_of(str(without)), 1)


def test_without_scikit_image_the_machine_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage", None)
    with pytest.raises(ConfigError, match=r"pip install 'cellos-nb\[imaging\]'"):
        BiologicalVirtualMachine(images=MicroscopeSettings(folder=str(tmp_path)))
