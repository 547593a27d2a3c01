"""Colours that every eye can tell apart, on a light and on a dark page."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cellos_nb.colours import GOOD, GREY, SERIES, SOON, WRONG, sequential_colour
from cellos_nb.panels.live.words import LOOKS
from cellos_nb.records.figures import INTENTS

PAGES = {"light": "#FFFFFF", "dark": "#111111"}
"""JupyterLab's ground in its two themes; the panels' own dark ground is a little lighter."""
GRAPHICS = 3.0
"""The least contrast of what is drawn. Source: WCAG 2.2, success criterion 1.4.11."""
LEAST_DIFFERENCE = 12.0
"""Of two series in CIE L*a*b*; some 2 can just be seen side by side."""
EYES = {
    "all three cones": np.eye(3),
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [
        *([0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]),
    ],
    "no blue cones": [
        *([1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]),
    ],
}
"""Linear RGB as seen. Source: Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113, severity 1."""
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_INTENDED = (*(look.colour for look in LOOKS.values()), *INTENTS.values())
"""In the live panel and in a record."""


def linear(colour: str) -> np.ndarray:
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(_TO_XYZ[1] @ linear(colour))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    share = _TO_XYZ @ np.clip(rgb, 0, 1) / _WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("colour", [*SERIES, GREY, GOOD, SOON, WRONG, *_INTENDED])
def test_every_series_stands_out_from_both_pages(colour, page):
    assert contrast(colour, page) >= GRAPHICS


@pytest.mark.parametrize("eye", EYES.values(), ids=EYES)
def test_any_two_series_differ_for_every_eye(eye):
    for one, other in combinations(SERIES, 2):
        apart = np.linalg.norm(lab(np.array(eye) @ linear(one)) - lab(np.array(eye) @ linear(other)))
        assert apart >= LEAST_DIFFERENCE, f"{one} and {other}"


@pytest.mark.parametrize("eye", EYES.values(), ids=EYES)
def test_more_is_lighter_for_every_eye(eye):
    ramp = [lab(np.array(eye) @ linear(sequential_colour(share)))[0] for share in np.linspace(0, 1, 21)]
    assert np.all(np.diff(ramp) > 0)
