"""Says who is signed in, and notes when its parts of a sign-in happened: for the benchmark.

It listens to the companion's client from outside, as the end-to-end tests do: the package
has no clocks of its own.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import streamlit as st

import streamlit_component_auth0 as auth0
import streamlit_component_auth0._back_channel as back_channel
from streamlit_component_auth0._deadline import Deadline

_MARKS = Path(os.environ["BENCH_MARKS"])
_exchange = back_channel.BackChannel._exchange


def _note(name: str, at: float) -> None:
    with _MARKS.open("a") as marks:
        marks.write(json.dumps({"name": name, "at": at * 1_000}) + "\n")


def _noting(
    self: back_channel.BackChannel, path: str, body: dict[str, Any], deadline: Deadline
) -> object:
    began = time.time()
    try:
        return _exchange(self, path, body, deadline)
    finally:
        if path == "/api/auth/redeem":
            _note("redeem began", began)
            _note("redeem ended", time.time())


if not getattr(back_channel, "benchmark_listens", False):
    back_channel.benchmark_listens = True  # type: ignore[attr-defined]
    back_channel.BackChannel._exchange = _noting  # type: ignore[method-assign]

_note("run", time.time())
session = auth0.login()
if session is not None:
    st.write(f"Hello {session.user.name}")
