"""The frame is cross-site to the app's page: storage partitioned, third-party cookies blocked.

Streamlit is on http://127.0.0.1, the companion on http://localhost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness.visitor import enter_password

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from conftest import NewVisitor, StartStack
    from harness.stack import Stack


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    return start_stack(streamlit_host="127.0.0.1")


def test_cross_site_login_reload_and_logout(stack: Stack, new_visitor: NewVisitor) -> None:
    tab = new_visitor(stack).open()
    tab.is_signed_out()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()
    tab.page.reload()
    tab.is_signed_out()


def test_cross_site_login_with_third_party_cookies_allowed(
    stack: Stack, new_visitor: NewVisitor, lenient_context: BrowserContext
) -> None:
    tab = new_visitor(stack, context=lenient_context).open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()


def test_cross_site_second_tab_is_signed_in_too(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(stack)
    visitor.open().sign_in("ada")
    visitor.open().is_signed_in("ada")


def test_cross_site_frame_and_popup_share_no_cookie(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(stack)
    tab = visitor.open()
    tab.sign_in("ada")
    # The launcher is first-party: signed in by the popup's cookie, out by its own button ...
    page = visitor.context.new_page()
    page.goto(stack.companion)
    expect(page.get_by_test_id("user-name")).to_have_text("Ada Lovelace")
    page.get_by_test_id("logout-button").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    # ... which ends the session itself, so that the frame's cookie is worth nothing either.
    tab.page.reload()
    tab.is_signed_out()


def test_cross_site_login_with_popup_blocked(stack: Stack, new_visitor: NewVisitor) -> None:
    visitor = new_visitor(stack)
    visitor.context.add_init_script("window.open = () => null;")
    tab = visitor.open()
    tab.component.part("login-button").click()
    with tab.page.expect_popup() as popup:
        tab.component.part("open-login").click()
    enter_password(popup.value, "ada")
    tab.is_signed_in("ada")


def test_cross_site_with_the_provider_on_a_third_site_and_coop(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(streamlit_host="127.0.0.1", provider_host="127.0.0.1")
    stack.tenant.misbehave(pages={"coop": "same-origin"})
    tab = new_visitor(stack).open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()
