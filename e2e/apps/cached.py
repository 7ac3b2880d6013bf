"""Cached data of two people in one process: keyed by the session, and by its user."""

from __future__ import annotations

import itertools

import streamlit as st
import streamlit_component_auth0 as auth0


@st.cache_resource
def serials() -> itertools.count[int]:
    """Counts what was computed, over all Streamlit sessions of this process."""
    return itertools.count(1)


@st.cache_data
def by_session(session: auth0.Session) -> str:
    """Keyed by the person: the session is passed without an underscore."""
    return f"{session.user.name} #{next(serials())}"


@st.cache_data
def by_user(user: auth0.User) -> str:
    """Keyed by the person, too."""
    return f"{user.name} #{next(serials())}"


@st.cache_resource
def notebook(user: auth0.User) -> list[str]:
    """One list for each person, shared by all of their Streamlit sessions."""
    return [f"{user.name} #{next(serials())}"]


session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
    st.write(f"By session: {by_session(session)}")
    st.write(f"By user: {by_user(session.user)}")
    st.write(f"Notebook: {', '.join(notebook(session.user))}")
    if st.button("Note"):
        notebook(session.user).append(f"noted by {session.user.name}")
        st.rerun()
    st.button("Sign out (Python)", on_click=auth0.logout)
elif auth0.status() == "signed_out":
    st.write("Signed out")
