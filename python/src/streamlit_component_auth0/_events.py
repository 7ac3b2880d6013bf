"""Reads what the browser set as the component's value.

The value may be anything that JSON (or Streamlit's other encodings) can carry: a sibling
frame can speak in our frame's name. It is an announcement and no more; nothing here is
believed, copied into messages, or able to raise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MAX_ID: Final = 128
_TICKET: Final = re.compile(r"[A-Za-z0-9._~-]{16,512}")
_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True, repr=False)
class SignedInAnnounced:
    """The frame says that somebody is signed in, and offers a ticket."""

    unverified_ticket: str


@dataclass(frozen=True, slots=True)
class SignedOutAnnounced:
    """The frame says that nobody is signed in."""


@dataclass(frozen=True, slots=True)
class FailureAnnounced:
    """The frame says that it could not do its part."""

    unverified_code: str


@dataclass(frozen=True, slots=True)
class Meaningless:
    """An event of ours that says nothing of the login, or a malformed one."""


Announcement = SignedInAnnounced | SignedOutAnnounced | FailureAnnounced | Meaningless


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """One event: unique id, the challenge it was made for, and what it announces."""

    id: str
    challenge: str
    announcement: Announcement


def read_event(unverified_value: object) -> Event | None:
    """The event in a component value, or None where there is none."""
    if not isinstance(unverified_value, dict):
        return None
    event_id = unverified_value.get("id")
    challenge = unverified_value.get("challenge")
    if not isinstance(event_id, str) or not 0 < len(event_id) <= _MAX_ID:
        return None
    if not isinstance(challenge, str) or len(challenge) > _MAX_ID:
        return None
    return Event(event_id, challenge, _announcement(unverified_value))


def _announcement(event: dict[object, object]) -> Announcement:
    name, details = event.get("name"), event.get("data")
    if not isinstance(details, dict):
        return Meaningless()
    session_info = details.get("sessioninfo")
    if name == "onError" or (name == "onStatusUpdate" and details.get("isError") is True):
        error = details.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        return FailureAnnounced(
            code if isinstance(code, str) and _CODE.fullmatch(code) else "frame_error"
        )
    if name != "onStatusUpdate" or not isinstance(session_info, dict):
        return Meaningless()
    ticket_info = session_info.get("token")
    if ticket_info is None and session_info.get("user") is None:
        return SignedOutAnnounced()
    ticket = ticket_info.get("ticket") if isinstance(ticket_info, dict) else None
    if isinstance(ticket, str) and _TICKET.fullmatch(ticket):
        return SignedInAnnounced(ticket)
    return Meaningless()
