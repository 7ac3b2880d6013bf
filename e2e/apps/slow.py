"""A redeem that takes long, and a button to press during it: the login must not be lost.

`SLOW_REDEEM_SECONDS` (default 1.5) is how long. Shows "Clicks: N", "Runs: N", "Redeems: N".
"""

from __future__ import annotations

import os

import redeem_count
import streamlit as st

import streamlit_component_auth0 as auth0

redeem_count.install(redeem_seconds=float(os.environ.get("SLOW_REDEEM_SECONDS", "1.5")))

st.session_state["runs"] = st.session_state.get("runs", 0) + 1
if st.button("Click me"):
    st.session_state["clicks"] = st.session_state.get("clicks", 0) + 1
st.write(f"Clicks: {st.session_state.get('clicks', 0)}")

session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")
st.write(f"Runs: {st.session_state['runs']}")
st.write(f"Redeems: {redeem_count.redeems()}")
