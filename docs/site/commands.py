"""The page of all commands, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from cellos_nb.cli.app import app
from cellos_nb.cli.examples import EXAMPLES

Command = Any
"""Of click, which typer has a copy of."""
Found = tuple[str, Command]


_OPENING = (
    (
        "Made from the commands themselves. Each prints the same with `--help`; `cellos --version` prints the release, "
        "and `cellos --install-completion` teaches your shell to complete commands and options with the Tab key."
    ),
    "",
    (
        "What is wrong in a command ends it with exit code 2 and one line that says what to do; a failure on the way "
        "ends it with 1, Ctrl-C with 130."
    ),
)


def commands() -> Iterator[Found]:
    """Every command with its whole name, groups before what is in them."""
    yield from _inside("cellos", typer.main.get_command(app))


def _inside(name: str, command: Command) -> Iterator[Found]:
    for key, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield f"{name} {key}", inner
            yield from _inside(f"{name} {key}", inner)


def page() -> str:
    """The page in Markdown."""
    root = typer.main.get_command(app)
    said = ["# Commands", "", *_OPENING, "", *_parameters(root, "cellos")]
    for name, command in commands():
        said += ["", f"{'#' * (name.count(' ') + 1)} {name}", "", _prose(command.help or ""), ""]
        said += ["```", f"{name} {_usage(name, command)}".rstrip(), "```", "", *_parameters(command, name)]
        if examples := EXAMPLES.get(name.removeprefix("cellos ")):
            said += ["", "```sh", *examples, "```"]
    return "\n".join(said) + "\n"


def _usage(name: str, command: Command) -> str:
    return " ".join(command.collect_usage_pieces(_context(name, command)))


def _prose(text: str) -> str:
    """Help as Markdown: what is marked as preformatted stays so."""
    return re.sub(r"\s*\f.*", "", text, flags=re.DOTALL).replace("\b\n", "\n").strip()


def _context(name: str, command: Command) -> Any:
    return command.make_context(name, [], resilient_parsing=True)


def _parameters(command: Command, name: str) -> list[str]:
    context = _context(name, command)
    found = (parameter.get_help_record(context) for parameter in command.params)
    rows = [row for row in found if row and not row[0].startswith(("--install-completion", "--show-completion"))]
    return ["| | |", "|---|---|", *(f"| `{cell(what)}` | {cell(text)} |" for what, text in rows)] if rows else []


def cell(text: str) -> str:
    """Text for one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def undescribed() -> list[str]:
    """The options and arguments without a word about them."""
    return [
        f"{name}: {parameter.name}"
        for name, command in commands()
        for parameter in command.params
        if parameter.name != "help" and not getattr(parameter, "help", None)
    ]
