"""Waiting for a condition with a deadline: the only place that lets time pass."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_PAUSE_SECONDS = 0.03


def wait_until(look: Callable[[], T | None], *, what: str, seconds: float = 45.0) -> T:
    """Looks until `look` finds something, and returns it.

    Raises:
        TimeoutError: Nothing was found in time; `what` says what was missed.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(_PAUSE_SECONDS)
