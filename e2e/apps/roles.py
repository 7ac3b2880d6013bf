"""Shows the roles of who is signed in. "Fetch a token" makes the companion renew a short one."""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
    st.button("Fetch a token", on_click=session.access_token)
    st.write(f"Roles: {', '.join(sorted(session.roles))}")
elif auth0.status() == "signed_out":
    st.write("Signed out")
