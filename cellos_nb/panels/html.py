"""HTML widgets, which take nothing that nobody escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from cellos_nb.panels.text import join, markup

if TYPE_CHECKING:
    from ipywidgets import HTML


def html_widget(content: Markup) -> HTML:
    """The only place where a panel makes an HTML widget.

    Raises:
        TypeError: plain text was given, which nothing has escaped.
    """
    from ipywidgets import HTML

    return HTML(str(_checked(content)))


def write_html(widget: HTML, content: Markup) -> None:
    """The only way to change one.

    Raises:
        TypeError: plain text was given, which nothing has escaped.
    """
    widget.value = str(_checked(content))


def _checked(content: Markup) -> Markup:
    if not isinstance(content, Markup):
        raise TypeError(f"{content!r} is plain text; give esc(…) or markup(…), so that nothing in it is executed.")
    return content


def heading(title: str, subtitle: str, summary: str) -> Markup:
    """What stands above a panel: its title, what it is about, and what it shows in words."""
    return markup(
        '<div class="cellos-head"><h3>{}</h3><span class="cellos-quiet">{}</span></div>'
        '<p class="cellos-summary">{}</p>',
        *(title, subtitle, summary),
    )


def cards(rows: list[tuple[object, object]]) -> Markup:
    """Numbers to be seen at a glance, each above its name; `rows` holds (name, number)."""
    made = join(markup('<div class="cellos-card"><b>{}</b><span>{}</span></div>', n, name) for name, n in rows)
    return markup('<div class="cellos-cards">{}</div>', made)
