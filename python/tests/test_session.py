from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Any

import anyio
import httpx
import pytest
import requests
from requests.adapters import BaseAdapter

from companion import START, FakeCompanion, Person, error, unreachable
from streamlit_component_auth0 import (
    CompanionUnavailable,
    ForeignOrigin,
    NotSignedIn,
    Session,
    SessionEnded,
    TokenRefused,
    UsageError,
    User,
)

API = "http://localhost:8888"


def session_of(companion: FakeCompanion, person: Person | None = None) -> Session:
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session(person)))
    assert sign_in.session is not None
    return sign_in.session


# Who, and what they may


def test_a_session_is_its_person(companion: FakeCompanion) -> None:
    first, second = session_of(companion), session_of(companion)
    grace = session_of(companion, Person(sub="auth0|grace"))
    assert first == second
    assert hash(first) == hash(second)
    assert first != grace
    assert first != first.user
    assert len({first.user, second.user, grace.user}) == 2


def test_times_are_aware(companion: FakeCompanion) -> None:
    session = session_of(companion)
    assert session.token_expires_at == datetime.fromtimestamp(START + 3600, timezone.utc)
    assert session.session_expires_at == datetime.fromtimestamp(START + 86_400, timezone.utc)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({}, True),
        ({"roles": ["editor"]}, True),
        ({"roles": "editor"}, True),
        ({"roles": "e"}, False),
        ({"roles": ["editor"], "scopes": ["openid"]}, True),
        ({"roles": ["editor"], "scopes": ["admin"]}, False),
        ({"roles": ["editor"], "scopes": ["admin"], "match": "any"}, True),
        ({"permissions": ["read:x"], "match": "any"}, False),
    ],
)
def test_has_asks_for_all_or_any(companion: FakeCompanion, asked: Any, held: bool) -> None:
    assert session_of(companion).has(**asked) is held


def test_has_refuses_another_match(companion: FakeCompanion) -> None:
    with pytest.raises(ValueError, match="match"):
        session_of(companion).has(roles=["x"], match="none")  # type: ignore[arg-type]


def test_claims_are_typed_and_a_copy() -> None:
    claims = {"https://a.b/c": "exact", "realm": {"roles": ["x"]}, "on": True}
    user = User(sub="s", issuer="i", claims=claims)
    assert user.claim("https://a.b/c", str) == "exact"
    assert user.claim(["realm", "roles"], list) == ["x"]
    assert user.claim("on", int, 7) == 7
    assert user.claim("absent", str, None) is None
    with pytest.raises(KeyError):
        user.claim("absent", str)
    user.claims["realm"]["roles"].append("admin")
    user.claim(["realm", "roles"], list).append("admin")
    assert user.claims["realm"]["roles"] == ["x"]


# Access tokens


def test_a_live_token_comes_from_memory(companion: FakeCompanion) -> None:
    session = session_of(companion)
    assert session.access_token() == session.access_token(min_ttl=300)
    assert companion.calls["token"] == 0


def test_a_token_near_its_end_is_renewed_once(companion: FakeCompanion) -> None:
    session = session_of(companion)
    first = session.access_token()
    companion.clock.advance(3600 - 60)
    second = session.access_token()
    assert first != second
    assert session.access_token() == second
    assert companion.calls["token"] == 1
    assert session.token_expires_at.timestamp() == companion.clock.time + 3600


def test_each_audience_and_scope_has_its_own_token(companion: FakeCompanion) -> None:
    session = session_of(companion)
    variants: list[dict[str, str]] = [
        {},
        {"audience": "a"},
        {"scope": "s"},
        {"audience": "a", "scope": "s"},
    ]
    tokens = {session.access_token(**variant) for variant in variants for _ in range(2)}  # type: ignore[arg-type]
    assert len(tokens) == 4
    assert companion.calls["token"] == 3


def test_threads_share_one_request(companion: FakeCompanion) -> None:
    session = session_of(companion)
    companion.clock.advance(3600)
    gate = threading.Barrier(8)
    tokens: list[str] = []

    def ask() -> None:
        gate.wait(5)
        tokens.append(session.access_token())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(tokens) == 8
    assert len(set(tokens)) == 1
    assert companion.calls["token"] == 1


