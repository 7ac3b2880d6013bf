"""The back channel: this host's calls to the companion, over HTTP with its own credential.

Its one job is to turn answers into typed values and typed exceptions. It keeps no state
of a login. Whatever answers in the companion's place (a proxy's HTML, a 500, a redirect,
a stream without end) becomes `CompanionUnavailable`: only the companion's own two codes
say anything about the person.
"""

from __future__ import annotations

import errno
import json
import logging
import re
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx

from ._content import PLAIN, UnfitContent, content_of
from ._deadline import Deadline
from ._exceptions import (
    AuthError,
    CompanionAnswerInvalid,
    CompanionBusy,
    CompanionUnavailable,
    HostCredentialRefused,
    ReauthenticationRequired,
    SessionEnded,
    TicketRefused,
    TokenRefused,
)
from ._transport import DeadlineTransport
from ._wire import AccessToken, Redeemed, Refusal, Standing, read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._sealed import Sealed
    from ._settings import Settings

_log = logging.getLogger(__name__)

CALL_SECONDS: Final = 5.0
"""Bound of one call, its repetition and the look-up of the name included.

A redeem runs under the sign-in's lock, so reruns wait at most this long.
"""
MAX_BODY_BYTES: Final = 1 << 20
"""Far above any real answer; stops a stream without end from filling this server's memory."""

MAX_WAIT_SECONDS: Final = 60
"""Bound of what a `Retry-After` can ask for: a proxy's mistake must lock nobody out for a day."""

_NO_CONTENT: Final = object()
_CUT: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_CODE: Final = re.compile(r"[a-z_]{1,40}")
_DELAY: Final = re.compile(r"[0-9]{1,9}")
_TIMEOUT: Final = httpx.Timeout(CALL_SECONDS, connect=2.0, pool=2.0)
_LIMITS: Final = httpx.Limits(
    max_connections=64,
    max_keepalive_connections=8,
    # The companion closes an idle connection after 10 s: whoever writes to one just then loses.
    keepalive_expiry=8.0,
)


_HEADERS: Final = (
    ("Accept", "application/json"),
    PLAIN,
    ("User-Agent", "streamlit-component-auth0"),
)


class Companion(Protocol):
    """What the sign-in needs of the companion; the tests' and developers' doubles have it too."""

    def redeem(self, ticket: str, verifier: Sealed) -> Redeemed:
        """Ticket and verifier against a login."""

    def standing(self, grant: Sealed) -> Standing:
        """Is this login still alive, and what may the person do?"""

    def access_token(
        self, grant: Sealed, *, audience: str | None, scope: str | None, min_ttl: int
    ) -> AccessToken:
        """A fresh access token."""

    def revoke(self, grant: Sealed, *, everywhere: bool) -> None:
        """Ends the session; no error when it is already gone."""


