"""The state machine: sign-out, reconnects, bounds and concurrent runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from companion import FakeCompanion, command, signed_in, state_of, unreachable
from streamlit_component_auth0 import (
    SessionEnded,
    TooManyAttempts,
)

if TYPE_CHECKING:
    import httpx


# any | logout()


def test_sign_out_ends_here_then_there_and_sticks(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    session, challenge = sign_in.session, sign_in.frame_args({})["challenge"]
    assert session is not None
    session.state["draft"] = 1
    sign_in.sign_out()
    args = sign_in.frame_args({"screen_hint": "signup"})
    assert state_of(sign_in) == "signed_out"
    assert args["challenge"] != challenge
    assert args["known"] == {"state": "signed_out", "ref": None}
    assert args["command"]["name"] == "logout"
    assert args["login_options"] == {"screen_hint": "signup", "prompt": "login"}
    assert session.state == {}
    assert companion.sessions["ref-1"].end_reason == "signed_out"
    with pytest.raises(SessionEnded):
        session.api("http://localhost:8888")


def test_the_logout_command_stays_until_the_next_sign_in(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    sign_in.sign_out()
    ordered = sign_in.command
    sign_in.observe(companion.signed_out_event(sign_in))
    assert sign_in.command == ordered
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"
    assert sign_in.command is None
    assert "prompt" not in sign_in.frame_args({})["login_options"]


def test_everywhere_is_passed_on(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    sign_in.sign_out(everywhere=True)
    assert companion.bodies[-1][0] == "revoke"
    assert companion.bodies[-1][1]["everywhere"] is True


def test_sign_out_before_the_browser_answered_sticks_too(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    sign_in.sign_out()
    assert (state_of(sign_in), command(sign_in)) == ("signed_out", "logout")
    assert not companion.calls


# signed_in | page switch, remount, websocket reconnect


def test_a_new_websocket_causes_a_check_and_the_same_one_does_not(
    companion: FakeCompanion,
) -> None:
    """D52."""
    sign_in = signed_in(companion)
    for connection in ("a", "a", None, "a"):
        sign_in.refresh(connection=connection)
    assert companion.calls["session"] == 0
    companion.sessions["ref-1"].end_reason = "expired"
    sign_in.refresh(connection="b")
    assert companion.calls["session"] == 1
    assert state_of(sign_in) == "signed_out"


def test_a_reconnect_without_an_answer_is_asked_for_again_soon(companion: FakeCompanion) -> None:
    """D52."""
    sign_in = signed_in(companion, recheck_seconds=3600)
    sign_in.refresh(connection="a")
    companion.faults["session"] = unreachable
    companion.sessions["ref-1"].end_reason = "expired"
    sign_in.refresh(connection="b")
    assert state_of(sign_in) == "signed_in"
    companion.faults.clear()
    sign_in.refresh(connection="b")
    assert companion.calls["session"] == 1  # not in each run
    companion.clock.advance(10)
    sign_in.refresh(connection="b")
    assert state_of(sign_in) == "signed_out"


# Bounds


def test_redeems_are_limited_to_five_in_ten_seconds(companion: FakeCompanion) -> None:
    """G10."""
    sign_in = companion.sign_in()
    companion.faults["redeem"] = unreachable
    for _ in range(20):
        sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert companion.calls["redeem"] == 5
    assert isinstance(sign_in.error, TooManyAttempts)
    companion.faults.clear()
    companion.clock.advance(10)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"


def test_forged_sign_outs_cause_a_bounded_number_of_questions(companion: FakeCompanion) -> None:
    """A31, G10."""
    sign_in = signed_in(companion)
    for _ in range(20):
        sign_in.observe(companion.signed_out_event(sign_in))
    assert companion.calls["redeem"] + companion.calls["session"] == 5
    assert state_of(sign_in) == "signed_in"


def test_rechecks_are_limited_to_three_a_minute(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    ids = set()
    for number in range(20):
        event = companion.signed_out_event(sign_in)
        event["challenge"] = f"other-{number}"
        sign_in.observe(event)
        assert sign_in.command is not None
        ids.add(sign_in.command["id"])
    assert len(ids) == 3
    companion.clock.advance(60)
    sign_in.retry()
    assert sign_in.command is not None
    assert sign_in.command["id"] not in ids


def test_concurrent_runs_redeem_once_and_all_see_the_result(companion: FakeCompanion) -> None:
    """G08: a rerun during a redeem."""
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    entered, release = threading.Event(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        entered.set()
        assert release.wait(5)
        del companion.faults["redeem"]
        companion.calls["redeem"] -= 1
        return companion.answer(request)

    companion.faults["redeem"] = slow
    seen: list[str] = []

    def run() -> None:
        sign_in.observe(event)
        seen.append(state_of(sign_in))

    threads = [threading.Thread(target=run) for _ in range(8)]
    threads[0].start()
    assert entered.wait(5)
    for thread in threads[1:]:
        thread.start()
    release.set()
    for thread in threads:
        thread.join(5)
    assert seen == ["signed_in"] * 8
    assert companion.calls["redeem"] == 1


def test_a_sign_out_during_a_redeem_wins(companion: FakeCompanion) -> None:
    """G08."""
    sign_in = companion.sign_in()
    entered, release = threading.Event(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        entered.set()
        assert release.wait(5)
        del companion.faults["redeem"]
        return companion.answer(request)

    event = companion.signed_in_event(sign_in, companion.open_session())
    companion.faults["redeem"] = slow
    redeeming = threading.Thread(target=sign_in.observe, args=(event,))
    redeeming.start()
    assert entered.wait(5)
    leaving = threading.Thread(target=sign_in.sign_out)
    leaving.start()
    release.set()
    redeeming.join(5)
    leaving.join(5)
    assert state_of(sign_in) == "signed_out"
    assert companion.sessions["ref-1"].end_reason == "signed_out"


def test_roles_come_from_the_configured_claim(companion: FakeCompanion) -> None:
    exact = signed_in(companion, roles_claim="https://example.com/roles").session
    missing = signed_in(FakeCompanion(), roles_claim=("realm", "roles")).session
    assert exact is not None
    assert missing is not None
    assert exact.roles == {"claimed"}
    assert missing.roles == frozenset()
