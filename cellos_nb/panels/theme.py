"""What all panels look like: the colours of data, and one style sheet that follows the page's theme."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from markupsafe import Markup

from cellos_nb.colours import GOOD, GREY, SEQUENTIAL, SERIES, SOON, WRONG, ink_on, sequential_colour, series_colour

__all__ = [
    "GOOD",
    "GREY",
    "SEQUENTIAL",
    "SERIES",
    "SOON",
    "WRONG",
    "ink_on",
    "sequential_colour",
    "series_colour",
    "style",
]

SHEETS = ("theme.css", "parts.css", "launcher/form.css", "live/live.css")


@cache
def style() -> Markup:
    """The style sheet, to stand once in each panel."""
    folder = files("cellos_nb.panels")
    sheet = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SHEETS)
    return Markup(f"<style>{sheet}</style>")  # noqa: S704 - a file of ours
