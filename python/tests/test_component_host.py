"""Events of a component in running apps: handed out once, bounded, never believed."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from component_page import Page
from streamlit_component_auth0 import ComponentHost, UsageError
from streamlit_component_auth0._mailbox import MAX_REPORT, REQUESTS


def page_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    handled = st.session_state.setdefault("handled", [])
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1

    def handle(event: auth0.ComponentEvent) -> str:
        handled.append(event)
        if event.data.get("message") == "fail":
            raise ValueError("canary failure")
        if event.data.get("message") == "rerun":
            st.rerun()
        return f"note on {event.name}"

    report = auth0.run_component(
        ["onStatusUpdate", "onActionRequest", "onAdhocReport"],
        {"hostname": "Tested", "initial_state": {"message": "Hello"}, "level": 3},
        handle,
        key="hero",
        url="https://component.example.com/hero",
        allowed_requests=[auth0.AllowedRequest(base_url="https://api.example.com/")],
        queued=st.session_state.get("queued", False),
    )
    st.session_state["report"] = report
    st.button("Rerun")
    st.write("Foot")


@pytest.fixture(params=[False, True], ids=["synchronous", "queued"])
def page(request: pytest.FixtureRequest) -> Page:
    page = Page(page_app)
    page.at.session_state["queued"] = request.param
    return page


def test_props_and_subscription_reach_the_frame() -> None:
    page = Page(page_app)
    assert page.frame.url == "https://component.example.com/hero"
    assert page.args == {
        "hostname": "Tested",
        "initial_state": {"message": "Hello"},
        "level": 3,
        "events": ["onStatusUpdate", "onActionRequest", "onAdhocReport", "onError"],
        "challenge": "challenge-1",
        "action_result": None,
        "key": "hero",
        "default": None,
    }


def test_each_event_is_handled_once_over_reruns(page: Page) -> None:
    page.send(page.event(1))
    page.at.run()
    page.at.button[0].click().run()
    page.send(page.event(1))
    assert page.names == ["onAdhocReport"]
    page.send(page.event(2))
    assert [event.id for event in page.handled] == ["e1", "e2"]
    page.send(page.event(1))  # an old value again is still an old event
    assert [event.id for event in page.handled] == ["e1", "e2"]
    assert page.at.session_state["runs"] == 7
    assert not page.at.exception


def test_an_event_tells_what_the_component_said_and_who_it_was(page: Page) -> None:
    page.send(page.event(1, extra=[1]))
    (event,) = page.handled
    assert (event.source, event.session, event.result) == ("hero", None, None)
    assert event.data == {"message": "words 1", "extra": [1]}
    (line,) = page.at.session_state["report"]
    assert (line.name, line.source, line.message) == ("onAdhocReport", "hero", "words 1")
    assert (line.notes, line.error) == (("note on onAdhocReport",), None)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("onSomethingElse", "event_not_subscribed"),
        (None, "event_without_name"),
        ("", "event_without_name"),
        (7, "event_invalid"),
        ({"a": 1}, "event_invalid"),
        ("<b>x</b>", "event_invalid"),
        ("x" * 100, "event_invalid"),
    ],
)
def test_unknown_and_null_events_arrive_as_errors(name: Any, code: str) -> None:
    page = Page(page_app)
    page.send(page.event(1, name))
    (event,) = page.handled
    assert event.name == "onError"
    assert event.data["isError"] is True
    assert event.data["error"]["code"] == code
    page.at.run()
    assert page.names == ["onError"]


@pytest.mark.parametrize("value", [7, "x", True, [1], [[[[]]]], {}, {"id": {}}, {"data": 1}])
def test_a_value_that_is_no_event_arrives_as_an_error_once(value: Any) -> None:
    page = Page(page_app)
    page.send(value)
    page.at.run()
    page.at.run()
    assert page.names == ["onError"]
    assert not page.at.exception


def test_a_null_value_after_an_event_arrives_as_an_error_once() -> None:
    page = Page(page_app)
    page.send(page.event(1))
    page.send(None)
    page.at.run()
    assert page.names == ["onAdhocReport", "onError"]
    assert page.handled[1].data["error"]["code"] == "event_without_name"


def test_events_without_ids_count_when_they_differ() -> None:
    page = Page(page_app)
    first = {"name": "onAdhocReport", "data": {"message": "1"}}
    page.send(first)
    page.at.run()
    page.send({**first, "data": {"message": "2"}})
    page.send(first)
    assert [event.data["message"] for event in page.handled] == ["1", "2", "1"]


def test_an_event_of_an_earlier_session_is_dropped() -> None:
    page = Page(page_app)
    page.send({**page.event(1), "challenge": "before-the-restart"})
    assert page.handled == []


def test_bytes_and_broken_data_frames_are_errors() -> None:
    page = Page(page_app)
    page.send(proto=WidgetState(bytes_value=b"\xff" * 1000))
    broken = WidgetState()
    broken.arrow_value.data = b"not an arrow table"
    page.send(proto=broken)
    assert not page.at.exception
    assert set(page.names) == {"onError"}
    page.send(page.event(9))
    assert page.names[-1] == "onAdhocReport"


def test_an_event_that_is_too_large_is_an_error() -> None:
    page = Page(page_app)
    page.send(page.event(1, blob="x" * (1 << 20)))
    assert page.handled[0].data["error"]["code"] == "event_too_large"


def test_a_handler_that_fails_is_reported_and_the_script_goes_on(page: Page) -> None:
    page.send(page.event(1) | {"data": {"message": "fail"}})
    assert not page.at.exception
    assert page.at.markdown[0].value == "Foot"
    assert page.at.session_state["report"][0].error == "ValueError: canary failure"
    page.at.run()
    assert len(page.handled) == 1


def test_a_handler_may_rerun_the_app_and_its_event_stays_handled(page: Page) -> None:
    page.send(page.event(1) | {"data": {"message": "rerun"}})
    assert len(page.handled) == 1
    assert page.at.session_state["runs"] == 3
    assert page.at.session_state["report"][0].name == "onAdhocReport"


def test_the_report_keeps_the_last_events() -> None:
    page = Page(page_app)
    for serial in range(MAX_REPORT + 3):
        page.boxes["hero"].receive(
            page.event(serial), events=["onAdhocReport"], challenge="challenge-1"
        )
    page.at.run()
    messages = [line.message for line in page.at.session_state["report"]]
    assert messages == [f"words {serial}" for serial in range(3, MAX_REPORT + 3)]


def test_a_web_request_is_made_once_and_its_result_travels_with_the_same_run(page: Page) -> None:
    page.send(page.web_request(1))
    assert page.at.session_state["runs"] == 2
    assert page.args["action_result"]["id"] == "e1"
    assert page.args["action_result"]["body"] == '{"pong":1}'
    assert page.handled[0].result.json() == {"pong": 1}
    page.at.run()
    page.send(page.web_request(1))
    assert len(page.sent) == 1
    assert len(page.handled) == 1
    assert page.args["action_result"]["id"] == "e1"


def test_a_web_request_to_elsewhere_is_refused_in_words(page: Page) -> None:
    page.send(page.web_request(1, url="http://169.254.169.254/latest/meta-data/"))
    assert not page.sent
    assert page.args["action_result"]["ok"] is False
    assert page.args["action_result"]["error"]["code"] == "not_allowed"
    assert page.handled[0].result.status == 0
    assert "does not allow" in page.at.session_state["report"][0].error


def test_a_web_request_that_is_not_bound_to_this_session_is_not_made() -> None:
    page = Page(page_app)
    request = page.web_request(1)
    del request["challenge"]
    page.send(request)
    assert page.handled[0].result.error.code == "stale_event"
    page.send(page.web_request(2) | {"challenge": "before-the-restart"})
    assert len(page.handled) == 1
    assert not page.sent


def test_web_requests_are_limited() -> None:
    page = Page(page_app)
    count = int(REQUESTS[0])
    for serial in range(count + 1):
        page.boxes["hero"].receive(
            page.web_request(serial), events=["onActionRequest"], challenge="challenge-1"
        )
    page.at.run()
    assert len(page.sent) == count
    assert page.args["action_result"]["error"]["code"] == "too_many_requests"
    page.clock.advance(REQUESTS[1])
    page.send(page.web_request(count + 1))
    assert len(page.sent) == count + 1


def unsubscribed_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    host = auth0.ComponentHost(
        "plain",
        [],
        url="http://localhost:9/",
        allowed_requests=[auth0.AllowedRequest(base_url="https://api.example.com/")],
    )
    handled = st.session_state.setdefault("handled", [])
    while (event := host.next_event()) is not None:
        handled.append(event)
    assert host.next_event() is None


def test_a_request_that_the_host_did_not_subscribe_to_is_not_made() -> None:
    page = Page(unsubscribed_app)
    page.send(page.web_request(1))
    assert not page.sent
    assert page.names == ["onError"]


def coroutine_app() -> None:
    import asyncio

    import streamlit as st

    import streamlit_component_auth0 as auth0

    async def handle(event: auth0.ComponentEvent) -> list[str]:
        await asyncio.sleep(0)
        st.write(f"Handled {event.name}")
        return ["one", "two"]

    report = auth0.run_component(
        ["onAdhocReport"], {}, handle, key="own", url="https://component.example.com/"
    )
    for line in report:
        st.write(", ".join(line.notes))


@pytest.mark.parametrize("queue", ["True", "False"])
def test_a_coroutine_may_handle_events(monkeypatch: pytest.MonkeyPatch, queue: str) -> None:
    monkeypatch.setenv("USE_COMPONENT_EVENT_QUEUE", queue)
    page = Page(coroutine_app)
    page.send(page.event(1))
    assert [element.value for element in page.at.markdown] == ["Handled onAdhocReport", "one, two"]


def misuse_app() -> None:
    import streamlit as st

    import streamlit_component_auth0 as auth0

    arguments = st.session_state["arguments"]
    try:
        auth0.ComponentHost("misused", [], **arguments)
    except auth0.UsageError as error:
        st.write(error.message)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "hero", "url": "https://x.test/"}, "not both"),
        ({"name": "../admin"}, "one word"),
        ({"url": "http://x.test/"}, "https"),
        ({"url": "javascript:alert(1)"}, "absolute"),
        ({"url": "https://x.test/", "challenge": "mine"}, "sets challenge itself"),
        ({"hostnam": "typo"}, "has no props hostnam"),
        ({"initial_state": 7}, "initial_state"),
    ],
)
def test_misuse_is_told_in_words(arguments: dict[str, Any], words: str) -> None:
    at = AppTest.from_function(misuse_app, default_timeout=60)
    at.session_state["arguments"] = arguments
    at.run()
    assert not at.exception
    assert words in at.markdown[0].value


def test_the_session_state_shows_no_event() -> None:
    page = Page(page_app)
    page.send(page.event(1, blob="canary"))
    assert repr(page.boxes) == "Mailboxes(1)"
    assert list(page.boxes) == ["hero"]
    assert "canary" not in repr(page.boxes["hero"])


@pytest.mark.parametrize(
    "page",
    [
        {"url": r"\\evil\share"},
        {"url": "//evil/share"},
        {"url": "file://evil/share"},
        {"name": r"\\evil\share"},
        {"name": "../secrets"},
    ],
)
def test_a_path_of_a_file_share_is_no_page(page: dict[str, str]) -> None:
    """A27: nothing of ours makes a path out of what it is given, on Windows or elsewhere."""
    with pytest.raises(UsageError):
        ComponentHost("key", [], name=page.get("name"), url=page.get("url"))
