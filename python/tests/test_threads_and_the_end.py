"""Threads at work while the session ends: SessionEnded, and never a stale token."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import anyio
import httpx
import pytest

from companion import FakeCompanion, ended, error, signed_in, unreachable
from races import SECONDS, THREADS, Gate, Waiting, ask_together, attempt, expired, session_of
from streamlit_component_auth0 import (
    AuthError,
    ReauthenticationRequired,
    SessionEnded,
)
from streamlit_component_auth0._sealed import Sealed
from streamlit_component_auth0._token_request import TokenRequest


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (lambda _: ended("provider_logout"), SessionEnded, "provider_logout"),
        (
            lambda _: error(401, "reauthentication_required"),
            ReauthenticationRequired,
            "reauthentication_required",
        ),
    ],
)
def test_all_threads_learn_how_the_session_ended(  # noqa: PLR0917
    companion: FakeCompanion,
    gate: Gate,
    waiting: Waiting,
    pool: ThreadPoolExecutor,
    answer: Any,
    kind: type[AuthError],
    reason: str,
) -> None:
    sign_in, session = expired(companion)
    gate.answers = [answer]
    answers: list[Any] = ask_together(pool, session, gate, waiting)
    assert Counter((type(one), str(one.reason)) for one in answers) == {(kind, reason): THREADS}
    assert companion.calls["token"] == 1
    assert sign_in.status == "signed_out"
    assert sign_in.sign_out_reason is answers[0].reason


def test_a_sign_out_lets_all_waiting_threads_go_at_once(
    companion: FakeCompanion, gate: Gate, waiting: Waiting, pool: ThreadPoolExecutor
) -> None:
    sign_in, session = expired(companion)
    asking = [pool.submit(attempt, session) for _ in range(THREADS)]
    assert gate.asked.wait(SECONDS)
    waiting.for_threads(THREADS - 1)
    sign_in.sign_out()
    # All but the one that asks, whose call is still under way.
    done: list[Any] = list(islice(as_completed(asking, SECONDS), THREADS - 1))
    assert {(type(one.result()), str(one.result().reason)) for one in done} == {
        (SessionEnded, "signed_out")
    }
    # The late answer is a live token, or a refusal in other words: neither is handed out.
    companion.sessions["ref-1"].end_reason = None
    gate.open.set()
    last: Any = next(one for one in asking if one not in done).result(SECONDS)
    assert (type(last), str(last.reason)) == (SessionEnded, "signed_out")


def test_a_token_of_an_older_grant_does_not_come_into_a_renewed_login(
    companion: FakeCompanion, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    sign_in, session = expired(companion)
    asking = pool.submit(session.access_token)
    assert gate.asked.wait(SECONDS)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    renewed = session.access_token()
    gate.open.set()
    assert asking.result(SECONDS) == renewed
    assert session.access_token() == renewed
    assert companion.calls["token"] == 1


def test_an_ended_login_holds_no_token_any_more(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    login = session_of(sign_in)._login
    assert login is not None
    assert [type(token.value) for token in login._tokens.values()] == [Sealed]
    sign_in.sign_out()
    assert not login._tokens


def test_a_client_in_use_tells_that_the_session_ended(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    session = session_of(sign_in)
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        sign_in.sign_out()
        raise httpx.ReadError("canary: closed under its hands", request=request)

    client = session.api("http://localhost:8888", transport=httpx.MockTransport(answer))
    for _ in range(2):  # closed while a request is under way, and before one
        with pytest.raises(SessionEnded) as caught:
            client.get("/")
        assert str(caught.value.reason) == "signed_out"
        assert caught.value.__context__ is None
    assert len(seen) == 1


def test_trouble_of_a_client_stays_its_own_while_the_session_lasts(
    companion: FakeCompanion,
) -> None:
    session = session_of(signed_in(companion))
    client = session.api("http://localhost:8888", transport=httpx.MockTransport(unreachable))
    with pytest.raises(httpx.ConnectError):
        client.get("/")


def test_an_async_client_tells_that_the_session_ended(companion: FakeCompanion) -> None:
    sign_in = signed_in(companion)
    session = session_of(sign_in)

    async def run() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200))
        async with session.async_api("http://localhost:8888", transport=transport) as client:
            await client.get("/")
            sign_in.sign_out()
            with pytest.raises(SessionEnded):
                await client.get("/")

    anyio.run(run)


def test_an_answer_that_came_just_before_the_sign_out_is_not_handed_out(
    companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in, session = expired(companion)
    outcome = TokenRequest.outcome

    def and_then_signed_out(request: TokenRequest) -> Any:
        answer = outcome(request)
        sign_in.sign_out()
        return answer

    monkeypatch.setattr(TokenRequest, "outcome", and_then_signed_out)
    with pytest.raises(SessionEnded) as caught:
        session.access_token()
    assert str(caught.value.reason) == "signed_out"
    assert companion.calls["token"] == 1
