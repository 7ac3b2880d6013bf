"""Login in a dialog that stays open until somebody is signed in, and closes then."""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0


@st.dialog("Sign in")
def sign_in_dialog() -> None:
    auth0.login()


session = auth0.current_session()
if session is not None:
    st.write(f"Hello {session.user.name}")
else:
    # The page has no frame of its own, so that nobody has said anything yet.
    st.write("Signed out" if auth0.status() == "signed_out" else "Not signed in")
    if st.button("Open"):
        sign_in_dialog()