def test_a_shorter_token_is_better_than_none(companion: FakeCompanion) -> None:
    session = session_of(companion)
    first = session.access_token()
    companion.faults["token"] = unreachable
    companion.clock.advance(3590)
    assert session.access_token() == first
    companion.clock.advance(10)
    with pytest.raises(CompanionUnavailable):
        session.access_token()


def test_a_refused_audience_says_nothing_of_the_person(companion: FakeCompanion) -> None:
    session = session_of(companion)
    with pytest.raises(TokenRefused, match="EXTRA_AUDIENCES"):
        session.access_token(audience="nowhere")
    assert session.check()


def test_min_ttl_has_bounds(companion: FakeCompanion) -> None:
    session = session_of(companion)
    for wrong in (-1, 301):
        with pytest.raises(ValueError, match="min_ttl"):
            session.access_token(min_ttl=wrong)


def test_async_code_gets_the_same_token(companion: FakeCompanion) -> None:
    session = session_of(companion)
    assert anyio.run(session.access_token_async) == session.access_token()


def test_a_token_that_arrives_after_the_sign_out_is_not_handed_out(
    companion: FakeCompanion,
) -> None:
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    session = sign_in.session
    assert session is not None

    def slow(request: httpx.Request) -> httpx.Response:
        del companion.faults["token"]
        sign_in.sign_out()
        companion.sessions["ref-1"].end_reason = None
        return companion.answer(request)

    companion.faults["token"] = slow
    companion.clock.advance(3600)
    with pytest.raises(SessionEnded):
        session.access_token()


# API clients


def answering(*responses: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    seen: list[httpx.Request] = []
    queue = list(responses)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return queue.pop(0) if queue else httpx.Response(200)

    return httpx.MockTransport(answer), seen


def test_the_client_carries_the_token_to_its_origin(companion: FakeCompanion) -> None:
    session = session_of(companion)
    transport, seen = answering()
    client = session.api(API, transport=transport)
    client.get("/api/pong")
    client.get(f"{API}/api/pong")
    client.get("//evil.example/api")
    assert {request.url.host for request in seen} == {"localhost"}
    assert {request.headers["authorization"] for request in seen} == {
        f"Bearer {session.access_token()}"
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://localhost:8889/",
        "https://localhost:8888/",
        "http://localhost.evil.example:8888/",
        "http://127.0.0.1:8888/",
        "http://localhost:8888@evil.example/",
        "http://user@localhost:8888/",
    ],
)
def test_another_origin_raises_before_anything_is_sent(companion: FakeCompanion, url: str) -> None:
    """G13."""
    session = session_of(companion)
    transport, seen = answering()
    with pytest.raises(ForeignOrigin):
        session.api(API, transport=transport).get(url)
    with pytest.raises(ForeignOrigin):
        session.api(API, transport=transport).get(url, auth=None)
    with pytest.raises(ForeignOrigin):
        httpx.Client(transport=transport, auth=session.auth(API)).get(url)
    assert not seen


@pytest.mark.parametrize("target", ["https://evil.example/", "https://api.localhost/x"])
def test_a_redirect_elsewhere_never_carries_the_token(
    companion: FakeCompanion, target: str
) -> None:
    """G13."""
    session = session_of(companion)
    transport, seen = answering(httpx.Response(302, headers={"location": target}))
    base = "http://api.localhost"
    session.api(base, transport=transport, follow_redirects=True).get("/")
    assert "authorization" in seen[0].headers
    assert "authorization" not in seen[1].headers


def test_async_clients_are_pinned_too(companion: FakeCompanion) -> None:
    """G13."""
    session = session_of(companion)
    transport, seen = answering(httpx.Response(302, headers={"location": "https://localhost/"}))

    async def run() -> None:
        async with session.async_api(
            "http://localhost", transport=transport, follow_redirects=True
        ) as client:
            await client.get("/")
            with pytest.raises(ForeignOrigin):
                await client.get("https://evil.example/")

    anyio.run(run)
    assert ["authorization" in request.headers for request in seen] == [True, False]


