"""`M2MClient`: its token is kept, renewed in time, shared by threads, and never shown."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest

from companion import FakeClock
from streamlit_component_auth0 import (
    ForeignOrigin,
    M2MClient,
    MachineClientRefused,
    ProviderUnavailable,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = "https://tenant.example/"
TOKEN_URL = "https://tenant.example/oauth/token"
SECRET = "canary-client-secret"
API = "https://api.example"


class Provider:
    """Discovery and token endpoint; `fault` replaces the next answers of the latter."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.metadata: dict[str, Any] = {"issuer": ISSUER, "token_endpoint": TOKEN_URL}
        self.lifetime: Any = 3600
        self.fault: Callable[[httpx.Request], httpx.Response] | None = None
        self.gate = threading.Event()
        self.gate.set()

    @property
    def token_requests(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method == "POST"]

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET":
            return httpx.Response(200, json=self.metadata)
        assert self.gate.wait(30)
        if self.fault is not None:
            return self.fault(request)
        token = {"access_token": f"canary-token-{len(self.token_requests)}"}
        rest = {"token_type": "Bearer", "expires_in": self.lifetime}
        return httpx.Response(200, json={**token, **rest})

    def refuse(self, status: int, code: str) -> None:
        self.fault = lambda _: httpx.Response(
            status, json={"error": code, "error_description": "canary words"}
        )


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def machine(provider: Provider, clock: FakeClock, **more: Any) -> M2MClient:
    arguments: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "the-client",
        "client_secret": SECRET,
        "audience": "http://oe.streamlit.app/api",
        "transport": httpx.MockTransport(provider.answer),
        "clock": clock,
    }
    return M2MClient(**{**arguments, **more})


