"""A native menu of the signed-in person. No component is in it: a closed popover loads none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import streamlit as st

from ._component import current_session, logout
from ._markdown import plain
from ._settings import is_loopback_host

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from ._session import Session
    from ._user import User

DEFAULT_MENU_KEY: Final = "_component_auth0_menu"
_MOST_ROLES: Final = 12
_PICTURE_PIXELS: Final = 64


def user_menu(
    *,
    container: DeltaGenerator | None = None,
    picture: bool = False,
    key: str = DEFAULT_MENU_KEY,
) -> None:
    """Draws a popover with name, e-mail address, roles and a button that signs out.

    It draws nothing while nobody is signed in. `login()` (or `navigation()`) has to stand
    elsewhere on the page: Streamlit loads no component in a closed popover.

    Args:
        container: Where to draw it, such as `st.sidebar` or a column; here when not given.
        picture: Shows the person's picture. The browser fetches it from wherever the
            provider keeps it, which tells that place who looks at your app.
        key: Prefix of the elements' Streamlit keys, for a second menu in the same run.
    """
    session = current_session()
    if session is None:
        return
    popover = st.popover if container is None else container.popover
    with popover(plain(session.user.name), icon=":material/account_circle:"):
        _draw_person(session.user, with_picture=picture)
        _draw_roles(session)
        st.button(
            "Sign out",
            key=f"{key}_sign_out",
            icon=":material/logout:",
            on_click=logout,
        )


def _draw_person(user: User, *, with_picture: bool) -> None:
    url = _picture_url(user) if with_picture else None
    if url is not None:
        st.image(url, width=_PICTURE_PIXELS)
    st.markdown(f"**{plain(user.name)}**")
    if user.email is not None and user.email != user.name:
        # (not Markdown, which makes a link of an address)
        st.text(user.email)


def _draw_roles(session: Session) -> None:
    roles = sorted(session.roles)
    if not roles:
        return
    badges = [f":blue-badge[{plain(role)}]" for role in roles[:_MOST_ROLES]]
    if len(roles) > _MOST_ROLES:
        badges.append(f"and {len(roles) - _MOST_ROLES} more")
    st.markdown(" ".join(badges))


def _picture_url(user: User) -> str | None:
    # st.image reads files of this server and takes SVG text too: what is no web address
    # must not get there. Many providers let people choose the value.
    url = (user.picture or "").strip()
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme == "https" and parts.hostname:
        return url
    return url if parts.scheme == "http" and is_loopback_host(parts.hostname) else None
