"""Markup and scripts in what others write are text: claims, errors, args (catalogue D39, D43)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from harness.visitor import enter_password

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page, Route

    from harness.stranger import Stranger
    from harness.visitor import Visitor

MARKUP: Final = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>\"'><svg onload=alert(3)>{{7*7}}"
)
# Draws itself, and runs its script wherever it is a document and no picture.
SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(4)">'
    "<script>alert(5)</script></svg>"
)
# No page of ours has any of these.
INJECTED: Final = "[onerror], [onload], svg, script:not([src]), a[href^='javascript:']"


@pytest.fixture
def visitor(visitor: Visitor) -> Visitor:
    """Whoever opens a dialog was a script of somebody else."""
    visitor.context.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return visitor


def test_claims_with_markup_are_text_wherever_they_are_shown(visitor: Visitor) -> None:
    claims = {"name": MARKUP, "nickname": MARKUP, "picture": "javascript:alert(6)"}
    visitor.stack.tenant.misbehave(id_token={"claims": claims})
    tab = visitor.open()
    enter_password(tab.start_sign_in(), "ada")
    tab.component.is_in_state("signed-in")
    expect(tab.component.part("user-name")).to_have_text(MARKUP)
    nothing_injected(tab.component.frame)
    expect(tab.component.frame.locator("img[src]")).to_have_count(0)
    tab.reads(re.compile("^Hello <img"))
    expect(tab.page.locator("[onerror], [onload]")).to_have_count(0)
    page = visitor.context.new_page()
    for path in ("/", "/api/auth/logout", "/signed-in", f"/api/auth/callback?error={MARKUP}"):
        page.goto(f"{visitor.stack.companion}{path}")
        nothing_injected(page)


def test_a_picture_that_is_a_script_is_a_picture_at_most(
    visitor: Visitor, stranger: Stranger
) -> None:
    stranger.serve_as("/me.svg", SVG, "image/svg+xml")
    tab = visitor.open()
    shown = tab.component.frame.locator("img[src]")
    for picture in (f"data:image/svg+xml,{SVG}", f"{stranger.cross_site}/me.svg"):
        visitor.stack.tenant.misbehave(id_token={"claims": {"picture": picture}})
        popup = tab.start_sign_in()
        enter_password(popup, "ada")
        tab.is_signed_in("ada")
        nothing_injected(tab.component.frame)
        if picture.startswith("data:"):
            expect(shown).to_have_count(0)
            tab.sign_out()
    # That one is loaded, with neither cookies of ours nor the address of the page.
    expect(shown).to_have_js_property("complete", value=True)
    assert {cookie for path, cookie in stranger.received if path == "/me.svg"} == {None}


def test_the_providers_error_text_is_text_or_nothing(visitor: Visitor) -> None:
    fault = {"error": "access_denied", "error_description": MARKUP}
    visitor.stack.tenant.misbehave(authorize=fault)
    tab = visitor.open()
    popup = tab.start_sign_in()
    expect(popup.get_by_test_id("error")).to_be_visible()
    nothing_injected(popup)
    tab.component.is_in_state("error")
    nothing_injected(tab.component.frame)


def test_what_the_host_writes_into_the_frame_is_text(visitor: Visitor) -> None:
    # A page that hears nothing any more: Streamlit answers a new height with its own args.
    visitor.context.add_init_script(
        "addEventListener('message', (event) => window.deaf && event.stopImmediatePropagation())"
    )
    tab = visitor.open()
    tab.is_signed_out()
    tab.page.evaluate(
        """(markup) => {
            window.deaf = true;
            const args = {
                challenge: 'C'.repeat(43), hostname: markup, locale: markup, variant: markup,
                initial_state: {message: markup}, labels: {login: markup, signed_out: markup},
            };
            const theme = {font: markup, primaryColor: 'url(javascript:alert(7))'};
            frames[0].postMessage({type: 'streamlit:render', args, theme}, '*');
        }""",
        MARKUP,
    )
    expect(tab.component.part("status")).to_have_text(MARKUP)
    nothing_injected(tab.component.frame)
    tab.component.is_in_state("signed-out")


def test_a_browser_that_refuses_the_wasm_says_so(visitor: Visitor) -> None:
    def without_wasm(route: Route) -> None:
        answer = route.fetch()
        policy = answer.headers["content-security-policy"]
        assert "'wasm-unsafe-eval'" in policy
        headers = {
            **answer.headers,
            "content-security-policy": policy.replace("'wasm-unsafe-eval'", ""),
        }
        route.fulfill(response=answer, headers=headers)

    visitor.context.route(re.compile(r"/streamlit(\?|$)"), without_wasm)
    visitor.expects_violations = True
    tab = visitor.open()
    tab.component.is_in_state("error")
    expect(tab.component.part("error")).to_contain_text("could not start in this browser")
    assert visitor.evidence.violations


def nothing_injected(page: Page | FrameLocator) -> None:
    """No element or attribute that we did not write."""
    expect(page.locator("main")).to_be_visible()
    expect(page.locator(INJECTED)).to_have_count(0)
