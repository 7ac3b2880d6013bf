"""One login of one Streamlit session: its grant, its access tokens, its scratch state.

This is the only object that holds tokens; each lies in a `Sealed`. Sessions share it, so
that a session kept by a fragment or thread gets fresh tokens as long as the login lives.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from ._exceptions import (
    AuthError,
    CompanionUnavailable,
    HostCredentialRefused,
    NotSignedIn,
)
from ._pause import Pause
from ._token_request import Outcome, TokenRequest, Variant
from ._wire import AccessToken

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ._back_channel import Companion
    from ._clock import Clock
    from ._sealed import Sealed
    from ._wire import Redeemed

MAX_MIN_TTL: Final = 300
"""The companion's bound on how long a token must still live when it is handed out."""

_DEFAULT: Final[Variant] = (None, None)


class Login:
    """A redeemed login. Thread-safe; its lock is never held while anybody is asked."""

    def __init__(
        self,
        redeemed: Redeemed,
        *,
        companion: Companion,
        clock: Clock,
        on_refused: Callable[[Login, Sealed, NotSignedIn], None],
    ) -> None:
        self._companion = companion
        self._clock = clock
        self._on_refused = on_refused
        self._lock = threading.Lock()
        self._end: NotSignedIn | None = None
        self._pause = Pause(clock.monotonic)
        self.scratch: dict[str, Any] = {}
        self._clients: dict[object, httpx.Client] = {}
        self._tokens: dict[Variant, AccessToken] = {}
        self._requests: dict[Variant, TokenRequest] = {}
        self._grant: Sealed
        self.reference: str
        self.token_expires_at: int
        """When the default access token expires, Unix seconds."""
        self.renew(redeemed)

    def renew(self, redeemed: Redeemed) -> None:
        """The same person redeemed again: newer grant and token, same scratch and clients."""
        with self._lock:
            self._grant = redeemed.grant
            self.reference = redeemed.reference
            self.token_expires_at = redeemed.access_token.expires_at
            self._tokens = {_DEFAULT: redeemed.access_token}
            self._requests = {}  # their answers will be those of the older grant

    @property
    def grant(self) -> Sealed:
        """The companion's handle of this Streamlit session on this login."""
        return self._grant

    @property
    def ended(self) -> bool:
        """Whether the login is over for this Streamlit session."""
        return self._end is not None

    def end(self, error: NotSignedIn) -> None:
        """Forgets everything at once; threads that still hold a session get `error`."""
        with self._lock:
            self._end = error.again()
            clients, self._clients = self._clients, {}
            requests, self._requests = self._requests, {}
            self._tokens = {}
        self.scratch.clear()
        for request in requests.values():
            request.finish(error.again())  # nobody waits for a token that is not theirs any more
        for client in clients.values():
            client.close()

    def require_alive(self) -> None:
        """Lets nobody use a login that is over.

        Raises:
            SessionEnded: It is over; `reason` tells why.
            ReauthenticationRequired: It is over until the person signs in again.
        """
        if self._end is not None:
            raise self._end.again()

    # Access tokens

    def access_token(self, audience: str | None, scope: str | None, min_ttl: int) -> str:
        """A token that lives `min_ttl` seconds more, from memory or from the companion.

        However many threads want one, the companion is asked once. Other logins have nothing
        to do with it: neither lock nor result is shared with them.

        Raises:
            NotSignedIn: The login is over.
            TokenRefused: Audience or scope are not for this login.
            CompanionUnavailable: It cannot be reached, and no live token is in memory.
            HostCredentialRefused: The secrets differ, and no live token is in memory.
        """
        while True:
            request, is_ours = self._join((audience, scope), min_ttl)
            if is_ours:
                self._ask(request)
            token = self._taken(request, request.outcome(), min_ttl, is_ours=is_ours)
            if token is not None:
                return token

    async def access_token_async(
        self, audience: str | None, scope: str | None, min_ttl: int
    ) -> str:
        """`access_token()` for asynchronous code; only the one that asks takes a thread."""
        while True:
            request, is_ours = self._join((audience, scope), min_ttl)
            if is_ours:
                # Not the event loop's common threads: whoever asks for another session must
                # not wait for a companion that is slow to answer this one.
                limiter = anyio.CapacityLimiter(1)
                try:
                    await anyio.to_thread.run_sync(self._ask, request, limiter=limiter)
                finally:
                    self._settle(request, None)  # cancelled before it began
            outcome = await request.outcome_async()
            token = self._taken(request, outcome, min_ttl, is_ours=is_ours)
            if token is not None:
                return token

    def _join(self, variant: Variant, min_ttl: int) -> tuple[TokenRequest, bool]:
        """The question that will answer this, and whether the caller is the one to ask it."""
        with self._lock:
            self.require_alive()
            held = self._tokens.get(variant)
            if held is not None and self._remaining(held) > min_ttl:
                answered = TokenRequest(self._grant, variant, min_ttl)
                answered.finish(held)
                return answered, False
            under_way = self._requests.get(variant)
            if under_way is not None:
                return under_way, False
            ours = self._requests[variant] = TokenRequest(self._grant, variant, min_ttl)
            return ours, True

    def _ask(self, request: TokenRequest) -> None:
        outcome: Outcome = self._pause.in_force()
        if outcome is not None:
            self._settle(request, outcome)
            return
        try:
            audience, scope = request.variant
            outcome = self._companion.access_token(
                request.grant, audience=audience, scope=scope, min_ttl=request.min_ttl
            )
        except NotSignedIn as error:
            outcome = error.again()
            if self._end is None:
                # Before the others are let go: none of them needs to ask again.
                self._on_refused(self, request.grant, error.again())
        except AuthError as error:
            self._pause.heed(error)
            outcome = error.again()
        finally:
            self._settle(request, outcome)

    def _settle(self, request: TokenRequest, outcome: Outcome) -> None:
        with self._lock:
            if self._requests.get(request.variant) is request:
                del self._requests[request.variant]
            # The person may have signed out or in again while the companion was asked.
            is_in_force = self._end is None and request.grant is self._grant
            if is_in_force and isinstance(outcome, AccessToken):
                self._tokens[request.variant] = outcome
                if request.variant == _DEFAULT:
                    self.token_expires_at = outcome.expires_at
        request.finish(outcome)

    def _taken(
        self,
        request: TokenRequest,
        outcome: Outcome,
        min_ttl: int,
        *,
        is_ours: bool,
    ) -> str | None:
        """The token that came of it; None where it is worth asking once more."""
        with self._lock:
            self.require_alive()
            is_in_force = request.grant is self._grant
            held = self._tokens.get(request.variant)
        if outcome is None or not is_in_force:
            return None  # nobody asked, or a newer grant took the place of this one
        if isinstance(outcome, AccessToken):
            # Somebody else may have asked for a shorter life than is wanted here.
            lives_on = is_ours or min_ttl <= request.min_ttl or self._remaining(outcome) > min_ttl
            return outcome.value.reveal() if lives_on else None
        is_trouble = isinstance(outcome, (CompanionUnavailable, HostCredentialRefused))
        if is_trouble and held is not None and self._remaining(held) > 0:
            # Shorter than asked for, but alive: better than failing with the companion.
            return held.value.reveal()
        raise outcome.again()

    def _remaining(self, token: AccessToken) -> float:
        return token.expires_at - self._clock.now()

    # Clients

    def client(self, key: object, make: Callable[[], httpx.Client]) -> httpx.Client:
        """The HTTP client cached under `key`, made on first use.

        Raises:
            NotSignedIn: The login is over.
        """
        with self._lock:
            self.require_alive()
            if key not in self._clients:
                self._clients[key] = make()
            return self._clients[key]

    def __repr__(self) -> str:
        return f"Login({'ended' if self.ended else 'alive'})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a login is never pickled")
