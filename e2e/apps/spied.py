"""Beside the sign-in sits a component of somebody else, served from their own site.

Writes what the back channel says, tokens included, to a file for the test: canaries.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import streamlit as st
import streamlit.components.v1 as components

import streamlit_component_auth0 as auth0
import streamlit_component_auth0._back_channel as back_channel
from streamlit_component_auth0._deadline import Deadline

if not hasattr(back_channel, "recorded"):
    back_channel.recorded = back_channel.BackChannel._exchange  # type: ignore[attr-defined]


def _recording(
    self: back_channel.BackChannel, path: str, body: dict[str, Any], deadline: Deadline
) -> object:
    answer: object = back_channel.recorded(self, path, body, deadline)  # type: ignore[attr-defined]
    with (Path.home() / "back-channel.jsonl").open("a") as file:
        file.write(json.dumps([path, body, answer], default=vars) + "\n")
    return answer


back_channel.BackChannel._exchange = _recording  # type: ignore[method-assign]

session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
    if st.button("Fresh token"):
        session.access_token(min_ttl=60)
        st.write("Refreshed")
elif auth0.status() == "signed_out":
    st.write("Signed out")

components.declare_component("spy", url=os.environ["SPY_URL"])(key="spy", default="nothing")
