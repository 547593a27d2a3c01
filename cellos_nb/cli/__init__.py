"""The `cellos` command: parse, call one function, print."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line; an error that a person can act on is one line and an exit code, never a traceback."""
    from cellos_nb.cli.app import app
    from cellos_nb.errors import CellosError

    try:
        app()
    except CellosError as error:
        sys.stderr.write(f"cellos: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write(
            "cellos: stopped. What was measured is stored; `cellos list` shows the campaigns, and "
            "`cellos resume CAMPAIGN` continues one.\n"
        )
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has seen enough.
        sys.stderr.close()
        sys.exit(0)
