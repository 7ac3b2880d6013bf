"""`WebRequest`: made where the app allows it, and the token goes nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from companion import FakeClock, FakeCompanion, signed_in
from streamlit_component_auth0 import ActionResult, AllowedRequest
from streamlit_component_auth0._actions import MAX_FRAME_BODY, action_of, perform
from streamlit_component_auth0._outbound import Outbound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamlit_component_auth0 import Session

BASE = "https://api.example.com/v1"
PUBLIC = "93.184.216.34"
TOKEN = "canary-access-token"


class Network:
    """Answers everything, and remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []
        self.clock = FakeClock()
        self.reply: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(
            200, json={"pong": True}
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self.reply(request)

    def outbound(self, *addresses: str) -> Outbound:
        return Outbound(
            resolve=lambda _host, _port: addresses or (PUBLIC,),
            transport=lambda: httpx.MockTransport(self.answer),
            monotonic=self.clock,
        )

    def ask(
        self,
        *allowed: AllowedRequest,
        session: Session | None = None,
        outbound: Outbound | None = None,
        **props: Any,
    ) -> ActionResult:
        asked = {"label": "Ping", "url": f"{BASE}/ping", **props}
        return perform(
            "event-1",
            asked,
            allowed=allowed,
            session=session,
            outbound=outbound or self.outbound(),
        )


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def session(companion: FakeCompanion) -> Session:
    session = signed_in(companion).session
    assert session is not None
    return session


def code(result: ActionResult) -> str | None:
    return result.error.code if result.error else None


READ = AllowedRequest(base_url=BASE)
WRITE = AllowedRequest(base_url=BASE, methods=("POST", "PUT", "PATCH", "DELETE"))
LEND = AllowedRequest(base_url=BASE, use_token=True, auth_kinds=("BEARER", "ACCESSTOKEN"))


def test_an_allowed_request_is_made_to_the_judged_address(network: Network) -> None:
    result = network.ask(READ, url=f"{BASE}/ping?x=1")
    sent = network.sent[0]
    assert str(sent.url) == f"https://{PUBLIC}/v1/ping?x=1"
    assert sent.headers["host"] == "api.example.com"
    assert sent.extensions["sni_hostname"] == "api.example.com"
    assert (result.ok, result.status, result.json()) == (True, 200, {"pong": True})
    assert result.frame_arg() == {
        "id": "event-1",
        "label": "Ping",
        "status": 200,
        "ok": True,
        "body": '{"pong":true}',
        "truncated": False,
        "error": None,
    }


@pytest.mark.parametrize(
    ("props", "refusal"),
    [
        ({"url": "https://evil.test/v1/ping"}, "not_allowed"),
        ({"url": "http://api.example.com/v1/ping"}, "not_allowed"),
        ({"url": "https://api.example.com:8443/v1/ping"}, "not_allowed"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "not_allowed"),
        ({"url": "http://127.0.0.1/"}, "not_allowed"),
        ({"url": "https://api.example.com/admin"}, "not_allowed"),
        ({"url": "https://api.example.com/v1/../admin"}, "url_invalid"),
        ({"url": "https://u:p@api.example.com/v1"}, "url_invalid"),
        ({"url": None}, "url_invalid"),
        ({"type": "POST"}, "method_not_allowed"),
        ({"type": "TRACE"}, "method_invalid"),
        ({"type": "GET\r\nX: 1"}, "method_invalid"),
        ({"useauth": True}, "token_not_allowed"),
        ({"useauth": "true", "auth_kind": "ACCESSTOKEN"}, "token_not_allowed"),
        ({"auth_kind": "COOKIE"}, "token_not_allowed"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "headers_invalid"),
        ({"headers": {"X A": "1"}}, "headers_invalid"),
        ({"headers": "[1]"}, "headers_invalid"),
        ({"headers": {f"X-{i}": "" for i in range(40)}}, "headers_invalid"),
        ({"data": "x"}, "data_not_allowed"),
    ],
)
def test_what_was_not_allowed_is_not_sent(
    network: Network, session: Session, props: dict[str, Any], refusal: str
) -> None:
    result = network.ask(READ, session=session, **props)
    assert code(result) == refusal
    assert (result.ok, result.status, result.body) == (False, 0, "")
    assert result.frame_arg()["error"]["code"] == refusal
    assert not network.sent


def test_without_entries_nothing_is_ever_sent(network: Network, session: Session) -> None:
    assert code(network.ask(session=session)) == "not_allowed"
    assert not network.sent


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_an_allowed_name_that_leads_inside_is_not_followed(network: Network, address: str) -> None:
    result = network.ask(READ, outbound=network.outbound(address))
    assert code(result) == "private_address"
    assert not network.sent


def test_a_name_is_resolved_once_so_a_second_answer_cannot_rebind_it(network: Network) -> None:
    answers = iter([(PUBLIC,), ("127.0.0.1",)])
    outbound = Outbound(
        resolve=lambda _host, _port: next(answers),
        transport=lambda: httpx.MockTransport(network.answer),
    )
    assert network.ask(READ, outbound=outbound).ok
    assert network.sent[0].url.host == PUBLIC


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_and_their_target_not_told(
    network: Network, session: Session, status: int
) -> None:
    network.reply = lambda _: httpx.Response(
        status, headers={"Location": "http://169.254.169.254/canary"}, text="canary"
    )
    result = network.ask(LEND, session=session, useauth=True)
    assert code(result) == "redirect_not_followed"
    assert (result.ok, result.status) == (False, status)
    assert "canary" not in json.dumps(result.frame_arg())
    assert len(network.sent) == 1


@pytest.mark.parametrize(
    ("kind", "header", "prefix"),
    [("BEARER", "authorization", "Bearer "), ("ACCESSTOKEN", "accesstoken", "")],
)
def test_the_token_goes_to_an_entry_that_lends_it(
    network: Network, session: Session, kind: str, header: str, prefix: str
) -> None:
    assert network.ask(LEND, session=session, useauth="True", auth_kind=kind).ok
    assert network.sent[0].headers[header].startswith(f"{prefix}{TOKEN}")
    other = {"authorization", "accesstoken"} - {header}
    assert not other & set(network.sent[0].headers)


def test_the_token_stays_here_unless_the_event_asks_for_it(
    network: Network, session: Session
) -> None:
    network.ask(LEND, session=session)
    network.ask(LEND, session=session, useauth=False)
    network.ask(LEND, session=session, useauth="no", auth_kind="BEARER")
    network.ask(LEND, session=session, useauth={"yes": 1})
    assert len(network.sent) == 4
    assert all(TOKEN not in str(request.headers.raw) for request in network.sent)


def test_the_token_never_goes_to_a_base_that_was_not_allowed(
    network: Network, session: Session
) -> None:
    elsewhere = AllowedRequest(base_url="https://other.example.com/v1")
    bearer_only = AllowedRequest(base_url="https://bearer.example.com/", use_token=True)
    for url, refusal in {
        "https://other.example.com/v1/x": "token_not_allowed",
        "https://api.example.com/v2": "not_allowed",
        "https://api.example.com.evil.test/v1": "not_allowed",
        "https://api.example.com:444/v1": "not_allowed",
        "https://bearer.example.com/": "token_not_allowed",
    }.items():
        result = network.ask(
            LEND,
            elsewhere,
            bearer_only,
            session=session,
            url=url,
            useauth=True,
            auth_kind="ACCESSTOKEN",
        )
        assert code(result) == refusal
    assert not network.sent


def test_a_narrow_entry_does_not_widen_a_broad_one(network: Network, session: Session) -> None:
    # The token for GET below /v1/me, everything else without: never POST with the token.
    broad = AllowedRequest(base_url=BASE, methods=("GET", "POST"))
    narrow = AllowedRequest(base_url=f"{BASE}/me", use_token=True)
    asked: dict[str, Any] = {"session": session, "useauth": True, "url": f"{BASE}/me"}
    assert code(network.ask(broad, narrow, type="POST", **asked)) == "token_not_allowed"
    assert network.ask(broad, narrow, type="GET", **asked).ok
    assert TOKEN in network.sent[0].headers["authorization"]


def test_nobody_signed_in_lends_no_token(network: Network) -> None:
    assert code(network.ask(LEND, useauth=True)) == "not_signed_in"
    assert not network.sent


def test_an_ended_session_lends_no_token(network: Network, companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    session = sign_in.session
    sign_in.sign_out()
    assert code(network.ask(LEND, session=session, useauth=True)) == "session_ended"
    assert not network.sent


def test_an_echoed_token_does_not_reach_the_frame(network: Network, session: Session) -> None:
    network.reply = lambda request: httpx.Response(200, json=dict(request.headers))
    result = network.ask(LEND, session=session, useauth=True)
    assert "[access token]" in result.body
    assert TOKEN not in json.dumps(result.frame_arg())
    assert TOKEN not in repr(result)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Authorization",
        "authorization",
        "AccessToken",
        "Cookie",
        "Proxy-Authorization",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded-Host",
        "Forwarded",
        "X-Real-IP",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "Sec-Fetch-Site",
        "Accept-Encoding",
    ],
)
def test_headers_that_speak_for_others_are_dropped(network: Network, name: str) -> None:
    assert network.ask(READ, headers={name: "canary", "X-Kept": "1"}).ok
    assert network.sent[0].headers["x-kept"] == "1"
    assert "canary" not in str(network.sent[0].headers.raw)


