"""Draws the frame and passes its announcements on; `login()` and its relatives.

It decides nothing about who is signed in: that is `_sign_in`'s job.
"""

from __future__ import annotations

import logging
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal

import streamlit as st
from streamlit.components.v1 import declare_component
from streamlit.errors import StreamlitDuplicateElementKey

from . import _streamlit
from ._exceptions import AuthError, FrameError, NotSignedIn, UsageError
from ._host import Host, current_host
from ._locale import Phrase
from ._reasons import SignOutReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._session import Session
    from ._sign_in import Status

_log = logging.getLogger(__name__)

DEFAULT_KEY: Final = "_component_auth0"
Variant = Literal["button", "card", "compact"]

STATE_EVENTS: Final = ("onStatusUpdate", "onError")
"""Without these the frame could not tell the sign-in anything."""

_MAX_GENERATIONS: Final = 8
_RETRY: Final = Phrase("Try again", "Erneut versuchen", "Réessayer", "Reintentar")


def login(
    *,
    key: str = DEFAULT_KEY,
    app_name: str | None = None,
    login_options: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    locale: str | None = None,
    variant: Variant = "button",
    on_change: Callable[[], None] | None = None,
) -> Session | None:
    """Draws the sign-in component where it is called, and returns who is signed in.

    It draws once a run; later calls in that run only return the result. In a closed
    `st.popover` Streamlit does not load the component: keep it outside.

    Args:
        key: Streamlit key of the component.
        app_name: Label to show in it.
        login_options: Options of the authorization request, such as `screen_hint`; the
            companion's `LOGIN_OPTIONS` says which are let through.
        labels: Words to use in place of the built-in ones.
        locale: Language tag; the browser's when not given.
        variant: `button`, `card` or `compact`.
        on_change: Called once each time that another person, or nobody any more, is
            signed in.

    Returns:
        The session, or None while nobody is signed in.

    Raises:
        UsageError: It stands inside an `st.form`, or no app is running.
        SettingsError: The settings are incomplete or contradictory.
    """
    args = {
        "hostname": app_name,
        "initial_state": None,
        "events": list(STATE_EVENTS),
        "labels": dict(labels or {}),
        "locale": locale,
        "variant": variant,
    }
    return draw_login(key, args, login_options=login_options, on_change=on_change).sign_in.session


def draw_login(
    key: str,
    args: dict[str, Any],
    *,
    login_options: Mapping[str, str] | None = None,
    on_change: Callable[[], None] | None = None,
) -> Host:
    """Draws the sign-in component with these args and those that the sign-in decides.

    Raises:
        UsageError: It stands inside an `st.form`, or no app is running.
        SettingsError: The settings are incomplete or contradictory.
    """
    if _streamlit.in_form():
        raise UsageError(
            "login() cannot work inside st.form: a form keeps what its components report until "
            "it is submitted. Call login() (or require_login()) before `with st.form(...)`."
        )
    host = current_host()
    host.on_change = on_change or host.on_change
    host.locale = args.get("locale", host.locale)
    host.refresh()
    if host.development is not None:
        _draw_development_banner(host, key)
    else:
        _draw(host, key, {**args, **host.sign_in.frame_args(dict(login_options or {}))})
    host.mark_drawn()
    return host


def status() -> Status:
    """Where the sign-in stands; draws nothing.

    `pending` until the browser has answered for the first time.
    """
    host = _refreshed()
    return host.sign_in.status


def last_error() -> AuthError | None:
    """The last failure, or how the last session ended; its `message` is for the person."""
    return current_host().sign_in.error


def sign_out_reason() -> SignOutReason | None:
    """Why nobody is signed in any more; draws nothing.

    None while somebody is signed in, and where nobody was. The component's own page tells
    the person already (unless it was their own doing); this is for a page of yours:

        def signed_out() -> None:
            if auth0.sign_out_reason() == auth0.SignOutReason.EXPIRED:
                st.write("You were away for long.")

        auth0.require_login(signed_out=signed_out)
    """
    return _refreshed().sign_in.sign_out_reason


def current_session() -> Session | None:
    """Who is signed in; draws nothing. For callbacks, fragments and code above `login()`."""
    return _refreshed().sign_in.session


