"""Access tokens under threads and coroutines: asked for once, and never anybody else's."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from companion import START, FakeCompanion, Person, error, signed_in, unreachable
from races import SECONDS, THREADS, Gate, Waiting, ask_together, expired, session_of
from streamlit_component_auth0 import (
    CompanionUnavailable,
    Session,
    TokenRefused,
    _token_request,
)

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

# One question


def test_fifty_threads_ask_once(
    companion: FakeCompanion, gate: Gate, waiting: Waiting, pool: ThreadPoolExecutor
) -> None:
    _, session = expired(companion)
    answers = ask_together(pool, session, gate, waiting)
    assert len(set(answers)) == 1
    assert str(answers[0]).startswith("canary-access-token")
    assert companion.calls["token"] == 1


@pytest.mark.parametrize("is_asyncio", [True, False], ids=["asyncio", "other loops"])
def test_fifty_coroutines_ask_once(
    companion: FakeCompanion, gate: Gate, monkeypatch: pytest.MonkeyPatch, is_asyncio: bool
) -> None:
    monkeypatch.setattr(_token_request, "_is_asyncio", lambda: is_asyncio)
    _, session = expired(companion)
    tokens: list[str] = []

    async def ask() -> None:
        tokens.append(await session.access_token_async())

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(THREADS):
                group.start_soon(ask)
            await anyio.to_thread.run_sync(gate.asked.wait, SECONDS)
            gate.open.set()

    anyio.run(run)
    assert len(tokens) == THREADS
    assert len(set(tokens)) == 1
    assert companion.calls["token"] == 1


def test_threads_and_coroutines_share_the_question(
    companion: FakeCompanion, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    _, session = expired(companion)
    first = pool.submit(session.access_token)
    assert gate.asked.wait(SECONDS)

    async def ask() -> None:
        tokens.append(await session.access_token_async())

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            gate.open.set()

    tokens: list[str] = []
    anyio.run(run)
    assert tokens == [first.result(SECONDS)]
    assert companion.calls["token"] == 1


def test_a_failure_is_shared_too_and_the_next_call_asks_again(
    companion: FakeCompanion, gate: Gate, waiting: Waiting, pool: ThreadPoolExecutor
) -> None:
    _, session = expired(companion)
    gate.answers = [unreachable]
    answers = ask_together(pool, session, gate, waiting)
    assert {type(answer) for answer in answers} == {CompanionUnavailable}
    # A thread's own object: a raised exception keeps the frames of its thread alive.
    assert len({id(answer) for answer in answers}) == THREADS
    assert companion.calls["token"] == 1
    assert session.access_token()


def test_a_refused_audience_is_refused_to_all_and_ends_nothing(
    companion: FakeCompanion, gate: Gate, waiting: Waiting, pool: ThreadPoolExecutor
) -> None:
    sign_in, session = expired(companion)
    gate.answers = [lambda _: error(400, "audience_not_allowed")]
    answers = ask_together(pool, session, gate, waiting)
    assert {type(answer) for answer in answers} == {TokenRefused}
    assert sign_in.session is session


def test_whoever_wants_a_longer_life_asks_again(
    companion: FakeCompanion, gate: Gate, waiting: Waiting, pool: ThreadPoolExecutor
) -> None:
    _, session = expired(companion)
    companion.token_seconds = 100
    short = pool.submit(session.access_token, min_ttl=60)
    assert gate.asked.wait(SECONDS)
    long = pool.submit(session.access_token, min_ttl=300)
    waiting.for_threads(1)
    gate.open.set()
    assert short.result(SECONDS) != long.result(SECONDS)
    assert [body["min_ttl"] for path, body in companion.bodies if path == "token"] == [60, 300]


def test_a_coroutine_that_gives_up_before_it_asked_leaves_the_others_an_answer(
    companion: FakeCompanion,
) -> None:
    _, session = expired(companion)
    tokens: list[str] = []

    async def ask() -> None:
        tokens.append(await session.access_token_async())

    async def run() -> None:
        with anyio.fail_after(SECONDS):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await session.access_token_async()
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(ask)

    anyio.run(run)
    assert len(set(tokens)) == 1
    assert companion.calls["token"] == 1


def test_a_coroutine_that_gives_up_waiting_takes_the_answer_from_nobody(
    companion: FakeCompanion, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    _, session = expired(companion)
    first = pool.submit(session.access_token)
    assert gate.asked.wait(SECONDS)

    async def run() -> None:
        with anyio.move_on_after(0) as scope:
            await session.access_token_async()
        assert scope.cancelled_caught

    anyio.run(run)
    gate.open.set()
    assert first.result(SECONDS) == session.access_token()


# Other sessions


def test_a_slow_answer_holds_up_nobody_else(
    companion: FakeCompanion, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    grace = session_of(signed_in(companion))
    sign_in, session = expired(companion)
    slow = pool.submit(session.access_token)
    assert gate.asked.wait(SECONDS)
    del companion.faults["token"]
    assert grace.access_token()
    assert grace.check()
    # Nor the rest of the same session: its reruns and its clients.
    sign_in.refresh()
    assert session.check()
    assert session.api("http://localhost:8888") is session.api("http://localhost:8888")
    assert session.access_token(audience="another")
    assert not slow.done()
    gate.open.set()
    assert slow.result(SECONDS)


def test_coroutines_of_many_slow_sessions_hold_up_no_other(
    companion: FakeCompanion, gate: Gate
) -> None:
    grace = session_of(signed_in(companion))
    slow = [session_of(signed_in(companion)) for _ in range(THREADS)]
    companion.clock.advance(companion.token_seconds)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for session in slow:  # more than the event loop has common threads
                group.start_soon(session.access_token_async)
                group.start_soon(session.access_token_async)
            await anyio.wait_all_tasks_blocked()
            del companion.faults["token"]
            with anyio.move_on_after(SECONDS) as scope:
                assert await grace.access_token_async()
            gate.open.set()
            assert not scope.cancelled_caught

    anyio.run(run)
    assert companion.calls["token"] == THREADS + 1


def test_no_session_ever_gets_the_token_of_another(
    companion: FakeCompanion, pool: ThreadPoolExecutor
) -> None:
    """A02, D51."""
    people = [Person(sub=f"auth0|{number}") for number in range(10)]
    sessions: dict[str, Session] = {}
    for person in people:
        sign_in = companion.sign_in()
        sign_in.observe(companion.signed_in_event(sign_in, companion.open_session(person)))
        sessions[person.sub] = session_of(sign_in)
    meeting = threading.Barrier(len(people))

    def own_token(request: httpx.Request) -> httpx.Response:
        # All questions are under way at once, so that any mix-up would show.
        meeting.wait(SECONDS)
        body = json.loads(request.content)
        owner = companion.grants[body["grant"]].person.sub
        token = {"access_token": f"{owner}/{body['audience']}", "expires_at": START + 9 * 3600}
        return httpx.Response(200, json=token)

    companion.faults["token"] = own_token
    for audience in ("a", "b"):
        asking = [
            (sub, pool.submit(session.access_token, audience=audience))
            for _ in range(THREADS // len(people))
            for sub, session in sessions.items()
        ]
        for sub, future in asking:
            assert future.result(SECONDS) == f"{sub}/{audience}"
    assert companion.calls["token"] == 2 * len(people)


# check()


class CountedLock:
    """The sign-in's lock, which tells who came to it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._came = threading.Semaphore(0)

    def __enter__(self) -> None:
        self._came.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def for_threads(self, count: int) -> None:
        for _ in range(count):
            assert self._came.acquire(timeout=SECONDS)


def test_threads_that_check_share_the_next_answer(
    companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    sign_in = signed_in(companion)
    session = session_of(sign_in)
    lock = CountedLock(sign_in._lock)
    monkeypatch.setattr(sign_in, "_lock", lock)
    asked, go_on = threading.Event(), threading.Event()

    def slow(request: httpx.Request) -> httpx.Response:
        asked.set()
        assert go_on.wait(SECONDS)
        return companion._session(json.loads(request.content))

    companion.faults["session"] = slow
    checks = [pool.submit(session.check)]
    assert asked.wait(SECONDS)
    checks += [pool.submit(session.check) for _ in range(THREADS - 1)]
    lock.for_threads(THREADS)
    go_on.set()
    assert {one.result(SECONDS) for one in checks} == {True}
    # The question under way may have been answered before they came: they share one more.
    assert companion.calls["session"] == 2
