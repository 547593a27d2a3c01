"""The scripts of widgets that draw SVG."""

from __future__ import annotations

from pathlib import Path

_SHARED = Path(__file__).with_name("svg.js")


def drawing_module(script: Path) -> str:
    """A widget's module: its script behind what all such scripts share, since a page loads each widget's alone."""
    return "\n".join(path.read_text(encoding="utf-8") for path in (_SHARED, script))
