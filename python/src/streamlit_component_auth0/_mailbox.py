"""What one component sent in one Streamlit session, and what of it has been handled.

One object per component key, kept in `st.session_state` and mutated in place under its lock,
for the same reason as the sign-in: a rerun kills a script thread at any Streamlit call. An
event is taken out before its handler is called, so that no rerun can have it handled twice.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from ._actions import WEB_REQUEST, ActionResult, action_of, perform, refusal
from ._allowed_request import RequestRefused
from ._clock import Allowance, Clock, Entropy
from ._component_event import (
    ACTION_REQUEST,
    UnverifiedEvent,
    identity_of,
    read_component_event,
)
from ._outbound import Outbound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ._allowed_request import AllowedRequest
    from ._session import Session
    from ._user import User

STATE_KEY: Final = "_component_auth0_events"

MAX_WAITING: Final = 64
"""Events that wait for a handler; the oldest go first. Far above what a person causes."""
MAX_REMEMBERED: Final = 256
"""Ids that are not handled again. A component's value is its last event, never an old one."""
MAX_REPORT: Final = 20
REQUESTS: Final = (30, 60.0)
"""Delegated requests per seconds: what one page can make this server do to others."""


@dataclass(frozen=True, slots=True)
class EventReport:
    """One line of what happened last."""

    at: datetime
    """When it was handled, in UTC."""
    name: str
    """The event's name."""
    source: str
    """Key of the component."""
    message: str = ""
    """The event's own message; unverified, for display."""
    notes: tuple[str, ...] = ()
    """What the handler returned."""
    error: str | None = None
    """How the handler, or the request that the event asked for, failed."""


@dataclass(slots=True)
class Letter:
    """An event that waits for its handler."""

    event: UnverifiedEvent
    bound: bool
    """Whether the component proved to know the challenge of this Streamlit session."""
    result: ActionResult | None = None
    settled: bool = False


