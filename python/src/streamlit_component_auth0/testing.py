"""Signs people in and out of an app under `streamlit.testing.v1.AppTest`, without network.

from streamlit.testing.v1 import AppTest
from streamlit_component_auth0 import testing

at = AppTest.from_file("app.py")
testing.sign_in(at, name="Ada", roles=["editor"])
at.run()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._clock import Clock
from ._fixed_identity import LIFETIME_SECONDS, FixedIdentity
from ._host import STATE_KEY, Host
from ._reasons import SignOutReason
from ._sign_in import SignIn
from ._user import User
from ._wire import Standing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from streamlit.testing.v1 import AppTest

ISSUER: Final = "https://testing.invalid/"
_FRAME_URL: Final = "http://localhost:3001/streamlit"


def sign_in(
    at: AppTest,
    *,
    sub: str = "test|user",
    name: str = "Test User",
    email: str | None = "test@example.com",
    picture: str | None = None,
    issuer: str = ISSUER,
    roles: Collection[str] = (),
    scopes: Collection[str] = (),
    permissions: Collection[str] = (),
    claims: Mapping[str, Any] | None = None,
    tokens: str | Mapping[str | None, str] = "test-access-token",
) -> None:
    """Signs this person in at the app's next run; a second call changes the person.

    Args:
        at: The app under test.
        sub: Subject.
        name: Name.
        email: Verified e-mail address.
        picture: Picture URL.
        issuer: Issuer.
        roles: Roles.
        scopes: Scopes of the access token.
        permissions: Permissions of the access token.
        claims: Claims of the ID token.
        tokens: The access token, or one for each audience (None: the default one).
    """
    clock = Clock()
    standing = Standing(
        user=User(
            sub=sub,
            issuer=issuer,
            name=name,
            email=email,
            email_verified=email is not None,
            picture=picture,
            claims=claims,
        ),
        scopes=frozenset(scopes),
        permissions=frozenset(permissions),
        roles=frozenset(roles),
        session_expires_at=int(clock.now()) + LIFETIME_SECONDS,
    )
    by_audience: dict[str | None, str] = {None: tokens} if isinstance(tokens, str) else dict(tokens)

    def token(audience: str | None, _scope: str | None) -> str:
        return by_audience.get(audience, f"test-access-token-for-{audience}")

    identity = FixedIdentity(standing=lambda: standing, token=token, clock=clock)
    host = _fresh_host(identity, clock)
    host.sign_in.adopt(identity.login())
    at.session_state[STATE_KEY] = host


def sign_out(at: AppTest, *, reason: SignOutReason = SignOutReason.SIGNED_OUT) -> None:
    """Nobody is signed in at the app's next run; the component offers to sign in.

    Args:
        at: The app under test.
        reason: How the session before ended; by default the person signed out.
    """
    clock = Clock()
    identity = _nobody(clock)
    host = _fresh_host(identity, clock)
    if reason is SignOutReason.SIGNED_OUT:
        host.sign_in.sign_out()
    else:
        host.sign_in.adopt(identity.login())
        identity.end(reason)
        host.sign_in.check()
    at.session_state[STATE_KEY] = host


def pending(at: AppTest) -> None:
    """The browser has not answered yet at the app's next run."""
    clock = Clock()
    at.session_state[STATE_KEY] = _fresh_host(_nobody(clock), clock)


def _nobody(clock: Clock) -> FixedIdentity:
    def standing() -> Standing:
        nobody = User(sub="test|nobody", issuer=ISSUER)
        return Standing(nobody, frozenset(), frozenset(), frozenset(), LIFETIME_SECONDS)

    return FixedIdentity(standing=standing, token=lambda _audience, _scope: "", clock=clock)


def _fresh_host(identity: FixedIdentity, clock: Clock) -> Host:
    return Host(SignIn(identity, frame_url=_FRAME_URL, clock=clock))
