"""Jupyter's server with what the panels add to it."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import tornado.httpserver
import tornado.testing
import tornado.web
import tornado.websocket
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from cellos_nb.panels import server


class FromAGateway:
    """Stands for a class of connections that a server was told to use."""

    def __init__(self, websocket_handler) -> None:
        self.websocket_handler = websocket_handler

    async def connect(self) -> str:
        return "connected"


def extended(connection: type) -> type:
    app = SimpleNamespace(web_app=SimpleNamespace(settings={"kernel_websocket_connection_class": connection}))
    server._load_jupyter_server_extension(app)
    return app.web_app.settings["kernel_websocket_connection_class"]


class TestAConnectionBetweenPageAndKernel(tornado.testing.AsyncHTTPTestCase):
    def get_app(self):
        seen = self.seen = {}

        class Handler(tornado.websocket.WebSocketHandler):
            async def open(self, way):
                connection = FromAGateway(self) if way == "before" else extended(FromAGateway)(self)
                seen["answer"] = await connection.connect()
                peer = self.ws_connection.stream.socket
                seen[way] = bool(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                self.close()

        return tornado.web.Application([("/(before|with)", Handler)])

    @tornado.testing.gen_test
    async def test_sends_at_once_whatever_class_the_server_was_told_to_use(self):
        for way in ("before", "with"):
            page = await tornado.websocket.websocket_connect(f"ws://127.0.0.1:{self.get_http_port()}/{way}")
            assert await page.read_message() is None
            page.close()
        assert self.seen == {"answer": "connected", "before": False, "with": True}


def test_the_settings_of_jupyters_own_connection_hold_for_the_prompt_one():
    assert issubclass(extended(ZMQChannelsWebsocketConnection), ZMQChannelsWebsocketConnection)
    assert issubclass(server.PromptConnection, ZMQChannelsWebsocketConnection)


def test_jupyter_finds_the_extension_by_its_module():
    (point,) = server._jupyter_server_extension_points()
    assert point["module"] == "cellos_nb.panels.server"