@pytest.mark.parametrize(
    ("headers", "data", "media_type", "content"),
    [
        ({}, {"a": [1, None]}, "application/json", b'{"a": [1, null]}'),
        ({}, '{"a": 1}', "application/json", b'{"a": 1}'),
        ('{"content-type": "application/json; x=y"}', [1], "application/json", b"[1]"),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            {"a": "1&b=2", "c": 3},
            "application/x-www-form-urlencoded",
            b"a=1%26b%3D2&c=3",
        ),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            "a=1&b=x+y",
            "application/x-www-form-urlencoded",
            b"a=1&b=x+y",
        ),
    ],
)
def test_data_goes_as_json_or_form(
    network: Network, headers: Any, data: Any, media_type: str, content: bytes
) -> None:
    assert network.ask(WRITE, type="POST", headers=headers, data=data).ok
    assert network.sent[0].content == content
    assert network.sent[0].headers.get_list("content-type") == [media_type]


@pytest.mark.parametrize("method", ["POST", "put", "PATCH", "DELETE"])
def test_each_allowed_method_is_sent(network: Network, method: str) -> None:
    assert network.ask(WRITE, type=method, data={"a": 1}).ok
    assert network.sent[0].method == method.upper()


@pytest.mark.parametrize(
    ("headers", "data", "refusal"),
    [
        ({}, "not json", "data_invalid"),
        ({}, float("nan"), "data_invalid"),
        ({"Content-Type": "text/xml"}, "<a/>", "data_invalid"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, {"a": {}}, "data_invalid"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, [1], "data_invalid"),
        ({}, "[" * 100_000, "data_invalid"),
        ({}, "1" * 300_000, "data_too_large"),
        ({}, {"a": "x" * 300_000}, "data_too_large"),
    ],
)
def test_data_of_another_kind_is_refused(
    network: Network, headers: dict[str, str], data: Any, refusal: str
) -> None:
    assert code(network.ask(WRITE, type="POST", headers=headers, data=data)) == refusal
    assert not network.sent


