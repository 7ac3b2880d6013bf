from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from companion import SECRET, FakeClock, error, settings
from streamlit_component_auth0 import (
    AuthError,
    CompanionUnavailable,
    HostCredentialRefused,
    ReauthenticationRequired,
    SessionEnded,
    TicketRefused,
    TokenRefused,
)
from streamlit_component_auth0._back_channel import (
    MAX_BODY_BYTES,
    BackChannel,
    shared_back_channel,
)
from streamlit_component_auth0._sealed import Sealed

Answer = Callable[[httpx.Request], httpx.Response]


def channel(answer: Answer, clock: FakeClock | None = None) -> BackChannel:
    return BackChannel(
        settings(), transport=httpx.MockTransport(answer), monotonic=clock or FakeClock()
    )


def standing(answer: Answer, clock: FakeClock | None = None) -> object:
    return channel(answer, clock).standing(Sealed("grant"))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (error(400, "invalid_ticket"), TicketRefused),
        (error(400, "audience_not_allowed"), TokenRefused),
        (error(400, "scope_not_granted"), TokenRefused),
        (error(401, "invalid_host_credential"), HostCredentialRefused),
        (error(401, "session_ended", reason="expired"), SessionEnded),
        (error(401, "reauthentication_required"), ReauthenticationRequired),
        (error(400, "invalid_request"), CompanionUnavailable),
        (error(401, "not_authenticated"), CompanionUnavailable),
        (error(403, "session_ended"), CompanionUnavailable),
        (error(429, "rate_limited"), CompanionUnavailable),
        (error(503, "store_unavailable"), CompanionUnavailable),
        (httpx.Response(200, text="<html>"), CompanionUnavailable),
        (httpx.Response(200, content=b""), CompanionUnavailable),
        (httpx.Response(200, content=b"[" * 100_000), CompanionUnavailable),
        (httpx.Response(200, content=b"\xff\xfe"), CompanionUnavailable),
        (httpx.Response(401, text="<html>proxy</html>"), CompanionUnavailable),
        (httpx.Response(302, headers={"location": "https://evil.example"}), CompanionUnavailable),
        (httpx.Response(500, text="x" * 100), CompanionUnavailable),
    ],
)
def test_each_answer_becomes_what_the_caller_does_next(
    response: httpx.Response, expected: type[AuthError]
) -> None:
    with pytest.raises(expected) as caught:
        standing(lambda _: response)
    assert isinstance(caught.value, expected)


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.ConnectTimeout, httpx.ReadError]
)
def test_network_trouble_is_unavailability_without_a_word_of_it(
    failure: type[httpx.TransportError],
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise failure("canary")

    with pytest.raises(CompanionUnavailable) as caught:
        standing(answer)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_redirects_are_not_followed() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    with pytest.raises(CompanionUnavailable):
        standing(answer)
    assert seen == ["http://localhost:3001/api/auth/session"]


def test_a_body_without_end_is_cut() -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 65536
            yield b" " * 65536

    with pytest.raises(CompanionUnavailable):
        standing(lambda _: httpx.Response(200, content=endless()))
    assert read <= MAX_BODY_BYTES + 2 * 65536


def test_a_body_that_drips_is_cut_by_the_clock() -> None:
    clock = FakeClock()

    def dripping() -> Iterator[bytes]:
        for _ in range(1000):
            clock.advance(1)
            yield b" "

    before = clock.time
    with pytest.raises(CompanionUnavailable):
        standing(lambda _: httpx.Response(200, content=dripping()), clock)
    assert clock.time - before < 10


@pytest.mark.parametrize(
    "change",
    [
        {"user": None},
        {"user": {"sub": "x"}},
        {"scope": ["openid"]},
        {"permissions": "all"},
        {"roles": [1]},
        {"session_expires_at": "tomorrow"},
        {"session_expires_at": True},
    ],
)
def test_an_answer_of_another_form_is_no_answer(change: dict[str, Any]) -> None:
    user = {"sub": "s", "issuer": "i", "name": "n", "email_verified": False, "claims": {}}
    good = {
        "user": user,
        "scope": "openid",
        "permissions": [],
        "roles": [],
        "session_expires_at": 1,
    }
    standing(lambda _: httpx.Response(200, json=good))
    with pytest.raises(CompanionUnavailable):
        standing(lambda _: httpx.Response(200, json={**good, **change}))


@pytest.mark.parametrize("cut", [httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError])
def test_a_cut_connection_is_tried_once_more_except_for_a_redeem(
    cut: type[httpx.TransportError],
) -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        raise cut("server disconnected")

    with pytest.raises(CompanionUnavailable):
        standing(answer)
    assert len(calls) == 2
    calls.clear()
    with pytest.raises(CompanionUnavailable):
        channel(answer).redeem("ticket", Sealed("verifier"))
    assert len(calls) == 1


@pytest.mark.parametrize("slow", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ConnectError])
def test_a_companion_that_is_slow_or_down_is_not_tried_twice(
    slow: type[httpx.TransportError],
) -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        raise slow("a page waits for this")

    with pytest.raises(CompanionUnavailable):
        standing(answer)
    assert len(calls) == 1


def test_a_replica_that_goes_away_is_not_noticed() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        if len(calls) == 1:
            raise httpx.ReadError("connection reset")
        return httpx.Response(200, json={"access_token": "t", "expires_at": 1})

    token = channel(answer).access_token(Sealed("g"), audience=None, scope=None, min_ttl=60)
    assert token.value.reveal() == "t"
    assert len(calls) == 2


def test_a_call_carries_the_hosts_credential_and_json() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"access_token": "t", "expires_at": 1})

    channel(answer).access_token(Sealed("g"), audience="a", scope=None, min_ttl=60)
    (request,) = requests
    assert request.method == "POST"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {"grant": "g", "audience": "a", "min_ttl": 60}


def test_the_environments_proxies_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert not BackChannel(settings())._client._mounts


def test_one_back_channel_serves_equal_settings() -> None:
    assert shared_back_channel(settings()) is shared_back_channel(settings())


def test_revoking_what_is_gone_is_no_error() -> None:
    channel(lambda _: error(401, "session_ended")).revoke(Sealed("g"), everywhere=False)
