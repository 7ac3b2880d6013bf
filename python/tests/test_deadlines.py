"""Calls end in time whatever the peer does: servers that drip, names that hang (catalogue E69).

The servers here would go on for half a minute; the calls may take a third of a second.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import itertools
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from companion import FakeClock, FakeCompanion, settings
from sockets import dripping
from streamlit_component_auth0 import (
    AllowedRequest,
    AuthError,
    CompanionUnavailable,
    M2MClient,
    ProviderUnavailable,
)
from streamlit_component_auth0._actions import perform
from streamlit_component_auth0._back_channel import BackChannel
from streamlit_component_auth0._client_credentials import ClientCredentials
from streamlit_component_auth0._deadline import Deadline, deadline_in_force, resolve_within
from streamlit_component_auth0._exceptions import CompanionAnswerInvalid
from streamlit_component_auth0._outbound import Outbound
from streamlit_component_auth0._sealed import Sealed
from streamlit_component_auth0._transport import DeadlineTransport
from test_machine import ISSUER, TOKEN_URL, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ALLOWED_SECONDS = 0.3
HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "head": (HEAD + b"X-A: ", b"y"),
    "heads before the head": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "body until the end": (HEAD + b"\r\n", b" "),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "length of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
}


@contextmanager
def in_time() -> Iterator[None]:
    before = time.monotonic()
    yield
    assert time.monotonic() - before < 10


def back_channel(url: str, **more: Any) -> BackChannel:
    return BackChannel(
        dataclasses.replace(settings(), internal_url=url), call_seconds=ALLOWED_SECONDS, **more
    )


def asks_for_a_standing(url: str) -> None:
    with pytest.raises(CompanionUnavailable):
        back_channel(url).standing(Sealed("grant"))


def redeems(url: str) -> None:
    with pytest.raises(CompanionUnavailable):
        back_channel(url).redeem("ticket", Sealed("verifier"))


def takes_a_token_in_a_coroutine(url: str) -> None:
    """A session's `access_token_async()`, and with it `async_api()`."""
    companion = FakeCompanion()
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    session, login = sign_in.session, sign_in._login
    assert session is not None
    assert login is not None
    login._companion = back_channel(url)
    companion.clock.advance(3600)
    with pytest.raises(CompanionUnavailable):
        asyncio.run(session.access_token_async())


def machine(url: str) -> M2MClient:
    return M2MClient(client_id="a", client_secret="b", token_url=url, timeout=ALLOWED_SECONDS)


def machine_discovers(url: str) -> None:
    client = M2MClient(client_id="a", client_secret="b", issuer=url, timeout=ALLOWED_SECONDS)
    with client, pytest.raises(ProviderUnavailable):
        client.access_token()


def machine_takes_a_token(url: str) -> None:
    with machine(url) as client, pytest.raises(ProviderUnavailable):
        client.access_token()


def machine_takes_a_token_in_a_coroutine(url: str) -> None:
    with machine(url) as client, pytest.raises(ProviderUnavailable):
        asyncio.run(client.access_token_async())


def asked(url: str, outbound: Outbound | None = None) -> str | None:
    allowed = AllowedRequest(base_url=url, allow_private=True, timeout=ALLOWED_SECONDS)
    outbound = outbound or Outbound(resolve=lambda _host, _port: ["127.0.0.1"])
    result = perform("event", {"url": url}, allowed=[allowed], session=None, outbound=outbound)
    return result.error.code if result.error else None


def component_asks(url: str) -> None:
    assert asked(url) == "timeout"


CALLS = [
    asks_for_a_standing,
    redeems,
    takes_a_token_in_a_coroutine,
    machine_discovers,
    machine_takes_a_token,
    machine_takes_a_token_in_a_coroutine,
    component_asks,
]


@pytest.mark.parametrize("drip", list(DRIPS))
@pytest.mark.parametrize("call", CALLS)
def test_a_call_to_a_server_that_drips_ends_in_time(
    call: Callable[[str], None], drip: str, caplog: pytest.LogCaptureFixture
) -> None:
    """E69."""
    with dripping(*DRIPS[drip]) as port, in_time():
        call(f"http://localhost:{port}")
    assert call is component_asks or "imeout" in caplog.text


