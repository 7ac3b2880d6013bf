"""Prints everything that Streamlit can print: nothing of it may be secret."""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
    st.write(session)
    st.write(session.user)
elif auth0.status() == "signed_out":
    st.write("Signed out")

st.write(st.session_state)
for value in st.session_state.values():
    st.help(value)
