"""The state machine, row by row (one section for each row of its table)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from companion import FakeCompanion, Person, command, error, signed_in, state_of, unreachable
from streamlit_component_auth0 import (
    CompanionUnavailable,
    FrameError,
    HostCredentialRefused,
    NotSignedIn,
    ReauthenticationRequired,
    SessionEnded,
    TicketRefused,
)
from streamlit_component_auth0._sign_in import MAX_SEEN

# pending | no value


def test_without_a_value_it_stays_pending_and_calls_nobody(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    sign_in.observe(None)
    assert state_of(sign_in) == "pending"
    assert sign_in.frame_args({})["known"] is None
    assert not companion.calls


def test_a_frame_silent_for_ten_seconds_is_asked_again(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    companion.clock.advance(9)
    sign_in.refresh()
    assert command(sign_in) is None
    companion.clock.advance(2)
    sign_in.refresh()
    assert command(sign_in) == "recheck"


# any | event id seen


def test_an_event_is_handled_once(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    for _ in range(5):
        sign_in.observe(event)
    assert companion.calls["redeem"] == 1


def test_two_frames_on_a_page_show_their_events_in_turn_and_each_counts_once(
    companion: FakeCompanion,
) -> None:
    sign_in = companion.sign_in()
    out = companion.signed_out_event(sign_in)
    event = companion.signed_in_event(sign_in, companion.open_session())
    for _ in range(3):
        sign_in.observe(out)
        sign_in.observe(event)
    assert state_of(sign_in) == "signed_in"
    assert dict(companion.calls) == {"redeem": 1}


def test_a_frame_that_says_a_lot_does_not_make_anothers_event_new(
    companion: FakeCompanion,
) -> None:
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    sign_in.observe(event)
    for _ in range(2 * MAX_SEEN):
        sign_in.observe(companion.error_event(sign_in))
        sign_in.observe(event)
    assert companion.calls["redeem"] == 1
    assert len(sign_in._seen) == MAX_SEEN


# any | event with another challenge, or of an older epoch


def test_an_event_for_another_challenge_causes_no_call(companion: FakeCompanion) -> None:
    """A31, D23."""
    other, sign_in = companion.sign_in(), companion.sign_in()
    other.sign_out()  # another verifier
    sign_in.observe(companion.signed_in_event(other, companion.open_session()))
    assert state_of(sign_in) == "pending"
    assert not companion.calls


def test_a_replayed_value_after_a_restart_asks_the_frame_once(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    event["challenge"] = "of-the-server-before"
    sign_in.observe(event)
    first = sign_in.command
    sign_in.observe(event)
    assert command(sign_in) == "recheck"
    assert sign_in.command == first
    assert not companion.calls


def test_an_event_made_before_the_sign_out_is_worth_nothing(companion: FakeCompanion) -> None:
    """A31."""
    sign_in = signed_in(companion)
    late = companion.signed_in_event(sign_in, companion.open_session())
    sign_in.sign_out()
    sign_in.observe(late)
    assert state_of(sign_in) == "signed_out"
    assert companion.calls["redeem"] == 1


# pending, signed_out, error | announcement with ticket


@pytest.mark.parametrize("before", ["pending", "signed_out", "error"])
def test_a_ticket_signs_in_from(companion: FakeCompanion, before: str) -> None:
    sign_in = companion.sign_in()
    if before == "signed_out":
        sign_in.observe(companion.signed_out_event(sign_in))
    elif before == "error":
        sign_in.observe(companion.error_event(sign_in))
    assert state_of(sign_in) == before
    session = companion.open_session()
    sign_in.observe(companion.signed_in_event(sign_in, session))
    assert state_of(sign_in) == "signed_in"
    assert sign_in.error is None
    assert sign_in.session is not None
    assert sign_in.session.user.name == "Ada Lovelace"
    assert sign_in.frame_args({})["known"] == {"state": "signed_in", "ref": session.reference}


def test_redeem_sends_ticket_verifier_and_the_configured_origins(companion: FakeCompanion) -> None:
    """D23, G01."""
    signed_in(companion)
    _, body = companion.bodies[0]
    assert set(body) == {"ticket", "verifier", "origin"}
    assert body["origin"] == ["http://localhost:8501"]


def test_a_lapsed_ticket_is_asked_for_once_more_and_then_is_an_error(
    companion: FakeCompanion,
) -> None:
    """G08."""
    sign_in = companion.sign_in()
    for attempt in range(2):
        event = companion.signed_in_event(sign_in, companion.open_session())
        companion.tickets.clear()
        sign_in.observe(event)
        if attempt == 0:
            assert state_of(sign_in) == "pending"
            assert command(sign_in) == "recheck"
    assert state_of(sign_in) == "error"
    assert isinstance(sign_in.error, TicketRefused)


def test_the_answer_to_a_recheck_signs_in_and_ends_the_command(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    event = companion.signed_in_event(sign_in, companion.open_session())
    companion.tickets.clear()
    sign_in.observe(event)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"
    assert sign_in.command is None


def test_network_trouble_is_an_error_that_a_retry_leaves(companion: FakeCompanion) -> None:
    """G08."""
    sign_in = companion.sign_in()
    companion.faults["redeem"] = unreachable
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "error"
    assert type(sign_in.error) is CompanionUnavailable
    companion.faults.clear()
    sign_in.retry()
    assert state_of(sign_in) == "pending"
    assert command(sign_in) == "recheck"
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"


def test_a_wrong_host_credential_is_named(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    companion.faults["redeem"] = lambda _: error(401, "invalid_host_credential")
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert isinstance(sign_in.error, HostCredentialRefused)


# pending, error | announcement signed out


def test_signed_out_announced_leaves_pending_and_error(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    sign_in.observe(companion.error_event(sign_in))
    assert state_of(sign_in) == "error"
    assert isinstance(sign_in.error, FrameError)
    assert "canary" not in str(sign_in.error)
    sign_in.observe(companion.signed_out_event(sign_in))
    assert state_of(sign_in) == "signed_out"
    assert sign_in.error is None
    assert not companion.calls


# signed_in | announcement, same ref / other ref


def test_the_same_session_announced_again_changes_nothing(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    session = sign_in.session
    assert sign_in.take_change()
    sign_in.observe(companion.signed_in_event(sign_in, companion.sessions["ref-1"]))
    assert sign_in.session is session
    assert not sign_in.take_change()


def test_a_new_login_of_the_same_person_keeps_their_scratch(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    before = sign_in.session
    assert before is not None
    before.state["draft"] = 1
    sign_in.take_change()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert sign_in.session is not None
    assert sign_in.session.state == {"draft": 1}
    assert sign_in.frame_args({})["known"]["ref"] != "ref-1"
    assert not sign_in.take_change()
    assert before.access_token() == sign_in.session.access_token()


def test_another_person_drops_the_scratch_and_is_a_change(companion: FakeCompanion) -> None:
    """G09."""
    sign_in = signed_in(companion)
    ada = sign_in.session
    assert ada is not None
    ada.state["draft"] = 1
    sign_in.take_change()
    grace = companion.open_session(Person(sub="auth0|grace", name="Grace"))
    sign_in.observe(companion.signed_in_event(sign_in, grace))
    assert sign_in.session is not None
    assert sign_in.session.user.name == "Grace"
    assert sign_in.session.state == {}
    assert sign_in.take_change()
    assert not sign_in.take_change()
    with pytest.raises(SessionEnded) as caught:
        ada.access_token()
    assert caught.value.reason == "replaced"


def test_a_worthless_ticket_does_not_disturb_who_is_signed_in(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    event = companion.signed_in_event(sign_in, companion.open_session())
    companion.tickets.clear()
    sign_in.observe(event)
    assert state_of(sign_in) == "signed_in"
    assert sign_in.error is None
    assert sign_in.command is None


# signed_in | frame says signed out


def test_a_forged_sign_out_does_not_sign_out(companion: FakeCompanion) -> None:
    """A31."""
    sign_in = signed_in(companion)
    sign_in.observe(companion.signed_out_event(sign_in))
    assert state_of(sign_in) == "signed_in"
    assert companion.calls["session"] == 1


def test_a_sign_out_in_the_frame_is_confirmed_by_the_companion(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    companion.sessions["ref-1"].end_reason = "signed_out"
    sign_in.observe(companion.signed_out_event(sign_in))
    assert state_of(sign_in) == "signed_out"
    assert sign_in.session is None
    assert sign_in.command is None  # the frame knows already
    assert "prompt" not in sign_in.frame_args({})["login_options"]


# signed_in | rerun, last answer old


def test_a_fresh_answer_is_not_asked_for_again(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    companion.clock.advance(9.9)
    sign_in.refresh()
    assert companion.calls["session"] == 0
    companion.clock.advance(0.1)
    sign_in.refresh()
    sign_in.refresh()
    assert companion.calls["session"] == 1


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("signed_out", "signed out"),
        ("provider_logout", "identity provider"),
        ("expired", "expired"),
        ("replaced", "taken the place"),
        ("refresh_refused", "no longer renews"),
        ("unknown", "ended"),
        ("something-new", "ended"),
    ],
)
def test_an_ended_session_is_noticed_and_its_reason_told(
    companion: FakeCompanion, reason: str, words: str
) -> None:
    sign_in = signed_in(companion)
    kept = sign_in.session
    challenge = sign_in.frame_args({})["challenge"]
    companion.sessions["ref-1"].end_reason = reason
    companion.clock.advance(10)
    sign_in.refresh()
    assert state_of(sign_in) == "signed_out"
    assert words in str(sign_in.error)
    assert command(sign_in) == "recheck"
    assert sign_in.frame_args({})["challenge"] != challenge
    assert kept is not None
    with pytest.raises(NotSignedIn):
        kept.access_token()


def test_changed_roles_make_a_new_session_and_no_change_of_person(
    companion: FakeCompanion,
) -> None:
    sign_in = signed_in(companion)
    before = sign_in.session
    sign_in.take_change()
    companion.sessions["ref-1"].person.roles = ["viewer"]
    companion.clock.advance(10)
    sign_in.refresh()
    after = sign_in.session
    assert before is not None
    assert after is not None
    assert before.roles == {"editor"}
    assert after.roles == {"viewer"}
    assert before == after
    assert not sign_in.take_change()


def test_an_unchanged_answer_keeps_the_session_object(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    before = sign_in.session
    companion.clock.advance(10)
    sign_in.refresh()
    assert sign_in.session is before


def test_network_trouble_keeps_the_person_until_the_token_expires(
    companion: FakeCompanion,
) -> None:
    sign_in = signed_in(companion)
    sign_in.take_change()
    companion.faults["session"] = unreachable
    companion.clock.advance(3599)
    sign_in.refresh()
    assert state_of(sign_in) == "signed_in"
    companion.clock.advance(10)
    sign_in.refresh()
    assert state_of(sign_in) == "error"
    assert sign_in.session is None
    assert sign_in.take_change()
    companion.faults.clear()
    companion.clock.advance(10)
    sign_in.refresh()
    assert state_of(sign_in) == "signed_in"
    assert sign_in.take_change()


def test_network_trouble_keeps_nobody_beyond_the_end_of_their_session(
    companion: FakeCompanion,
) -> None:
    """E69: an access token may outlive the session that it came from."""
    companion.token_seconds = 100_000
    sign_in = signed_in(companion)
    companion.faults["session"] = unreachable
    for passed, status in ((86_399, "signed_in"), (11, "error")):
        companion.clock.advance(passed)
        sign_in.refresh()
        assert state_of(sign_in) == status


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: error(401, "invalid_host_credential"),
        lambda _: httpx.Response(401, text="<h1>log in to the proxy</h1>"),
        lambda _: error(500, "session_ended"),
        lambda _: error(503, "store_unavailable"),
        lambda _: error(503, "provider_unavailable"),
        lambda _: httpx.Response(200, json={"user": None}),
        unreachable,
    ],
)
def test_only_the_companions_own_word_ends_a_session(companion: FakeCompanion, fault: Any) -> None:
    """E69, G12."""
    sign_in = signed_in(companion)
    sign_in.take_change()
    session = sign_in.session
    assert session is not None
    session.state["draft"] = 1
    companion.faults["session"] = fault
    companion.clock.advance(10)
    sign_in.refresh()
    assert companion.calls["session"] == 1
    assert sign_in.session is session
    assert session.check()
    assert session.state == {"draft": 1}
    assert not sign_in.take_change()
    assert sign_in.command is None


def test_a_wrong_host_credential_alarms_and_signs_nobody_out(
    companion: FakeCompanion, caplog: pytest.LogCaptureFixture
) -> None:
    """G12."""
    sign_in = signed_in(companion)
    companion.faults["session"] = lambda _: error(401, "invalid_host_credential")
    companion.clock.advance(10)
    sign_in.refresh()
    alarms = [record for record in caplog.records if record.levelname == "ERROR"]
    assert state_of(sign_in) == "signed_in"
    assert ["STREAMLIT_SECRET differs" in alarm.getMessage() for alarm in alarms] == [True]


def test_reauthentication_gives_the_person_a_button(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    companion.faults["token"] = lambda _: error(401, "reauthentication_required")
    companion.clock.advance(3600)
    assert sign_in.session is not None
    with pytest.raises(ReauthenticationRequired):
        sign_in.session.access_token()
    assert state_of(sign_in) == "signed_out"
    assert command(sign_in) == "logout"
    assert companion.calls["revoke"] == 0
    assert "prompt" not in sign_in.frame_args({})["login_options"]


def test_a_refusal_of_an_older_grant_leaves_a_renewed_login_alone(
    companion: FakeCompanion,
) -> None:
    sign_in = signed_in(companion)
    session, old = sign_in.session, companion.sessions["ref-1"]
    assert session is not None
    refused = sign_in.refused
    companion.clock.advance(3600)
    old.end_reason = "replaced"

    def renewed_first(*args: Any) -> None:
        # The refusal of the old grant waits for the sign-in's lock while a run redeems.
        sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
        refused(*args)

    login = session._login
    assert login is not None
    login._on_refused = renewed_first
    assert session.access_token().startswith("canary-access-token")
    assert state_of(sign_in) == "signed_in"
    assert dict(companion.calls) == {"redeem": 2, "token": 1}


def test_a_standing_of_somebody_else_is_no_standing(companion: FakeCompanion) -> None:
    """D51."""
    sign_in = signed_in(companion)
    companion.sessions["ref-1"].person.sub = "auth0|mallory"
    companion.clock.advance(10)
    sign_in.refresh()
    assert state_of(sign_in) == "signed_out"


def test_check_asks_now(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    session = sign_in.session
    assert session is not None
    assert session.check()
    companion.sessions["ref-1"].end_reason = "expired"
    assert not session.check()
    assert not session.check()
    assert companion.calls["session"] == 2
