"""Two people in one Streamlit process: caches and threads never give one what is the other's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from harness.wishes import SHORT

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab

LINES = ("By session", "By user", "Notebook")


def test_cached_data_of_two_people_stay_apart(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    """D51, G09."""
    stack = start_stack(app="cached")
    ada, grace = new_visitor(stack).open(), new_visitor(stack).open()
    ada.sign_in("ada")
    grace.sign_in("grace")
    ada.press("Note")
    ada.reads(re.compile("noted by Ada Lovelace"))
    of_ada, of_grace = cached(ada), cached(grace)
    for line in LINES:
        assert of_ada[line].startswith("Ada Lovelace #")
        assert of_grace[line].startswith("Grace Hopper #")
    grace.page.reload()
    grace.is_signed_in("grace")
    # The cache does its work: what was computed for a person is that person's again ...
    assert cached(grace) == of_grace
    # ... in whatever browser, and whoever sat there before.
    ada.sign_out()
    ada.sign_in("grace")
    assert cached(ada) == of_grace
    ada.never_reads(re.compile("Ada Lovelace"))


def test_threads_of_two_people_never_share_a_token(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    """A02, D51."""
    stack = start_stack(app="threads", access_token_seconds=SHORT)
    stack.tenant.misbehave(slow_ms={"token": 200})
    ada, grace = new_visitor(stack).open(), new_visitor(stack).open()
    ada.sign_in("ada")
    grace.sign_in("grace")
    grace.lets_time_pass()
    for tab in (ada, grace):
        tab.press("Call in threads")
    ada.reads("24 answers for auth0|ada")
    grace.reads("24 answers for auth0|grace")
    assert stack.tenant.token_requests("refresh_token") >= 2


def cached(tab: Tab) -> dict[str, str]:
    """What each line shows."""
    app = tab.page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    texts = {}
    for line in LINES:
        text = tab.page.get_by_text(re.compile(f"^{line}: ")).inner_text()
        texts[line] = text.removeprefix(f"{line}: ")
    return texts
