"""How many threads linear algebra takes while a planner thinks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread meanwhile.

    Matrices of some hundred rows gain nothing from more. On a busy machine they lose: each operation waits, spinning,
    until the other thread's turn has come. And one thread gives the same digits on every number of cores.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # The libraries are looked for once, so they have to be there.
    import scipy.linalg.lapack  # noqa: F401

    return ThreadpoolController()
