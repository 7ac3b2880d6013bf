"""The wait that the companion asked for: until it is over, nobody asks it again.

One for each kind of question of one Streamlit session: what a flood of forged events brings
upon its own session holds up neither that session's other questions nor anybody else's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._exceptions import CompanionBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._exceptions import AuthError


class Pause:
    """Remembers until when not to ask."""

    __slots__ = ("_monotonic", "_until")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until = -math.inf

    def heed(self, error: AuthError) -> None:
        """Takes notice of an answer that asks to wait; of others there is nothing to heed."""
        if isinstance(error, CompanionBusy):
            self._until = max(self._until, self._monotonic() + error.retry_after)

    def in_force(self) -> CompanionBusy | None:
        """What to answer in the companion's place; None when it may be asked."""
        left = self._until - self._monotonic()
        return CompanionBusy(math.ceil(left)) if left > 0 else None
