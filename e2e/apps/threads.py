"""Calls the API in many threads at once, and shows whose token each of them had."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import streamlit as st

import streamlit_component_auth0 as auth0

session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
    api = session.api(os.environ["REMOTE_API_BASE_URL"])

    def subject(_: int) -> str:
        return str(api.get("/api/pong").raise_for_status().json()["sub"])

    if st.button("Call in threads"):
        with ThreadPoolExecutor(max_workers=8) as pool:
            subjects = list(pool.map(subject, range(24)))
        st.write(f"{len(subjects)} answers for {', '.join(sorted(set(subjects)))}")
elif auth0.status() == "signed_out":
    st.write("Signed out")
