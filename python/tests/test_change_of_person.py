"""A tab outlives a login: nothing that was made for one person reaches the next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from companion import FakeCompanion, Person
from component_page import Page, login_app


def two_components_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    auth0.login()
    host = auth0.ComponentHost(
        "hero",
        ["onActionRequest"],
        url="https://component.example.com/hero",
        allowed_requests=[
            auth0.AllowedRequest(base_url="https://api.example.com/", use_token=True)
        ],
    )
    host.draw()
    if st.session_state.get("deliver", True):
        handled = st.session_state.setdefault("handled", [])
        host.deliver(handled.append)
    st.session_state["report"] = host.report
    st.button("Sign out", on_click=auth0.logout)


class TwoComponents(Page):
    """The sign-in, and a component of somebody else's that sends."""

    @property
    def frame(self) -> Any:
        found = [e.proto for e in self.at.main if e.type == "component_instance"]
        return next(proto for proto in found if "hero" in proto.url)

    def announce(self, companion: FakeCompanion, person: Person) -> None:
        session = companion.open_session(person)
        self.sign_in.observe(companion.signed_in_event(self.sign_in, session))


ADA, GRACE = Person(), Person(sub="auth0|grace", name="Grace")


def frame_of_ada_with_an_answer(companion: FakeCompanion) -> TwoComponents:
    page = TwoComponents(two_components_app, companion)
    page.announce(companion, ADA)
    page.send(page.web_request(1, useauth=True))
    assert page.args["action_result"]["body"] == '{"pong":1}'
    assert len(page.at.session_state["report"]) == 1
    return page


def test_the_next_person_is_not_sent_the_answer_of_the_one_before(
    companion: FakeCompanion,
) -> None:
    """G09."""
    page = frame_of_ada_with_an_answer(companion)
    page.at.run()
    assert page.args["action_result"]["id"] == "e1"  # the same person keeps it
    page.announce(companion, GRACE)
    page.at.run()
    assert page.args["action_result"] is None
    assert page.at.session_state["report"] == []
    page.send(page.web_request(2, useauth=True))
    assert page.handled[-1].result.json() == {"pong": 2}


def test_a_sign_out_takes_the_answer_away(companion: FakeCompanion) -> None:
    page = frame_of_ada_with_an_answer(companion)
    page.at.button[0].click().run()
    assert page.args["action_result"] is None
    assert page.at.session_state["report"] == []


def test_an_ended_session_takes_the_answer_away(companion: FakeCompanion) -> None:
    page = frame_of_ada_with_an_answer(companion)
    companion.sessions["ref-1"].end_reason = "expired"
    companion.clock.advance(10)
    page.at.run()
    assert page.args["action_result"] is None


def test_the_sign_in_component_is_not_sent_it_either(companion: FakeCompanion) -> None:
    page = Page(login_app, companion)
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    page.send(page.web_request(1, useauth=True))
    assert page.args["action_result"]["ok"] is True
    page.send(companion.signed_in_event(page.sign_in, companion.open_session(GRACE)))
    assert page.args["action_result"] is None
    assert page.handled[-1].session.user.name == "Grace"  # the event of the change itself stays


def test_a_settled_event_of_one_person_is_not_handed_out_to_the_next(
    companion: FakeCompanion,
) -> None:
    page = TwoComponents(two_components_app, companion)
    page.announce(companion, ADA)
    page.at.session_state["deliver"] = False
    page.send(page.web_request(1, useauth=True))
    assert len(page.sent) == 1
    page.announce(companion, GRACE)
    page.at.session_state["deliver"] = True
    page.at.run()
    assert page.handled == []


def test_no_request_of_one_person_is_made_with_the_token_of_the_next(
    companion: FakeCompanion,
) -> None:
    """G09."""
    page = frame_of_ada_with_an_answer(companion)
    # A run that a rerun ended before it came to the component leaves its event waiting.
    page.boxes["hero"].receive(
        page.web_request(2, useauth=True), events=["onActionRequest"], challenge="challenge-1"
    )
    page.announce(companion, GRACE)
    page.at.run()
    assert len(page.sent) == 1
    assert len(page.handled) == 1


@pytest.mark.parametrize("before_the_run", [True, False])
def test_an_event_of_the_next_person_is_handled(
    companion: FakeCompanion, before_the_run: bool
) -> None:
    page = frame_of_ada_with_an_answer(companion)
    page.announce(companion, GRACE)
    if not before_the_run:
        page.at.run()
    page.send(page.web_request(2, useauth=True))
    assert [event.session.user.name for event in page.handled] == ["Ada Lovelace", "Grace"]
    assert json.loads(page.handled[-1].result.body) == {"pong": 2}
