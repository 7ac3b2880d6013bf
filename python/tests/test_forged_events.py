"""Hypothesis on component values, in both of their readers (catalogue A30, A31).

The sign-in and the event layer get any JSON, nesting, texts that are none, numbers beyond
bounds, and real events with one thing changed.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from companion import FakeCompanion, Person, signed_in
from hostile import ANYTHING, JSON, TEXTS, nested, one_thing_changed
from streamlit_component_auth0 import AllowedRequest
from streamlit_component_auth0._events import read_event
from streamlit_component_auth0._mailbox import Mailboxes
from streamlit_component_auth0._outbound import Answer, Outbound

EVENTS = ("onStatusUpdate", "onActionRequest")
ADA, GRACE = Person(), Person(sub="auth0|grace", name="Grace")


@given(data=st.data())
def test_a_real_event_with_one_thing_changed_signs_in_its_person_or_nobody(
    data: st.DataObject,
) -> None:
    """A30, A31: what is not the ticket or its frame may differ; nobody else ever comes in."""
    companion = FakeCompanion()
    sign_in = companion.sign_in()
    real = companion.signed_in_event(sign_in, companion.open_session(ADA))
    forged = data.draw(one_thing_changed(real))
    sign_in.observe(forged)
    same_ticket = read_event(forged) == read_event(real) and read_event(real) is not None
    assert (sign_in.session is not None) <= (_ticket(forged) == _ticket(real))
    if same_ticket:
        assert sign_in.session is not None
        assert sign_in.session.user.sub == ADA.sub
    assert companion.calls.total() <= 1


@given(data=st.data())
def test_an_event_of_another_session_with_one_thing_changed_signs_nobody_in(
    data: st.DataObject,
) -> None:
    """A31, D23: the ticket is good, and of somebody else's Streamlit session."""
    companion = FakeCompanion()
    ours, theirs = companion.sign_in(), companion.sign_in()
    real = companion.signed_in_event(theirs, companion.open_session(GRACE))
    if data.draw(st.booleans()):
        real["challenge"] = ours.challenge
    ours.observe(data.draw(one_thing_changed(real)))
    assert ours.session is None
    theirs.observe({**real, "challenge": theirs.challenge})
    assert theirs.session is not None, "the theft breaks nothing"


@given(data=st.data(), order=st.permutations(range(6)))
def test_events_replayed_in_any_order_redeem_once_each_and_leave_the_person(
    data: st.DataObject, order: list[int]
) -> None:
    """A31: replays, duplicates, other ids on an old ticket."""
    companion = FakeCompanion()
    sign_in = companion.sign_in()
    session = companion.open_session(ADA)
    events = [companion.signed_in_event(sign_in, session) for _ in range(2)]
    events += [{**event, "id": f"again-{number}"} for number, event in enumerate(events)]
    events += events[:2]
    for index in order:
        sign_in.observe(events[index])
        if data.draw(st.booleans()):
            companion.clock.advance(data.draw(st.sampled_from([0.1, 11.0])))
    assert sign_in.session is not None
    assert sign_in.session.user.sub == ADA.sub
    redeemed = [body["ticket"] for path, body in companion.bodies if path == "redeem"]
    assert len(redeemed) <= 4, "an id is handled once"


def _ticket(value: Any) -> object:
    try:
        return value["data"]["sessioninfo"]["token"]["ticket"]
    except (TypeError, KeyError, IndexError):
        return None


# The event layer


def unexpected(*_: object) -> Answer:
    raise AssertionError("nothing was allowed")


ACTION: dict[str, Any] = {
    "id": "e1",
    "name": "onActionRequest",
    "challenge": "c",
    "data": {
        "message": "words",
        "action": {
            "name": "WebRequest",
            "props": {
                "label": "Ping",
                "type": "POST",
                "url": "https://api.example.com/ping",
                "headers": {"Accept": "text/plain"},
                "data": {"a": 1},
                "useauth": True,
                "auth_kind": "BEARER",
            },
        },
    },
}


def received(value: object, *, skip: tuple[str, ...]) -> Any:
    """What comes of a value in a mailbox whose app allows some requests."""
    sent: list[object] = []

    class Recording(Outbound):
        def send(self, *request: object) -> Answer:
            sent.append(request)
            return Answer(200, "text/plain", b"pong")

    companion = FakeCompanion()
    session = signed_in(companion).session
    box = Mailboxes(outbound=Recording(), clock=companion.clock.clock)["key"]
    allowed = [AllowedRequest(base_url="https://api.example.com/", methods=("POST",))]
    box.serve(session)
    box.receive(value, events=EVENTS, challenge="c", skip=frozenset(skip))
    box.settle(allowed, session)
    letter = box.take(session)
    if letter is not None:
        box.report(letter.event.name, letter.event.data, "key")
        if letter.result is not None:
            letter.result.frame_arg()
    assert box.take(session) is None, "one value is one event"
    return letter, sent


@given(value=ANYTHING, skip=st.sampled_from([(), ("onStatusUpdate",)]))
@example(value={"id": "x", "name": []}, skip=("onStatusUpdate",))
@example(value={"id": "x", "name": {"a": []}}, skip=("onStatusUpdate",))
def test_the_event_layer_raises_for_no_value(value: Any, skip: tuple[str, ...]) -> None:
    """A30."""
    letter, sent = received(value, skip=skip)
    assert not sent
    assert letter is None or letter.event.name in (*EVENTS, "onError")


@given(value=one_thing_changed(ACTION), skip=st.sampled_from([(), ("onStatusUpdate",)]))
@example(
    value={**ACTION, "data": {"action": {"name": "WebRequest", "props": {"type": nested(900)}}}},
    skip=(),
)
def test_a_request_with_one_thing_changed_is_allowed_or_refused_and_raises_nothing(
    value: Any, skip: tuple[str, ...]
) -> None:
    """A30, and G13 for what a component asks for: no token for an entry without `use_token`."""
    _, sent = received(value, skip=skip)
    for request, entry, token in sent:
        assert entry.covers(request.target)
        assert request.method == "POST"
        assert token is None


@pytest.mark.parametrize("depth", range(880, 1000, 3))
def test_nesting_at_the_edge_of_the_interpreter_raises_nothing(depth: int) -> None:
    """A30: a reader may go one level deeper than the one before it."""
    for value in (nested(depth), {"id": "x", "challenge": "c", "data": {"a": nested(depth)}}):
        received(value, skip=())
        FakeCompanion().sign_in().observe(value)


@given(texts=st.lists(TEXTS | JSON, max_size=4))
def test_names_and_ids_of_any_text_are_bounded(texts: list[Any]) -> None:
    """A30: an id is remembered, a name is shown: neither may be long."""
    for text in texts:
        letter, _ = received({"id": text, "name": text, "challenge": text, "data": {}}, skip=())
        if letter is not None:
            assert len(letter.event.id) <= 128
            assert letter.event.name in (*EVENTS, "onError")
