"""Requests to a robot's own server, each on a connection of its own, and each sent once."""

from __future__ import annotations

import http.client
import json
import logging
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cellos_nb.errors import AnswerLostError, ConfigError, RequestRefusedError, RobotAwayError

log = logging.getLogger(__name__)

PORT = 31950
"""Where the server of an OT-2 or Flex listens."""
ASKS = 3
"""How often a question is put when its answer was lost; what changes anything is sent once."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a robot's server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def of(cls, text: str) -> Address:
        """The address in `192.168.1.20`, `ot2.local:31950` or `http://ot2.local`.

        Raises:
            ConfigError: it is none; says what one looks like.
        """
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            host, port, parts = None, PORT, urlsplit("")
        if not host or parts.scheme != "http" or parts.path not in {"", "/"} or parts.query or parts.username:
            raise ConfigError(
                f"address: {text!r} is no address of a robot; give its host or IP address, as in 192.168.1.20, with a "
                f"port where that is not {PORT}."
            )
        return cls(host, port)


@dataclass(frozen=True, slots=True)
class RobotHttp:
    """Asks and tells a robot's server.

    No connection is kept: after an error the server drops it, and the next request on it would be lost without being
    at fault. A question may be put again; a command never is, because nobody can tell whether it took effect.
    """

    address: Address
    timeout_s: float
    """For one answer: a robot that is busy with an analysis answers slowly."""

    def ask(self, path: str) -> dict[str, Any]:
        """The answer to a question, which is put up to three times.

        Raises:
            RobotAwayError: the robot cannot be reached, is starting, or gives no usable answer.
            RequestRefusedError: the robot declines; its status is 404 for what is not there.
        """
        for left in reversed(range(ASKS)):
            try:
                return self._send("GET", path, b"", None)
            except AnswerLostError as error:
                if not left:
                    raise RobotAwayError(str(error)) from error
                log.info("%s: %s; asking again", self.address, error)
        raise AssertionError("unreachable")

    def tell(self, method: str, path: str, content: Any) -> dict[str, Any]:
        """Sends a command, once.

        Raises:
            RobotAwayError: the robot cannot be reached; the command was not sent.
            RequestRefusedError: the robot declined; it had no effect.
            AnswerLostError: it may have taken effect.
        """
        return self._send(method, path, json.dumps({"data": content}).encode(), "application/json")

    def upload(self, path: str, name: str, text: str) -> dict[str, Any]:
        """Sends one file as a form, once. Raises as `tell`."""
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="files"; filename="{name}"\r\n'
            "Content-Type: text/x-python\r\n\r\n"
        )
        body = head.encode() + text.encode() + f"\r\n--{boundary}--\r\n".encode()
        return self._send("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def _send(self, method: str, path: str, body: bytes, content_type: str | None) -> dict[str, Any]:
        where = f"{method} {path} at {self.address}"
        connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=self.timeout_s)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise RobotAwayError(
                    f"{self.address}: the robot does not answer ({error}). Switch it on, see that it is in this "
                    "network, and correct `address` in its configuration."
                ) from error
            headers = {"Opentrons-Version": "*", "Connection": "close"}
            if content_type is not None:
                headers["Content-Type"] = content_type
            try:
                connection.request(method, path, body or None, headers)
                answer = connection.getresponse()
                status, text = answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                raise AnswerLostError(f"{where}: no answer came back ({type(error).__name__}: {error})") from error
        finally:
            connection.close()
        return _read(where, status, text)


def _read(where: str, status: int, text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    said = _said(content)
    if status == http.client.SERVICE_UNAVAILABLE:
        raise RobotAwayError(f"{where}: the robot is starting{said}. Wait until its light is steady.")
    if status >= http.client.INTERNAL_SERVER_ERROR:
        raise AnswerLostError(f"{where}: the robot's server failed with status {status}{said}")
    if status >= http.client.BAD_REQUEST:
        raise RequestRefusedError(f"{where}: the robot declines with status {status}{said}", status=status)
    if not isinstance(content, dict):
        raise AnswerLostError(f"{where}: status {status}, and an answer that is no JSON object; is it an Opentrons?")
    return content


def _said(content: Any) -> str:
    """What a robot says about an error, in its own words."""
    errors = content.get("errors") if isinstance(content, dict) else None
    if not isinstance(errors, list):
        return ""
    words = [f"{each.get('id')}: {each.get('detail')}" for each in errors if isinstance(each, dict)]
    return f" ({'; '.join(words)})" if words else ""
