"""What the launcher shows: the form with what became of it, in words, tables and markup."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from cellos_nb.domain.summary import question
from cellos_nb.execution.preflight import Preflight
from cellos_nb.panels.launcher.draft import Checked, Draft
from cellos_nb.panels.launcher.fields import Path, all_fields
from cellos_nb.panels.launcher.start import Proved
from cellos_nb.panels.static import StaticForm, StaticTable
from cellos_nb.panels.text import join, markup, rows_table
from cellos_nb.units import counted

MAX_PROTOCOLS = 4
"""Plates whose protocol is shown inside the panel; the others are named with their file."""


@dataclass(frozen=True, slots=True)
class LauncherChoice:
    """What stands in the form."""

    draft: Draft
    n_filled: int = 0
    """Raised whenever the form has to be written anew: by a file, or by names that were added."""


@dataclass(frozen=True, slots=True)
class LauncherShown:
    """The form, and what became of it so far."""

    choice: LauncherChoice
    checked: Checked
    """Refusals of the machine among the problems."""
    needs: Preflight | None
    """None while something is wrong."""
    known: tuple[tuple[str, ...], tuple[str, ...]]
    """Cell lines and compounds that the machine knows; empty where any will do."""
    proved: Proved | None
    """The last proof, whatever was changed since."""
    is_proof_current: bool
    waiting: tuple[str, ...]
    """Plates that a real machine may not execute yet."""
    stock: str
    """Whether the stock suffices for the first plates, or what to order; empty where none is kept."""
    is_short: bool
    """Whether it does not."""
    launched: str
    """How far the launched campaign is; empty before."""


def summary(shown: LauncherShown) -> str:
    """What is asked, or how much is to be corrected."""
    config = shown.checked.config
    if config is None:
        fields = {field.path: field.label for field in all_fields()}
        named = ", ".join(fields.get(path, "the campaign") for path in shown.checked.problems)
        return f"{shown.checked.n_problems} to correct: {named}."
    step = "proved, ready to launch" if shown.is_proof_current else "valid; prove it next"
    step = "waits for approval" if shown.waiting else step
    return f"{question(config)} {config.name}: {step}."


def static_form(title: str, shown: LauncherShown) -> StaticForm:
    """The configuration and what it will take, as tables."""
    import pandas as pd

    held = [(field.label, _held(shown.choice.draft, field.path)) for field in all_fields()]
    filled = [(label, value) for label, value in held if value]
    left_out = counted(len(held) - len(filled), "field is", "fields are")
    tables = [StaticTable(f"configuration; {left_out} left out", pd.DataFrame(filled, columns=["field", "value"]))]
    if shown.needs is not None:
        stock = [("stock", shown.stock)] if shown.stock else []
        taken = pd.DataFrame([*shown.needs.rows(), *stock], columns=["what", "value"])
        tables.append(StaticTable("what it will take", taken))
    return StaticForm(title, summary(shown), tables=tuple(tables))


def _held(draft: Draft, path: Path) -> str:
    value = draft.values[path]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " to ".join(value) if isinstance(value, tuple) else str(value).replace("\n", ", ")


def problem_lines(lines: tuple[str, ...]) -> Markup:
    """What is wrong with no field of its own."""
    return join(markup('<div class="cellos-problem" role="alert">{}</div>', line) for line in lines)


def needed(shown: LauncherShown) -> Markup:
    """What the campaign will take, and whether it is there; nothing while it cannot be said."""
    if shown.needs is None:
        return Markup()
    template = '<span class="cellos-problem" role="alert">{}</span>' if shown.is_short else "{}"
    stock = [("stock", markup(template, shown.stock))] if shown.stock else []
    return markup("<h4>What it will take</h4>{}", rows_table([*shown.needs.rows(), *stock]))


def proof(shown: LauncherShown) -> Markup:
    """What the proof wrote; the protocol in a frame that executes nothing."""
    proved = shown.proved
    if proved is None:
        return Markup()
    if not shown.is_proof_current:
        return markup('<p class="cellos-quiet">{}</p>', "The form was changed since it was proved; prove it again.")
    parts = [
        markup(
            '<details><summary>{}</summary><iframe class="cellos-protocol" sandbox="" title="{}" srcdoc="{}"></iframe>'
            "</details>",
            *(
                f"{plate.plate_id}: protocol",
                f"protocol of {plate.plate_id}",
                proved.protocol_of(plate).read_text(encoding="utf-8"),
            ),
        )
        for plate in proved.plates[:MAX_PROTOCOLS]
    ]
    parts += [
        markup("<p>{}: {}</p>", plate.plate_id, str(proved.protocol_of(plate)))
        for plate in proved.plates[MAX_PROTOCOLS:]
    ]
    hashes = rows_table((plate.plate_id, f"workflow {plate.workflow_sha256}") for plate in proved.plates)
    real = (
        "This machine is real: the plates wait for a person's approval. Those of each later iteration will need one of "
        "their own."
        if shown.waiting
        else ""
    )
    return markup("<h4>Proof of the first iteration</h4>{}{}<p>{}</p>", hashes, join(parts), real)
