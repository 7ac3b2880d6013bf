"""The client app of 2022 on the new package: one component, two small apps, four calls.

`USE_AUTHENTICATION=False streamlit run classic_app.py` runs it open, as then. What changed
is behind it: the browser never sees a token, and this app believes nothing a browser says.
"""

from __future__ import annotations

import math
import os
import re
from typing import Final

import httpx
import streamlit as st

import streamlit_component_auth0 as auth0

USE_AUTHENTICATION: Final = os.environ.get("USE_AUTHENTICATION", "True").lower() != "false"
API: Final = auth0.settings().remote_api_base_url or "http://localhost:8888"
EVENTS: Final = ("onStatusUpdate", "onActionRequest", "onAdhocReport")
# What the component may ask this server to request, and where the token may go with it.
ALLOWED: Final = (
    auth0.AllowedRequest(
        base_url=f"{API}/api",
        use_token=True,
        auth_kinds=("BEARER", "ACCESSTOKEN"),
        allow_private=True,
    ),
)
CALLS: Final = {
    "Do nothing": None,
    "Call public API": "/api/ping",
    "Call secure API": "/api/pong",
    "Call scoped API": "/api/pong-scoped",
}
EXPLAINED: Final = {
    "Do nothing": "Pick a call to see what the API says to it.",
    "Call public API": "`/api/ping` answers everybody.",
    "Call secure API": "`/api/pong` wants a valid access token.",
    "Call scoped API": "`/api/pong-scoped` wants the scope `read:messages` in it.",
}

st.set_page_config(page_title="Streamlit client", page_icon="🔑", layout="centered")


def plain(text: str) -> str:
    """A name is text, whatever markup its owner put into it."""
    return re.sub(r"([^\w\s.])", r"\\\1", text)


def address(text: str) -> str:
    """An e-mail address in two pieces: Markdown makes no link of it, which a title cannot use."""
    name, at, domain = text.rpartition("@")
    return f":gray[{plain(name + at)}]:gray[{plain(domain)}]" if at else plain(text)


def handle(event: auth0.ComponentEvent) -> list[str]:
    """Called once for each event; who is signed in stands in `event.session` alone."""
    if event.name == "onStatusUpdate":
        return [f"Signed in: {event.session.user.name}" if event.session else "Signed out"]
    if event.result is not None:
        return [f"{event.result.label or 'Request'}: {event.result.status or 'not made'}"]
    return []


def authenticate() -> tuple[auth0.Session | None, list[auth0.EventReport]]:
    """The component in its expander, which carries the name of who is signed in."""
    session = auth0.current_session()
    title = "Authenticate"
    if session is not None:
        title = f"{plain(session.user.name)} ({address(session.user.email or session.user.sub)})"
    with st.expander(title, expanded=session is None, icon=":material/account_circle:"):
        report = auth0.run_component(
            EVENTS,
            {"hostname": "Streamlit client", "initial_state": {"message": "Welcome"}},
            handle,
            allowed_requests=ALLOWED,
        )
    return auth0.current_session(), report


def call(path: str, session: auth0.Session | None) -> None:
    try:
        with st.spinner(f"Calling {path}"):
            if session is None or path == "/api/ping":
                response = httpx.get(f"{API}{path}", timeout=10, trust_env=False)
            else:
                response = session.api(API).get(path)
    except httpx.HTTPError:
        st.error(f"The API at {API} cannot be reached.", icon=":material/cloud_off:")
    except auth0.AuthError as error:
        st.error(error.message, icon=":material/error:")
    else:
        show(response)


def show(response: httpx.Response) -> None:
    """Says what the API answered, also when it says no (RFC 6750 §3.1)."""
    if response.is_success:
        st.success(f"{response.status_code}: the API answered.", icon=":material/check_circle:")
        st.json(response.json())
    elif response.status_code == httpx.codes.UNAUTHORIZED:
        st.error("401: the API wants a valid access token.", icon=":material/key_off:")
    elif response.status_code == httpx.codes.FORBIDDEN:
        st.warning("403: your access token lacks the scope for this.", icon=":material/lock:")
    else:
        st.error(f"The API answered {response.status_code}.", icon=":material/error:")


def api_app(session: auth0.Session | None) -> None:
    st.header("Calling APIs", anchor=False)
    st.caption("The token stays on this server, between your session and the API.")
    with st.container(border=True):
        choice = st.radio("What should happen?", list(CALLS), key="call") or "Do nothing"
        st.markdown(EXPLAINED[choice])
        path = CALLS[choice]
        if path is not None and st.button("Go", type="primary", icon=":material/send:"):
            call(path, session)


def wave_app(session: auth0.Session | None) -> None:
    st.header("Two waves", anchor=False)
    name = session.user.name if session else "you"
    st.caption(f"An app needs no API to be worth signing in to, {plain(name)}.")
    with st.container(border=True):
        left, right = st.columns(2)
        ratio = left.slider("Frequency ratio", 1.0, 3.0, 1.5, 0.1)
        phase = right.slider("Phase", 0.0, 1.0, 0.0, 0.05)
        steps = [step / 20 for step in range(200)]
        one = [math.sin(x) for x in steps]
        two = [math.sin(ratio * x + phase * math.tau) for x in steps]
        both = [first + second for first, second in zip(one, two, strict=True)]
        st.line_chart({"one": one, "two": two, "sum": both}, height=280)


APPS: Final = {"Calling APIs": api_app, "Two waves": wave_app}


def debug_info(session: auth0.Session | None, report: list[auth0.EventReport]) -> None:
    """As in 2022, without what nobody should read over a shoulder."""
    st.divider()
    st.markdown("##### Debug info")
    facts: dict[str, object] = {"status": auth0.status() if USE_AUTHENTICATION else "open"}
    if session is not None:
        facts |= {
            "user": session.user.name,
            "email": session.user.email,
            "scopes": sorted(session.scopes),
            "permissions": sorted(session.permissions),
            "roles": sorted(session.roles),
            "session ends": f"{session.session_expires_at:%Y-%m-%d %H:%M} UTC",
            "access token ends": f"{session.token_expires_at:%Y-%m-%d %H:%M} UTC",
        }
    st.json(facts)
    lines = [
        {"time": f"{line.at:%H:%M:%S}", "event": line.name, "notes": ", ".join(line.notes)}
        | ({"error": line.error} if line.error else {})
        for line in reversed(report)
    ]
    if lines:
        st.dataframe(lines, hide_index=True)


st.title("Streamlit client", anchor=False)
with st.sidebar:
    st.markdown("### Apps")
    chosen = st.radio("App", list(APPS), label_visibility="collapsed") or next(iter(APPS))
    debug = st.toggle("Show debug info")

if USE_AUTHENTICATION:
    session, report = authenticate()
else:
    session, report = None, []
    st.info("Runs open: `USE_AUTHENTICATION` is false.", icon=":material/lock_open:")

if session is not None or not USE_AUTHENTICATION:
    APPS[chosen](session)
elif auth0.status() != "pending":
    st.info("Sign in above to use the apps.", icon=":material/login:")
if debug:
    debug_info(session, report)
