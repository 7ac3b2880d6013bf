"""A companion in trouble, seen from an app: words for the person, no loop, nothing secret."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from companion import SECRET, FakeCompanion, Person, error, unreachable
from component_page import Page
from streamlit_component_auth0 import CompanionUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def failing(failure: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure("canary network words", request=request)

    return fail


def html(status: int) -> Callable[[httpx.Request], httpx.Response]:
    page = "<html><h1>canary: it works!</h1></html>"
    return lambda _: httpx.Response(status, html=page)


FAULTS: dict[str, Any] = {
    "down": unreachable,
    "slow to connect": failing(httpx.ConnectTimeout),
    "slow to answer": failing(httpx.ReadTimeout),
    "too many at once": failing(httpx.PoolTimeout),
    "cut off": failing(httpx.ReadError),
    "hung up": failing(httpx.RemoteProtocolError),
    "500": lambda _: error(500, "internal_error"),
    "500 without a body": lambda _: httpx.Response(500),
    "500 that echoes": lambda request: httpx.Response(500, content=request.content),
    "502 of a proxy": html(502),
    "503 of the store": lambda _: error(503, "store_unavailable"),
    "503 of the provider": lambda _: error(503, "provider_unavailable"),
    "504 of a proxy": html(504),
    "200 with HTML": html(200),
    "200 with other JSON": lambda _: httpx.Response(200, json={"canary": "it works"}),
    "200 with a list": lambda _: httpx.Response(200, json=[1, 2]),
    "200 with null": lambda _: httpx.Response(200, text="null"),
    "200 with half a JSON": lambda _: httpx.Response(200, text='{"user": {"sub": "canary'),
    "200 without a body": lambda _: httpx.Response(200),
    "200 in a strange encoding": lambda _: httpx.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"canary")
    ),
    "204": lambda _: httpx.Response(204),
    "307": lambda _: httpx.Response(307, headers={"location": "https://canary.example/"}),
    "401 of a proxy": html(401),
    "401 in the wrong words": lambda _: error(401, "not_authenticated"),
    "403": lambda _: error(403, "forbidden_origin"),
    "403 of a firewall": html(403),
    "404": lambda _: error(404, "not_found"),
    "421": lambda _: error(421, "misdirected_request"),
    "429": lambda _: error(429, "rate_limited"),
    "wrong credential": lambda _: error(401, "invalid_host_credential"),
}
OPERATORS = {"wrong credential": "STREAMLIT_SECRET"}


def app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    st.session_state["runs"] = st.session_state.get("runs", 0) + 1

    @auth0.protected()
    def act() -> None:
        st.session_state["acted"] = st.session_state.get("acted", 0) + 1

    session = auth0.require_login()
    st.write(f"Hello {session.user.name}")
    st.button("Act", on_click=act)
    if st.button("Call"):
        with session.api("http://localhost:8888") as client:
            client.get("/")


class FaultyPage(Page):
    """The app, on a companion that fails when told to."""

    def __init__(self, companion: FakeCompanion) -> None:
        super().__init__(app, companion)
        self.companion = companion

    @property
    def runs(self) -> int:
        return int(self.at.session_state["runs"])

    @property
    def is_open(self) -> bool:
        return [str(element.value) for element in self.at.markdown] == ["Hello Ada Lovelace"]

    def announce(self) -> None:
        self.send(self.companion.signed_in_event(self.sign_in, self.companion.open_session()))

    def press(self, label: str) -> None:
        next(button for button in self.at.button if button.label == label).click().run()


@pytest.fixture(params=list(FAULTS), ids=list(FAULTS))
def fault(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(companion: FakeCompanion, caplog: pytest.LogCaptureFixture) -> Iterator[FaultyPage]:
    caplog.set_level(logging.DEBUG, logger="streamlit_component_auth0")
    page = FaultyPage(companion)
    yield page
    shown = "".join(str(element.proto) for element in [*page.at.main, *page.at.sidebar])
    for place in (shown, caplog.text):
        for secret in ("canary", SECRET):
            assert secret not in place


def test_a_sign_in_that_meets_it_says_so_and_works_after_a_retry(
    companion: FakeCompanion, page: FaultyPage, fault: str
) -> None:
    """E69, G08."""
    companion.faults["redeem"] = FAULTS[fault]
    page.announce()
    assert not page.at.exception
    assert not page.is_open
    assert OPERATORS.get(fault, "sign-in service") in page.at.error[0].value
    assert page.runs == 2
    for _ in range(3):  # whatever makes the app run again asks nobody
        page.at.run()
    assert companion.calls["redeem"] == 1
    assert page.runs == 5
    companion.faults.clear()
    page.press("Try again")
    assert page.args["command"]["name"] == "recheck"
    page.announce()
    assert page.is_open
    assert not page.at.error


def test_somebody_signed_in_does_not_notice_it(
    companion: FakeCompanion, page: FaultyPage, fault: str
) -> None:
    """E69."""
    page.announce()
    companion.faults["session"] = FAULTS[fault]
    companion.clock.advance(10)
    page.at.run()
    assert page.is_open
    asked = companion.calls["session"]
    assert 1 <= asked <= 2  # (a cut connection is tried once more)
    for _ in range(3):  # and it is not asked again in each run
        page.at.run()
    assert companion.calls["session"] == asked
    page.press("Act")
    assert page.at.session_state["acted"] == 1
    assert page.runs == 7
    assert not [*page.at.exception, *page.at.error, *page.at.info]


def test_without_a_live_token_it_ends_in_words_and_goes_on_where_it_was(
    companion: FakeCompanion, page: FaultyPage, fault: str
) -> None:
    """E69."""
    page.announce()
    session = page.sign_in.session
    assert session is not None
    session.state["draft"] = 1
    companion.faults["session"] = FAULTS[fault]
    companion.clock.advance(3600)
    page.at.run()
    assert not page.at.exception
    assert not page.is_open
    assert OPERATORS.get(fault, "sign-in service") in page.at.error[0].value
    assert page.runs == 3
    companion.faults.clear()
    page.press("Try again")
    assert page.is_open
    assert page.sign_in.session is not None
    assert page.sign_in.session.state == {"draft": 1}
    assert companion.calls["redeem"] == 1


def test_a_call_without_a_live_token_fails_in_clear_words(
    companion: FakeCompanion, page: FaultyPage, fault: str
) -> None:
    page.announce()
    companion.clock.advance(3590)
    page.at.run()
    companion.faults["token"] = FAULTS[fault]
    companion.clock.advance(9.5)
    page.at.run()
    companion.clock.advance(0.5)
    page.press("Call")
    assert len(page.at.exception) == 1
    assert OPERATORS.get(fault, "sign-in service") in page.at.exception[0].message
    assert page.runs == 5
    page.at.run()
    assert page.is_open


def test_a_sign_out_works_all_the_same(
    companion: FakeCompanion, page: FaultyPage, fault: str
) -> None:
    """E69."""
    page.announce()
    companion.faults["revoke"] = FAULTS[fault]
    page.sign_in.sign_out()
    page.at.run()
    assert not page.is_open
    assert not [*page.at.exception, *page.at.error]
    assert page.args["command"]["name"] == "logout"
    companion.faults.clear()
    companion.clock.advance(2)
    page.at.run()
    # (with 204 the companion confirms: nothing is left to be retried)
    assert fault == "204" or companion.sessions["ref-1"].end_reason == "signed_out"


def test_other_people_are_not_touched_by_one_sessions_trouble(
    companion: FakeCompanion, page: FaultyPage
) -> None:
    page.announce()
    companion.faults["redeem"] = unreachable
    other = FaultyPage(companion)
    other.announce()
    assert not other.is_open
    companion.clock.advance(10)
    page.at.run()
    assert page.is_open


def test_trouble_of_the_companion_is_one_kind_of_error(companion: FakeCompanion) -> None:
    channel = companion.back_channel()
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session(Person())))
    assert sign_in._login is not None
    for name, fault in FAULTS.items():
        companion.faults["session"] = fault
        if name not in OPERATORS:
            with pytest.raises(CompanionUnavailable):
                channel.standing(sign_in._login.grant)
