"""The command that opens the control room in JupyterLab, or serves it as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellos_nb.cli.options import Database


def lab(  # noqa: PLR0917 - typer's parameters are options, given by name
    jupyter_options: Annotated[
        list[str] | None, typer.Argument(help="After `--`: options for Jupyter itself.", show_default=False)
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the notebooks are copied to; JupyterLab shows this folder.")
    ] = Path("control-room"),
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Port on 127.0.0.1; the next free one if taken. Default: 8888."),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser, or print the URL.")] = True,
    app: Annotated[
        bool, typer.Option("--app", help="Serve the control room as a page without code, by Voilà (extra `app`).")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace also notebooks and window layout that you changed.")
    ] = False,
    db: Database = None,
) -> None:
    """Open the control room in JupyterLab until Ctrl-C.

    It answers on this machine alone, to whoever has the token in the URL. A kernel finds the database by
    CELLOS_DATABASE_URL. A campaign that runs in a kernel ends with JupyterLab; one of `cellos daemon` goes on.
    """
    from cellos_nb.cli.jupyter import give_kernels, import_workspace, require_voila, serve_lab, serve_page
    from cellos_nb.records.notebooks import CONTROL_ROOM, copy_notebooks

    if app:
        require_voila()
    give_kernels(db)
    copied = copy_notebooks(folder, is_fresh=fresh)
    for name in copied.kept:
        typer.echo(f"{folder / name}: kept as you changed it; --fresh replaces it by this release's.", err=True)
    options = list(jupyter_options or ())
    if app:
        serve_page(folder / CONTROL_ROOM, port, options, has_browser=browser)
    else:
        import_workspace(is_fresh=fresh)
        serve_lab(folder, CONTROL_ROOM, port, options, has_browser=browser)
