"""429 and its `Retry-After`: the person reads how long, and nobody is asked meanwhile."""

from __future__ import annotations

import pickle
from typing import Any

import httpx
import pytest

from companion import FakeCompanion, command, signed_in, state_of
from streamlit_component_auth0 import CompanionBusy, CompanionUnavailable
from streamlit_component_auth0._back_channel import MAX_WAIT_SECONDS


def busy(seconds: object) -> Any:
    return lambda _: httpx.Response(
        429, json={"code": "rate_limited", "message": "m"}, headers={"retry-after": str(seconds)}
    )


def test_a_redeem_waits_as_long_as_it_was_told(companion: FakeCompanion) -> None:
    """E48, E69, G10: neither new events nor the button ask before the wait is over."""
    sign_in = companion.sign_in()
    companion.faults["redeem"] = busy(30)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "error"
    assert isinstance(sign_in.error, CompanionBusy)
    assert "30 s" in sign_in.error.words("de")
    companion.faults.clear()
    companion.clock.advance(12)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    sign_in.retry()
    assert isinstance(sign_in.error, CompanionBusy)
    assert sign_in.error.retry_after == 18
    assert command(sign_in) is None
    assert companion.calls["redeem"] == 1
    companion.clock.advance(18)
    sign_in.retry()
    assert command(sign_in) == "recheck"
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"


def test_the_wait_of_one_streamlit_session_is_not_that_of_another(
    companion: FakeCompanion,
) -> None:
    """G10."""
    sign_in = companion.sign_in()
    companion.faults["redeem"] = busy(60)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    companion.faults.clear()
    assert state_of(signed_in(companion)) == "signed_in"


def test_a_question_waits_and_the_person_stays(companion: FakeCompanion) -> None:
    """E69."""
    sign_in = signed_in(companion, recheck_seconds=0)
    session = sign_in.session
    assert session is not None
    companion.faults["session"] = busy(20)
    for _ in range(5):
        sign_in.refresh()
        assert session.check()
    assert companion.calls["session"] == 1
    companion.sessions["ref-1"].end_reason = "expired"
    companion.faults.clear()
    companion.clock.advance(20)
    sign_in.refresh()
    assert state_of(sign_in) == "signed_out"


def test_a_redeem_that_has_to_wait_holds_up_no_question(companion: FakeCompanion) -> None:
    """A flood of forged events must not delay that the end of a session is noticed."""
    sign_in = signed_in(companion)
    companion.faults["redeem"] = busy(60)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"
    companion.sessions["ref-1"].end_reason = "expired"
    companion.clock.advance(10)
    sign_in.refresh()
    assert state_of(sign_in) == "signed_out"


def test_a_token_is_not_asked_for_in_a_loop(companion: FakeCompanion) -> None:
    """E69."""
    session = signed_in(companion).session
    assert session is not None
    companion.faults["token"] = busy(15)
    for passed, wait in ((0, 15), (0, 15), (10, 5)):
        companion.clock.advance(passed)
        with pytest.raises(CompanionBusy) as caught:
            session.access_token(audience="other")
        assert caught.value.retry_after == wait
    assert companion.calls["token"] == 1
    companion.faults.clear()
    companion.clock.advance(5)
    assert session.access_token(audience="other")


@pytest.mark.parametrize(
    ("told", "kept"),
    [("1", 1), ("0", 1), ("60", 60), ("61", MAX_WAIT_SECONDS), ("999999999", MAX_WAIT_SECONDS)],
)
def test_a_wait_is_bounded(companion: FakeCompanion, told: str, kept: int) -> None:
    """A proxy's mistake must lock nobody out for a day."""
    sign_in = companion.sign_in()
    companion.faults["redeem"] = busy(told)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert isinstance(sign_in.error, CompanionBusy)
    assert sign_in.error.retry_after == kept


@pytest.mark.parametrize(
    "told", ["", "-5", "1.5", "1e3", "9" * 10, "soon", "Wed, 21 Oct 2099 07:28:00 GMT", "٣"]
)
def test_what_is_no_number_of_seconds_is_no_wait(companion: FakeCompanion, told: str) -> None:
    sign_in = companion.sign_in()
    header = [(b"retry-after", told.encode())]
    companion.faults["redeem"] = lambda _: httpx.Response(429, headers=header)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert type(sign_in.error) is CompanionUnavailable


def test_other_answers_ask_for_no_wait(companion: FakeCompanion) -> None:
    sign_in = companion.sign_in()
    companion.faults["redeem"] = lambda _: httpx.Response(503, headers={"retry-after": "30"})
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert type(sign_in.error) is CompanionUnavailable


def test_the_error_survives_a_pickle_and_a_copy() -> None:
    error = CompanionBusy(7)
    for copied in (pickle.loads(pickle.dumps(error)), error.again()):
        assert isinstance(copied, CompanionBusy)
        assert (copied.retry_after, str(copied)) == (7, str(error))
