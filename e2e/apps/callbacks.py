"""A callback after the sign-out: skipped, with a note, and the page shows who is (not) there.

"Do it" is guarded. "Person changes: N" counts the calls of `on_change`.
"""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0


@auth0.protected()
def do_it() -> None:
    st.session_state["done"] = st.session_state.get("done", 0) + 1


def person_changed() -> None:
    st.session_state["changes"] = st.session_state.get("changes", 0) + 1


session = auth0.login(on_change=person_changed)

if session is not None:
    st.write(f"Hello {session.user.name}")
    st.button("Sign out (Python)", on_click=auth0.logout)
elif auth0.status() == "signed_out":
    st.write("Signed out")

st.button("Do it", on_click=do_it)
st.write(f"Done: {st.session_state.get('done', 0)}")
st.write(f"Person changes: {st.session_state.get('changes', 0)}")
