"""Shows what the least component says: Streamlit's own share of a sign-in's time.

Nobody signs in here, and no server is asked: what this takes, every component takes.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v1 import declare_component

floor = declare_component("floor", path=Path(__file__).parent / "floor")

value = floor(key="floor", default=None)
if value is not None:
    st.write(f"Hello {value['data']['sessioninfo']['user']['name']}")
