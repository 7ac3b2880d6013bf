"""The Python package in real Streamlit: reruns, fragments, callbacks, pages, restarts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from harness.visitor import enter_password

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor


def test_click_during_redeem_loses_neither_login_nor_click(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    """G08."""
    tab = new_visitor(start_stack(app="slow")).open()
    popup = tab.start_sign_in()
    enter_password(popup, "ada")
    # The frame knows; Python is busy redeeming for 1.5 s.
    tab.component.is_in_state("signed-in")
    tab.press("Click me")
    tab.is_signed_in("ada")
    tab.reads("Clicks: 1")
    tab.reads("Redeems: 1")


def test_fragment_that_outlives_its_session_acts_for_nobody(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(app="fragment", app_env={"RECHECK_SECONDS": "0"}))
    keep_the_frame_from_hearing_of_ends(visitor)
    tab = visitor.open()
    tab.sign_in("ada")
    tab.press("Refresh")
    tab.reads("Fragment runs: 2")
    end_session_elsewhere(visitor)
    tab.press("Refresh")
    tab.reads("Signed out")
    tab.never_reads("Hello")
    expect(tab.page.get_by_test_id("stException")).to_have_count(0)


def test_callback_after_the_session_ended_is_skipped(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(app="callbacks", app_env={"RECHECK_SECONDS": "0"}))
    keep_the_frame_from_hearing_of_ends(visitor)
    tab = visitor.open()
    tab.sign_in("ada")
    tab.press("Do it")
    tab.reads("Done: 1")
    end_session_elsewhere(visitor)
    tab.press("Do it")
    tab.reads("Signed out")
    tab.reads("Done: 1")
    expect(tab.page.get_by_test_id("stException")).to_have_count(0)


def test_sign_out_in_python_is_sticky_and_the_next_login_asks_for_the_password(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="callbacks")).open()
    tab.sign_in("ada")
    tab.press("Sign out (Python)")
    tab.is_signed_out()
    tab.press("Do it")
    tab.reads("Done: 0")
    tab.is_signed_out()
    # The provider still knows Ada: `prompt=login` asks all the same.
    popup = tab.start_sign_in()
    enter_password(popup, "grace")
    tab.is_signed_in("grace")


def test_sign_out_in_python_survives_a_reload(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="callbacks")).open()
    tab.sign_in("ada")
    tab.press("Sign out (Python)")
    tab.is_signed_out()
    tab.page.reload()
    tab.is_signed_out()


def test_page_switch_costs_one_run_and_no_redeem(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="multipage")).open()
    tab.sign_in("ada")
    tab.reads("Redeems: 1")
    runs = settled_runs(tab)
    tab.page.get_by_role("link", name="Reports").click()
    expect(tab.page.get_by_role("heading", name="Reports")).to_be_visible()
    tab.is_signed_in("ada")
    assert settled_runs(tab) == runs + 1
    tab.reads("Redeems: 1")


def test_page_that_mounts_the_frame_anew_is_silent(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="multipage")).open()
    tab.sign_in("ada")
    runs = settled_runs(tab)
    tab.page.get_by_role("link", name="Framed").click()
    tab.reads("Framed for Ada Lovelace")
    tab.is_signed_in("ada")
    assert settled_runs(tab) == runs + 1
    tab.reads("Redeems: 1")


def test_sign_in_costs_exactly_one_rerun(start_stack: StartStack, new_visitor: NewVisitor) -> None:
    tab = new_visitor(start_stack(app="multipage")).open()
    tab.is_signed_out()
    runs = settled_runs(tab)
    tab.sign_in("ada")
    assert settled_runs(tab) == runs + 1


def test_streamlit_restarted_with_the_tab_open_is_signed_in_again(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(app="multipage")
    tab = new_visitor(stack).open()
    tab.sign_in("ada")
    tab.page.get_by_role("link", name="Reports").click()
    expect(tab.page.get_by_role("heading", name="Reports")).to_be_visible()
    with tab.page.expect_websocket():
        stack.restart_streamlit()
    # Streamlit's page reconnects, and runs the script when the person does something next.
    tab.page.get_by_role("link", name="Home").click()
    expect(tab.page.get_by_role("heading", name="Home")).to_be_visible()
    # A new server counts from the start: what shows now is not the old page.
    expect(tab.page.get_by_text(re.compile(r"^Runs: [123]$"))).to_be_visible()
    tab.is_signed_in("ada")
    tab.reads("Redeems: 1")


def test_login_in_an_expander_that_was_closed(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="expander")).open()
    tab.page.get_by_text("Authenticate").click()
    tab.sign_in("ada")
    tab.page.get_by_text("Authenticate").click()
    tab.reads("Hello Ada Lovelace")


def test_login_in_a_closed_expander_survives_a_reload(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="expander")).open()
    tab.page.get_by_text("Authenticate").click()
    tab.sign_in("ada")
    tab.page.reload()
    # Nobody opens the expander now.
    tab.reads("Hello Ada Lovelace")


def test_login_in_the_sidebar(start_stack: StartStack, new_visitor: NewVisitor) -> None:
    tab = new_visitor(start_stack(app="sidebar")).open()
    tab.sign_in("ada")
    expect(tab.page.get_by_test_id("stSidebar").locator("iframe")).to_be_visible()
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()


def test_reload_of_a_deep_link_keeps_page_query_and_login(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(start_stack(app="multipage")).open("/reports?q=seven")
    tab.reads("Query: seven")
    tab.sign_in("ada")
    tab.reads("Query: seven")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.reads("Query: seven")
    expect(tab.page.get_by_role("heading", name="Reports")).to_be_visible()


def keep_the_frame_from_hearing_of_ends(visitor: Visitor) -> None:
    """The frame would sign the page out before the person presses anything."""
    visitor.context.route("**/api/auth/watch", lambda route: route.abort())


def end_session_elsewhere(visitor: Visitor) -> None:
    """Signs out on the companion's own page: neither frame nor Python is told."""
    page = visitor.context.new_page()
    page.goto(visitor.stack.companion)
    page.get_by_test_id("logout-button").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.close()


def settled_runs(tab: Tab) -> int:
    """The number of script runs once the script rests."""
    app = tab.page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    text = tab.page.get_by_text(re.compile(r"^Runs: \d+$")).inner_text()
    return int(text.removeprefix("Runs: "))
