"""A websocket that broke comes back with its old session, which is believed only after a look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.relay import Relay
    from harness.stack import Stack
    from harness.visitor import Tab


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    # So long that no re-check but that of the reconnect is due.
    return start_stack(
        app="multipage",
        cuttable=True,
        back_channel_logout=True,
        app_env={"RECHECK_SECONDS": "3600"},
    )


def test_reconnect_keeps_who_is_signed_in(stack: Stack, new_visitor: NewVisitor) -> None:
    tab = new_visitor(stack).open()
    tab.sign_in("ada")
    reconnect(tab)
    go_to_reports(tab)
    tab.is_signed_in("ada")
    tab.reads("Redeems: 1")


def test_session_that_ended_while_disconnected_is_over_after_the_reconnect(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    """D52."""
    visitor = new_visitor(stack)
    tab = visitor.open()
    tab.sign_in("ada")
    wire(stack).cut()
    # The frame hears nothing any more: Python has to find out by itself.
    visitor.context.set_offline(True)
    visitor.context.route(f"{stack.companion}/**", lambda route: route.abort())
    stack.tenant.end_sessions_of("ada")
    visitor.context.set_offline(False)
    with tab.page.expect_websocket():
        wire(stack).mend()
    go_to_reports(tab)
    tab.reads("Signed out")
    tab.never_reads(re.compile("^Hello "))
    # Once the frame hears again, it agrees.
    visitor.context.unroute_all()
    tab.page.reload()
    tab.is_signed_out()
    tab.sign_in("grace")


def reconnect(tab: Tab) -> None:
    wire(tab.stack).cut()
    with tab.page.expect_websocket():
        wire(tab.stack).mend()


def go_to_reports(tab: Tab) -> None:
    """Something that the person does: until then Streamlit runs nothing."""
    tab.page.get_by_role("link", name="Reports").click()
    expect(tab.page.get_by_role("heading", name="Reports")).to_be_visible()


def wire(stack: Stack) -> Relay:
    assert stack.relay is not None
    return stack.relay
