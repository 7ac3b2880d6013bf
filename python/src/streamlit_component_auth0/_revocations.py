"""Sign-outs that the companion has not confirmed yet.

The local end comes first and never waits for the network; these are retried with pauses that
grow, at later reruns and, as the person may have closed the page, by themselves.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._exceptions import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._back_channel import Companion
    from ._clock import Later
    from ._sealed import Sealed

_log = logging.getLogger(__name__)

MAX_OPEN: Final = 16
"""Sign-outs of one Streamlit session that wait: more than a person causes in an outage."""
MAX_ATTEMPTS: Final = 20
"""With the pauses between them, an outage of an hour."""
_FIRST_PAUSE_SECONDS: Final = 2.0
_LONGEST_PAUSE_SECONDS: Final = 300.0


@dataclass(slots=True)
class _Revocation:
    grant: Sealed
    everywhere: bool
    due: float
    attempts: int = 0


class Revocations:
    """Grants to be revoked. Thread-safe; no lock is held while the companion is asked."""

    def __init__(
        self, companion: Companion, monotonic: Callable[[], float], later: Later | None = None
    ) -> None:
        self._companion = companion
        self._monotonic = monotonic
        self._later = later
        self._lock = threading.Lock()
        self._waiting: list[_Revocation] = []
        self._is_arranged = False

    def add(self, grant: Sealed, *, everywhere: bool) -> None:
        """Notes a grant, due at once."""
        with self._lock:
            if len(self._waiting) >= MAX_OPEN:
                self._waiting.pop(0)
                _log.error("a sign-out was given up: too many wait for the companion")
            self._waiting.append(_Revocation(grant, everywhere, due=self._monotonic()))

    def retry(self) -> None:
        """Tries those that are due, until the companion fails to confirm one."""
        while (revocation := self._take_due()) is not None:
            if not self._confirmed(revocation):
                self._arrange()
                return

    def _take_due(self) -> _Revocation | None:
        with self._lock:
            now = self._monotonic()
            due = next((entry for entry in self._waiting if entry.due <= now), None)
            if due is not None:
                self._waiting.remove(due)  # two threads must not spend its attempts at once
            return due

    def _confirmed(self, revocation: _Revocation) -> bool:
        try:
            self._companion.revoke(revocation.grant, everywhere=revocation.everywhere)
        except AuthError as error:
            revocation.attempts += 1
            if revocation.attempts >= MAX_ATTEMPTS:
                _log.error("a sign-out could not be confirmed by the companion: %s", error.code)
                return False
            pause = _FIRST_PAUSE_SECONDS * 2 ** (revocation.attempts - 1)
            revocation.due = self._monotonic() + min(pause, _LONGEST_PAUSE_SECONDS)
            with self._lock:
                self._waiting.append(revocation)
            return False
        return True

    def _arrange(self) -> None:
        """Sees to it that the next one due is tried without a rerun too."""
        with self._lock:
            if self._later is None or self._is_arranged or not self._waiting:
                return
            self._is_arranged = True
            pause = min(entry.due for entry in self._waiting) - self._monotonic()
        self._later(max(pause, 0.0), self._retry_arranged)

    def _retry_arranged(self) -> None:
        with self._lock:
            self._is_arranged = False
        self.retry()
        self._arrange()

    def __len__(self) -> int:
        return len(self._waiting)
