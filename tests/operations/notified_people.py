"""A mail server and a web server of one's own, on the loopback, for messages to arrive at."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class MailServer:
    """Takes mail from whoever knows the password."""

    def __init__(self, password: str) -> None:
        self.mails = []
        self._password = password

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 — the name is the server's
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    def authenticate(self, server, session, envelope, mechanism, data):
        # Not handled: the server is to say so itself.
        return AuthResult(success=data.password == self._password.encode(), handled=False)

    @contextlib.contextmanager
    def listening(self):
        """The port, while it listens."""
        controller = Controller(
            self,
            hostname="127.0.0.1",
            port=free_port(),
            authenticator=self.authenticate,
            auth_require_tls=False,
        )
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()


@contextlib.contextmanager
def web_server(status=200):
    """A port, and the JSON documents that arrive there."""
    arrived = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, arrived
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def silent_server():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
