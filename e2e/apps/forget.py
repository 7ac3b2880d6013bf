"""An app that empties `st.session_state`, as apps do to start anew.

The person stays signed in: the frame announces its session to the new state again.
"""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")
st.button("Forget", on_click=lambda: st.session_state.clear())  # noqa: PLW0108 (bound per run)
