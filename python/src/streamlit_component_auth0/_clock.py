"""Time and randomness as values passed in, so that tests choose them."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time for expiry (shared with the companion), monotonic time for intervals."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Entropy:
    """Source of verifiers and ids."""

    token: Callable[[int], str] = secrets.token_urlsafe


class Later(Protocol):
    """Calls `action` in so many seconds, in a thread of its own."""

    def __call__(self, seconds: float, action: Callable[[], None]) -> None:
        """Sees to it, and returns at once."""


def later(seconds: float, action: Callable[[], None]) -> None:
    """`Later` by the real clock; it keeps no process from ending."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


class Allowance:
    """At most `count` uses in any `seconds`: a sliding window."""

    __slots__ = ("_count", "_monotonic", "_seconds", "_used")

    def __init__(self, count: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._count = count
        self._seconds = seconds
        self._monotonic = monotonic
        self._used: list[float] = []

    def take(self) -> bool:
        """Uses one up; False when none is left."""
        now = self._monotonic()
        self._used = [then for then in self._used if now - then < self._seconds]
        if len(self._used) >= self._count:
            return False
        self._used.append(now)
        return True
