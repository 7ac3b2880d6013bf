"""Browsers that refuse much, and pages within pages (catalogue D03, D05, D06)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

from harness import chromium
from harness.visitor import COMPONENT, enter_password

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Playwright

    from conftest import NewVisitor, StartStack
    from harness.stack import Stack
    from harness.stranger import Stranger

# What storage partitioning, private windows and blockers take away, all at once.
NOTHING_SHARED: Final = """
for (const name of ['BroadcastChannel', 'SharedWorker', 'indexedDB', 'caches', 'openDatabase'])
    Object.defineProperty(window, name, {value: undefined});
for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError'); }});
for (const name of ['serviceWorker', 'locks', 'storage', 'credentials'])
    Object.defineProperty(Navigator.prototype, name, {value: undefined});
"""


def test_login_where_pages_share_no_storage_and_no_channel(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(streamlit_host="127.0.0.1")
    visitor = new_visitor(stack)
    # Streamlit itself needs its storage; ours is asked for in our documents only.
    guard = f"if (location.origin === '{stack.companion}') {{ {NOTHING_SHARED} }}"
    visitor.context.add_init_script(guard)
    tab = visitor.open()
    assert tab.component.root.evaluate("() => typeof BroadcastChannel") == "undefined"
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()
    assert not [line for line in visitor.evidence.complaints if "SecurityError" in line]


def test_login_without_any_cookies_says_what_is_missing(
    stack: Stack, new_visitor: NewVisitor, playwright: Playwright, tmp_path: Path
) -> None:
    context = chromium.launch_without_cookies(playwright.chromium, tmp_path / "profile")
    visitor = new_visitor(stack, context=context)
    page = visitor.context.new_page()
    page.goto(f"{stack.companion}/api/auth/callback?state={'s' * 43}&code=x")
    expect(page.get_by_test_id("error")).to_contain_text("cookies")
    assert visitor.context.cookies() == []


def test_login_in_an_app_that_is_itself_embedded(
    start_stack: StartStack, new_visitor: NewVisitor, stranger: Stranger
) -> None:
    """Two levels of frames, three sites: the portal, the app, the companion."""
    stack = start_stack(
        streamlit_host="127.0.0.1", companion_env={"EMBED_ORIGINS": stranger.same_site}
    )
    stranger.serve("/", f'<iframe src="{stack.app}/?embed=true" width=900 height=700></iframe>')
    visitor = new_visitor(stack)
    page = visitor.context.new_page()
    page.goto(stranger.same_site)
    component = page.frame_locator("iframe").frame_locator(COMPONENT)
    with page.expect_popup() as popup:
        component.get_by_test_id("login-button").click()
    enter_password(popup.value, "ada")
    expect(component.get_by_test_id("user-name")).to_have_text("Ada Lovelace")
    expect(page.frame_locator("iframe").get_by_text("Hello Ada Lovelace")).to_be_visible()
    page.reload()
    expect(component.get_by_test_id("user-name")).to_have_text("Ada Lovelace")
