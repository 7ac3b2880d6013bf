"""A companion that knows one person: for development without sign-in, and for app tests.

It speaks to nobody. What it hands out as access tokens opens no API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._exceptions import SessionEnded, TicketRefused
from ._reasons import SignOutReason
from ._sealed import Sealed
from ._user import User
from ._wire import AccessToken, Redeemed, Standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._clock import Clock
    from ._settings import DevUser

DEV_ISSUER: Final = "urn:streamlit-component-auth0:development"
LIFETIME_SECONDS: Final = 86_400


class FixedIdentity:
    """Vouches for one person until that person signs out."""

    def __init__(
        self,
        *,
        standing: Callable[[], Standing],
        token: Callable[[str | None, str | None], str],
        clock: Clock,
    ) -> None:
        self._standing = standing
        self._token = token
        self._clock = clock
        self._end: SignOutReason | None = None

    def login(self) -> Redeemed:
        """A login of the person, as if a ticket had been redeemed."""
        self._end = None
        return Redeemed(
            grant=Sealed("fixed-identity"),
            reference="fixed-identity",
            standing=self._standing(),
            access_token=self.access_token(Sealed(""), audience=None, scope=None, min_ttl=0),
        )

    def redeem(self, ticket: str, verifier: Sealed) -> Redeemed:  # noqa: ARG002
        """Refuses: there is no frame that could have got a ticket here.

        Raises:
            TicketRefused: Always.
        """
        raise TicketRefused

    def standing(self, grant: Sealed) -> Standing:  # noqa: ARG002
        """The person, while the session lasts.

        Raises:
            SessionEnded: It was ended.
        """
        self._require_alive()
        return self._standing()

    def access_token(
        self,
        grant: Sealed,  # noqa: ARG002
        *,
        audience: str | None,
        scope: str | None,
        min_ttl: int,  # noqa: ARG002
    ) -> AccessToken:
        """A string in the place of a token.

        Raises:
            SessionEnded: It was ended.
        """
        self._require_alive()
        expires_at = int(self._clock.now()) + LIFETIME_SECONDS
        return AccessToken(Sealed(self._token(audience, scope)), expires_at)

    def revoke(self, grant: Sealed, *, everywhere: bool) -> None:  # noqa: ARG002
        """Signs the person out."""
        self.end(SignOutReason.SIGNED_OUT)

    def end(self, reason: SignOutReason) -> None:
        """Ends the session as the companion does for that reason."""
        self._end = reason

    def _require_alive(self) -> None:
        if self._end is not None:
            raise SessionEnded(self._end)


def development_identity(dev_user: DevUser, clock: Clock) -> FixedIdentity:
    """The person of `[component_auth0.dev_user]`."""
    user = User(
        sub=dev_user.sub,
        issuer=DEV_ISSUER,
        name=dev_user.name,
        email=dev_user.email,
        email_verified=True,
        claims=dev_user.claims,
    )

    def standing() -> Standing:
        return Standing(
            user=user,
            scopes=frozenset(dev_user.scopes),
            permissions=frozenset(dev_user.permissions),
            roles=frozenset(dev_user.roles),
            session_expires_at=int(clock.now()) + LIFETIME_SECONDS,
        )

    return FixedIdentity(
        standing=standing, token=lambda _audience, _scope: "development-user-no-token", clock=clock
    )