def form(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


# The request


def test_the_token_request_is_that_of_rfc_6749(provider: Provider, clock: FakeClock) -> None:
    client = machine(provider, clock, scope=["read:chart", "write:solve"], client_id="the client")
    assert client.access_token() == "canary-token-1"
    discovery, request = provider.requests
    assert str(discovery.url) == f"{ISSUER}.well-known/openid-configuration"
    assert str(request.url) == TOKEN_URL
    assert form(request) == {
        "grant_type": "client_credentials",
        "audience": "http://oe.streamlit.app/api",
        "scope": "read:chart write:solve",
    }
    pair = base64.b64encode(b"the+client:" + SECRET.encode()).decode()
    assert request.headers["Authorization"] == f"Basic {pair}"


def test_the_secret_goes_into_the_body_where_the_provider_wants_it(
    provider: Provider, clock: FakeClock
) -> None:
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    machine(provider, clock).access_token()
    (request,) = provider.token_requests
    assert "Authorization" not in request.headers
    assert form(request)["client_id"] == "the-client"
    assert form(request)["client_secret"] == SECRET


def test_a_given_token_url_needs_no_discovery(provider: Provider, clock: FakeClock) -> None:
    machine(provider, clock, issuer=None, token_url=TOKEN_URL).access_token()
    assert [str(request.url) for request in provider.requests] == [TOKEN_URL]


def test_the_issuer_may_come_without_its_slash(provider: Provider, clock: FakeClock) -> None:
    assert machine(provider, clock, issuer=ISSUER.rstrip("/")).access_token()


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example/"},
        {"issuer": None},
        {"token_endpoint": "http://tenant.example/oauth/token"},
        {"token_endpoint": "https://user@tenant.example/oauth/token"},
        {"token_endpoint": 5},
    ],
)
def test_metadata_that_cannot_be_right_gets_no_secret(
    provider: Provider, clock: FakeClock, change: dict[str, Any]
) -> None:
    provider.metadata |= change
    with pytest.raises(ProviderUnavailable):
        machine(provider, clock).access_token()
    assert provider.token_requests == []


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "http://tenant.example/"},
        {"issuer": "tenant.example"},
        {"issuer": "https://user:password@tenant.example/"},
        {"issuer": None, "token_url": "http://tenant.example/oauth/token"},
        {"issuer": None},
        {"token_url": TOKEN_URL},
        {"client_secret": ""},
        {"client_id": ""},
    ],
)
def test_arguments_that_cannot_work_are_refused_at_once(
    provider: Provider, clock: FakeClock, change: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        machine(provider, clock, **change)


def test_the_environment_has_the_names_of_2022(provider: Provider, clock: FakeClock) -> None:
    environ = {
        "AUTH0_ISSUER_BASE_URL": ISSUER,
        "API_CLIENT_ID": "from-environment",
        "API_CLIENT_SECRET": SECRET,
        "API_AUDIENCE": "an-api",
    }
    transport = httpx.MockTransport(provider.answer)
    client = M2MClient.from_environment(environ, transport=transport, clock=clock)
    client.access_token()
    assert form(provider.token_requests[0])["audience"] == "an-api"
    assert "from-environment" in repr(client)
    with pytest.raises(UsageError, match=r"API_CLIENT_ID, API_CLIENT_SECRET"):
        M2MClient.from_environment({**environ, "API_CLIENT_ID": "", "API_CLIENT_SECRET": ""})


# Keeping the token


def test_the_token_is_kept_until_shortly_before_its_end(
    provider: Provider, clock: FakeClock
) -> None:
    client = machine(provider, clock)
    first = client.access_token()
    clock.advance(3600 - 61)
    assert client.access_token() == first
    clock.advance(2)
    assert client.access_token() == "canary-token-2"
    assert len(provider.token_requests) == 2


def test_a_short_lived_token_is_used_for_half_its_life(
    provider: Provider, clock: FakeClock
) -> None:
    provider.lifetime = 40
    client = machine(provider, clock)
    client.access_token()
    clock.advance(19)
    client.access_token()
    assert len(provider.token_requests) == 1
    clock.advance(2)
    client.access_token()
    assert len(provider.token_requests) == 2


def test_threads_share_one_request(provider: Provider, clock: FakeClock) -> None:
    client = machine(provider, clock)
    tokens = ask_at_once(client, provider)
    assert tokens == ["canary-token-1"] * 8
    assert len(provider.token_requests) == 1


def test_threads_share_a_failure_and_the_next_call_tries_again(
    provider: Provider, clock: FakeClock
) -> None:
    provider.refuse(503, "temporarily_unavailable")
    client = machine(provider, clock)
    outcomes = ask_at_once(client, provider)
    assert [type(outcome) for outcome in outcomes] == [ProviderUnavailable] * 8
    assert len(set(map(id, outcomes))) == 8
    assert len(provider.token_requests) == 1
    provider.fault = None
    assert client.access_token() == "canary-token-2"


def ask_at_once(client: M2MClient, provider: Provider) -> list[Any]:
    """Eight threads ask while the provider hesitates until all of them wait."""
    provider.gate.clear()
    waiting = threading.Semaphore(0)
    lock = client._lock

    class Announced:
        def __enter__(self) -> None:
            waiting.release()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    client._lock = Announced()  # type: ignore[assignment]

    def ask(_: int) -> Any:
        try:
            return client.access_token()
        except ProviderUnavailable as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(ask, number) for number in range(8)]
        for _ in outcomes:
            assert waiting.acquire(timeout=30)
        provider.gate.set()
        results = [outcome.result(30) for outcome in outcomes]
    client._lock = lock
    return results


# When the provider does not give one


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, "invalid_client", "invalid_client"),
        (403, "access_denied", "access_denied"),
        (400, "invalid_scope", "invalid_scope"),
        (400, "canary code", "client_refused"),
    ],
)
def test_a_refusal_has_the_providers_code_and_none_of_its_words(
    provider: Provider, clock: FakeClock, status: int, code: str, told: str
) -> None:
    provider.refuse(status, code)
    with pytest.raises(MachineClientRefused) as caught:
        machine(provider, clock).access_token()
    assert caught.value.code == told
    assert "canary" not in str(caught.value)


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("canary network words", request=request)


def token_with(**change: Any) -> Callable[[httpx.Request], httpx.Response]:
    body = {"access_token": "abc", "token_type": "Bearer", "expires_in": 60, **change}
    return lambda _: httpx.Response(200, json=body)


