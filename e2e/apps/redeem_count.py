"""Counts (and can slow) the back channel's calls of a Streamlit session, for apps to show.

It listens to the companion's client from outside: the package has no counters of its own.
The counts are not kept in `st.session_state`, since touching that inside a call would be a
point where a rerun kills the script, which is what these apps are there to test.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx

import streamlit_component_auth0._back_channel as back_channel

_exchange = back_channel.BackChannel._exchange
_calls: defaultdict[str, Counter[str]] = defaultdict(Counter)
_redeem_seconds = 0.0


def install(*, redeem_seconds: float = 0.0) -> None:
    """Starts counting; each redeem first waits `redeem_seconds`."""
    global _redeem_seconds  # noqa: PLW0603 (one server runs one app)
    _redeem_seconds = redeem_seconds
    back_channel.BackChannel._exchange = _counting  # type: ignore[method-assign]


def redeems() -> int:
    """Redeems of this Streamlit session so far."""
    return _calls[_session_id()]["/api/auth/redeem"]


def _counting(self: back_channel.BackChannel, path: str, *arguments: Any) -> object:
    _calls[_session_id()][path] += 1
    if path == "/api/auth/redeem":
        time.sleep(_redeem_seconds)
    return _exchange(self, path, *arguments)


def _session_id() -> str:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""
