"""Folders of images: names by pattern, what is refused, and the tables that come of them."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.domain.step import Labware, Readout, Step, StepKind
from cellos_nb.errors import ConfigError, ReaderFileError
from cellos_nb.hardware.bench.exports import read_export
from cellos_nb.hardware.bench.readings import reading_of
from cellos_nb.hardware.bench.settings import ReaderSettings
from cellos_nb.hardware.imaging.agreement import compare, draw
from cellos_nb.hardware.imaging.folder import expression_of, measured_sites, read_image, sites_in, write_image
from cellos_nb.hardware.imaging.microscope import practice_fields, take_images
from cellos_nb.hardware.imaging.settings import ImagingSettings, MicroscopeSettings, StainSettings
from cellos_nb.hardware.imaging.wells import sites_csv, wells_csv, wells_of

VENDORS = {
    "ours": ("{well}_s{site}_{channel}.tif", "B02_s3_DAPI.tif", ("B2", 3)),
    "ImageXpress": ("*_{well}_s{site}_w{channel}*.tif", "run7_B02_s3_w1A5F2.tif", ("B2", 3)),
    "Opera": ("r{row}c{column}f{site}p01-ch{channel}sk1fk1fl1.tiff", "r02c02f03p01-ch1sk1fk1fl1.tiff", ("B2", 3)),
    "Cytation": ("{well}_*_{site}_{channel}_001.tif", "B2_01_1_3_DAPI_001.tif", ("B2", 3)),
    "one site": ("{well}-{channel}.TIF", "p24-dapi.tif", ("P24", 1)),
}


@pytest.mark.parametrize(("pattern", "name", "place"), VENDORS.values(), ids=VENDORS)
def test_names_of_many_microscopes_are_read_by_their_pattern(tmp_path, pattern, name, place):
    nuclei = "1" if "{channel}" in pattern and "DAPI" not in name.upper() else "DAPI"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_bytes(b"")
    how = ImagingSettings(pattern=pattern, stains=StainSettings(nuclei=nuclei, live=None, dead=None))
    (site,) = sites_in(tmp_path, how)
    assert (site.well, site.number) == place
    assert site.files == {nuclei: tmp_path / "run" / name}


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        pytest.param("{well}.tif", r"must name \{channel\}", id="no channel"),
        pytest.param("{row}_{channel}.tif", r"\{well\} or \{row\} and \{column\}", id="half a well"),
        pytest.param("{well}{well}_{channel}", r"each once", id="twice"),
        pytest.param("{plate}_{well}_{channel}", r"there is no \{plate\}; possible: \{well\}", id="unknown"),
    ],
)
def test_a_pattern_that_does_not_say_what_is_what_is_refused(pattern, problem):
    with pytest.raises(ConfigError, match=problem):
        expression_of(pattern)


def touch(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        pytest.param((), r"no file is named like .*; it is empty", id="empty"),
        pytest.param(("plate.csv",), r"there are files such as plate\.csv\. Give the pattern", id="other files"),
        pytest.param(
            ("A1_s1_w1.tif",), r"has images of the channels w1, but DAPI, GFP, RFP are looked for", id="names"
        ),
        pytest.param(("A1_s1_DAPI.tif",), r"well A1, site 1 has no GFP\. Export it, or write null", id="lacks one"),
        pytest.param(
            ("A1_s1_DAPI.tif", "A01_s1_DAPI.tif"), r"is DAPI of well A1, site 1, and so is A01_s1_DAPI", id="two"
        ),
        pytest.param(("ZZ9_s1_DAPI.tif",), r"ZZ9 is no well of any plate", id="no well"),
    ],
)
def test_a_folder_that_is_no_plate_is_refused_with_what_to_do(tmp_path, names, problem):
    touch(tmp_path, *names)
    with pytest.raises(ReaderFileError, match=problem):
        sites_in(tmp_path, ImagingSettings())


def test_a_folder_that_is_not_there_and_a_file_that_is_no_tiff_are_refused(tmp_path):
    with pytest.raises(ReaderFileError, match="there is no such folder"):
        sites_in(tmp_path / "nowhere", ImagingSettings())
    touch(tmp_path, "A1_s1_DAPI.tif", "A1_s1_GFP.tif", "A1_s1_RFP.tif")
    with pytest.raises(ReaderFileError, match=r"cannot be read as a TIFF"):
        list(measured_sites(tmp_path, ImagingSettings()))


def test_an_image_is_kept_pixel_by_pixel_and_the_same_image_gives_the_same_bytes(tmp_path):
    image = np.random.default_rng(1).integers(0, 65_535, (40, 50)).astype(np.uint16)
    for name in ("one.tif", "two.tif"):
        write_image(tmp_path / name, image, 1.3)
    assert (read_image(tmp_path / "one.tif") == image).all()
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "two.tif").read_bytes()


@pytest.fixture(scope="module")
def practice(tmp_path_factory):
    """Two wells of three fields; the third of B1 is out of focus by its seed."""
    folder = tmp_path_factory.mktemp("images") / "practice"
    asked = MicroscopeSettings(folder=str(folder), out_of_focus=0.3, n_px=384)
    fields = practice_fields(["A1", "B1"], 3, 60, dead=(0.0, 0.5), settings=asked, seed=4)
    return folder, take_images(folder, asked, fields, np.random.default_rng(4))


def test_what_is_read_agrees_with_the_table_of_true_cells(practice):
    folder, how = practice
    agreement = compare(folder, how)
    assert len(agreement.fields) == 6
    assert 0 < len(agreement.sharp) < 6
    assert agreement.recall > 0.95
    assert agreement.precision > 0.98
    assert agreement.called_right > 0.98
    assert agreement.viability_error_percent < 3
    figure = draw(agreement)
    assert [axes.get_title() for axes in figure.axes] == ["Cells of a field", "Viability of a field, %"]
    assert sum(len(dots.get_offsets()) for dots in figure.axes[0].collections) == 6


def test_images_without_a_table_of_true_cells_cannot_be_compared(tmp_path):
    with pytest.raises(ReaderFileError, match="Only images that were rendered here"):
        compare(tmp_path, ImagingSettings())


def test_a_field_out_of_focus_is_flagged_and_left_out_of_the_mean(practice):
    folder, how = practice
    fields = {(site.well, site.number): field for site, field in measured_sites(folder, how)}
    wells = {one.well: one for one in wells_of(fields, how)}
    lost = [place for place, field in fields.items() if not field.is_sharp]
    assert lost
    for well, one in wells.items():
        used = [fields[well, site].n_live for site in (1, 2, 3) if fields[well, site].is_sharp]
        assert one.cell_count == pytest.approx(sum(used) / len(used))
        assert one.n_used == len(used)
        missing = ", ".join(str(site) for name, site in lost if name == well)
        assert not missing or f"out of focus: site{'s' * (len(missing) > 1)} {missing}" in one.flags
    table = sites_csv(fields, how).splitlines()
    assert len(table) == 7
    assert sum("out of focus" in line for line in table) == len(lost)


def test_the_table_of_wells_is_a_readers_file_for_the_bench(practice):
    folder, how = practice
    fields = {(site.well, site.number): field for site, field in measured_sites(folder, how)}
    text = wells_csv(wells_of(fields, how), how)
    signals = ("cell_count", "DAPI", "GFP", "RFP")
    reader = ReaderSettings(unit="RFU")
    step = Step(
        "6-image",
        "image",
        StepKind.IMAGE,
        "p1",
        (Labware("plate", "p1", 96, 360.0),),
        assay="imaging",
        readout=Readout("imaging", signals, ("A1", "B1"), n_sites=3),
    )
    export = read_export("wells.csv", text.encode(), signals, reader)
    reading = reading_of(export, step, reader, skipped=(), altered={})
    (counts,) = reading.channel("cell_count")
    assert counts.unit == "cells"
    assert counts.values == pytest.approx([one.cell_count for one in wells_of(fields, how)], rel=1e-4)
