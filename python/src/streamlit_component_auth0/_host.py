"""The one object of this package in `st.session_state`, and how it is found.

It is looked up before any work and never assigned again: an assignment to
`st.session_state` is a point where a rerun kills the script thread.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from . import _streamlit
from ._back_channel import shared_back_channel
from ._clock import Clock, later
from ._exceptions import UsageError
from ._fixed_identity import FixedIdentity, development_identity
from ._sign_in import SignIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._settings import Settings

_log = logging.getLogger(__name__)

STATE_KEY: Final = "_component_auth0_state"


class Host:
    """One Streamlit session's sign-in, and what of it has been drawn."""

    def __init__(self, sign_in: SignIn, *, development: FixedIdentity | None = None) -> None:
        self.sign_in = sign_in
        self.development = development
        """Set when `[component_auth0.dev_user]` takes the companion's place."""
        self.on_change: Callable[[], None] | None = None
        self.locale: str | None = None
        """The language that `login()` was told to speak; the browser's when None."""
        self.note: str | None = None
        """Words about a skipped callback, for the next run to show once."""
        self.frame_homes: dict[str, str | None] = {}
        """Which fragment (None: the main script) drew the frame with this key."""
        self.listener: Callable[[object, str], None] | None = None
        """Hears each value of the frame after the sign-in, and the challenge it met."""
        self.frame_generation = 0
        """Counts frames given up because their value could not be decoded."""
        self._drawn: tuple[object, ...] | None = None

    def refresh(self) -> None:
        """Re-checks the login when that is due, and tells of a change."""
        self.sign_in.refresh(connection=_streamlit.connection_id())
        self.tell_change()

    def observe(self, unverified_value: object) -> None:
        """Takes notice of the frame's value: the sign-in first, then whoever listens."""
        challenge = self.sign_in.challenge
        self.sign_in.observe(unverified_value)
        if self.listener is not None:
            self.listener(unverified_value, challenge)

    def language(self) -> str | None:
        """The language tag for words in the page: the host's choice, else the browser's."""
        return self.locale or _streamlit.browser_locale()

    def tell_change(self) -> None:
        """Calls the app's `on_change`, once for each change of the person."""
        if self.sign_in.take_change() and self.on_change is not None:
            self.on_change()

    def mark_drawn(self) -> None:
        """Notes what the page shows, so that a fragment can see when it is out of date."""
        if not _streamlit.in_fragment_rerun() and not _streamlit.in_callback():
            self._drawn = self.sign_in.outline()

    def page_is_stale(self) -> bool:
        """Whether only a fragment runs while the rest of the page shows another state."""
        if not _streamlit.in_fragment_rerun() or self._drawn is None:
            return False
        drawn, now = self._drawn, self.sign_in.outline()
        if _streamlit.in_dialog():
            # A rerun of the app closes the dialog: only another person is worth that, not
            # the browser's first word that nobody is signed in.
            return drawn[1:] != now[1:]
        return drawn != now

    def __repr__(self) -> str:
        return f"Host({self.sign_in!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Streamlit can be told to pickle the session state; a sign-in is not in there.
        return _nothing, ()

    def __copy__(self) -> Host:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Host:
        return self


def current_host() -> Host:
    """This Streamlit session's host, made on first use.

    Raises:
        UsageError: No app is running in this thread.
        SettingsError: The settings are incomplete or contradictory.
    """
    if not _streamlit.in_run():
        raise UsageError(
            "This works inside a Streamlit app only: start it with `streamlit run`. "
            "In your own threads, use the session that login() returned."
        )
    found: Host | None = st.session_state.get(STATE_KEY)
    if found is None:
        found = make_host(_streamlit.app_settings())
        st.session_state[STATE_KEY] = found
    return found


def make_host(settings: Settings) -> Host:
    """A fresh host for these settings."""
    clock = Clock()
    development = development_identity(settings.dev_user, clock) if settings.dev_user else None
    sign_in = SignIn(
        development or shared_back_channel(settings),
        frame_url=settings.frame_url,
        recheck_seconds=settings.recheck_seconds,
        roles_claim=settings.roles_claim if development is None else None,
        clock=clock,
        later=later,
    )
    if development is not None:
        _log.warning("[component_auth0.dev_user] is active: everybody is signed in")
        sign_in.adopt(development.login())
    return Host(sign_in, development=development)


def _nothing() -> None:
    return None
