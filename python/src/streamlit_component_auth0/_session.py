"""The signed-in person's session, as apps use it."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ._api import PinnedAsyncClient, PinnedAuth, PinnedClient, pinned_origin, requests_auth
from ._exceptions import NotSignedIn
from ._login import MAX_MIN_TTL, Login
from ._user import User, roles_from_claim

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, MutableMapping

    import httpx
    from requests.auth import AuthBase

    from ._wire import Standing

Match = Literal["all", "any"]


class Session:
    """Who is signed in, what they may do, and access tokens in their name.

    A session is a snapshot: roles and scopes are those of the last answer of the companion,
    and a rerun that finds them changed gets a new one. Equal, hashed and pickled as
    `(issuer, sub)`; a session that comes out of a pickle holds no tokens.
    """

    def __init__(
        self,
        standing: Standing | None,
        login: Login | None,
        *,
        user: User | None = None,
        roles_claim: str | tuple[str, ...] | None = None,
        check: Callable[[], bool] = lambda: False,
    ) -> None:
        if standing is not None:
            user = standing.user
        if user is None:
            raise ValueError("a session is somebody's")
        self._user = user
        self._login = login
        self._check = check
        self._scopes = standing.scopes if standing else frozenset()
        self._permissions = standing.permissions if standing else frozenset()
        self._roles = standing.roles if standing else frozenset()
        if roles_claim is not None:
            self._roles = roles_from_claim(user, roles_claim)
        self._session_expires_at = standing.session_expires_at if standing else 0

    @property
    def user(self) -> User:
        """The verified person."""
        return self._user

    @property
    def roles(self) -> frozenset[str]:
        """Roles, from the configured claim."""
        return self._roles

    @property
    def scopes(self) -> frozenset[str]:
        """Scopes of the access token: what the person let this app do."""
        return self._scopes

    @property
    def permissions(self) -> frozenset[str]:
        """Permissions of the access token (Auth0 RBAC)."""
        return self._permissions

    @property
    def session_expires_at(self) -> datetime:
        """When the companion's session ends, in UTC."""
        return datetime.fromtimestamp(self._session_expires_at, timezone.utc)

    @property
    def token_expires_at(self) -> datetime:
        """When the access token in hand expires, in UTC. It is renewed before, on use."""
        expires_at = self._login.token_expires_at if self._login else 0
        return datetime.fromtimestamp(expires_at, timezone.utc)

    @property
    def state(self) -> MutableMapping[str, Any]:
        """Scratch of this login: emptied at sign-out and when somebody else signs in."""
        return self._login.scratch if self._login else {}

    def has(
        self,
        *,
        roles: Collection[str] = (),
        scopes: Collection[str] = (),
        permissions: Collection[str] = (),
        match: Match = "all",
    ) -> bool:
        """Whether the person has all (or, with `match="any"`, one) of what is named.

        Naming nothing asks for nothing: the answer is True.
        """
        if match not in {"all", "any"}:
            raise ValueError('match must be "all" or "any"')
        held = [role in self._roles for role in _names(roles)]
        held += [scope in self._scopes for scope in _names(scopes)]
        held += [permission in self._permissions for permission in _names(permissions)]
        return not held or (any(held) if match == "any" else all(held))

    def check(self) -> bool:
        """Asks the companion now whether this session is still good; from any thread.

        While the companion cannot be reached, it stays good until the access token expires.
        """
        return self._login is not None and not self._login.ended and self._check()

    def access_token(
        self, *, audience: str | None = None, scope: str | None = None, min_ttl: int = 60
    ) -> str:
        """A fresh access token, from any thread.

        Args:
            audience: Another API than the default one; the companion's configuration names it.
            scope: Space-separated subset of what was granted.
            min_ttl: Seconds that it must still live, at most 300.

        Raises:
            SessionEnded: The session is over; `reason` tells why, and the next rerun shows it.
            ReauthenticationRequired: It is over until the person signs in again.
            NotSignedIn: This session object comes out of a pickle or cache.
            TokenRefused: Audience or scope are not for this session.
            CompanionUnavailable: No live token is in memory and none can be had.
        """
        return self._alive().access_token(audience, scope, _bounded(min_ttl))

    async def access_token_async(
        self, *, audience: str | None = None, scope: str | None = None, min_ttl: int = 60
    ) -> str:
        """`access_token()` for asynchronous code."""
        return await self._alive().access_token_async(audience, scope, _bounded(min_ttl))

    def api(self, base_url: str, **httpx_kw: Any) -> httpx.Client:
        """An HTTP client whose requests to `base_url`'s origin carry the access token.

        Cached for the life of this login; do not close it. It raises `ForeignOrigin` for
        any other absolute URL. Keyword arguments are those of `httpx.Client`.

        Raises:
            NotSignedIn: The session is over.
            UsageError: `base_url` is not an absolute https (or local http) URL.
        """
        origin = pinned_origin(base_url)

        def make() -> httpx.Client:
            return PinnedClient(
                origin,
                admit=self._require_alive,
                base_url=base_url,
                **{"auth": self.auth(base_url), **httpx_kw},
            )

        login = self._alive()
        try:
            key = (base_url, tuple(sorted(httpx_kw.items())))
            hash(key)
        except TypeError:
            return make()
        return login.client(key, make)

    def async_api(self, base_url: str, **httpx_kw: Any) -> httpx.AsyncClient:
        """`api()` for asynchronous code: an `httpx.AsyncClient`, new at each call.

        Connections belong to an event loop, and a script run has its own: use it with
        `async with`.
        """
        self._require_alive()
        return PinnedAsyncClient(
            pinned_origin(base_url),
            admit=self._require_alive,
            base_url=base_url,
            **{"auth": self.auth(base_url), **httpx_kw},
        )

    def auth(self, base_url: str) -> httpx.Auth:
        """The access token for requests of your own `httpx` client to that origin only."""
        return PinnedAuth(pinned_origin(base_url), self.access_token, self.access_token_async)

    def requests_auth(self, base_url: str) -> AuthBase:
        """`auth()` for `requests`, which must be installed."""
        return requests_auth(pinned_origin(base_url), self.access_token)

    def _alive(self) -> Login:
        if self._login is None:
            raise NotSignedIn("This session comes from a pickle or cache and holds no tokens.")
        self._login.require_alive()
        return self._login

    def _require_alive(self) -> None:
        self._alive()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Session):
            return NotImplemented
        return self._user == other._user

    def __hash__(self) -> int:
        return hash(self._user)

    def __repr__(self) -> str:
        return f"Session({self._user!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Streamlit's cache hashes this: the key is the person and nothing else. Its hasher
        # knows classes and partials, but refuses plain functions.
        return partial(Session, None, None, user=self._user), ()


def _bounded(min_ttl: int) -> int:
    if not 0 <= min_ttl <= MAX_MIN_TTL:
        raise ValueError(f"min_ttl must be between 0 and {MAX_MIN_TTL} seconds")
    return min_ttl


def _names(names: Collection[str]) -> Collection[str]:
    # A bare string would be taken letter by letter, and `match="any"` could then let
    # somebody in.
    return [names] if isinstance(names, str) else names
