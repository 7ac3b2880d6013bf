"""Where a token may go is decided by the address that is connected to (catalogue G13, A21).

Libraries disagree on odd addresses. Whatever an app passes on, from a person or a redirect, a
request that carries the token goes to the pinned origin by the word of the library that sends it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx
import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from urllib3.util import parse_url

from companion import FakeCompanion, signed_in
from streamlit_component_auth0 import AuthError, Session

API = "http://localhost:8888"
TRICKS = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "\\\\evil.example/",
    "/\\evil.example/",
    "http:evil.example",
    "http://localhost:8888@evil.example/",
    "http://localhost:8888\\@evil.example/",
    "http://evil.example\\@localhost:8888/",
    "http://localhost:8888#@evil.example/",
    "http://localhost:8888?@evil.example/",
    "http://localhost:8888;@evil.example/",
    "http://localhost:8888%2f@evil.example/",
    "http://localhost:8888%00.evil.example/",
    "http://localhost:8888.evil.example/",
    "http://localhost.:8888/",
    "http://LOCALHOST:8888/",
    "http://localhost:08888/",
    "http://localhost:8888:80/",
    "http://localhost:88881/",
    "http://localhost:/",
    "http://localhost/",
    "https://localhost:8888/",
    "ws://localhost:8888/",
    "http://127.0.0.1:8888/",
    "http://[::1]:8888/",
    "http://[::ffff:127.0.0.1]:8888/",
    "http://user@localhost:8888/",
    "http://:@localhost:8888/",
    "http://\uff4cocalhost:8888/",
    "http://localhost\uff1a8888/",
    "http://localhost\t:8888/",
    " http://evil.example/",
    "http://evil.example\r\n.localhost:8888/",
    "HTTP://evil.example/",
]
NAMES = ["localhost", "evil.example", "[::1]", "user", "8888", "80", "http:", "https:"]
SIGNS = ["//", "/", "\\", "@", ":", "#", "?", ";", "%2f", "%40", ".", " ", "\t", "\u3002"]
PARTS = st.lists(st.sampled_from([*NAMES, *SIGNS]), max_size=9).map("".join)
ADDRESSES = st.sampled_from(TRICKS) | PARTS


def session_of() -> Session:
    session = signed_in(FakeCompanion()).session
    assert session is not None
    return session


class Wire(BaseAdapter):
    """Notes where a request with the token would be connected to."""

    def __init__(self) -> None:
        super().__init__()
        self.reached: list[tuple[Any, ...]] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        if request.headers.get("Authorization"):
            url = parse_url(request.url or "")
            self.reached.append((url.scheme, url.host, url.port))
        response = requests.Response()
        response.request, response.url, response.status_code = request, request.url or "", 200
        response._content = b""
        return response

    def close(self) -> None:
        return None


def by_httpx(url: str, **how: Any) -> list[tuple[Any, ...]]:
    reached: list[tuple[Any, ...]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if "authorization" in request.headers:
            reached.append((request.url.scheme, request.url.host, request.url.port))
        return httpx.Response(200 if reached[1:] else 302, headers={"location": url})

    client = session_of().api(API, transport=httpx.MockTransport(answer), **how)
    with suppress(AuthError, httpx.HTTPError, httpx.InvalidURL, ValueError):
        client.get("/" if how else url)
    return reached


def by_requests(url: str) -> list[tuple[Any, ...]]:
    wire = Wire()
    with requests.Session() as http:
        http.trust_env = False
        for prefix in ("http://", "https://"):
            http.mount(prefix, wire)
        with suppress(AuthError, requests.RequestException, ValueError):
            http.get(url, auth=session_of().requests_auth(API))
    return wire.reached


OURS = {("http", "localhost", 8888)}


@given(url=ADDRESSES)
@example(url="http://localhost:8888/x")
def test_no_address_takes_the_token_elsewhere(url: str) -> None:
    """G13: by `session.api()`, its redirects, and `requests`."""
    assert set(by_httpx(url)) <= OURS
    assert set(by_httpx(url, follow_redirects=True)) <= OURS
    assert set(by_requests(url)) <= OURS


@pytest.mark.parametrize("send", [by_httpx, by_requests])
def test_the_pinned_address_takes_the_token(send: Any) -> None:
    """The control: these requests carry it where they may."""
    assert set(send("http://localhost:8888/x")) == OURS
