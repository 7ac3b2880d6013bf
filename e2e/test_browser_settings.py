"""The browser under test protects its users as a real one does, else the rest proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Frame

    from harness.stranger import Stranger

_READ = "() => localStorage.getItem('mark')"


@pytest.fixture
def site(stranger: Stranger) -> Stranger:
    """`/outer` on 127.0.0.1 frames `/inner` on localhost, which sets a third-party cookie."""
    stranger.headers["Set-Cookie"] = "mark=here; SameSite=None; Secure"
    stranger.serve("/inner", "<p>inner</p>")
    stranger.serve("/outer", f'<iframe src="{stranger.same_site}/inner"></iframe>')
    return stranger


def test_storage_of_a_cross_site_frame_is_partitioned(browser: Browser, site: Stranger) -> None:
    assert inner(browser.new_context(), site).evaluate(_READ) is None


def test_third_party_cookies_are_blocked(browser: Browser, site: Stranger) -> None:
    assert cookie_sent_by(inner(browser.new_context(), site), site) is None


def test_third_party_cookies_are_allowed_in_the_lenient_browser(
    lenient_context: BrowserContext, site: Stranger
) -> None:
    assert cookie_sent_by(inner(lenient_context, site), site) == "mark=here"


def inner(context: BrowserContext, site: Stranger) -> Frame:
    """The cross-site frame, after a first-party visit that left its mark."""
    page = context.new_page()
    page.goto(f"{site.same_site}/inner")
    page.evaluate("() => localStorage.setItem('mark', 'here')")
    assert page.evaluate(_READ) == "here"
    page.goto(f"{site.cross_site}/outer")
    return page.frames[1]


def cookie_sent_by(frame: Frame, site: Stranger) -> str | None:
    """The `Cookie` header of a request that the frame makes."""
    frame.evaluate("() => fetch('/probe').then((answer) => answer.status)")
    path, cookie = site.received[-1]
    assert path == "/probe"
    return cookie
