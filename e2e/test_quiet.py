"""An idle frame asks nothing, and a session that ends is seen to end without a click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Request, Route

    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor

# The one place where letting time pass is the test.
_IDLE_MS: Final = 5_000


def test_idle_frame_makes_no_request(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.is_signed_out()
    assert requests_while_idle(tab) == []
    tab.sign_in("ada")
    # The listener does hear the frame when it asks.
    assert any(url.endswith("/api/auth/handoff") for url in visitor.evidence.requests)
    assert requests_while_idle(tab) == []


def test_frame_asks_who_is_signed_in_while_its_program_is_on_its_way_and_only_once(
    visitor: Visitor,
) -> None:
    asked: list[Request] = []
    held: list[Route] = []

    def hear(request: Request) -> None:
        if request.url.endswith("/api/auth/ticket"):
            asked.append(request)

    visitor.context.on("request", hear)
    visitor.context.route(
        "**/*.wasm", lambda route: route.continue_() if asked else held.append(route)
    )
    tab = visitor.new_tab()
    with tab.page.expect_request("**/api/auth/ticket"):
        tab.open()
    for program in held:
        program.continue_()
    tab.is_signed_out()
    assert len(asked) == 1


def test_session_that_reaches_its_end_signs_the_page_out_by_itself(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    lifetime = {"SESSION_ABSOLUTE_SECONDS": "12", "SESSION_ROLLING_SECONDS": "12"}
    tab = new_visitor(start_stack(app="callbacks", companion_env=lifetime)).open()
    tab.sign_in("ada")
    tab.is_signed_out()
    expect(tab.component.part("status")).to_contain_text("Your session has ended")
    tab.page.reload()
    tab.is_signed_out()
    tab.sign_in_again("ada")


def test_unused_session_lapses_before_its_absolute_end(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(
        start_stack(app="callbacks", companion_env={"SESSION_ROLLING_SECONDS": "10"})
    ).open()
    tab.sign_in("ada")
    tab.is_signed_out()


def requests_while_idle(tab: Tab) -> list[str]:
    """What the frame asks of the companion while nobody does anything."""
    requests: list[str] = []

    def hear(request: Request) -> None:
        if request.url.startswith(tab.stack.companion):
            requests.append(request.url)

    app = tab.page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    tab.page.on("request", hear)
    tab.page.wait_for_timeout(_IDLE_MS)
    tab.page.remove_listener("request", hear)
    return requests