def test_another_origin_raises_in_asynchronous_code_too(companion: FakeCompanion) -> None:
    """G13: the clients' own check, and that of an `Auth` in a client of one's own."""
    session = session_of(companion)
    transport, seen = answering()

    async def run() -> None:
        async with session.async_api(API, transport=transport) as client:
            with pytest.raises(ForeignOrigin):
                await client.get("https://evil.example/", auth=None)
        async with httpx.AsyncClient(transport=transport, auth=session.auth(API)) as client:
            with pytest.raises(ForeignOrigin):
                await client.get("https://evil.example/")

    anyio.run(run)
    assert not seen


def test_no_client_sends_anything_after_the_end_of_the_session(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    session = sign_in.session
    assert session is not None
    transport, seen = answering()
    # Headers in a dict: such a client is not cached, and so not closed with the login.
    client = session.api(API, transport=transport, headers={"x": "y"})
    async_client = session.async_api(API, transport=transport)
    sign_in.sign_out()

    async def run() -> None:
        async with async_client:
            await async_client.get("/", auth=None)

    with pytest.raises(NotSignedIn):
        client.get("/", auth=None)
    with pytest.raises(NotSignedIn):
        anyio.run(run)
    assert not seen


def test_the_client_is_cached_and_closed_with_the_login(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    session = sign_in.session
    assert session is not None
    client = session.api(API)
    assert session.api(API) is client
    assert session.api(API, timeout=1.0) is not client
    assert session.api(API, headers={"x": "y"}) is not client
    sign_in.sign_out()
    assert client.is_closed


@pytest.mark.parametrize(
    "base_url",
    [
        "api.example.com",
        "ftp://x",
        "",
        "http://api.example.com",
        "https://a@b.example",
        "http://[2001:db8::1]/",
        "http://[fe80::1%25eth0]/",
        "http://8.8.8.8/",
        "http://134744072/",
        "http://01002004010/",
        "http://0x8080808/",
        "http://0X8080808/",
    ],
)
def test_a_base_url_that_would_expose_the_token_is_refused(
    companion: FakeCompanion, base_url: str
) -> None:
    """G13."""
    with pytest.raises(UsageError):
        session_of(companion).api(base_url)


@pytest.mark.parametrize(
    "base_url",
    ["http://[::1]:8888", "http://127.0.0.1", "http://api:8888", "http://api-2", "http://1st_api"],
)
def test_plain_http_serves_this_machine_and_bare_names(
    companion: FakeCompanion, base_url: str
) -> None:
    assert session_of(companion).api(base_url)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_an_api_error_is_the_apis_own(companion: FakeCompanion, status: int) -> None:
    """E69."""
    session = session_of(companion)
    transport, seen = answering(error(status, "session_ended"))
    assert session.api(API, transport=transport).get("/").status_code == status
    assert len(seen) == 1
    assert session.check()  # whatever an API says, it signs nobody out


class RecordingAdapter(BaseAdapter):
    def __init__(self, location: str | None = None) -> None:
        super().__init__()
        self.location = location
        self.seen: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self.seen.append(request.copy())
        response = requests.Response()
        response.request, response.url = request, request.url or ""
        response.status_code = 302 if self.location else 200
        response.raw = httpx.ByteStream(b"")
        response._content = b""
        if self.location:
            response.headers["location"], self.location = self.location, None
        return response

    def close(self) -> None:
        return None


def test_requests_is_pinned_too(companion: FakeCompanion) -> None:
    """G13."""
    session = session_of(companion)
    adapter = RecordingAdapter("https://api.localhost/x")
    with requests.Session() as http:
        http.mount("http://", adapter)
        http.mount("https://", adapter)
        http.get("http://api.localhost/", auth=session.requests_auth("http://api.localhost"))
        with pytest.raises(ForeignOrigin):
            http.get("https://evil.example/", auth=session.requests_auth("http://api.localhost"))
    assert [bool(request.headers.get("Authorization")) for request in adapter.seen] == [
        True,
        False,
    ]
