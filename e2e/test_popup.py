"""What people do to the popup: close it, never get it, give up, come back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from harness.visitor import enter_password
from harness.waiting import wait_until

if TYPE_CHECKING:
    from harness.visitor import Tab, Visitor

# Runs in every frame before its scripts: what a popup blocker does to `window.open`.
BLOCKER = "window.open = () => null;"


def test_closed_popup_then_the_window_opened_again(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.start_sign_in().close()
    # `popup.closed` proves nothing (COOP makes it lie): the frame goes on waiting.
    tab.component.is_in_state("waiting")
    with tab.page.expect_popup() as again:
        tab.component.part("open-login").click()
    enter_password(again.value, "ada")
    tab.is_signed_in("ada")


def test_closed_popup_then_cancel_then_sign_in(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.start_sign_in().close()
    cancel(tab)
    tab.sign_in("ada")


def test_popup_blocked_and_a_real_form_button_signs_in(visitor: Visitor) -> None:
    visitor.context.add_init_script(BLOCKER)
    tab = visitor.open()
    tab.is_signed_out()
    tab.component.part("login-button").click()
    expect(tab.component.part("status")).to_contain_text("Your browser blocked the sign-in window")
    with tab.page.expect_popup() as popup:
        tab.component.part("open-login").click()
    enter_password(popup.value, "ada")
    tab.is_signed_in("ada")


def test_cancel_while_waiting_and_a_late_login_signs_nobody_in(visitor: Visitor) -> None:
    """G07."""
    tab = visitor.open()
    popup = tab.start_sign_in()
    cancel(tab)
    with popup.expect_event("close"):
        enter_password(popup, "ada")
    tab.is_signed_out()
    tab.sign_in_again("ada")


def test_reload_while_the_popup_is_open_leaves_a_working_page(visitor: Visitor) -> None:
    """G07."""
    tab = visitor.open()
    popup = tab.start_sign_in()
    tab.page.reload()
    tab.is_signed_out()
    with popup.expect_event("close"):
        enter_password(popup, "ada")
    tab.is_signed_out()
    tab.sign_in_again("ada")


def test_popup_has_no_opener_and_no_foreign_address(visitor: Visitor) -> None:
    tab = visitor.open()
    popup = tab.start_sign_in()
    popup.get_by_test_id("dev-login").wait_for()
    assert popup.evaluate("window.opener") is None


def test_the_tab_of_the_blocked_popups_form_has_no_opener(visitor: Visitor) -> None:
    """D46: the one that a form opens, where script may not."""
    visitor.context.add_init_script(BLOCKER)
    tab = visitor.open()
    tab.component.part("login-button").click()
    with tab.page.expect_popup() as popup:
        tab.component.part("open-login").click()
    popup.value.get_by_test_id("dev-login").wait_for()
    assert popup.value.evaluate("window.opener") is None


def test_each_window_has_a_name_that_nobody_can_guess(visitor: Visitor) -> None:
    """D45: a page that knows a window's name can lead the window elsewhere."""
    visitor.context.add_init_script(
        """const open_ = window.open;
        window.names = [];
        window.open = (url, name, ...rest) => {
            window.names.push(name);
            return open_.call(window, url, name, ...rest);
        };"""
    )
    tab = visitor.open()
    for _ in range(2):
        tab.start_sign_in().close()
        cancel(tab)
    names = tab.component.root.evaluate("() => window.names")
    assert len(names) == len(set(names)) == 2
    assert all(re.fullmatch(r"[\w-]{22}", name) for name in names)


def test_double_click_on_sign_in_does_not_cancel_it(visitor: Visitor) -> None:
    tab = visitor.open()
    with tab.page.expect_popup() as popup:
        tab.component.part("login-button").dblclick()
    tab.component.is_in_state("waiting")
    enter_password(popup.value, "ada")
    tab.is_signed_in("ada")


def cancel(tab: Tab) -> None:
    """Presses "Cancel" until it is taken for one: a double click's second half is not."""
    button = tab.component.part("cancel-button")

    def cancelled() -> bool:
        if button.is_visible():
            button.click()
        return tab.component.root.get_attribute("data-state") == "signed-out"

    tab.component.is_in_state("waiting")
    wait_until(cancelled, what="the sign-in to be cancelled")
    tab.is_signed_out()