@pytest.mark.parametrize(
    "fault",
    [
        broken,
        lambda _: httpx.Response(500, text="<html>canary</html>"),
        lambda _: httpx.Response(401, text="a proxy's own words"),
        lambda _: httpx.Response(302, headers={"Location": "https://evil.example/"}),
        lambda _: httpx.Response(200, text="not JSON"),
        lambda _: httpx.Response(200, json=["a list"]),
        lambda _: httpx.Response(200, content=b"[" * 300_000),
        token_with(access_token=None),
        token_with(access_token=""),
        token_with(access_token="a\r\nb: c"),
        token_with(token_type="DPoP"),
        token_with(expires_in=None),
        token_with(expires_in=-5),
        token_with(expires_in="60"),
        token_with(expires_in=True),
    ],
)
def test_what_is_no_answer_says_nothing_about_the_client(
    provider: Provider, clock: FakeClock, fault: Callable[[httpx.Request], httpx.Response]
) -> None:
    provider.fault = fault
    with pytest.raises(ProviderUnavailable) as caught:
        machine(provider, clock).access_token()
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(provider.token_requests) == 1


def test_a_live_token_outlasts_an_outage_but_not_a_refusal(
    provider: Provider, clock: FakeClock
) -> None:
    client = machine(provider, clock)
    first = client.access_token()
    clock.advance(3570)
    provider.fault = broken
    assert client.access_token() == first
    provider.refuse(401, "invalid_client")
    with pytest.raises(MachineClientRefused):
        client.access_token()
    provider.fault = broken
    clock.advance(60)
    with pytest.raises(ProviderUnavailable):
        client.access_token()


# Calling an API


class Api:
    """Accepts the tokens in `good`."""

    def __init__(self, *good: str) -> None:
        self.good = good
        self.seen: list[str | None] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.headers.get("Authorization"))
        if request.url.path == "/elsewhere":
            return httpx.Response(307, headers={"Location": "https://evil.example/"})
        accepted = self.seen[-1] in {f"Bearer {token}" for token in self.good}
        return httpx.Response(200 if accepted else 401, content=request.content)


def test_the_api_client_carries_the_token_to_its_origin_only(
    provider: Provider, clock: FakeClock
) -> None:
    api = Api("canary-token-1")
    client = machine(provider, clock)
    http = client.api(API, transport=httpx.MockTransport(api.answer), follow_redirects=True)
    assert http.post("/model", json={"a": 1}).json() == {"a": 1}
    with pytest.raises(ForeignOrigin):
        http.get("https://evil.example/")
    http.get("/elsewhere")
    assert api.seen == ["Bearer canary-token-1", "Bearer canary-token-1", None]


def test_a_token_that_the_api_refuses_is_renewed_once(provider: Provider, clock: FakeClock) -> None:
    api = Api("canary-token-2")
    client = machine(provider, clock)
    http = client.api(API, transport=httpx.MockTransport(api.answer))
    client.access_token()
    clock.advance(60)
    assert http.post("/model", content=b"kept").content == b"kept"
    assert len(api.seen) == 2
    # A token that is new is not thrown away: the API does not want this client.
    api.good = ()
    assert http.get("/model").status_code == 401
    assert len(provider.token_requests) == 2


def test_asynchronous_code_gets_the_same(provider: Provider, clock: FakeClock) -> None:
    api = Api("canary-token-2")
    client = machine(provider, clock)
    client.access_token()
    clock.advance(60)

    async def ask() -> int:
        transport = httpx.MockTransport(api.answer)
        async with client.async_api(API, transport=transport) as http:
            return (await http.get("/model")).status_code

    assert asyncio.run(ask()) == 200


def test_the_api_client_is_kept_and_made_anew_when_closed(
    provider: Provider, clock: FakeClock
) -> None:
    with machine(provider, clock) as client:
        first = client.api(API)
        assert client.api(API) is first
        first.close()
        second = client.api(API)
        assert not second.is_closed
    assert second.is_closed


# Secrecy


def test_nothing_shows_secret_or_token(provider: Provider, clock: FakeClock) -> None:
    client = machine(provider, clock)
    client.access_token()
    shown = [repr(client), str(client), repr(vars(client)), repr(vars(client._credentials))]
    shown += [repr(client._held), json.dumps(vars(client), default=repr)]
    assert not any("canary" in text for text in shown)
    for forbidden in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            forbidden(client)


def test_failures_log_neither_secret_nor_the_providers_words(
    provider: Provider, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="streamlit_component_auth0")
    client = machine(provider, clock)
    for code in ("invalid_client", "canary_code"):
        provider.refuse(401, code)
        with pytest.raises(MachineClientRefused):
            client.access_token()
    assert "invalid_client" in caplog.text
    assert "canary" not in caplog.text
