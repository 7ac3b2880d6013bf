"""Pages by role: `navigation` in the entry point, a user menu, a run counter.

Shows "Runs: N" (script runs of this Streamlit session).
"""

from __future__ import annotations

import streamlit as st

import streamlit_component_auth0 as auth0

st.session_state["runs"] = st.session_state.get("runs", 0) + 1


def home() -> None:
    st.header("Home")


def reports() -> None:
    st.header("Reports")
    st.write(f"Query: {st.query_params.get('q', 'none')}")
    st.write(f"Tags: {','.join(st.query_params.get_all('tag'))}")


def admin() -> None:
    st.header("Administration")
    st.write(f"Item: {st.query_params.get('item', 'none')}")


page = auth0.navigation(
    [
        st.Page(home, title="Home", default=True),
        st.Page(reports, title="Reports", url_path="reports"),
        st.Page(admin, title="Admin", url_path="admin"),
    ],
    require={reports: True, "admin": {"roles": ["admin"]}},
)
auth0.user_menu(container=st.sidebar)

session = auth0.current_session()
if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")

page.run()
st.write(f"Runs: {st.session_state['runs']}")
