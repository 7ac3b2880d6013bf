"""The browser under test protects its users as a real one does, else the rest proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

    from harness.stranger import Stranger

_READ = "() => localStorage.getItem('mark')"


@pytest.fixture
def page(browser: Browser, stranger: Stranger) -> Page:
    """A page on 127.0.0.1 that frames one on localhost."""
    stranger.headers["Set-Cookie"] = "mark=here; SameSite=None; Secure"
    stranger.serve("/inner", "<p>inner</p>")
    stranger.serve("/outer", f'<iframe src="{stranger.same_site}/inner"></iframe>')
    page = browser.new_context().new_page()
    page.goto(f"{stranger.same_site}/inner")
    page.evaluate("() => localStorage.setItem('mark', 'here')")
    assert page.evaluate(_READ) == "here"
    page.goto(f"{stranger.cross_site}/outer")
    return page


def inner(page: Page) -> Frame:
    return page.frames[1]


def test_storage_of_a_cross_site_frame_is_partitioned(page: Page) -> None:
    assert inner(page).evaluate(_READ) is None


def test_third_party_cookies_are_blocked(page: Page, stranger: Stranger) -> None:
    inner(page).evaluate("() => fetch('/probe').then((answer) => answer.status)")
    assert stranger.received[-1] == ("/probe", None)
