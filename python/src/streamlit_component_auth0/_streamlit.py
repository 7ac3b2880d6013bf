"""The few things asked of Streamlit that have no public name, in one place.

Each has a fallback for a version that lacks it; what the fallback costs is said with it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ._settings import Server, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def in_fragment_rerun() -> bool:
    """Whether this run executes fragments (or a dialog) only. Fallback: no."""
    return bool(getattr(_context(), "fragment_ids_this_run", None))


def fragment_id() -> str | None:
    """The fragment whose body this is; None in the main script. Fallback: None."""
    try:
        from streamlit.runtime.scriptrunner_utils.script_run_context import (  # noqa: PLC0415
            ThreadState,  # newer than 1.46
        )
    except ImportError:
        return getattr(_context(), "current_fragment_id", None)
    try:
        return ThreadState.get().fragment_id
    except RuntimeError:
        return None


def in_dialog() -> bool:
    """Whether the next element lands in an `st.dialog`. Fallback: no."""
    try:
        from streamlit.delta_generator_singletons import (  # noqa: PLC0415
            context_dg_stack,  # private
        )
        from streamlit.proto.RootContainer_pb2 import RootContainer  # noqa: PLC0415
    except ImportError:
        return False
    # In a fragment rerun the stack is a copy in which blocks have lost their class, but
    # only dialogs hold blocks below the "event" root.
    roots = [getattr(block, "_root_container", None) for block in context_dg_stack.get()]
    return RootContainer.EVENT in roots


def in_callback() -> bool:
    """Whether this is a widget's callback: before the script, not in it. Fallback: no."""
    context = _context()
    return context is not None and not getattr(context, "_has_script_started", True)


def in_run() -> bool:
    """Whether this thread runs an app's script at all."""
    return _context() is not None


def in_form() -> bool:
    """Whether the next element lands in an `st.form`. Fallback: no."""
    try:
        from streamlit.elements.lib.form_utils import is_in_form  # noqa: PLC0415 (private)
    except ImportError:
        return False
    return bool(is_in_form(st._main))


def connection_id() -> str | None:
    """Something that differs for each websocket; None where the server does not tell.

    A browser makes the value (RFC 6455 §4.1) and could repeat it: it may cause a question
    to the companion, and decides nothing.
    """
    try:
        return st.context.headers.get("Sec-WebSocket-Key")
    except (AttributeError, RuntimeError):
        return None


def app_settings() -> Settings:
    """This app's settings, from the environment, `st.secrets` and Streamlit's options.

    Raises:
        SettingsError: Naming every problem at once.
    """
    server = Server(
        port=int(st.get_option("server.port") or 8501), address=st.get_option("server.address")
    )
    return load_settings(environ=os.environ, secrets=_secrets_section(), server=server)


def _secrets_section() -> Mapping[str, Any]:
    if not st.secrets.load_if_toml_exists():
        return {}
    section = st.secrets.get("component_auth0", {})
    return section if hasattr(section, "items") else {}


def _context() -> Any:
    return get_script_run_ctx(suppress_warning=True)