class BackChannel:
    """The companion over HTTP. Thread-safe; one instance serves all Streamlit sessions.

    It takes no proxy, certificate or credential from the environment (its transport knows
    none, and `trust_env` is off): the host's credential must not visit a proxy that somebody
    set for something else.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._origins = list(settings.origins)
        self._secret = settings.secret
        self._monotonic = monotonic
        self._call_seconds = call_seconds
        self._client = httpx.Client(
            base_url=settings.internal_url,
            timeout=_TIMEOUT,
            transport=transport or DeadlineTransport(limits=_LIMITS),
            trust_env=False,
            # A redirect would carry ticket and verifier to wherever it points.
            follow_redirects=False,
            headers=dict(_HEADERS),
        )

    def redeem(self, ticket: str, verifier: Sealed) -> Redeemed:
        """`POST /api/auth/redeem`. Never repeated here: a ticket is worth one use.

        Raises:
            TicketRefused: The ticket is worth nothing to this session.
            HostCredentialRefused: The secrets differ.
            CompanionUnavailable: Anything that says nothing about the ticket.
        """
        body = {"ticket": ticket, "verifier": verifier.reveal(), "origin": self._origins}
        return Redeemed.parse(self._call("/api/auth/redeem", body, attempts=1))

    def standing(self, grant: Sealed) -> Standing:
        """`POST /api/auth/session`.

        Raises:
            SessionEnded: The login is over.
            ReauthenticationRequired: The person must sign in again.
            HostCredentialRefused: The secrets differ.
            CompanionUnavailable: Anything that says nothing about the person.
        """
        return Standing.parse(self._call("/api/auth/session", {"grant": grant.reveal()}))

    def access_token(
        self, grant: Sealed, *, audience: str | None, scope: str | None, min_ttl: int
    ) -> AccessToken:
        """`POST /api/auth/token`.

        Raises:
            SessionEnded: The login is over.
            ReauthenticationRequired: The token expired and cannot be renewed.
            TokenRefused: The audience is not configured or the scope was not granted.
            HostCredentialRefused: The secrets differ.
            CompanionUnavailable: Anything that says nothing about the person.
        """
        body: dict[str, Any] = {"grant": grant.reveal(), "min_ttl": min_ttl}
        if audience is not None:
            body["audience"] = audience
        if scope is not None:
            body["scope"] = scope
        return AccessToken.parse(self._call("/api/auth/token", body))

    def revoke(self, grant: Sealed, *, everywhere: bool) -> None:
        """`POST /api/auth/revoke`.

        Raises:
            AuthError: The companion has not confirmed the end.
        """
        body: dict[str, Any] = {"grant": grant.reveal()}
        if everywhere:
            body["everywhere"] = True
        try:
            answer = self._call("/api/auth/revoke", body)
        except (SessionEnded, ReauthenticationRequired):
            return  # already gone, which is what was asked for
        if answer is not _NO_CONTENT:
            raise CompanionAnswerInvalid  # a proxy's friendly page has signed nobody out

    def _call(self, path: str, body: dict[str, Any], *, attempts: int = 2) -> object:
        deadline = Deadline.after(self._call_seconds, self._monotonic)
        for attempt in range(attempts):
            try:
                with deadline.in_force():
                    return self._exchange(path, body, deadline)
            except httpx.HTTPError as error:
                # A kept-alive connection that the companion closed as we wrote to it, or one
                # of its replicas that went away: the next connection leads to another.
                if isinstance(error, _CUT) and attempt + 1 < attempts:
                    continue
                _log.warning("companion %s: %s", path, _kind(error))
                break
        raise CompanionUnavailable

    def _exchange(self, path: str, body: dict[str, Any], deadline: Deadline) -> object:
        # The body goes out through `content`, so that no httpx exception holds our dict.
        headers = {
            "Authorization": f"Bearer {self._secret.reveal()}",
            "Content-Type": "application/json",
        }
        content = json.dumps(body).encode()
        with self._client.stream("POST", path, content=content, headers=headers) as response:
            raw = _content(path, response, deadline)
        if response.status_code == httpx.codes.NO_CONTENT:
            return _NO_CONTENT
        parsed = read_json(raw)
        if response.status_code == httpx.codes.OK:
            return parsed
        raise _refused(path, response, Refusal.parse(parsed))

    def __repr__(self) -> str:
        return "BackChannel()"


def _content(path: str, response: httpx.Response, deadline: Deadline) -> bytes:
    try:
        return content_of(response, max_bytes=MAX_BODY_BYTES, deadline=deadline)
    except UnfitContent as unfit:
        code = unfit.code
    _log.warning("companion %s: %s", path, code)
    raise CompanionUnavailable if code == "timeout" else CompanionAnswerInvalid


def _kind(error: httpx.HTTPError) -> str:
    """What failed, for the operator: names of errors, and OpenSSL's word on a certificate."""
    names = [type(error).__name__]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            names.append(cause.verify_message)
        elif isinstance(cause, ssl.SSLError):
            names.append(str(cause.reason))
        elif isinstance(cause, OSError):
            names.append(errno.errorcode.get(cause.errno or 0, type(cause).__name__))
        cause = cause.__cause__ or cause.__context__
    return ", ".join(dict.fromkeys(names))


_REFUSALS: Final[dict[tuple[int, str], Callable[[Refusal], AuthError]]] = {
    (400, "invalid_ticket"): lambda _: TicketRefused(),
    (400, "audience_not_allowed"): lambda refusal: TokenRefused(refusal.code),
    (400, "scope_not_granted"): lambda refusal: TokenRefused(refusal.code),
    (401, "invalid_host_credential"): lambda _: HostCredentialRefused(),
    (401, "session_ended"): lambda refusal: SessionEnded(refusal.reason),
    (401, "reauthentication_required"): lambda _: ReauthenticationRequired(),
}


def _refused(path: str, response: httpx.Response, refusal: Refusal) -> AuthError:
    status = response.status_code
    # Status and code must agree: a proxy's own 401 must sign nobody out.
    known = _REFUSALS.get((status, refusal.code))
    if known is not None:
        error = known(refusal)
        if isinstance(error, HostCredentialRefused):
            _log.error("companion %s: STREAMLIT_SECRET differs from the companion's", path)
        return error
    # A code is the operator's way to the cause; a proxy's words are not for the log.
    code = refusal.code if _CODE.fullmatch(refusal.code) else "no code"
    _log.warning("companion %s: status %d, %s", path, status, code)
    delay = response.headers.get("retry-after", "")
    if status == httpx.codes.TOO_MANY_REQUESTS and _DELAY.fullmatch(delay):
        return CompanionBusy(min(max(int(delay), 1), MAX_WAIT_SECONDS))
    return CompanionUnavailable()


_pool: dict[tuple[object, ...], BackChannel] = {}
_pool_lock = threading.Lock()


def shared_back_channel(settings: Settings) -> BackChannel:
    """The process's one back channel for these settings, with its pool of connections."""
    key = (settings.internal_url, settings.origins, settings.secret.reveal())
    with _pool_lock:
        if key not in _pool:
            _pool[key] = BackChannel(settings)
        return _pool[key]
