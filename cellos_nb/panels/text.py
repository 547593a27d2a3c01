"""The only way in which text reaches HTML: escaped, or written here by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    import pandas as pd


def esc(value: object) -> Markup:
    """Any value as HTML that shows it and does nothing; markup of ours stays as it is.

    >>> str(esc("<img src=x onerror=alert(1)>"))
    '&lt;img src=x onerror=alert(1)&gt;'
    """
    return escape(value)


def markup(template: str, /, *values: object, **named: object) -> Markup:
    """A template of ours with values filled in as `str.format` does, each one escaped.

    >>> str(markup("<b>{}</b>", "a < b"))
    '<b>a &lt; b</b>'
    """
    pieces = _between_gaps(template)
    if named or len(pieces) != len(values) + 1:
        return Markup(template).format(*values, **named)  # noqa: S704 - a literal of ours; every value is escaped
    filled = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        filled += (escape(value), piece)
    return Markup("".join(filled))  # noqa: S704 - the same


@lru_cache(maxsize=512)
def _between_gaps(template: str) -> tuple[str, ...]:
    """The text around each bare `{}`; nothing for a template with other fields. Formatting takes five times as long."""
    n_gaps = template.count("{}")
    is_plain = template.count("{") == template.count("}") == n_gaps
    return tuple(template.split("{}")) if is_plain else ()


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Parts one after the other, each escaped unless it is markup already."""
    return Markup(between).join(parts)  # type: ignore[arg-type]  # noqa: S704 - join escapes what it joins


def rows_table(rows: Iterable[tuple[object, object]]) -> Markup:
    """Two columns: what, and its value."""
    body = join(markup('<tr><th scope="row">{}</th><td>{}</td></tr>', *row) for row in rows)
    return markup('<table class="cellos-rows"><tbody>{}</tbody></table>', body)


def table(columns: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "") -> Markup:
    """A table with a heading for each column."""
    head = join(markup('<th scope="col">{}</th>', name) for name in columns)
    body = join(markup("<tr>{}</tr>", join(markup("<td>{}</td>", cell) for cell in row)) for row in rows)
    above = markup("<caption>{}</caption>", caption) if caption else ""
    return markup(
        '<table class="cellos-table">{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>', above, head, body
    )


def frame_table(frame: pd.DataFrame, caption: str = "") -> Markup:
    """A data frame as a table: its columns, not its index; missing values are empty."""
    rows = ([cell_text(value) for value in row] for row in frame.itertuples(index=False, name=None))
    return table(list(frame.columns), rows, caption)


_WHOLE, _POWERS = 1e4, 1e12
"""From where on numbers are shown whole, and from where on by powers of ten."""


def cell_text(value: Any) -> str:
    """A value as a table shows it: numbers to five digits, large ones whole, nothing where nothing is known.

    >>> cell_text(0.123456), cell_text(697531.2), cell_text(float("nan")), cell_text(None), cell_text(12)
    ('0.12346', '697531', '', '', '12')
    """
    if value is None or str(value) in {"nan", "<NA>", "NaT"}:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if _WHOLE <= abs(value) < _POWERS else f"{value:.5g}"
