"""Gates: `require_login()` for pages, `protected()` for functions."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypedDict, TypeVar

import streamlit as st

from . import _streamlit
from ._component import Variant, login
from ._exceptions import AuthError, Forbidden, NotSignedIn
from ._host import Host, current_host
from ._locale import Phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from typing_extensions import Unpack

    from ._session import Match, Session

_log = logging.getLogger(__name__)

_NOTHING_DONE: Final = Phrase(
    "Nothing was done.", "Nichts wurde ausgeführt.", "Rien n’a été fait.", "No se hizo nada."
)

P = ParamSpec("P")
R = TypeVar("R")


class LoginKeywords(TypedDict, total=False):
    """The keyword arguments of `login()`."""

    key: str
    app_name: str | None
    login_options: Mapping[str, str] | None
    labels: Mapping[str, str] | None
    locale: str | None
    variant: Variant
    on_change: Callable[[], None] | None


def require_login(
    *,
    roles: Collection[str] = (),
    scopes: Collection[str] = (),
    permissions: Collection[str] = (),
    match: Match = "all",
    signed_out: Callable[[], object] | None = None,
    forbidden: Callable[[], object] | None = None,
    **login_kw: Unpack[LoginKeywords],
) -> Session:
    """Draws the sign-in component and lets the script go on for those who may.

    Everybody else's run ends here with `st.stop()`: without a word while the browser has
    not answered yet, after `signed_out()` or `forbidden()` (which draw your own page) else.
    Where a session ended, the component says why, unless the person signed out.

    Args:
        roles: Roles that the person must have.
        scopes: Scopes that the access token must have.
        permissions: Permissions that the access token must have.
        match: `all` of what is named, or `any` one of it.
        signed_out: Draws the page for those who are not signed in, below the component.
        forbidden: Draws the page for those who may not; a short message by default.
        **login_kw: Arguments of `login()`.

    Returns:
        The session of somebody who may.
    """
    session = login(**login_kw)
    host = current_host()
    if session is None:
        if host.sign_in.status != "pending" and signed_out is not None:
            signed_out()
        st.stop()
        raise NotSignedIn  # where st.stop() does not stop, nobody gets past
    if not session.has(roles=roles, scopes=scopes, permissions=permissions, match=match):
        if forbidden is not None:
            forbidden()
        else:
            st.error(Forbidden().words(host.language()), icon=":material/lock:")
        st.stop()
        raise Forbidden
    return session


def protected(
    *,
    roles: Collection[str] = (),
    scopes: Collection[str] = (),
    permissions: Collection[str] = (),
    match: Match = "all",
) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Guards a callback, fragment or page function; the companion is asked when due.

    For those who may not, the function is not called and the result is None. A callback is
    skipped and a note shown at the next `login()`; a fragment whose page is out of date
    reruns the app; else a short message stands in the function's place. It never stops the
    script and never draws the sign-in component.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
            host = current_host()
            host.refresh()
            host.mark_drawn()
            session = host.sign_in.session
            if session is None:
                _turn_away(host, NotSignedIn(), function)
                return None
            if not session.has(roles=roles, scopes=scopes, permissions=permissions, match=match):
                _turn_away(host, Forbidden(), function)
                return None
            return function(*args, **kwargs)

        return guarded

    return decorate


def _turn_away(host: Host, error: AuthError, function: Callable[..., Any]) -> None:
    name = getattr(function, "__qualname__", "function")
    _log.info("%s was not called: %s", name, error.code)
    if _streamlit.in_callback():
        host.note = f"{_NOTHING_DONE.text(host.language())} {error.words(host.language())}"
        if host.sign_in.error is None:
            host.sign_in.fail(error)
    elif host.page_is_stale():
        st.rerun(scope="app")
    elif isinstance(error, Forbidden):
        st.error(error.words(host.language()), icon=":material/lock:")
    elif host.sign_in.status != "pending":
        st.info(error.words(host.language()), icon=":material/login:")
