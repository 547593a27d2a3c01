"""`cellos lab` in a real process, asked as a browser asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from command import assert_one_clear_line, cellos_here
from lab_server import TOKEN, LabServer, write_notebook

from cellos_nb import Lab
from cellos_nb.cli.jupyter import give_kernels


def ask(server, path, **query):
    words = "&".join(f"{key}={value}" for key, value in ({"token": TOKEN} | query).items())
    with urllib.request.urlopen(f"{server.url}{path}?{words}", timeout=60) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    write_notebook(home / "room" / "control_room.ipynb", "1")
    running = LabServer(home)
    yield running
    running.close()


def test_nobody_without_the_token_is_let_in(server):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{server.url}/api/contents", timeout=60)


def test_the_notebooks_and_the_control_room_stand_in_its_folder(server):
    listed = {item["name"] for item in ask(server, "/api/contents")["content"]}
    assert {"quickstart.ipynb", "control_room.ipynb"} <= listed


def test_jupyterlab_has_our_settings_and_the_layout_of_windows(server):
    kernels = ask(server, "/lab/api/settings/@jupyterlab/apputils-extension:kernels-settings")
    assert kernels["schema"]["properties"]["commsOverSubshells"]["default"] == "disabled"
    layout = ask(server, "/lab/api/workspaces/cellos")
    assert layout["data"]["notebook:control_room.ipynb"]["data"]["path"] == "control_room.ipynb"


def test_a_database_is_made_beside_the_folder_and_its_kernels_find_it(server):
    with Lab.open(server.home / "lab.db", must_exist=True) as lab:
        assert lab.campaigns() == ()


def test_kernels_find_the_database_wherever_their_notebook_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CELLOS_DATABASE_URL", "mine.db")
    give_kernels(None)
    assert os.environ["CELLOS_DATABASE_URL"] == str(tmp_path.resolve() / "mine.db")


def test_the_ledgers_of_a_server_s_database_lie_where_the_daemon_has_them(postgres, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CELLOS_DATABASE_URL", "")
    monkeypatch.setenv("CELLOS_MACHINES", "ledgers")
    url = postgres.new()
    give_kernels(url)
    assert os.environ["CELLOS_DATABASE_URL"] == url
    assert os.environ["CELLOS_MACHINES"] == str(tmp_path.resolve() / "ledgers")


def test_one_ctrl_c_ends_it(tmp_path):
    write_notebook(tmp_path / "room" / "control_room.ipynb", "1")
    server = LabServer(tmp_path)
    try:
        assert server.interrupt() in (0, -signal.SIGINT)
    finally:
        server.close()


@pytest.mark.parametrize(
    ("end", "printed"),
    [("loop.add_callback(loop.stop)", "ended\n"), ("raise KeyboardInterrupt", "interrupted\nended\n")],
)
def test_a_request_that_is_still_being_answered_keeps_no_server_from_ending(tmp_path, end, printed):
    # Jupyter reads files in such threads, also for a request that waits for a kernel ever after.
    script = f"""
import asyncio, anyio.to_thread
from tornado.ioloop import IOLoop
from cellos_nb.cli.jupyter import giving_up_requests

async def answer():
    await anyio.to_thread.run_sync(str)
    loop.add_callback(end)
    await asyncio.Event().wait()

async def finish():
    {end}

def end():
    loop.add_future(asyncio.ensure_future(finish()), lambda finished: finished.result())

loop = IOLoop.current()
with giving_up_requests():
    loop.asyncio_loop.create_task(answer())
    try:
        loop.start()
    except KeyboardInterrupt:
        print("interrupted")
print("ended")
"""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == (printed, "", 0)


def test_the_page_needs_voila_and_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "voila", None)
    assert_one_clear_line(cellos_here("lab", "--app", cwd=tmp_path), 2, "Voilà", "pip install 'cellos-nb[app]'")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_opened_is_said_before_jupyterlab_starts(tmp_path):
    (tmp_path / "lab.db").write_text("no database, but long enough to be looked at as one" * 50)
    assert_one_clear_line(cellos_here("lab", "--no-browser", cwd=tmp_path), 1, "lab.db")
    assert [item.name for item in tmp_path.iterdir()] == ["lab.db"]