def test_an_answer_is_bounded(network: Network) -> None:
    small = AllowedRequest(base_url=BASE, max_bytes=100)
    network.reply = lambda _: httpx.Response(200, text="x" * 101)
    assert code(network.ask(small)) == "response_too_large"
    network.reply = lambda _: httpx.Response(200, text="x" * 20_000)
    told = network.ask(READ).frame_arg()
    assert (len(told["body"]), told["truncated"]) == (MAX_FRAME_BODY, True)


def test_a_compressed_answer_is_not_unpacked(network: Network) -> None:
    network.reply = lambda _: httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")
    )
    assert code(network.ask(READ)) == "response_encoded"
    assert network.sent[0].headers["accept-encoding"] == "identity"


def test_an_answer_without_end_is_cut_off(network: Network) -> None:
    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                network.clock.advance(4)
                yield b"x"

    network.reply = lambda _: httpx.Response(200, stream=Drip())
    assert code(network.ask(READ)) == "timeout"
    assert network.clock.time < FakeClock().time + 20


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        (httpx.ConnectError("canary"), "unreachable"),
        (httpx.ReadError("canary"), "unreachable"),
        (httpx.ReadTimeout("canary"), "timeout"),
        (httpx.RemoteProtocolError("canary"), "unreachable"),
    ],
)
def test_trouble_is_told_without_its_words(
    network: Network, failure: Exception, refusal: str
) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure

    network.reply = fail
    result = network.ask(READ)
    assert code(result) == refusal
    assert "canary" not in str(result) + repr(result)


def test_the_next_address_is_tried_only_when_nothing_was_sent(network: Network) -> None:
    def fail_first(request: httpx.Request) -> httpx.Response:
        if request.url.host == PUBLIC:
            raise httpx.ConnectError("refused")
        return httpx.Response(204)

    network.reply = fail_first
    result = network.ask(WRITE, type="POST", outbound=network.outbound(PUBLIC, "93.184.216.35"))
    assert (result.status, len(network.sent)) == (204, 2)


def test_refusals_of_the_server_are_passed_on(network: Network) -> None:
    network.reply = lambda _: httpx.Response(403, json={"code": "insufficient_scope"})
    result = network.ask(READ)
    assert (result.ok, result.status, result.json()["code"]) == (False, 403, "insufficient_scope")
    assert result.error is None


def test_the_action_is_found_in_both_forms() -> None:
    props = {"url": "x"}
    assert action_of({"action": {"name": "WebRequest", "props": props}}) == ("WebRequest", props)
    assert action_of({"action": "WebRequest", "props": props}) == ("WebRequest", props)
    odd_ones: tuple[dict[str, Any], ...]
    odd_ones = ({}, {"action": 7}, {"action": {"name": {}, "props": []}}, {"action": [[]]})
    for odd in odd_ones:
        assert action_of(odd) == ("", {})
