"""Bodies of the back channel, parsed strictly. Field names are the companion's.

An answer that lacks a field or has one of another type is no answer: the caller gets
`CompanionAnswerInvalid`, without a word of the body in it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ._exceptions import CompanionAnswerInvalid
from ._sealed import Sealed
from ._user import User

T = TypeVar("T")

MAX_DEPTH: Final = 64
"""Levels of an answer; nesting without end would exhaust whoever copies or compares it."""
_MAX_SECONDS: Final = 253_402_300_799
"""The end of the year 9999, and of `datetime`."""
_CREDENTIAL: Final = re.compile(r"[\x21-\x7e]+")


def read_json(raw: bytes) -> object:
    """An answer's JSON; None where it is none, or none that an app could draw and keep."""
    try:
        body: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if _is_sound(body) else None


def _is_sound(body: object) -> bool:
    """No lone surrogates, no NaN or infinity (Python reads both), no nesting without end."""
    waiting: list[tuple[object, int]] = [(body, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            sound = value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
        elif isinstance(value, float):
            sound = math.isfinite(value)
        else:
            sound = depth < MAX_DEPTH
            members = [*value, *value.values()] if isinstance(value, dict) else value
            if isinstance(members, list):
                waiting += [(member, depth + 1) for member in members]
        if not sound:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Standing:
    """`POST /api/auth/session`: who is signed in and what they may do."""

    user: User
    scopes: frozenset[str]
    permissions: frozenset[str]
    roles: frozenset[str]
    session_expires_at: int

    @classmethod
    def parse(cls, body: object) -> Standing:
        """Reads the answer.

        Raises:
            CompanionAnswerInvalid: It does not have the agreed form.
        """
        fields = _Fields(body)
        return cls(
            user=_user(fields.object("user")),
            scopes=fields.words("scope"),
            permissions=fields.names("permissions"),
            roles=fields.names("roles"),
            session_expires_at=fields.seconds("session_expires_at"),
        )


@dataclass(frozen=True, slots=True)
class AccessToken:
    """`POST /api/auth/token`: an access token and when it ends."""

    value: Sealed
    expires_at: int

    @classmethod
    def parse(cls, body: object) -> AccessToken:
        """Reads the answer.

        Raises:
            CompanionAnswerInvalid: It does not have the agreed form.
        """
        fields = _Fields(body)
        return cls(Sealed(fields.credential("access_token")), fields.seconds("expires_at"))


@dataclass(frozen=True, slots=True)
class Redeemed:
    """`POST /api/auth/redeem`: a login, claimed by this Streamlit session."""

    grant: Sealed
    reference: str
    standing: Standing
    access_token: AccessToken

    @classmethod
    def parse(cls, body: object) -> Redeemed:
        """Reads the answer.

        Raises:
            CompanionAnswerInvalid: It does not have the agreed form.
        """
        fields = _Fields(body)
        return cls(
            grant=Sealed(fields.credential("grant")),
            reference=fields.text("ref"),
            standing=Standing.parse(body),
            access_token=AccessToken(
                Sealed(fields.credential("access_token")),
                fields.seconds("access_token_expires_at"),
            ),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """The `{code, message, reason?}` of an error answer; the message is not kept."""

    code: str
    reason: str

    @classmethod
    def parse(cls, body: object) -> Refusal:
        """Reads the error body; one of another form has no code."""
        if not isinstance(body, dict):
            return cls("", "")
        code, reason = body.get("code"), body.get("reason")
        return cls(code if isinstance(code, str) else "", reason if isinstance(reason, str) else "")


class _Fields:
    """Typed access to the members of a JSON object."""

    def __init__(self, body: object) -> None:
        if not isinstance(body, dict):
            raise CompanionAnswerInvalid
        self._body: dict[str, Any] = body

    def _typed(self, name: str, type_: type[T]) -> T:
        value = self._body.get(name)
        if not isinstance(value, type_) or isinstance(value, bool) is not (type_ is bool):
            raise CompanionAnswerInvalid
        return value

    def text(self, name: str) -> str:
        value = self._typed(name, str)
        if not value:
            raise CompanionAnswerInvalid
        return value

    def credential(self, name: str) -> str:
        # It will stand in a header: a line break would begin another one.
        value = self.text(name)
        if not _CREDENTIAL.fullmatch(value):
            raise CompanionAnswerInvalid
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._body.get(name) is None else self._typed(name, str)

    def seconds(self, name: str) -> int:
        value = self._typed(name, int)
        if not 0 <= value <= _MAX_SECONDS:
            raise CompanionAnswerInvalid
        return value

    def truth(self, name: str) -> bool:
        return self._typed(name, bool)

    def object(self, name: str) -> dict[str, Any]:
        return self._typed(name, dict)

    def words(self, name: str) -> frozenset[str]:
        return frozenset(self._typed(name, str).split())

    def names(self, name: str) -> frozenset[str]:
        listed = self._typed(name, list)
        if not all(isinstance(entry, str) for entry in listed):
            raise CompanionAnswerInvalid
        return frozenset(listed)


def _user(body: dict[str, Any]) -> User:
    fields = _Fields(body)
    return User(
        sub=fields.text("sub"),
        issuer=fields.text("issuer"),
        name=fields.optional_text("name"),
        email=fields.optional_text("email"),
        email_verified=fields.truth("email_verified"),
        picture=fields.optional_text("picture"),
        claims=fields.object("claims"),
    )
