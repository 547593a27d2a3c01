"""Serves the metrics of a database over HTTP on this machine, for a collector such as Prometheus."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cellos_nb.errors import InputError, StoreError
from cellos_nb.execution.metrics import metrics_text
from cellos_nb.store.store import Store

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def serving_metrics(store: Store, port: int) -> Iterator[int]:
    """Serves `/metrics` on 127.0.0.1 for the block, and gives the port; a free one when asked for 0.

    Raises:
        InputError: another process has the port.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, store))
    except OSError as error:
        raise InputError(f"--metrics-port {port}: cannot be used ({error}). Give another one, or 0 for any.") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="cellos-metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, store: Store, *arguments: Any) -> None:
        self._store = store
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answers with the metrics as they are now."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND, "only /metrics is served here")
            return
        try:
            content = metrics_text(self._store).encode()
        except StoreError as error:
            log.warning("metrics: %s", error)
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "the database cannot be read")
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 — the base class's name
        """Keeps requests out of standard error."""
        log.debug(format, *arguments)
