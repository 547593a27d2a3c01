"""Jupyter's server sends what panels draw at once, where it would wait until the page has confirmed what came before.

A page confirms late (40 ms on Linux) when it has nothing to say itself, and Nagle's algorithm, which the server leaves
on, holds a message back until then: an update of a chart, which follows the news that the kernel is busy, came 40 ms
late.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

_SETTING = "kernel_websocket_connection_class"


class SentAtOnce:
    """Beside a class of connections between page and kernel: without Nagle's algorithm."""

    websocket_handler: Any

    def connect(self) -> Any:
        """As the class beside it does; what it returns, which may be to be awaited."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()  # type: ignore[misc]  # of the class beside it


class PromptConnection(SentAtOnce, ZMQChannelsWebsocketConnection):
    """The connection that Jupyter has by default, by a name that Voilà can be given."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Whatever class the server has: a gateway brings another one."""
    settings = app.web_app.settings
    settings[_SETTING] = type("PromptConnection", (SentAtOnce, settings[_SETTING]), {})
