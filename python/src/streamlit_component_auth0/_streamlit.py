"""The few things asked of Streamlit that have no public name, in one place.

Each has a fallback for a version that lacks it; what the fallback costs is said with it.
"""

from __future__ import annotations

import inspect
import itertools
import os
import threading
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import streamlit as st
from streamlit import runtime
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ._settings import Server, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PAGES_CAN_BE_HIDDEN: Final = "visibility" in inspect.signature(st.Page).parameters

_clients: Final[WeakKeyDictionary[Any, str]] = WeakKeyDictionary()
_clients_lock: Final = threading.Lock()
_client_serials: Final = itertools.count(1)


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

    The server's own object for the websocket tells for sure. Fallback: the browser's key
    (RFC 6455 §4.1), which could be repeated, and which HTTP/2 does not have (RFC 8441 §5);
    it may cause a question to the companion, and decides nothing.
    """
    client = _client()
    if client is not None:
        with _clients_lock:
            return _clients.setdefault(client, f"client-{next(_client_serials)}")
    try:
        return st.context.headers.get("Sec-WebSocket-Key")
    except (AttributeError, RuntimeError):
        return None


def browser_locale() -> str | None:
    """The browser's language tag. Fallback: None."""
    try:
        locale: str | None = st.context.locale
    except (AttributeError, RuntimeError):
        return None
    return locale


def as_page(given: Any) -> StreamlitPage:
    """What `st.navigation` makes of an entry of its list."""
    return given if isinstance(given, StreamlitPage) else st.Page(given)


def hidden_page(draw: Callable[[], None], *, like: StreamlitPage, default: bool) -> StreamlitPage:
    """A page at the address of `like` that is not in the menu.

    Fallback before pages could be hidden: it is in the menu; see `page_is_needed`.
    """
    # The default page's own path is not public. Without it the address is the same, only
    # the widgets of that page forget their values at the sign-in.
    url_path = getattr(like, "_url_path", None) or like.url_path
    hidden: dict[str, Any] = {"visibility": "hidden"} if _PAGES_CAN_BE_HIDDEN else {}
    page: StreamlitPage = st.Page(
        draw, title=like.title, icon=like.icon or None, url_path=url_path, default=default, **hidden
    )
    return page


def page_is_needed(page: StreamlitPage, *, is_default: bool) -> bool:
    """Whether a page that is not for the menu has to be registered all the same.

    Where pages can be hidden, all are. Else only the default one and the one that the
    browser asks for, so that no menu shows what may not be opened. Fallback: yes.
    """
    if _PAGES_CAN_BE_HIDDEN or is_default:
        return True
    manager = getattr(_context(), "pages_manager", None)
    asked_hash = getattr(manager, "intended_page_script_hash", None)
    if asked_hash:
        return bool(asked_hash == getattr(page, "_script_hash", asked_hash))
    return bool(getattr(manager, "intended_page_name", page.url_path) == page.url_path)


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


def _client() -> Any:
    """The server's end of the browser's websocket; None without one, as in app tests."""
    session_id: str | None = getattr(_context(), "session_id", None)
    if session_id is None or not runtime.exists():
        return None
    server = runtime.get_instance()
    # An app test puts a mock there that says it is one, with another client each time.
    return server.get_client(session_id) if issubclass(type(server), runtime.Runtime) else None


def _context() -> Any:
    return get_script_run_ctx(suppress_warning=True)
