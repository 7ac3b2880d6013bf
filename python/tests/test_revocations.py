"""Sign-outs that the companion has not confirmed: retried, bounded, never in the way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from companion import FakeClock, FakeCompanion, signed_in, state_of, unreachable
from streamlit_component_auth0._clock import later
from streamlit_component_auth0._revocations import MAX_ATTEMPTS, MAX_OPEN, Revocations
from streamlit_component_auth0._sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    import pytest


class Agenda:
    """What was asked to be done later; the tests decide when that is."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, action: Callable[[], None]) -> None:
        self.waiting.append((seconds, action))

    def pass_time(self) -> float:
        (seconds, action) = self.waiting.pop(0)
        self.clock.advance(seconds)
        action()
        return seconds


def test_sign_out_is_local_at_once_and_retried_at_the_companion(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    companion.faults["revoke"] = unreachable
    sign_in.sign_out()
    assert state_of(sign_in) == "signed_out"
    assert companion.sessions["ref-1"].end_reason is None
    sign_in.refresh()
    assert companion.calls["revoke"] == 1  # not due yet
    companion.faults.clear()
    companion.clock.advance(2)
    sign_in.refresh()
    assert companion.sessions["ref-1"].end_reason == "signed_out"
    companion.clock.advance(100)
    sign_in.refresh()
    assert companion.calls["revoke"] == 2


def test_a_sign_out_is_retried_without_any_rerun(companion: FakeCompanion) -> None:
    agenda = Agenda(companion.clock)
    sign_in = signed_in(companion, later=agenda)
    companion.faults["revoke"] = unreachable
    sign_in.sign_out()  # and the person closes the page
    pauses = [agenda.pass_time() for _ in range(3)]
    assert pauses == [2, 4, 8]
    companion.faults.clear()
    agenda.pass_time()
    assert companion.sessions["ref-1"].end_reason == "signed_out"
    assert agenda.waiting == []


def test_a_confirmed_sign_out_arranges_nothing(companion: FakeCompanion) -> None:
    agenda = Agenda(companion.clock)
    signed_in(companion, later=agenda).sign_out()
    assert companion.calls["revoke"] == 1
    assert agenda.waiting == []


def test_an_unconfirmed_sign_out_is_given_up_in_the_end(
    companion: FakeCompanion, caplog: pytest.LogCaptureFixture
) -> None:
    agenda = Agenda(companion.clock)
    sign_in = signed_in(companion, later=agenda)
    companion.faults["revoke"] = unreachable
    sign_in.sign_out()
    pauses = []
    while agenda.waiting:
        pauses.append(agenda.pass_time())
    assert companion.calls["revoke"] == MAX_ATTEMPTS
    assert 3600 <= sum(pauses) <= 7200
    assert max(pauses) <= 300
    given_up = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(given_up) == 1
    assert "canary" not in caplog.text


def test_pending_sign_outs_survive_a_new_sign_in_and_reruns(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    companion.faults["revoke"] = unreachable
    sign_in.sign_out()
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    sign_in.sign_out()
    assert companion.calls["revoke"] == 2
    companion.faults.clear()
    companion.clock.advance(4)
    sign_in.refresh()
    reasons = [session.end_reason for session in companion.sessions.values()]
    assert reasons == ["signed_out", "signed_out"]


def test_only_so_many_sign_outs_wait(companion: FakeCompanion) -> None:
    companion.faults["revoke"] = unreachable
    revocations = Revocations(companion.back_channel(), companion.clock)
    for serial in range(3 * MAX_OPEN):
        revocations.add(Sealed(f"grant-{serial}"), everywhere=False)
    assert len(revocations) == MAX_OPEN
    revocations.retry()
    # The first that fails says how the companion is: a rerun does not wait for sixteen.
    assert companion.calls["revoke"] == 1
    assert len(revocations) == MAX_OPEN


def test_a_slow_revocation_holds_up_neither_reruns_nor_itself(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    entered, release = threading.Event(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        entered.set()
        assert release.wait(5)
        return unreachable(request)

    companion.faults["revoke"] = slow
    leaving = threading.Thread(target=sign_in.sign_out)
    leaving.start()
    assert entered.wait(5)
    sign_in.refresh()  # would wait for ever if the lock were held
    assert state_of(sign_in) == "signed_out"
    assert companion.calls["revoke"] == 1
    release.set()
    leaving.join(5)


def test_later_is_later_and_in_another_thread() -> None:
    done = threading.Event()
    threads: list[threading.Thread] = []

    def act() -> None:
        threads.append(threading.current_thread())
        done.set()

    later(0.0, act)
    assert done.wait(5)
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon
