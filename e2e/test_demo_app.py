"""The demo app's whole story, as its visitors live it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from harness.visitor import Tab, Visitor

ANSWERED = "The API answered."
LACKS_SCOPE = "403: you are signed in, but your access token lacks the scope that this needs."


def test_demo_story_of_somebody_with_every_permission(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.is_signed_out()
    count_and_note(tab)
    tab.press("Call public API")
    tab.reads(ANSWERED)
    expect(tab.page.get_by_role("button", name="Call protected API")).to_be_disabled()

    tab.sign_in("ada")
    state_survived(tab)
    tab.reads("ada@example.com")
    for name in ("Call public API", "Call protected API", "Call scoped API"):
        calls(tab, name, ANSWERED)

    tab.press("Sign out (Python)")
    tab.is_signed_out()
    state_survived(tab)
    # Sticky: further runs sign nobody in.
    tab.press("Count up")
    tab.reads("Count: 3")
    tab.is_signed_out()


def test_demo_story_of_somebody_without_permissions(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("linus")
    calls(tab, "Call protected API", ANSWERED)
    calls(tab, "Call scoped API", LACKS_SCOPE)
    tab.sign_out()
    expect(tab.page.get_by_role("button", name="Call scoped API")).to_be_disabled()


def test_demo_says_so_when_the_api_is_down(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    visitor.stack.api_program.stop()
    calls(tab, "Call protected API", f"The API at {visitor.stack.api} cannot be reached.")
    tab.is_signed_in("ada")


def test_demo_happy_path_without_console_errors_or_csp_violations(visitor: Visitor) -> None:
    visitor.context.add_init_script(
        "addEventListener('securitypolicyviolation', (event) =>"
        " console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI));"
    )
    tab = visitor.open()
    tab.sign_in("ada")
    calls(tab, "Call scoped API", ANSWERED)
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()
    assert any("401 (Unauthorized)" in line for line in visitor.evidence.complaints)
    ours = [line for line in visitor.evidence.complaints if not about_streamlit(line)]
    # Nobody signed in is a 401 to the frame's first question, and Chromium reports each.
    told = [line for line in ours if "401 (Unauthorized)" not in line or "ticket" not in line]
    assert told == []


def about_streamlit(line: str) -> bool:
    """Streamlit's own page warns of features in its iframes' permission policy."""
    return re.search(r"Unrecognized feature|allow-scripts and allow-same-origin", line) is not None


def count_and_note(tab: Tab) -> None:
    tab.press("Count up")
    tab.reads("Count: 1")
    tab.press("Count up")
    tab.reads("Count: 2")
    tab.page.get_by_label("A note").fill("before the sign-in")
    tab.page.get_by_label("A note").press("Enter")


def state_survived(tab: Tab) -> None:
    tab.reads("Count: 2")
    expect(tab.page.get_by_label("A note")).to_have_value("before the sign-in")


def calls(tab: Tab, name: str, words: str) -> None:
    """Presses a button that calls the API, and reads what is said of the answer."""
    tab.press(name)
    tab.reads(words)
