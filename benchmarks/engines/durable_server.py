"""A PostgreSQL server that loses nothing: the tests' own, with the settings that PostgreSQL is shipped with."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from postgres_server import PostgresServer


class DurableServer(PostgresServer):
    """`fsync=on`, `full_page_writes=on`: what the tests switch off is what durability costs."""

    def begin(self) -> None:
        """Starts the server on its socket."""
        options = f"-h '' -k {self.folder} -c max_connections=100"
        self._run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-o", options, "-w", "start")
