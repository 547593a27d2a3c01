"""The `cellos` command: parse, call one function, print."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""The exit code of a command that was ended by Ctrl-C."""


def main() -> None:
    """Runs the command line; an error that a person can act on is one line and an exit code, never a traceback."""
    from cellos_nb.cli.app import app
    from cellos_nb.errors import CellosError

    try:
        app()
    except CellosError as error:
        sys.stderr.write(f"cellos: {error}\n")
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            sys.stderr.write(
                "\ncellos: stopped. What was measured is stored; `cellos list` shows the campaigns, and "
                "`cellos resume CAMPAIGN` continues one.\n"
            )
        raise