def logout(*, everywhere: bool = False) -> None:
    """Signs the person out of this app, here and at the companion; fine as `on_click`.

    It sticks until the person clicks to sign in, and that sign-in asks for credentials
    again. The provider's own session stays: no window can be opened without a click.

    Args:
        everywhere: Asks the companion to end the person's other sessions too.
    """
    host = current_host()
    was_out = host.sign_in.status == "signed_out"
    host.sign_in.sign_out(everywhere=everywhere)
    host.tell_change()
    if not _streamlit.in_callback() and not was_out:
        # The page above shows somebody who is gone, and the frame has to be told.
        st.rerun(scope="app")


def _refreshed() -> Host:
    host = current_host()
    host.refresh()
    host.mark_drawn()
    return host


def _draw(host: Host, key: str, args: dict[str, Any]) -> None:
    drawn = _draw_frame(host, key, args)
    host.tell_change()
    if host.page_is_stale() or host.sign_in.command not in (None, args["command"]):
        # Only a fragment (or dialog) runs, or the frame has to be told something new.
        st.rerun(scope="app")
    if drawn:
        _draw_notices(host, key, args["labels"].get("retry"))


def _draw_frame(host: Host, key: str, args: dict[str, Any]) -> bool:
    """Draws the frame unless this run has it already; takes notice of its value."""
    here = _streamlit.fragment_id()
    if _streamlit.in_fragment_rerun() and host.frame_homes.get(key, here) != here:
        return False  # it stands elsewhere on the page, where nothing runs now
    while host.frame_generation < _MAX_GENERATIONS:
        # `__` keeps the default key's look; the browser can tell frames apart by it.
        suffix = f"__{host.frame_generation}" if host.frame_generation else ""
        frame_key = key + suffix
        try:
            unverified_value = _declared(host.sign_in.frame_url)(
                **args, key=frame_key, default=None, on_change=partial(_on_change, frame_key)
            )
        except StreamlitDuplicateElementKey:
            return False  # drawn earlier in this run
        except (ValueError, TypeError, OSError, RecursionError):
            # A value that claims to be a data frame and is none, or that is nested too
            # deep for Streamlit's copies, fails inside Streamlit in every run: only a
            # frame of another identity gets rid of it.
            _log.warning("the component's value could not be decoded; drawing a new frame")
            host.frame_generation += 1
            continue
        host.frame_homes[key] = here
        host.observe(unverified_value)
        return True
    return False


def _on_change(frame_key: str) -> None:
    # Runs before the script, so that the whole run sees the result: one rerun a sign-in.
    host = current_host()
    host.observe(st.session_state.get(frame_key))
    host.tell_change()


@lru_cache(maxsize=16)
def _declared(url: str) -> Any:
    return declare_component("component_auth0", url=url)


def _draw_notices(host: Host, key: str, retry_label: str | None) -> None:
    language = host.language()
    note, host.note = host.note, None
    if note is not None:
        st.toast(note, icon=":material/lock:")
    sign_in = host.sign_in
    error, reason = sign_in.error, sign_in.sign_out_reason
    if sign_in.status == "error" and error is not None and not isinstance(error, FrameError):
        # (the frame shows its own errors, with its own button)
        st.error(error.words(language), icon=":material/error:")
        st.button(retry_label or _RETRY.text(language), key=f"{key}_retry", on_click=sign_in.retry)
    elif sign_in.status == "signed_out" and reason not in (None, SignOutReason.SIGNED_OUT):
        # It stays until the next sign-in: the frame's own word that nobody is signed in
        # follows in a moment, with a rerun that would wipe it away.
        st.info(reason.words(language), icon=":material/logout:")
    elif isinstance(error, NotSignedIn) and error.reason is None:
        st.info(error.words(language), icon=":material/login:")


def _draw_development_banner(host: Host, key: str) -> None:
    development, session = host.development, host.sign_in.session
    st.warning(
        "**Development user**: nobody is checked. Remove `[component_auth0.dev_user]` from "
        "the secrets before anyone else can reach this app.",
        icon=":material/engineering:",
    )
    if session is None and development is not None:
        st.button(
            "Sign in as the development user",
            key=f"{key}_development",
            on_click=lambda: host.sign_in.adopt(development.login()),
        )
