"""A client of the websocket sets a component's state without any frame (A31, A30).

Streamlit decodes what it is sent before we see it: all kinds of widget state, in both of our
components, in a whole app.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState

from component_page import Page, login_app

if TYPE_CHECKING:
    from companion import FakeCompanion


def state(**fields: Any) -> WidgetState:
    return WidgetState(**fields)


def arrow(content: bytes) -> WidgetState:
    broken = WidgetState()
    broken.arrow_value.data = content
    return broken


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


WIDGET_STATES: dict[str, WidgetState] = {
    "null": state(json_value="null"),
    "100 levels": state(json_value=deep(100)),
    "a number of 4,000 digits": state(json_value='{"id": %s}' % ("9" * 4_000)),
    "NaN": state(json_value="NaN"),
    "infinity": state(json_value='{"id": "e1", "data": {"a": -Infinity}}'),
    "1e999": state(json_value="1e999"),
    "half a character": state(
        json_value=r'{"id": "\ud800", "name": "\ud800", "challenge": "\ud800"}'
    ),
    "words of half a character": state(
        json_value=r'{"id": "e1", "name": "onError", "data": {"message": "\ud800"}}'
    ),
    "a name that is a list": state(json_value='{"id": "e1", "name": []}'),
    "a name that is an object": state(json_value='{"id": "e1", "name": {"a": 1}}'),
    "two names": state(json_value='{"id": "e1", "name": "onError", "name": []}'),
    "10 MB of words": state(
        json_value=json.dumps({"id": "e1", "data": {"message": "A" * 10_000_000}})
    ),
    "100,000 members": state(json_value=json.dumps({"id": "e1", "data": [0] * 100_000})),
    "bytes": state(bytes_value=b"\xff" * 1_000),
    "a table that is none": arrow(b"not an arrow table"),
    "an empty table": arrow(b""),
    "a trigger": state(trigger_value=True),
    "a truth": state(bool_value=True),
    "a number": state(int_value=2**62),
    "a fraction": state(double_value=float("nan")),
    "a text": state(string_value="onStatusUpdate"),
    "texts": state(string_array_value={"data": ["a", "b"]}),
    "numbers": state(int_array_value={"data": [1, 2]}),
    "fractions": state(double_array_value={"data": [1.5]}),
    "a triggered text": state(string_trigger_value={"data": "x"}),
    "files": state(file_uploader_state_value={}),
    "a chat": state(chat_input_value={"data": "x"}),
    "a triggered JSON": state(json_trigger_value='{"id": "e1"}'),
}


# What no frame can send, as its browser writes the JSON: Streamlit raises for it by itself,
# whatever the component, before the script begins.
UNDECODABLE = {
    "no JSON": "not json",
    "half a JSON": '{"id": "e1", "name"',
    "nothing": "",
    "100,000 levels": deep(100_000),
    "an event of 100,000 levels": f'{{"id": "e1", "data": {deep(100_000)}}}',
    "a number of 5,000 digits": "9" * 5_000,
}


def login_only() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    session = auth0.login()
    st.write(f"Session: {session.user.name if session else None}")


@pytest.mark.parametrize("app", [login_only, login_app], ids=["sign-in", "with events"])
@pytest.mark.parametrize("sent", WIDGET_STATES.values(), ids=WIDGET_STATES)
def test_no_state_that_a_client_sends_breaks_the_app_or_signs_anybody_in(
    companion: FakeCompanion, app: Any, sent: WidgetState
) -> None:
    """A30, A31."""
    page = Page(app, companion)
    for _ in range(2):
        page.send(proto=sent)
        assert not page.at.exception
    assert [str(element.value) for element in page.at.markdown] == ["Session: None"]
    assert not companion.calls
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    assert [str(element.value) for element in page.at.markdown] == ["Session: Ada Lovelace"]


@pytest.mark.parametrize("sent", UNDECODABLE.values(), ids=UNDECODABLE)
def test_what_streamlit_cannot_decode_ends_before_the_app_and_harms_its_sender_only(
    companion: FakeCompanion, sent: str
) -> None:
    """A30, A31: the client sees Streamlit's exception; nothing of ours, nor of the app, ran."""
    page, other = Page(login_app, companion), Page(login_app, companion)
    page.send(proto=state(json_value=sent))
    assert no_frame_of_ours(page)
    assert page.sign_in.session is None
    assert not companion.calls
    other.send(companion.signed_in_event(other.sign_in, companion.open_session()))
    assert not other.at.exception
    assert other.sign_in.session is not None


@pytest.mark.parametrize("levels", range(600, 1000, 50))
def test_nesting_fails_in_streamlit_or_nowhere(companion: FakeCompanion, levels: int) -> None:
    """A30: a frame can send this; how much Streamlit itself can take depends on the stack."""
    page = Page(login_app, companion)
    page.send(proto=state(json_value=f'{{"id": "e1", "data": {deep(levels)}}}'))
    assert no_frame_of_ours(page)
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    assert not page.at.exception, "a new frame took the place of the one with that value"
    assert page.sign_in.session is not None


def no_frame_of_ours(page: Page) -> bool:
    traces = [line for found in page.at.exception for line in found.stack_trace]
    return not any("streamlit_component_auth0" in line for line in traces)