class Mailbox:
    """The events of one component, in the order they came."""

    def __init__(self, *, outbound: Outbound, clock: Clock, entropy: Entropy) -> None:
        self.lock = threading.RLock()
        self.challenge = entropy.token(16)
        """Ties events to this Streamlit session: a value that a browser brings back after a
        server restart belongs to another one. Not a secret."""
        self.action_result: ActionResult | None = None
        """The last one, for the frame."""
        self.generation = 0
        """Counts frames given up because their value could not be decoded."""
        self.told: object = None
        """The verified state that the handler knows of."""
        self._outbound = outbound
        self._clock = clock
        self._requests = Allowance(*REQUESTS, clock.monotonic)
        self._remembered: deque[str] = deque(maxlen=MAX_REMEMBERED)
        self._last_identity: str | None = None
        self._person: User | None = None
        self._waiting: deque[Letter] = deque(maxlen=MAX_WAITING)
        self._report: deque[EventReport] = deque(maxlen=MAX_REPORT)

    def serve(self, session: Session | None) -> None:
        """Whose mailbox it is from now on; what was for another person goes.

        The tab, and with it this object, outlives a login: an answer that was fetched with
        one person's token must not reach the next, nor a request be made with theirs.
        """
        person = session.user if session is not None else None
        with self.lock:
            if self._person is not None and person != self._person:
                self.action_result = None
                self._waiting.clear()
                self._report.clear()
            self._person = person

    def receive(
        self,
        unverified_value: object,
        *,
        events: Collection[str],
        challenge: str,
        skip: Collection[str] = (),
    ) -> None:
        """Takes a component's value in, once, however often it is shown.

        Args:
            unverified_value: The value.
            events: Names that the host subscribed to.
            challenge: The challenge in force.
            skip: Names that are somebody else's to read.
        """
        identity = identity_of(unverified_value)
        if identity is None:
            return
        with self.lock:
            if identity == self._last_identity or identity in self._remembered:
                return
            self._last_identity = identity
            if identity.startswith("id:"):
                self._remembered.append(identity)
            name = unverified_value.get("name") if isinstance(unverified_value, dict) else None
            if isinstance(name, str) and name in skip:  # (a list has no hash, and raises)
                return
            event = read_component_event(unverified_value, events)
            if event.challenge not in (None, challenge):
                return  # of another session of this page, or forged
            self._waiting.append(Letter(event, bound=event.challenge == challenge))

    def put(self, event: UnverifiedEvent) -> None:
        """Adds an event of the host's own making."""
        with self.lock:
            self._waiting.append(Letter(event, bound=True))

    def forget_value(self) -> None:
        """The component's value is gone: an equal one would be another event."""
        with self.lock:
            self._last_identity = None

    def settle(self, allowed: Sequence[AllowedRequest], session: Session | None) -> None:
        """Makes the requests that waiting events ask for.

        It holds the lock: a rerun in the meantime waits, and finds the result.
        """
        with self.lock:
            self.serve(session)
            unsettled = [letter for letter in self._waiting if not letter.settled]
            for letter in unsettled:
                letter.settled = True  # before the request: it is made at most once
                letter.result = self._result(letter, allowed, session)
            made = [letter.result for letter in unsettled if letter.result is not None]
            if made:
                self.action_result = made[-1]

    def _result(
        self, letter: Letter, allowed: Sequence[AllowedRequest], session: Session | None
    ) -> ActionResult | None:
        event = letter.event
        name, props = action_of(event.data)
        if event.name != ACTION_REQUEST or name != WEB_REQUEST:
            return None
        if not letter.bound:
            return refusal(event.id, "", RequestRefused("stale_event"))
        if not self._requests.take():
            return refusal(event.id, "", RequestRefused("too_many_requests"))
        return perform(event.id, props, allowed=allowed, session=session, outbound=self._outbound)

    def take(self, session: Session | None) -> Letter | None:
        """The next event, which from now on counts as handled."""
        with self.lock:
            self.serve(session)
            return self._waiting.popleft() if self._waiting else None

    def report(self, name: str, data: Mapping[str, Any], source: str, **more: Any) -> None:
        """Notes what became of an event."""
        message = data.get("message")
        words = message[:200] if isinstance(message, str) else ""
        at = datetime.fromtimestamp(self._clock.now(), timezone.utc)
        with self.lock:
            self._report.append(EventReport(at, name, source, words, **more))

    @property
    def last_events(self) -> list[EventReport]:
        """What happened last, newest last."""
        with self.lock:
            return list(self._report)

    def __repr__(self) -> str:
        return f"Mailbox({len(self._waiting)} waiting)"

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()

    def __copy__(self) -> Mailbox:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Mailbox:
        return self


class Mailboxes:
    """All mailboxes of one Streamlit session, by key."""

    def __init__(
        self,
        *,
        outbound: Outbound | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self._outbound = outbound or Outbound()
        self._clock = clock or Clock()
        self._entropy = entropy or Entropy()
        self._boxes: dict[str, Mailbox] = {}
        self._lock = threading.Lock()

    def __getitem__(self, key: str) -> Mailbox:
        with self._lock:
            if key not in self._boxes:
                self._boxes[key] = Mailbox(
                    outbound=self._outbound, clock=self._clock, entropy=self._entropy
                )
            return self._boxes[key]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._boxes))

    def __repr__(self) -> str:
        return f"Mailboxes({len(self._boxes)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()

    def __copy__(self) -> Mailboxes:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Mailboxes:
        return self


def mailbox(key: str) -> Mailbox:
    """The mailbox of the component with this key, made on first use."""
    boxes: Mailboxes | None = st.session_state.get(STATE_KEY)
    if boxes is None:
        boxes = Mailboxes()
        st.session_state[STATE_KEY] = boxes
    return boxes[key]


def _nothing() -> None:
    return None
