"""Pages with deep links: a page switch costs one run, and no redeem.

Shows "Runs: N" (script runs of this Streamlit session) and "Redeems: N".
"""

from __future__ import annotations

import redeem_count
import streamlit as st

import streamlit_component_auth0 as auth0

redeem_count.install()
st.session_state["runs"] = st.session_state.get("runs", 0) + 1


def home() -> None:
    st.header("Home")


def reports() -> None:
    st.header("Reports")
    st.write(f"Query: {st.query_params.get('q', 'none')}")


def framed() -> None:
    """A page that draws the sign-in itself: there the frame is mounted anew."""
    st.header("Framed")
    session = auth0.require_login(key="framed")
    st.write(f"Framed for {session.user.name}")


page = st.navigation(
    [
        st.Page(home, title="Home", default=True),
        st.Page(reports, title="Reports", url_path="reports"),
        st.Page(framed, title="Framed", url_path="framed"),
    ]
)

session = auth0.current_session() if page.url_path == "framed" else auth0.login()

if session is not None:
    st.write(f"Hello {session.user.name}")
elif auth0.status() == "signed_out":
    st.write("Signed out")

page.run()
st.write(f"Runs: {st.session_state['runs']}")
st.write(f"Redeems: {redeem_count.redeems()}")