@pytest.mark.parametrize("call", [redeems, machine_takes_a_token, component_asks])
def test_a_tls_handshake_that_drips_ends_in_time(
    call: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """E69."""
    with dripping(b"\x16\x03\x03\x40\x00", b"\x02") as port, in_time():
        call(f"https://localhost:{port}")
    assert call is component_asks or "ConnectTimeout" in caplog.text


def test_a_server_that_takes_a_request_in_sips_is_left_in_time() -> None:
    """E69: each piece is taken soon, and all of it would last."""
    looks = itertools.count()
    # A clock that goes on by ten seconds whenever it is looked at: before each piece, that is.
    call = Deadline.after(80, lambda: 10.0 * next(looks))
    body = bytes(32 << 20)
    with (
        dripping(b"", b"", sips=True) as port,
        httpx.Client(transport=DeadlineTransport()) as client,
        call.in_force(),
        pytest.raises(httpx.WriteTimeout),
    ):
        client.post(f"http://127.0.0.1:{port}", content=body, timeout=60)


# Names


class Names:
    """A name service that says nothing until it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.speaks = threading.Event()

    def resolve(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        assert self.speaks.wait(60)
        return ["127.0.0.1"]


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names()
    yield names
    names.speaks.set()


def test_a_companion_whose_name_hangs_is_left_in_time(names: Names) -> None:
    """E69; and however many calls there are, they hold one thread."""
    transport = DeadlineTransport(resolve=names.resolve)
    channel = back_channel("http://companion.test:1", transport=transport)
    with in_time(), ThreadPoolExecutor(8) as pool:

        def ask(_: int) -> None:
            with pytest.raises(CompanionUnavailable):
                channel.standing(Sealed("grant"))

        list(pool.map(ask, range(16)))
    assert names.asked == 1


def test_a_name_that_hung_is_asked_for_anew_once_it_was_answered(names: Names) -> None:
    question = (names.resolve, "companion.test", 1)
    with pytest.raises(TimeoutError):
        resolve_within(Deadline.after(0.05), *question)
    names.speaks.set()
    assert resolve_within(Deadline.after(60), *question) == ["127.0.0.1"]
    asked_before = names.asked
    assert resolve_within(Deadline.after(60), *question) == ["127.0.0.1"]
    assert names.asked == asked_before + 1


def test_a_component_whose_name_hangs_is_told_in_time(names: Names) -> None:
    """E69."""
    with in_time():
        url = "http://api.example.com/"
        assert asked(url, Outbound(resolve=names.resolve)) == "name_not_resolved"


# One span of time for all that a call does


def test_a_repeated_call_has_only_what_the_first_one_left() -> None:
    """E69."""
    clock, left = FakeClock(), list[float]()

    def cut(request: httpx.Request) -> httpx.Response:
        left.append(deadline_in_force().remaining)
        clock.advance(4)
        raise httpx.ReadError("cut", request=request)

    channel = BackChannel(settings(), transport=httpx.MockTransport(cut), monotonic=clock)
    with pytest.raises(CompanionUnavailable):
        channel.standing(Sealed("grant"))
    assert left == [5, 1]


def test_a_token_request_has_only_what_discovery_left() -> None:
    """E69."""
    clock, left, provider = FakeClock(), list[float](), Provider()

    def answer(request: httpx.Request) -> httpx.Response:
        left.append(deadline_in_force().remaining)
        clock.advance(7)
        return provider.answer(request)

    credentials = ClientCredentials(
        client_id="a",
        client_secret=Sealed("b"),
        issuer=ISSUER,
        token_url=None,
        parameters={},
        transport=httpx.MockTransport(answer),
        monotonic=clock,
    )
    with pytest.raises(ProviderUnavailable):
        credentials.request()
    assert left == [10, 3]


def test_threads_that_share_a_machine_are_all_let_go_in_time() -> None:
    """E69: the one that asks holds the others up."""
    with (
        dripping(*DRIPS["head"]) as port,
        in_time(),
        ThreadPoolExecutor(8) as pool,
        machine(f"http://localhost:{port}") as client,
    ):

        def ask(_: int) -> None:
            with pytest.raises(ProviderUnavailable):
                client.access_token()

        list(pool.map(ask, range(8)))


# Compression


def squeezed(content: bytes) -> httpx.MockTransport:
    packed = gzip.compress(content)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(packed)
        )

    return httpx.MockTransport(answer)


def call_of(transport: httpx.MockTransport, whose: str) -> AuthError:
    channel = back_channel("http://localhost:1", transport=transport)
    client = M2MClient(client_id="a", client_secret="b", token_url=TOKEN_URL, transport=transport)

    def call() -> object:
        if whose == "provider":
            return client.access_token()
        return channel.access_token(Sealed("g"), audience=None, scope=None, min_ttl=0)

    with pytest.raises(AuthError) as caught:
        call()
    return caught.value


REFUSALS = {"companion": CompanionAnswerInvalid, "provider": ProviderUnavailable}


@pytest.mark.parametrize("whose", list(REFUSALS))
def test_a_compressed_answer_is_declined_and_not_unpacked(whose: str) -> None:
    good = b'{"access_token": "t", "expires_at": 1, "token_type": "Bearer", "expires_in": 60}'
    assert type(call_of(squeezed(good), whose)) is REFUSALS[whose]


@pytest.mark.parametrize("whose", list(REFUSALS))
def test_a_bomb_takes_no_memory(whose: str) -> None:
    bomb = squeezed(bytes(64 << 20))
    tracemalloc.start()
    try:
        call_of(bomb, whose)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
