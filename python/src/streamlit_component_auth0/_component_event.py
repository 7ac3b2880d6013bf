"""Reads a component's value as an event, for the app's handler.

A value is whatever the browser chose to send: nothing here raises for it, and nothing in an
event says who somebody is. That is `ComponentEvent.session`, which no browser can set.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ._actions import ActionResult
    from ._session import Session

STATUS_UPDATE: Final = "onStatusUpdate"
ACTION_REQUEST: Final = "onActionRequest"
ADHOC_REPORT: Final = "onAdhocReport"
ERROR: Final = "onError"

MAX_EVENT_CHARACTERS: Final = 1 << 20
_MAX_ID: Final = 128
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

_WORDS: Final = {
    "event_not_subscribed": "The host did not subscribe to {name}.",
    "event_without_name": "The component sent an event without a name.",
    "event_invalid": "The component sent something that is no event.",
    "event_too_large": "The component sent an event that is too large.",
}


@dataclass(frozen=True, slots=True)
class ComponentEvent:
    """Something that happened in a component."""

    name: str
    """One of the names that the host subscribed to, or `onError`."""
    data: Mapping[str, Any]
    """What the component says of it. Unverified: for display and for the app's own checks."""
    source: str
    """Key of the component."""
    session: Session | None
    """The verified person at the time of delivery; None while nobody is signed in."""
    result: ActionResult | None = None
    """What became of the delegated request, when the event asked for one."""
    id: str = ""
    """The event's id, as the component gave it."""


@dataclass(frozen=True, slots=True)
class UnverifiedEvent:
    """A value that was read, with its name held against the subscription."""

    id: str
    name: str
    data: dict[str, Any]
    challenge: str | None
    """The challenge that it was made for; None where the component knows none."""


def identity_of(unverified_value: object) -> str | None:
    """What tells this event from the one before; None where there is no value.

    An event's own id, or its content: two equal events in a row need ids to count as two.
    """
    if unverified_value is None:
        return None
    event_id = unverified_value.get("id") if isinstance(unverified_value, dict) else None
    if isinstance(event_id, str) and 0 < len(event_id) <= _MAX_ID:
        return f"id:{event_id}"
    text = _as_json(unverified_value)
    if text is None:
        return f"type:{type(unverified_value).__name__}"
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def read_component_event(unverified_value: object, events: Collection[str]) -> UnverifiedEvent:
    """The event in a component's value; whatever is none becomes an `onError`.

    Args:
        unverified_value: The value.
        events: Names that the host subscribed to. `onError` always is.
    """
    text = _as_json(unverified_value)
    if not isinstance(unverified_value, dict) or text is None:
        return error_event("event_without_name" if unverified_value is None else "event_invalid")
    if len(text) > MAX_EVENT_CHARACTERS:
        return error_event("event_too_large")
    # A copy: the value itself is Streamlit's, and a handler may change what it is given.
    value: dict[str, Any] = json.loads(text)
    event_id, challenge = value.get("id"), value.get("challenge")
    event_id = event_id if isinstance(event_id, str) and len(event_id) <= _MAX_ID else ""
    challenge = challenge if isinstance(challenge, str) else None
    data = value.get("data")
    data = data if isinstance(data, dict) else {} if data is None else {"value": data}
    name = value.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        code = "event_without_name" if name in (None, "") else "event_invalid"
        return error_event(code, event_id=event_id, challenge=challenge, data=data)
    return subscribed(UnverifiedEvent(event_id, name, data, challenge), events)


def subscribed(event: UnverifiedEvent, events: Collection[str]) -> UnverifiedEvent:
    """The event, or the `onError` that it becomes where the host did not ask for it."""
    if event.name == ERROR or event.name in events:
        return event
    return error_event(
        "event_not_subscribed",
        name=event.name,
        event_id=event.id,
        challenge=event.challenge,
        data=event.data,
    )


def error_event(
    code: str,
    *,
    name: str = "",
    event_id: str = "",
    challenge: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> UnverifiedEvent:
    """An `onError` of the host's own making."""
    message = _WORDS[code].format(name=name)
    error = {"code": code, "message": message}
    told = {**(data or {}), "message": message, "isError": True, "error": error}
    return UnverifiedEvent(event_id, ERROR, told, challenge)


def _as_json(unverified_value: object) -> str | None:
    try:
        return json.dumps(unverified_value, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None  # bytes, a data frame, or nesting without end
