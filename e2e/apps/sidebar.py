"""Login in the sidebar, greeting in the page."""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

with st.sidebar:
    session = auth0.login(variant="compact")

if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")
