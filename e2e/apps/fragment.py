"""A fragment that outlives its session: it must not act for somebody who is gone.

"Refresh" reruns the fragment alone. After the session ended elsewhere, the next press shows
the whole page signed out.
"""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

st.session_state["runs"] = st.session_state.get("runs", 0) + 1
session = auth0.login()

if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")


@st.fragment
@auth0.protected()
def private() -> None:
    st.session_state["presses"] = st.session_state.get("presses", 0) + 1
    st.write(f"Fragment runs: {st.session_state['presses']}")
    st.button("Refresh")


private()
st.write(f"Runs: {st.session_state['runs']}")
