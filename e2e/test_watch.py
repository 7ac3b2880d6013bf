"""The end of a session shows in every open frame, without a question: `/api/auth/watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor

# A browser opens six connections to a host on HTTP/1.1 (G15).
_TABS: Final = 7
_EACH: Final = 3
# Alone it takes some hundredths of a second; a machine with two cores runs five programs.
_AT_ONCE_MS: Final = 5_000


def test_seven_open_tabs_hear_of_a_logout_and_starve_nobody(visitor: Visitor) -> None:
    """G15."""
    first = visitor.open()
    first.sign_in("ada")
    tabs = [first, *(visitor.open() for _ in range(_TABS - 1))]
    for tab in tabs:
        tab.is_signed_in("ada")
    assert watches(visitor) == 1, "one frame watches for all"
    eighth = visitor.open()
    eighth.is_signed_in("ada")
    eighth.sign_out()
    for tab in tabs:
        hears_of_the_end(tab)
    for tab in tabs:
        tab.is_signed_out()
    asked = len(visitor.evidence.requests)
    eighth.sign_in("grace")
    # None of the others was heard since: whoever is signed out has nothing to watch.
    assert watches(visitor, since=asked) == 1


def test_tab_of_another_site_hears_of_a_logout(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(streamlit_host="127.0.0.1"))
    first = visitor.open()
    first.sign_in("ada")
    second = visitor.open()
    second.is_signed_in("ada")
    second.sign_out()
    hears_of_the_end(first)
    first.is_signed_out()


def test_tab_takes_the_watch_over_from_one_that_is_closed(visitor: Visitor) -> None:
    first = visitor.open()
    first.sign_in("ada")
    second = visitor.open()
    second.is_signed_in("ada")
    third = visitor.open()
    third.is_signed_in("ada")
    assert watches(visitor) == 1
    with visitor.context.expect_event("request", lambda request: is_watch(request.url)):
        first.page.close()
    third.sign_out()
    hears_of_the_end(second)


def test_frame_hears_of_an_end_after_the_companion_was_restarted(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    companion = visitor.stack.companion_program
    with visitor.context.expect_event("request", lambda request: is_watch(request.url)):
        companion.stop()
        companion.start()
        companion.wait_ready()
    tab.component.is_in_state("signed-in")
    other = visitor.open()
    other.is_signed_in("ada")
    other.sign_out()
    hears_of_the_end(tab)
    tab.is_signed_out()


def test_frames_hear_of_a_logout_where_the_browser_refuses_locks(visitor: Visitor) -> None:
    visitor.context.add_init_script(
        """Object.defineProperty(Navigator.prototype, "locks", {
            get() { throw new DOMException("refused", "SecurityError"); },
        });"""
    )
    first = visitor.open()
    first.sign_in("ada")
    second = visitor.open()
    second.is_signed_in("ada")
    third = visitor.open()
    third.is_signed_in("ada")
    assert watches(visitor) == _EACH, "each for itself"
    third.sign_out()
    hears_of_the_end(first)
    hears_of_the_end(second)


def hears_of_the_end(tab: Tab) -> None:
    """Nobody clicks there, and nothing is asked now and then."""
    expect(tab.component.root).to_have_attribute("data-state", "signed-out", timeout=_AT_ONCE_MS)
    expect(tab.component.part("status")).to_contain_text("Your session has ended")


def is_watch(url: str) -> bool:
    """Whether it is the watch's address."""
    return url.endswith("/api/auth/watch")


def watches(visitor: Visitor, since: int = 0) -> int:
    """How many watches the browser began."""
    return sum(is_watch(url) for url in visitor.evidence.requests[since:])
