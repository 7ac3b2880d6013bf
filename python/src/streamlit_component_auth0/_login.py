"""One login of one Streamlit session: its grant, its access tokens, its scratch state.

This is the only object that holds tokens; each lies in a `Sealed`. Sessions share it, so
that a session kept by a fragment or thread gets fresh tokens as long as the login lives.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from ._exceptions import CompanionUnavailable, HostCredentialRefused, NotSignedIn, SessionEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from ._back_channel import Companion
    from ._clock import Clock
    from ._sealed import Sealed
    from ._wire import AccessToken, Redeemed

MAX_MIN_TTL: Final = 300
"""The companion's bound on how long a token must still live when it is handed out."""

_Variant = tuple[str | None, str | None]
_DEFAULT: Final[_Variant] = (None, None)


class Login:
    """A redeemed login. Thread-safe; never waits for the sign-in's lock while holding its own."""

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
        self.scratch: dict[str, Any] = {}
        self._clients: dict[object, httpx.Client | httpx.AsyncClient] = {}
        self._tokens: dict[_Variant, AccessToken] = {}
        self._grant: Sealed
        self.reference: str
        self.renew(redeemed)

    def renew(self, redeemed: Redeemed) -> None:
        """The same person redeemed again: newer grant and token, same scratch and clients."""
        with self._lock:
            self._grant = redeemed.grant
            self.reference = redeemed.reference
            self._tokens = {_DEFAULT: redeemed.access_token}

    @property
    def grant(self) -> Sealed:
        """The companion's handle of this Streamlit session on this login."""
        return self._grant

    @property
    def token_expires_at(self) -> int:
        """When the default access token expires, Unix seconds."""
        return self._tokens[_DEFAULT].expires_at

    @property
    def ended(self) -> bool:
        """Whether the login is over for this Streamlit session."""
        return self._end is not None

    def end(self, error: NotSignedIn) -> None:
        """Forgets everything at once; threads that still hold a session get `error`."""
        self._end = error
        self.scratch.clear()
        clients, self._clients = self._clients, {}
        for client in clients.values():
            # An AsyncClient belongs to its own event loop and cannot be closed from here.
            if hasattr(client, "close"):
                client.close()

    def access_token(self, audience: str | None, scope: str | None, min_ttl: int) -> str:
        """A token that lives `min_ttl` seconds more, from memory or from the companion.

        Raises:
            NotSignedIn: The login is over.
            TokenRefused: Audience or scope are not for this login.
            CompanionUnavailable: It cannot be reached, and no live token is in memory.
            HostCredentialRefused: The secrets differ, and no live token is in memory.
        """
        variant = (audience, scope)
        try:
            # One request at a time: the threads that waited find its result.
            with self._lock:
                grant = self._grant
                return self._token(variant, min_ttl).value.reveal()
        except NotSignedIn as error:
            if self._end is None:
                self._on_refused(self, grant, error)
            raise

    def _token(self, variant: _Variant, min_ttl: int) -> AccessToken:
        self.require_alive()
        held = self._tokens.get(variant)
        remaining = held.expires_at - self._clock.now() if held else 0.0
        if held is not None and remaining > min_ttl:
            return held
        try:
            fresh = self._companion.access_token(
                self._grant, audience=variant[0], scope=variant[1], min_ttl=min_ttl
            )
        except (CompanionUnavailable, HostCredentialRefused):
            # Shorter than asked for, but alive: better than failing with the companion.
            if held is not None and remaining > 0:
                return held
            raise
        # The person may have signed out while the companion was asked.
        self.require_alive()
        self._tokens[variant] = fresh
        return fresh

    def require_alive(self) -> None:
        """Lets nobody use a login that is over.

        Raises:
            NotSignedIn: It is over, and this is why.
        """
        end = self._end
        if end is not None:
            # A new object each time: a raised exception keeps frames of the thread alive.
            raise SessionEnded(end.reason) if isinstance(end, SessionEnded) else type(end)()

    def client(
        self, key: object, make: Callable[[], httpx.Client | httpx.AsyncClient]
    ) -> httpx.Client | httpx.AsyncClient:
        """The HTTP client cached under `key`, made on first use."""
        with self._lock:
            if key not in self._clients:
                self._clients[key] = make()
            return self._clients[key]

    def __repr__(self) -> str:
        return f"Login({'ended' if self.ended else 'alive'})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a login is never pickled")
