"""Forged component values: no exception, no login, no call, no loop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion import FakeCompanion
from streamlit_component_auth0._events import Meaningless, read_event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
KNOWN = st.sampled_from(
    ["onStatusUpdate", "onError", "onActionRequest", "event-1", "", "canary-ticket-000001", None]
)
EVENT_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "id": KNOWN | JSON,
        "name": KNOWN | JSON,
        "challenge": JSON,
        "data": st.fixed_dictionaries(
            {},
            optional={
                "isError": st.booleans() | JSON,
                "error": st.fixed_dictionaries({}, optional={"code": KNOWN | JSON}) | JSON,
                "sessioninfo": st.fixed_dictionaries(
                    {},
                    optional={
                        "user": JSON,
                        "token": st.fixed_dictionaries({}, optional={"ticket": KNOWN | JSON})
                        | JSON,
                    },
                )
                | JSON,
            },
        )
        | JSON,
    },
)


@given(value=JSON | EVENT_LIKE, own_challenge=st.booleans())
def test_any_json_signs_nobody_in_and_raises_nothing(value: Any, own_challenge: bool) -> None:
    """A30, A31."""
    companion = FakeCompanion()
    sign_in = companion.sign_in()
    if own_challenge and isinstance(value, dict):
        value = {**value, "challenge": sign_in.frame_args({})["challenge"]}
    for _ in range(2):
        sign_in.observe(value)
    assert sign_in.session is None
    assert sign_in.status != "signed_in"
    assert companion.calls.total() <= 1


@given(value=JSON | EVENT_LIKE)
def test_any_json_leaves_the_signed_in_person_alone(value: Any) -> None:
    companion = FakeCompanion()
    sign_in = companion.sign_in()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    session = sign_in.session
    if isinstance(value, dict):
        value = {**value, "challenge": sign_in.frame_args({})["challenge"]}
    sign_in.observe(value)
    assert sign_in.session is session


class Hostile:
    """Data frames and arrays answer comparisons with something that has no truth value."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value", [b"bytes", bytearray(9), Hostile(), object(), 1e308, float("nan")]
)
def test_values_of_other_encodings_are_no_events(value: object) -> None:
    assert read_event(value) is None


@pytest.mark.parametrize("place", ["ticket", "id", "challenge"])
def test_ten_megabytes_are_no_ticket_no_id_and_no_challenge(
    companion: FakeCompanion, place: str
) -> None:
    """A30: what is remembered or sent on is short."""
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    token = event["data"]["sessioninfo"]["token"]
    (token if place == "ticket" else event)[place] = "A" * 10_000_000
    sign_in.observe(event)
    assert sign_in.status == "pending"
    assert sign_in.command is None
    assert not companion.calls


@pytest.mark.parametrize(
    "ticket",
    [
        "",
        "short",
        "has spaces in it and more",
        "ünïcode-ticket-0123456",
        "a" * 513,
        7,
        None,
        [],
        {},
    ],
)
def test_malformed_tickets_are_dropped_without_a_call(
    companion: FakeCompanion, ticket: object
) -> None:
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    event["data"]["sessioninfo"]["token"]["ticket"] = ticket
    sign_in.observe(event)
    parsed = read_event(event)
    assert parsed is not None
    assert isinstance(parsed.announcement, Meaningless)
    assert not companion.calls


def test_a_name_in_an_event_is_not_who_signs_in(companion: FakeCompanion) -> None:
    """A31."""
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    event["data"]["sessioninfo"]["user"] = {"name": "Mallory", "email": "admin@example.com"}
    sign_in.observe(event)
    assert sign_in.session is not None
    assert sign_in.session.user.name == "Ada Lovelace"


def test_words_of_an_event_are_never_shown(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    for code in ("login_refused", "<script>alert(1)</script>", "x" * 1000):
        sign_in.observe(companion.error_event(sign_in, code))
        assert "canary" not in str(sign_in.error)
        assert "script" not in f"{sign_in.error} {sign_in.error!r}"
        assert len(str(sign_in.error)) < 200
