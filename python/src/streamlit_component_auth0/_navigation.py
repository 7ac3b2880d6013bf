"""`st.navigation` by what the person may open, with deep links that survive the sign-in.

Every page is registered in every run. One that may not be opened is replaced, at its own
address, by a page that says why: the browser keeps path and query string, and the run that
brings the sign-in runs the page that was asked for. Nothing here decides who is signed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import streamlit as st

from . import _streamlit
from ._component import login
from ._exceptions import UsageError
from ._host import current_host
from ._markdown import plain
from ._requirements import Entry, Requirements, guards, satisfied

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from streamlit.navigation.page import StreamlitPage
    from typing_extensions import Unpack

    from ._guards import LoginKeywords
    from ._session import Session

    PageLike = StreamlitPage | str | Path | Callable[[], None]

_NOTHING_REQUIRED: Final[Requirements] = {}


def navigation(
    pages: Sequence[PageLike] | Mapping[str, Sequence[PageLike]],
    *,
    require: Requirements = _NOTHING_REQUIRED,
    position: Literal["sidebar", "hidden", "top"] = "sidebar",
    expanded: bool = False,
    signed_out: Callable[[], object] | None = None,
    forbidden: Callable[[], object] | None = None,
    **login_kw: Unpack[LoginKeywords],
) -> StreamlitPage:
    """`st.navigation` whose menu shows the pages that this person may open.

    Call it once, in the app's entry point, and `run()` the page that it returns. It draws
    the sign-in component where it is called, above all pages: the component stays loaded
    when the page changes. A link to a page that needs a sign-in (or more than the person
    has) shows the sign-in (or says so) at that very address; once the person may, the page
    is there with its query string.

    A page guards what it draws. Guard what a fragment or callback of it does with
    `protected()`: those run without the entry point.

    Args:
        pages: As for `st.navigation`.
        require: What it takes to open a page, by page, function, file, URL path or section;
            `"*"` stands for all pages that nothing else names. A value is a dict with the
            arguments of `Session.has()`, a list of roles, or True for any signed-in person.
            If several keys name a page, all must be met. Pages that nothing names are open
            to everybody.
        position: As for `st.navigation`.
        expanded: As for `st.navigation`.
        signed_out: Draws the page for those who have to sign in first.
        forbidden: Draws the page for those who may not open it.
        **login_kw: Arguments of `login()`.

    Returns:
        The page to run.

    Raises:
        UsageError: A key of `require` names no page, or a value cannot be read.
    """
    entries = _entries(pages)
    required = guards(require, entries)
    session = login(**login_kw)
    may_open = [satisfied(guard, session) for guard in required]
    open_pages = [entry.page for entry, open_ in zip(entries, may_open, strict=True) if open_]

    def gate(entry: Entry) -> Callable[[], None]:
        return lambda: _draw_gate(entry.page, session, open_pages, signed_out, forbidden)

    default = _default(entries)
    sections: dict[str, list[StreamlitPage]] = {}
    for entry, open_ in zip(entries, may_open, strict=True):
        pages_of_section = sections.setdefault(entry.section, [])
        if open_:
            pages_of_section.append(entry.page)
        elif _streamlit.page_is_needed(entry.page, is_default=entry is default):
            replacement = _streamlit.hidden_page(
                gate(entry), like=entry.page, default=entry is default
            )
            pages_of_section.append(replacement)
    menu = {section: held for section, held in sections.items() if held}
    arranged: Any = menu if isinstance(pages, Mapping) else menu[""]
    return st.navigation(arranged, position=position, expanded=expanded)


def _entries(
    pages: Sequence[PageLike] | Mapping[str, Sequence[PageLike]],
) -> list[Entry]:
    sections = pages if isinstance(pages, Mapping) else {"": pages}
    entries = [
        Entry(_streamlit.as_page(given), section, given)
        for section, listed in sections.items()
        for given in listed
    ]
    if not entries:
        raise UsageError("navigation() needs at least one page.")
    return entries


def _default(entries: list[Entry]) -> Entry:
    # Streamlit's own choice, made before anything is replaced or left out: who is signed in
    # must not change a page's address.
    internal = [entry for entry in entries if not getattr(entry.page, "is_external", False)]
    marked = [entry for entry in internal if getattr(entry.page, "_default", False)]
    return [*marked, *internal, *entries][0]


def _draw_gate(
    page: StreamlitPage,
    session: Session | None,
    open_pages: list[StreamlitPage],
    signed_out: Callable[[], object] | None,
    forbidden: Callable[[], object] | None,
) -> None:
    title = plain(page.title)
    if session is not None:
        if forbidden is not None:
            forbidden()
            return
        st.subheader(f":material/lock: You may not open {title}", anchor=False)
        st.markdown(
            f"You are signed in as **{plain(session.user.name)}**, and this account does not "
            "have access to this page. Ask whoever runs this app, or sign in with another account."
        )
        _draw_links(open_pages)
    elif current_host().sign_in.status != "pending":
        # (before the browser's first answer nobody is told to do what may be done already)
        if signed_out is not None:
            signed_out()
            return
        st.subheader(f":material/login: Sign in to open {title}", anchor=False)
        st.markdown("You will come back to this page, as it was linked.")


def _draw_links(open_pages: list[StreamlitPage]) -> None:
    shown = [page for page in open_pages if getattr(page, "visibility", "visible") == "visible"]
    if shown:
        st.caption("You can open:")
        for page in shown:
            st.page_link(page)
