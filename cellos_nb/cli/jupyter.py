"""JupyterLab and Voilà as this project starts them: on this machine alone, with a token, on the control room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from cellos_nb.errors import InputError, OutputError

HOST = "127.0.0.1"
WORKSPACE = "cellos"
"""JupyterLab keeps the layout of its windows under this name."""
_LAST_WORDS_S = 10.0
"""For which a server that ends waits for requests that it has given up."""

# In a wheel the configuration lies inside the package, in a checkout beside it.
_FOLDERS = (Path(__file__).parents[1] / "labextension_config", Path(__file__).parents[2] / "labextension_config")


class ExtraMissingError(InputError):
    """A part of this software was asked for that is installed only on request."""


def give_kernels(url: str | None) -> None:
    """Says in the environment, which kernels inherit, where the database is; makes the database when there is none.

    Raises:
        StoreError: it cannot be opened.
    """
    from cellos_nb.lab import URL_VARIABLE, Lab, default_url
    from cellos_nb.machine_room import DEFAULT_MACHINES, MACHINES_VARIABLE

    asked = url or default_url()
    with Lab.open(asked) as opened:
        path = opened.store.path
    # A kernel works in the notebooks' folder, where a relative path would mean another file.
    os.environ[URL_VARIABLE] = asked if path is None else str(path.resolve())
    if path is None:
        machines = Path(os.environ.get(MACHINES_VARIABLE) or DEFAULT_MACHINES)
        os.environ[MACHINES_VARIABLE] = str(machines.resolve())


def import_workspace(*, is_fresh: bool) -> None:
    """Gives JupyterLab the layout of windows, unless a person has one by that name already.

    Raises:
        OutputError: the folder of JupyterLab's workspaces cannot be written.
    """
    from jupyterlab.commands import get_workspaces_dir
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    file = next(found for folder in _FOLDERS for found in folder.glob("workspaces/*.jupyterlab-workspace"))
    workspaces = WorkspacesManager(get_workspaces_dir())
    try:
        if is_fresh or not workspaces.load(WORKSPACE)["data"]:
            workspaces.save(WORKSPACE, file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OutputError(
            f"{error.filename}: JupyterLab's layout cannot be written: {error.strerror}. Make the folder writable, or "
            "name another one in JUPYTERLAB_WORKSPACES_DIR."
        ) from error


def serve_lab(folder: Path, notebook: str, port: int | None, options: list[str], *, has_browser: bool) -> None:
    """Runs JupyterLab on a folder until it is interrupted; returns or exits when it has ended."""
    from jupyterlab.labapp import LabApp

    arguments = [
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--ServerApp.open_browser={has_browser}",
        # One Ctrl-C is enough: nobody sees the question whether it is meant in a log that scrolls.
        "--ServerApp.answer_yes=True",
        f"--LabApp.default_url=/lab/workspaces/{WORKSPACE}/tree/{notebook}",
        *([] if port is None else [f"--ServerApp.port={port}"]),
        *options,
    ]
    with giving_up_requests():
        LabApp.launch_instance(arguments)


def require_voila() -> None:
    """Checks that the extra `app` is installed.

    Raises:
        ExtraMissingError: it is not; says how to install it.
    """
    if find_spec("voila") is None:
        raise ExtraMissingError(
            "--app: serving the control room as a page needs Voilà, which is not installed. Install it by "
            "`pip install 'cellos-nb[app]'` (in a clone: `uv sync --extra app`), or leave --app away for JupyterLab."
        )


def serve_page(notebook: Path, port: int | None, options: list[str], *, has_browser: bool) -> None:
    """Runs Voilà on one notebook until it is interrupted; each visitor has a kernel of his own."""
    from voila.app import Voila

    arguments = [
        str(notebook.resolve()),
        f"--Voila.ip={HOST}",
        # Voilà asks for none by itself, and whoever sees the page can steer the lab.
        "--Voila.auto_token=True",
        f"--Voila.open_browser={has_browser}",
        # JupyterLab loads it as an extension; Voilà loads none.
        "--Voila.kernel_websocket_connection_class=cellos_nb.panels.server.PromptConnection",
        *([] if port is None else [f"--Voila.port={port}"]),
        *options,
    ]
    with giving_up_requests():
        Voila.launch_instance(arguments)


@contextmanager
def giving_up_requests() -> Iterator[None]:
    """Cancels, when a server has ended, what it was still answering.

    Jupyter stops its loop in the middle of requests, whose threads end only with them; Python waits for those threads.
    """
    from tornado.ioloop import IOLoop

    try:
        yield
    finally:
        # None when the server has not come so far as to have one.
        if io_loop := IOLoop.current(instance=False):
            loop: asyncio.AbstractEventLoop = io_loop.asyncio_loop  # type: ignore[attr-defined]
            requests = asyncio.all_tasks(loop)
            for request in requests:
                request.cancel()
            given_up = loop.create_task(asyncio.wait(requests, timeout=_LAST_WORDS_S)) if requests else None
            while given_up and not given_up.done():
                # A Ctrl-C that fell into a request is raised again by whatever waits for that request.
                with suppress(KeyboardInterrupt):
                    loop.run_until_complete(given_up)
