"""Component Auth0: the demo. Sign in, call the APIs, sign out; start it with `streamlit run`."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import httpx
import streamlit as st

import streamlit_component_auth0 as auth0

API = auth0.settings().remote_api_base_url or "http://localhost:8888"

st.set_page_config(page_title="Component Auth0 demo", page_icon="🔐", layout="centered")


def plain(text: str) -> str:
    """A name is text, whatever markup its owner put into it."""
    return re.sub(r"([^\w\s@])", r"\\\1", text)


def header() -> None:
    """Title, and something to keep: the counter survives sign-in and sign-out."""
    st.title("Component Auth0", anchor=False)
    st.caption("Sign-in for Streamlit with any OpenID Connect provider. No token in the browser.")


def counter() -> None:
    with st.container(border=True):
        st.markdown("##### Session state survives the sign-in")
        st.caption("Count before you sign in: the number, and your note, stay.")
        left, right = st.columns([1, 2], vertical_alignment="bottom")
        if left.button("Count up", icon=":material/add:"):
            st.session_state["count"] = st.session_state.get("count", 0) + 1
        right.text_input("A note", key="note", placeholder="Write anything")
        st.markdown(f"Count: {st.session_state.get('count', 0)}")


def greeting(session: auth0.Session) -> None:
    user = session.user
    picture, words = st.columns([1, 5], vertical_alignment="center")
    with picture:
        if user.picture:
            st.image(user.picture, width=72)
        else:
            initials = plain("".join(word[0] for word in user.name.split()[:2]).upper())
            st.markdown(f"# :primary-background[{initials or '?'}]")
    with words:
        st.subheader(f"Hello {plain(user.name)}", anchor=False)
        verified = ":green-badge[:material/verified: verified]" if user.email_verified else ""
        st.markdown(f"{plain(user.email or user.sub)} {verified}")


def badges(title: str, names: frozenset[str], colour: str) -> None:
    st.markdown(f"**{title}**")
    if names:
        st.markdown(" ".join(f":{colour}-badge[{plain(name)}]" for name in sorted(names)))
    else:
        st.caption("none")


def remaining(until: datetime) -> str:
    minutes = int((until - datetime.now(timezone.utc)).total_seconds() // 60)
    hours, minutes = divmod(max(minutes, 0), 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def details(session: auth0.Session) -> None:
    with st.expander("Your session", icon=":material/badge:"):
        left, right = st.columns(2)
        left.metric("Session ends in", remaining(session.session_expires_at))
        right.metric("Access token ends in", remaining(session.token_expires_at))
        badges("Roles", session.roles, "blue")
        badges("Permissions", session.permissions, "violet")
        badges("Scopes", session.scopes, "gray")


def show(response: httpx.Response) -> None:
    """Says what the API answered, also when it says no (RFC 6750 §3.1)."""
    if response.status_code == httpx.codes.OK:
        st.success("The API answered.", icon=":material/check_circle:")
        st.json(response.json())
    elif response.status_code == httpx.codes.UNAUTHORIZED:
        st.error("401: the API does not accept this access token.", icon=":material/key_off:")
    elif response.status_code == httpx.codes.FORBIDDEN:
        st.warning(
            "403: you are signed in, but your access token lacks the scope that this needs.",
            icon=":material/lock:",
        )
    else:
        st.error(f"The API answered {response.status_code}.", icon=":material/error:")


def call(path: str, session: auth0.Session | None) -> None:
    try:
        with st.spinner(f"Calling {path}"):
            if session is None:
                response = httpx.get(f"{API}{path}", timeout=10, trust_env=False)
            else:
                response = session.api(API).get(path)
        show(response)
    except httpx.HTTPError:
        st.error(f"The API at {API} cannot be reached.", icon=":material/cloud_off:")
    except auth0.AuthError as error:
        st.error(error.message, icon=":material/error:")


def apis(session: auth0.Session | None) -> None:
    with st.container(border=True):
        st.markdown("##### Call an API")
        st.caption(
            "The public one answers everybody, the protected one wants your access token, the "
            "scoped one wants `read:messages` in it."
        )
        public, protected, scoped = st.columns(3)
        signed_out = session is None
        if public.button("Call public API", icon=":material/public:"):
            call("/api/ping", None)
        if protected.button("Call protected API", icon=":material/key:", disabled=signed_out):
            call("/api/pong", session)
        if scoped.button("Call scoped API", icon=":material/mail_lock:", disabled=signed_out):
            call("/api/pong-scoped", session)


header()
with st.container(border=True):
    session = auth0.login(app_name="Component Auth0 demo")
    if session is not None:
        greeting(session)
        details(session)
        st.button("Sign out (Python)", icon=":material/logout:", on_click=auth0.logout)
    elif auth0.status() == "signed_out":
        st.markdown("Signed out")
counter()
apis(session)
