"""A companion in memory, behind httpx's mock transport: the wire is real, the network is not."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from streamlit_component_auth0._back_channel import BackChannel
from streamlit_component_auth0._clock import Clock, Entropy
from streamlit_component_auth0._sealed import Sealed
from streamlit_component_auth0._settings import Settings
from streamlit_component_auth0._sign_in import VERIFIER_BYTES, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "canary-host-secret-0123456789-abcdef"
ORIGIN = "http://localhost:8501"
START = 1_800_000_000


def settings() -> Settings:
    return Settings(
        component_base_url="http://localhost:3001",
        internal_url="http://localhost:3001",
        origins=(ORIGIN,),
        secret=Sealed(SECRET),
    )


@dataclass
class FakeClock:
    time: float = START

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=self, monotonic=self)


@dataclass
class Person:
    sub: str = "auth0|ada"
    name: str = "Ada Lovelace"
    scope: str = "openid profile"
    roles: list[str] = field(default_factory=lambda: ["editor"])
    permissions: list[str] = field(default_factory=list)


@dataclass
class CompanionSession:
    reference: str
    person: Person
    end_reason: str | None = None


class FakeCompanion:
    """Sessions, tickets and grants; `fault` replaces the next answers of a path."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.calls: Counter[str] = Counter()
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.sessions: dict[str, CompanionSession] = {}
        self.tickets: dict[str, tuple[CompanionSession, str]] = {}
        self.grants: dict[str, CompanionSession] = {}
        self.redeemed_for: dict[str, str] = {}
        """The challenge whose verifier brought each grant."""
        self.faults: dict[str, Callable[[httpx.Request], httpx.Response]] = {}
        self.token_seconds = 3600
        self._serial = 0
        self._entropy = itertools.count()
        self._lock = threading.Lock()

    def back_channel(self) -> BackChannel:
        return BackChannel(
            settings(), transport=httpx.MockTransport(self.answer), monotonic=self.clock
        )

    def sign_in(self, **kwargs: Any) -> SignIn:
        serial = self._entropy  # (no two Streamlit sessions have one verifier)
        return SignIn(
            self.back_channel(),
            frame_url="http://localhost:3001/streamlit",
            clock=self.clock.clock,
            entropy=Entropy(
                lambda size: (
                    f"canary-verifier-{next(serial)}".ljust(size + 20, "x")
                    if size == VERIFIER_BYTES
                    else f"command-{next(serial)}"
                )
            ),
            **kwargs,
        )

    # What the frame does

    def open_session(self, person: Person | None = None) -> CompanionSession:
        self._serial += 1
        session = CompanionSession(f"ref-{self._serial}", person or Person())
        self.sessions[session.reference] = session
        return session

    def ticket(self, session: CompanionSession, challenge: str) -> str:
        self._serial += 1
        ticket = f"canary-ticket-{self._serial:06d}"
        self.tickets[ticket] = (session, challenge)
        return ticket

    def signed_in_event(self, sign_in: SignIn, session: CompanionSession) -> dict[str, Any]:
        return self.signed_in_value(sign_in.frame_args({})["challenge"], session)

    def signed_in_value(self, challenge: str, session: CompanionSession) -> dict[str, Any]:
        token = {"ticket": self.ticket(session, challenge), "expiry": START + 86400}
        user = {"name": session.person.name, "email": None, "picture": None}
        return self._event(challenge, {"user": user, "token": token})

    def signed_out_event(self, sign_in: SignIn) -> dict[str, Any]:
        challenge = sign_in.frame_args({})["challenge"]
        return self._event(challenge, {"user": None, "token": None})

    def error_event(self, sign_in: SignIn, code: str = "companion_unreachable") -> dict[str, Any]:
        event = self._event(sign_in.frame_args({})["challenge"], None)
        event["name"] = "onError"
        event["data"] |= {"isError": True, "error": {"code": code, "message": "canary words"}}
        return event

    def _event(self, challenge: str, session_info: dict[str, Any] | None) -> dict[str, Any]:
        self._serial += 1
        return {
            "id": f"event-{self._serial}",
            "name": "onStatusUpdate",
            "challenge": challenge,
            "data": {
                "hostname": "app",
                "message": "",
                "isError": False,
                "error": None,
                "sessioninfo": session_info,
                "action": None,
                "props": None,
            },
        }

    # What the companion answers

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/auth/")
        body = json.loads(request.content)
        with self._lock:
            self.calls[path] += 1
            self.bodies.append((path, body))
            fault = self.faults.get(path)
        if fault is not None:
            return fault(request)  # it may take its time, or call back
        with self._lock:
            return self._honest(request, path, body)

    def _honest(self, request: httpx.Request, path: str, body: dict[str, Any]) -> httpx.Response:
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return error(401, "invalid_host_credential")
        answer: httpx.Response = getattr(self, f"_{path}")(body)
        return answer

    def _redeem(self, body: dict[str, Any]) -> httpx.Response:
        digest = hashlib.sha256(body["verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        session, bound_to = self.tickets.get(body["ticket"], (None, ""))
        if session is None or bound_to != challenge or ORIGIN not in body["origin"]:
            return error(400, "invalid_ticket")
        if session.end_reason:
            return error(400, "invalid_ticket")
        del self.tickets[body["ticket"]]
        self._serial += 1
        grant = f"canary-grant-{self._serial}"
        self.grants[grant] = session
        self.redeemed_for[grant] = challenge
        token = {
            "access_token": f"canary-access-token-{self._serial}",
            "access_token_expires_at": int(self.clock.time) + self.token_seconds,
        }
        identity = {"grant": grant, "ref": session.reference}
        return httpx.Response(200, json={**identity, **self._standing(session), **token})

    def _session(self, body: dict[str, Any]) -> httpx.Response:
        session = self.grants.get(body["grant"])
        if session is None or session.end_reason:
            return ended(session.end_reason if session else None)
        return httpx.Response(200, json=self._standing(session))

    def _token(self, body: dict[str, Any]) -> httpx.Response:
        session = self.grants.get(body["grant"])
        if session is None or session.end_reason:
            return ended(session.end_reason if session else None)
        if body.get("audience") == "nowhere":
            return error(400, "audience_not_allowed")
        self._serial += 1
        return httpx.Response(
            200,
            json={
                "access_token": f"canary-access-token-{self._serial}",
                "expires_at": int(self.clock.time) + self.token_seconds,
                "scope": body.get("scope") or session.person.scope,
                "permissions": session.person.permissions,
                "roles": session.person.roles,
            },
        )

    def _revoke(self, body: dict[str, Any]) -> httpx.Response:
        session = self.grants.get(body["grant"])
        if session is not None:
            session.end_reason = "signed_out"
        return httpx.Response(204)

    def _standing(self, session: CompanionSession) -> dict[str, Any]:
        person = session.person
        return {
            "user": {
                "sub": person.sub,
                "issuer": "http://localhost:3002/",
                "name": person.name,
                "email": f"{person.sub}@example.com",
                "email_verified": True,
                "picture": None,
                "claims": {"sub": person.sub, "https://example.com/roles": ["claimed"]},
            },
            "scope": person.scope,
            "permissions": person.permissions,
            "roles": person.roles,
            "session_expires_at": START + 86_400,
        }


def error(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "canary message", **more})


def ended(reason: str | None) -> httpx.Response:
    return error(401, "session_ended", reason=reason or "unknown")


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("canary network words", request=request)


def signed_in(companion: FakeCompanion, **kwargs: Any) -> SignIn:
    sign_in = companion.sign_in(**kwargs)
    sign_in.observe(companion.signed_in_event(sign_in, companion.open_session()))
    assert state_of(sign_in) == "signed_in"
    return sign_in


def state_of(sign_in: SignIn) -> str:
    return sign_in.status


def command(sign_in: SignIn) -> str | None:
    args = sign_in.frame_args({})
    return args["command"]["name"] if args["command"] else None
