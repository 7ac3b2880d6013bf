"""Login in an expander that starts closed: signed in or out is told outside of it."""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

with st.expander("Authenticate", expanded=False):
    session = auth0.login()

if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")
