"""Sign-outs that the companion has not confirmed yet.

The local end comes first and never waits for the network; these are retried at later
reruns, with pauses that grow.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ._exceptions import AuthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._back_channel import Companion
    from ._sealed import Sealed

_log = logging.getLogger(__name__)

_MAX_ATTEMPTS: Final = 8
_FIRST_PAUSE_SECONDS: Final = 2.0


@dataclass(slots=True)
class _Revocation:
    grant: Sealed
    everywhere: bool
    due: float
    attempts: int = 0


class Revocations:
    """Grants to be revoked. The caller holds the sign-in's lock."""

    def __init__(self, companion: Companion, monotonic: Callable[[], float]) -> None:
        self._companion = companion
        self._monotonic = monotonic
        self._open: list[_Revocation] = []

    def add(self, grant: Sealed, *, everywhere: bool) -> None:
        """Notes a grant, due at once."""
        self._open.append(_Revocation(grant, everywhere, due=self._monotonic()))

    def retry(self) -> None:
        """Tries those that are due."""
        now = self._monotonic()
        for revocation in [entry for entry in self._open if entry.due <= now]:
            if self._done(revocation):
                self._open.remove(revocation)

    def _done(self, revocation: _Revocation) -> bool:
        try:
            self._companion.revoke(revocation.grant, everywhere=revocation.everywhere)
        except AuthError as error:
            revocation.attempts += 1
            pause = _FIRST_PAUSE_SECONDS * 2 ** (revocation.attempts - 1)
            revocation.due = self._monotonic() + pause
            if revocation.attempts >= _MAX_ATTEMPTS:
                _log.error("a sign-out could not be confirmed by the companion: %s", error.code)
                return True
            return False
        return True

    def __len__(self) -> int:
        return len(self._open)
