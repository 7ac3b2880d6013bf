"""Holds up the companion and counts who waits, so that races have one outcome."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from companion import FakeCompanion, signed_in
from streamlit_component_auth0 import AuthError, Session
from streamlit_component_auth0._token_request import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    import httpx
    import pytest

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
