"""A websocket that reconnects gets its old session back, after a question to the companion.

In a real Streamlit server: what a reconnect looks like to an app is Streamlit's business.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from companion import ORIGIN, SECRET, CompanionSession, FakeCompanion
from sockets import serving
from streamlit_server import Browser, running

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = """
import streamlit as st

import streamlit_component_auth0 as auth0

st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.write(f"Run {st.session_state['runs']}")
session = auth0.login()
st.write(f"Hello {session.user.name}" if session else f"{auth0.status()}")
"""


@pytest.fixture(scope="module")
def companion() -> FakeCompanion:
    companion = FakeCompanion()
    companion.clock.time = time.time()
    return companion


@pytest.fixture(scope="module")
def port(companion: FakeCompanion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    app = Path(tmp_path_factory.mktemp("app")) / "app.py"
    app.write_text(APP, encoding="utf-8")
    with serving(companion.answer) as server:
        settings = {
            "COMPONENT_BASE_URL": f"http://localhost:{server.server_port}",
            "STREAMLIT_SECRET": SECRET,
            "STREAMLIT_ORIGIN": ORIGIN,
            # (long enough that no re-check but that of a reconnect is due in these tests)
            "RECHECK_SECONDS": "3600",
        }
        with running(app, settings) as port:
            yield port


@pytest.fixture
def login(companion: FakeCompanion) -> CompanionSession:
    companion.calls.clear()
    return companion.open_session()


def signed_in(companion: FakeCompanion, port: int, login: CompanionSession) -> Browser:
    browser = Browser(port)
    browser.run()
    assert browser.words == ["Run 1", "pending"]
    browser.run(**companion.signed_in_value(browser.challenge, login))
    assert browser.words == ["Run 2", "Hello Ada Lovelace"]
    return browser


def test_a_reconnect_asks_the_companion_and_a_rerun_does_not(
    companion: FakeCompanion, port: int, login: CompanionSession
) -> None:
    """D52."""
    browser = signed_in(companion, port, login)
    browser.run()
    assert browser.words == ["Run 3", "Hello Ada Lovelace"]
    assert dict(companion.calls) == {"redeem": 1}
    browser.reconnect()
    assert browser.words[1:] == ["Hello Ada Lovelace"]
    assert dict(companion.calls) == {"redeem": 1, "session": 1}
    browser.run()
    assert dict(companion.calls) == {"redeem": 1, "session": 1}
    browser.reconnect()
    assert dict(companion.calls) == {"redeem": 1, "session": 2}
    browser.close()


def test_a_session_that_ended_meanwhile_is_not_revived(
    companion: FakeCompanion, port: int, login: CompanionSession
) -> None:
    """D52."""
    browser = signed_in(companion, port, login)
    login.end_reason = "expired"
    browser.run()  # the last answer is young: nothing is known of the end
    assert browser.words == ["Run 3", "Hello Ada Lovelace"]
    browser.reconnect()
    assert browser.words[1:] == ["signed_out"]
    browser.close()


def test_two_tabs_of_one_server_are_two_people(
    companion: FakeCompanion, port: int, login: CompanionSession
) -> None:
    ada, other = signed_in(companion, port, login), Browser(port)
    other.run()
    assert other.words == ["Run 1", "pending"]
    assert other.challenge != ada.challenge
    ada.close()
    other.close()


def test_a_websocket_client_with_the_event_of_somebody_else_is_nobody(
    companion: FakeCompanion, port: int, login: CompanionSession
) -> None:
    """A31, D23, D51: no frame is needed to send a value, and the value is not enough."""
    ada, thief = Browser(port), Browser(port)
    ada.run()
    thief.run()
    stolen = companion.signed_in_value(ada.challenge, login)
    thief.run(**stolen)
    assert thief.words[-1] == "pending"
    thief.run(**{**stolen, "id": "again", "challenge": thief.challenge})
    assert thief.words[-1] == "pending"
    assert dict(companion.calls) == {"redeem": 1}
    ada.run(**stolen)
    assert ada.words[-1] == "Hello Ada Lovelace"
    thief.run()
    assert thief.words[-1] == "pending"
    ada.close()
    thief.close()
