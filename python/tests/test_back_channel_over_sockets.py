"""The back channel over real sockets: what fails, how it is told, what connections it keeps."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from companion import SECRET, FakeCompanion, settings
from sockets import certificate, serving
from streamlit_component_auth0 import CompanionUnavailable, _back_channel
from streamlit_component_auth0._back_channel import BackChannel
from streamlit_component_auth0._sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop()._client.close()


_opened: list[BackChannel] = []


def channel(port: int, scheme: str = "http", host: str = "localhost") -> BackChannel:
    url = f"{scheme}://{host}:{port}"
    _opened.append(BackChannel(dataclasses.replace(settings(), internal_url=url)))
    return _opened[-1]


@contextmanager
def raw_server(answer: bytes | None) -> Iterator[int]:
    """Reads what comes and sends `answer`, which need not be HTTP; None: says nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    if answer is None:
                        over.wait(30)
                    else:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def trouble(of: BackChannel, caplog: pytest.LogCaptureFixture) -> str:
    """What the operator reads of a call that fails."""
    caplog.clear()
    with pytest.raises(CompanionUnavailable) as caught:
        of.standing(Sealed("canary-grant"))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert "canary" not in caplog.text
    assert SECRET not in caplog.text
    return caplog.messages[-1] if caplog.messages else ""


def test_a_closed_port(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        told = trouble(channel(unused.getsockname()[1]), caplog)
    assert "ConnectError" in told
    assert "ECONNREFUSED" in told


def test_a_name_that_does_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    assert "ConnectError" in trouble(channel(1, host="companion.invalid"), caplog)


def test_a_companion_that_never_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_back_channel, "_TIMEOUT", httpx.Timeout(0.2))
    with raw_server(None) as port:
        before = time.monotonic()
        assert "ReadTimeout" in trouble(channel(port), caplog)
        assert time.monotonic() - before < 5


def test_the_bounds_of_a_call_are_those_of_a_page_that_waits() -> None:
    timeout = BackChannel(settings())._client.timeout
    assert (timeout.connect, timeout.read, timeout.write, timeout.pool) == (2, 5, 5, 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2p1 canary\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\ncanary",
        b"",
    ],
    ids=["no HTTP", "cut off", "broken chunks", "broken gzip", "nothing"],
)
def test_what_is_no_answer(caplog: pytest.LogCaptureFixture, answer: bytes) -> None:
    with raw_server(answer) as port:
        trouble(channel(port), caplog)


def test_a_certificate_that_nobody_vouches_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, cert = certificate(tmp_path, "localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(204)

    with serving(answer, tls) as server:
        told = trouble(channel(server.server_port, "https"), caplog)
    assert "self-signed certificate" in told.replace("self signed", "self-signed")
    assert not asked  # neither grant nor credential went there


def test_a_port_that_speaks_no_tls(caplog: pytest.LogCaptureFixture) -> None:
    with serving(lambda _: httpx.Response(204)) as server:
        told = trouble(channel(server.server_port, "https"), caplog)
    assert "ConnectError" in told


def test_calls_one_after_the_other_share_a_connection(companion: FakeCompanion) -> None:
    with serving(companion.answer) as server:
        reused = channel(server.server_port)
        for _ in range(20):
            reused.revoke(Sealed("grant"), everywhere=False)
        assert (companion.calls["revoke"], server.connections) == (20, 1)


def test_calls_at_once_keep_a_bounded_number_of_connections(companion: FakeCompanion) -> None:
    with serving(companion.answer) as server, ThreadPoolExecutor(16) as pool:
        reused = channel(server.server_port)

        def revoke(_: int) -> None:
            reused.revoke(Sealed("grant"), everywhere=False)

        list(pool.map(revoke, range(200)))
        assert companion.calls["revoke"] == 200
        assert server.connections < 200
        kept = reused._client._transport._pool.connections  # type: ignore[attr-defined]
        assert len(kept) <= 8


def test_a_connection_that_the_companion_closed_is_made_anew(companion: FakeCompanion) -> None:
    answers = 0

    def closing(request: httpx.Request) -> httpx.Response:
        nonlocal answers
        answers += 1
        response = companion.answer(request)
        response.headers["Connection"] = "close"
        return response

    with serving(closing) as server:
        reused = channel(server.server_port)
        for _ in range(3):
            reused.revoke(Sealed("grant"), everywhere=False)
        assert (answers, server.connections) == (3, 3)
