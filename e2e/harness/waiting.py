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


def wait_for_value(
    evaluate: Callable[[str], object],
    expression: str,
    expected: object,
    *,
    replaced: type[Exception],
) -> None:
    """Evaluates a document's expression until it has this value.

    `replaced` is what evaluating raises while the document gives way to another.

    Raises:
        TimeoutError: It has another one.
    """

    def look() -> bool:
        try:
            return bool(evaluate(expression) == expected)
        except replaced:
            return False

    wait_until(look, what=f"{expression} to become {expected!r}")
