"""Streamlit's own sign-in, as its documentation shows it: a peer of the benchmark."""

from __future__ import annotations

import streamlit as st

if st.user.is_logged_in:
    st.write(f"Hello {st.user.name}")
else:
    st.button("Sign in", on_click=st.login)
