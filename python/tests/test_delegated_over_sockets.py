"""`WebRequest` over real sockets: names, certificates, closed ports."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from sockets import certificate
from streamlit_component_auth0 import ActionResult, AllowedRequest
from streamlit_component_auth0._actions import perform
from streamlit_component_auth0._outbound import Outbound
from streamlit_component_auth0._transport import DeadlineTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def code(result: ActionResult) -> str | None:
    return result.error.code if result.error else None


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"host": self.headers["Host"], "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keeps the tests' output clean."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_local_server_is_reached_by_name_when_allowed(server: ThreadingHTTPServer) -> None:
    base = f"http://localhost:{server.server_port}/api"
    outbound = Outbound(resolve=lambda _host, _port: ["127.0.0.1"])
    allowed = AllowedRequest(base_url=base, allow_private=True)
    result = perform(
        "e", {"url": f"{base}/x?y=1"}, allowed=[allowed], session=None, outbound=outbound
    )
    assert result.json() == {"host": f"localhost:{server.server_port}", "path": "/api/x?y=1"}


def test_a_local_server_is_not_reached_otherwise(server: ThreadingHTTPServer) -> None:
    base = f"http://localhost:{server.server_port}/"
    result = perform(
        "e",
        {"url": base},
        allowed=[AllowedRequest(base_url=base)],
        session=None,
        outbound=Outbound(),
    )
    assert code(result) == "private_address"


@pytest.mark.parametrize(("host", "reached"), [("right.test", True), ("wrong.test", False)])
def test_the_certificate_must_be_the_names_not_the_addresses(
    server: ThreadingHTTPServer,
    tmp_path: Path,
    host: str,
    reached: bool,
) -> None:
    key, cert = certificate(tmp_path, "right.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trusting = ssl.create_default_context(cafile=str(cert))
    base = f"https://{host}:{server.server_port}/"
    result = perform(
        "e",
        {"url": base},
        allowed=[AllowedRequest(base_url=base, allow_private=True)],
        session=None,
        outbound=Outbound(
            resolve=lambda _host, _port: ["127.0.0.1"],
            transport=lambda: DeadlineTransport(tls=trusting),
        ),
    )
    assert result.ok is reached
    assert code(result) == (None if reached else "unreachable")


def test_a_silent_port_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        allowed = AllowedRequest(base_url=base, allow_private=True)
        result = perform("e", {"url": base}, allowed=[allowed], session=None, outbound=Outbound())
    assert code(result) == "unreachable"
