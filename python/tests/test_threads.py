"""Access tokens under threads and coroutines: asked for once, and never anybody else's."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from companion import START, FakeCompanion, Person, ended, error, signed_in, unreachable
from streamlit_component_auth0 import (
    AuthError,
    CompanionUnavailable,
    ReauthenticationRequired,
    Session,
    SessionEnded,
    TokenRefused,
    _token_request,
)
from streamlit_component_auth0._sealed import Sealed
from streamlit_component_auth0._token_request import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamlit_component_auth0._sign_in import SignIn

THREADS = 50
SECONDS = 10.0


class Gate:
    """Holds the companion's answers to `/token` until the test lets them go."""

    def __init__(self, companion: FakeCompanion) -> None:
        self.companion = companion
        self.asked = threading.Event()
        self.open = threading.Event()
        self.answers: list[Callable[[httpx.Request], httpx.Response]] = []
        companion.faults["token"] = self._answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        assert self.open.wait(SECONDS)
        if self.answers:
            return self.answers.pop(0)(request)
        return self.companion._token(json.loads(request.content))


class Waiting:
    """Knows when so many threads wait for somebody else's question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count = threading.Semaphore(0)
        outcome = TokenRequest.outcome

        def counted(request: TokenRequest) -> Any:
            self._count.release()
            return outcome(request)

        monkeypatch.setattr(TokenRequest, "outcome", counted)

    def for_threads(self, count: int) -> None:
        for _ in range(count):
            assert self._count.acquire(timeout=SECONDS)


@pytest.fixture
def gate(companion: FakeCompanion) -> Iterator[Gate]:
    gate = Gate(companion)
    yield gate
    gate.open.set()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def session_of(sign_in: SignIn) -> Session:
    assert sign_in.session is not None
    return sign_in.session


def expired(companion: FakeCompanion) -> tuple[SignIn, Session]:
    """Somebody whose access token has just ended."""
    sign_in = signed_in(companion)
    companion.clock.advance(companion.token_seconds)
    return sign_in, session_of(sign_in)


def attempt(session: Session, **wanted: Any) -> str | AuthError:
    try:
        return session.access_token(**wanted)
    except AuthError as failure:
        return failure


def ask_together(
    pool: ThreadPoolExecutor, session: Session, gate: Gate, waiting: Waiting
) -> list[str | AuthError]:
    """All threads ask; the companion answers when all but one wait for that one's answer."""
    asking = [pool.submit(attempt, session) for _ in range(THREADS)]
    assert gate.asked.wait(SECONDS)
    waiting.for_threads(THREADS - 1)
    gate.open.set()
    return [future.result(SECONDS) for future in asking]


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


def test_coroutines_that_wait_for_one_session_hold_up_no_other(
    companion: FakeCompanion, gate: Gate
) -> None:
    grace = session_of(signed_in(companion))
    _, session = expired(companion)

    async def run() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(100):  # more than the event loop has threads
                group.start_soon(session.access_token_async)
            await anyio.to_thread.run_sync(gate.asked.wait, SECONDS)
            del companion.faults["token"]
            with anyio.fail_after(SECONDS):
                assert await grace.access_token_async()
            gate.open.set()

    anyio.run(run)
    assert companion.calls["token"] == 2


def test_no_session_ever_gets_the_token_of_another(
    companion: FakeCompanion, pool: ThreadPoolExecutor
) -> None:
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
        token = {"access_token": f"{owner} {body['audience']}", "expires_at": START + 9 * 3600}
        return httpx.Response(200, json=token)

    companion.faults["token"] = own_token
    for audience in ("a", "b"):
        asking = [
            (sub, pool.submit(session.access_token, audience=audience))
            for _ in range(THREADS // len(people))
            for sub, session in sessions.items()
        ]
        for sub, future in asking:
            assert future.result(SECONDS) == f"{sub} {audience}"
    assert companion.calls["token"] == 2 * len(people)


# Races with the end of the session


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
