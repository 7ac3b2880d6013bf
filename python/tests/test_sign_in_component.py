"""Events of the sign-in component: verified changes, told once, with nothing of the browser's."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from companion import FakeCompanion, Person
from component_page import Page, login_app
from streamlit_component_auth0 import testing


def statuses(page: Page) -> list[tuple[str, str, str | None]]:
    return [
        (event.name, event.data["message"], event.session.user.name if event.session else None)
        for event in page.handled
    ]


def test_the_handler_hears_of_each_verified_change_once(companion: FakeCompanion) -> None:
    page = Page(login_app, companion)
    assert page.args["hostname"] == "Tested"
    assert page.args["initial_state"] == {"message": "Welcome"}
    assert page.args["events"] == ["onStatusUpdate", "onActionRequest", "onError"]
    page.send(companion.signed_out_event(page.sign_in))
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    page.at.run()
    page.at.button[0].click().run()
    page.at.run()
    assert statuses(page) == [
        ("onStatusUpdate", "Logged out", None),
        ("onStatusUpdate", "Logged in", "Ada Lovelace"),
        ("onStatusUpdate", "Logged out", None),
    ]


def test_a_status_event_holds_verified_facts_and_no_ticket(companion: FakeCompanion) -> None:
    page = Page(login_app, companion)
    event = companion.signed_in_event(page.sign_in, companion.open_session())
    event["data"]["sessioninfo"]["user"]["name"] = "Mallory"
    page.send(event)
    (told,) = page.handled
    assert told.data["sessioninfo"]["user"] == {
        "name": "Ada Lovelace",
        "email": "auth0|ada@example.com",
    }
    assert "canary-ticket" not in repr(page.handled) + repr(page.at.session_state["handled"])
    assert "Mallory" not in repr(page.handled)


@pytest.mark.parametrize("ticket", ["not-a-ticket-of-anybody", "", 7, None])
def test_a_forged_status_tells_the_handler_nothing(companion: FakeCompanion, ticket: Any) -> None:
    page = Page(login_app, companion)
    page.send(companion.signed_out_event(page.sign_in))
    forged = companion.signed_in_event(page.sign_in, companion.open_session())
    forged["data"]["sessioninfo"]["token"]["ticket"] = ticket
    forged["data"]["message"] = "Logged in"
    page.send(forged)
    assert not page.at.exception
    assert statuses(page) == [("onStatusUpdate", "Logged out", None)]
    assert "Session: None" in [element.value for element in page.at.markdown]


def test_another_person_and_an_ended_session_are_told(companion: FakeCompanion) -> None:
    page = Page(login_app, companion)
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    grace = companion.open_session(Person(sub="auth0|grace", name="Grace"))
    page.send(companion.signed_in_event(page.sign_in, grace))
    grace.end_reason = "expired"
    companion.clock.advance(10)
    page.at.run()
    assert [who for _, _, who in statuses(page)] == ["Ada Lovelace", "Grace", None]


def test_failures_are_told_as_errors_once(companion: FakeCompanion) -> None:
    page = Page(login_app, companion)
    page.send(companion.error_event(page.sign_in))
    page.at.run()
    assert [event.name for event in page.handled] == ["onError"]
    companion.faults["redeem"] = lambda _: httpx.Response(503)
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    page.at.run()
    assert [event.name for event in page.handled] == ["onError", "onError"]
    assert page.handled[1].data["error"]["code"] == "companion_unavailable"


def test_a_host_that_did_not_ask_for_status_hears_of_it_as_an_error(
    companion: FakeCompanion,
) -> None:
    page = Page(login_app, companion)
    page.at.session_state["events"] = ["onAdhocReport"]
    page.at.run()
    assert "onStatusUpdate" in page.args["events"]  # the sign-in itself needs it
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    assert "Session: Ada Lovelace" in [element.value for element in page.at.markdown]
    assert page.handled[0].data["error"]["code"] == "event_not_subscribed"


def test_the_sign_in_component_may_ask_for_requests_with_the_token(
    companion: FakeCompanion,
) -> None:
    page = Page(login_app, companion)
    page.send(page.web_request(1, useauth=True))
    assert page.args["action_result"]["error"]["code"] == "not_signed_in"
    page.send(companion.signed_in_event(page.sign_in, companion.open_session()))
    page.send(page.web_request(2, useauth=True))
    assert page.sent[0].headers["authorization"].startswith("Bearer canary-access-token")
    assert page.args["action_result"]["ok"] is True
    assert "canary" not in json.dumps(page.args)
    assert "Session: Ada Lovelace" in [element.value for element in page.at.markdown]


def test_a_signed_in_person_is_told_under_the_test_helpers() -> None:
    at = AppTest.from_function(login_app, default_timeout=60)
    testing.sign_in(at, name="Ada")
    at.run()
    assert [event.data["message"] for event in at.session_state["handled"]] == ["Logged in"]


# Misuse
