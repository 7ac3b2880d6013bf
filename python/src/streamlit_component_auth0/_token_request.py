"""One question to the companion for an access token, shared by all who want that token.

Whoever comes first asks; everybody else, thread or coroutine, waits for the answer here.
It knows neither the companion nor the sign-in, and no lock is held while anybody waits.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ._exceptions import AuthError
from ._wire import AccessToken

if TYPE_CHECKING:
    from ._sealed import Sealed

Variant = tuple[str | None, str | None]
"""Audience and scope."""
Outcome = AccessToken | AuthError | None
"""A token, why there is none, or None: whoever was to ask went away, and another has to."""


class TokenRequest:
    """A question under way, or answered."""

    __slots__ = ("_outcome", "grant", "min_ttl", "variant")

    def __init__(self, grant: Sealed, variant: Variant, min_ttl: int) -> None:
        self.grant = grant
        """The grant that it is asked with: never the answer for anybody else's."""
        self.variant = variant
        self.min_ttl = min_ttl
        self._outcome: Future[Outcome] = Future()
        # (a coroutine that gives up waiting must not cancel it for the others)
        self._outcome.set_running_or_notify_cancel()

    def finish(self, outcome: Outcome) -> None:
        """Lets everybody go who waits. The first outcome stays."""
        with suppress(InvalidStateError):
            self._outcome.set_result(outcome)

    def outcome(self) -> Outcome:
        """Waits for the answer. An error is a value here: each thread raises its own copy."""
        return self._outcome.result()

    async def outcome_async(self) -> Outcome:
        """`outcome()` for asynchronous code: a hundred coroutines that wait cost no thread."""
        if _is_asyncio():
            return await asyncio.wrap_future(self._outcome)
        return await anyio.to_thread.run_sync(self.outcome, limiter=anyio.CapacityLimiter(1))


def _is_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
