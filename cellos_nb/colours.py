"""Colours for pictures of data: safe for colour-blind eyes, and seen on light and on dark pages."""

from __future__ import annotations

SERIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#9D49F2", "#99492E")
"""For names: cell lines, compounds, campaigns. Each keeps a contrast of 3 on light and dark pages, and any two of them
differ for colour-blind eyes.

Source: the first four Okabe & Ito 2008, "Color Universal Design"; their sky blue, orange, yellow and black do not keep
that contrast, so a violet and a brown stand for them.
"""
GREY = "#8A8A8A"
"""For what is no series of its own: references, what is not known."""
GOOD, SOON, WRONG = "#2E9E5B", "#B87A00", "#D0453A"
"""For lights: nothing to do, something to do soon, something wrong or to do now. A shape or a word stands with each."""
SEQUENTIAL = ("#00224E", "#31446B", "#666870", "#958F78", "#CAB969", "#FEE838")
"""For amounts, low to high. Source: cividis, Nuñez et al. 2018, doi:10.1371/journal.pone.0199239."""


def series_colour(index: int) -> str:
    """The colour of the series with this number; the seventh has that of the first."""
    return SERIES[index % len(SERIES)]


def ink_on(colour: str) -> str:
    """The ink that can be read on a colour.

    >>> ink_on("#00224e"), ink_on("#fee838")
    ('#ffffff', '#10202c')
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#10202c" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"


def sequential_colour(share: float) -> str:
    """The colour of an amount between the lowest (0) and the highest (1).

    >>> sequential_colour(0.0), sequential_colour(2.0)
    ('#00224e', '#fee838')
    """
    place = min(max(share, 0.0), 1.0) * (len(SEQUENTIAL) - 1)
    low = min(int(place), len(SEQUENTIAL) - 2)
    ends = (SEQUENTIAL[low], SEQUENTIAL[low + 1])
    a, b = ([int(end[i : i + 2], 16) for i in (1, 3, 5)] for end in ends)
    return "#" + "".join(f"{round(x + (y - x) * (place - low)):02x}" for x, y in zip(a, b, strict=True))
