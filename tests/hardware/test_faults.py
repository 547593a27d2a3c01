"""Faults that the simulated biology puts into plates on purpose, and nothing where none is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from cellos_nb.errors import ConfigError
from cellos_nb.hardware.biology_parameters import Fault, FaultParameters, load_parameters
from cellos_nb.hardware.chance import of_faults
from cellos_nb.hardware.culture import rim
from cellos_nb.hardware.faults import draw_faults

USED = np.arange(96) < 84
SIGNAL = np.linspace(1.0, 2.0, 96)


def drawn(seed=1, **faults):
    return draw_faults(of_faults(0, seed), FaultParameters(**faults), 96, USED)


def test_a_plate_without_faults_is_read_as_it_is():
    assert np.array_equal(drawn().on(SIGNAL), SIGNAL)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("edge", SIGNAL * (1 - 0.4 * rim(96)), id="edge"),
        pytest.param("drift", SIGNAL * np.tile(1 - 0.4 * np.arange(12) / 11, 8), id="drift"),
    ],
)
def test_a_fault_takes_its_share_of_the_signal(kind, expected):
    found = drawn(**{kind: Fault(share_of_plates=1.0, size=0.4)})
    np.testing.assert_allclose(found.on(SIGNAL), expected)
    assert found.kinds == (kind,)


def test_bubbles_lie_in_wells_with_cells_and_take_their_share():
    found = drawn(bubble=Fault(share_of_plates=1.0, size=0.9, n_wells=5))
    changed = np.flatnonzero(found.on(SIGNAL) != SIGNAL)
    assert sorted(found.bubbles) == changed.tolist()
    assert len(changed) == 5
    assert USED[changed].all()
    np.testing.assert_allclose(found.on(SIGNAL)[changed], 0.1 * SIGNAL[changed])


def test_two_used_rows_change_places():
    found = drawn(swapped_rows=Fault(share_of_plates=1.0))
    grid = found.on(SIGNAL).reshape(8, 12)
    moved = np.flatnonzero((grid != SIGNAL.reshape(8, 12)).any(axis=1))
    assert len(moved) == 2
    assert moved.max() < 7
    np.testing.assert_array_equal(grid[moved], SIGNAL.reshape(8, 12)[moved[::-1]])


def test_as_many_plates_have_a_fault_as_were_asked_for():
    n = sum(drawn(seed, edge=Fault(share_of_plates=0.3)).kinds == ("edge",) for seed in range(400))
    assert 90 <= n <= 150


def test_every_site_of_an_image_has_the_same_faults():
    sites = np.stack([SIGNAL, 2 * SIGNAL])
    found = drawn(edge=Fault(share_of_plates=1.0, size=0.4)).on(sites)
    np.testing.assert_allclose(found[1], 2 * found[0])


def test_a_file_with_faults_alone_keeps_the_shipped_cells(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text("faults: {drift: {share_of_plates: 0.5, size: 0.3}}\n", encoding="utf-8")
    found = load_parameters(path)
    assert found.faults.drift == Fault(share_of_plates=0.5, size=0.3)
    assert found.cell_lines == load_parameters().cell_lines
    assert load_parameters().faults == FaultParameters()


def test_an_impossible_fault_is_refused_with_its_line(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n  edge: {size: 1.5}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 2: faults.edge.size: 1.5 is too large"):
        load_parameters(path)
