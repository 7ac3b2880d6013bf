"""A moment by which a call to another server is over, whatever that server does.

Timeouts of HTTP clients count from each piece that arrives: a peer that sends a byte a second
keeps such a call for hours. Here every wait (for a name, a connection, TLS, each piece of the
head and the body) gets only what is left of one span of time.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ._addresses import Resolve

    Question = tuple[Resolve, str, int]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point of a monotonic clock, which is passed in so that tests choose the time."""

    at: float
    monotonic: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Deadline:
        """The moment in so many seconds."""
        return cls(monotonic() + seconds, monotonic)

    @property
    def remaining(self) -> float:
        """Seconds that are left; none is 0."""
        return max(self.at - self.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.remaining == 0

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Binds the network calls that this thread makes meanwhile through `_transport`."""
        token = _in_force.set(self)
        try:
            yield
        finally:
            _in_force.reset(token)


_in_force: ContextVar[Deadline] = ContextVar("deadline")


def deadline_in_force() -> Deadline:
    """The one that binds this thread.

    Raises:
        LookupError: There is none; a call without an end is a mistake of this package.
    """
    return _in_force.get()


_asked: Final[dict[Question, Future[Sequence[str]]]] = {}
_asked_lock = threading.Lock()


def resolve_within(deadline: Deadline, resolve: Resolve, host: str, port: int) -> Sequence[str]:
    """The addresses of a name, if they are known in time.

    No operating system lets go of a look-up, so it has a thread of its own; whoever asks the
    same meanwhile waits for that one, so that a name service that hangs holds one thread a name.

    Raises:
        OSError: There are none, or not in time (`TimeoutError`).
    """
    question = (resolve, host, port)
    with _asked_lock:
        answer = _asked.get(question)
        if answer is None:
            answer = Future()
            ask = threading.Thread(target=_ask, args=(question, answer), daemon=True)
            ask.start()
            _asked[question] = answer
    wait([answer], timeout=deadline.remaining)
    if not answer.done():
        raise TimeoutError("the name service did not answer in time")
    return answer.result()


def _ask(question: Question, answer: Future[Sequence[str]]) -> None:
    resolve, host, port = question
    found: Sequence[str] = ()
    failure: Exception | None = None
    try:
        found = resolve(host, port)
    except Exception as error:  # noqa: BLE001 (for those who wait to see to)
        failure = error
    with _asked_lock:
        del _asked[question]
    if failure is None:
        answer.set_result(found)
    else:
        answer.set_exception(failure)
