"""The databases that tests of behaviour run on: an SQLite file, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres():
    """One server for each test process."""
    server = PostgresServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path) -> Callable[[], str]:
    """Gives the path or URL of a new database at each call; a test that asks for it runs once on each engine."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").new
    numbers = count(1)
    return lambda: str(tmp_path / f"lab{next(numbers)}.db")


@pytest.fixture
def database(new_database) -> str:
    """The path or URL of a new database; a test that asks for it runs once on each engine."""
    return new_database()
