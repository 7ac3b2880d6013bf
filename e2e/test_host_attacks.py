"""Attacks on the host, and what networks do to a sign-in (catalogue G)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error, expect

from harness.visitor import enter_password
from test_forged_values import component_frame, forge, nothing_broke

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor

HANDOFF = "**/api/auth/handoff"
# A browser opens six connections to a host on HTTP/1.1.
_FRAMES = 7

# In our frame: remembers the challenge that Python gave it.
CHALLENGE_OF_THE_FRAME = """addEventListener("message", (event) => {
    if (event.data?.type === "streamlit:render") window.seen = event.data.args.challenge;
});"""
# In the page of the app: keeps what our frame sends to it, and orders it to draw otherwise.
SUBSTITUTE = """(challenge) => new Promise((resolve) => {
    const frame = document.querySelector('iframe[src*="/streamlit"]').contentWindow;
    addEventListener("message", (event) => {
        const value = event.data?.value;
        if (value?.data?.sessioninfo?.token && value.challenge === challenge) resolve(value);
    });
    const args = {challenge, known: null, command: null, events: ["onStatusUpdate", "onError"]};
    frame.postMessage({type: "streamlit:render", args, dfs: [], disabled: false}, "*");
})"""


def test_ticket_for_the_challenge_of_another_app_is_refused_there(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    """G01: M's operator wants to be, at H, whoever visits M."""
    stack = start_stack(app="multipage", second_app="multipage")
    operator, victim = new_visitor(stack), new_visitor(stack)
    operator.context.add_init_script(CHALLENGE_OF_THE_FRAME)
    at_h = operator.open()
    at_h.is_signed_out()
    challenge = component_frame(at_h).evaluate("() => window.seen")
    at_m = victim.new_tab()
    at_m.page.goto(stack.second_app)
    at_m.sign_in("ada")

    announced = at_m.page.evaluate(SUBSTITUTE, challenge)
    assert announced["data"]["sessioninfo"]["token"]["ticket"], "the frame does as M's page says"
    forge(at_h, announced)
    at_h.reads("Redeems: 1")
    at_h.is_signed_out()
    nothing_broke(at_h)
    assert "Ada" not in at_h.page.locator("body").inner_text()


@pytest.mark.parametrize("moment", ["before the claim", "after the claim"])
def test_login_arrives_though_a_proxy_cuts_the_poll_as_the_callback_lands(
    visitor: Visitor, moment: str
) -> None:
    """G05: nginx's own words for an answer that took too long."""
    polls: list[Route] = []

    def proxy(route: Route) -> None:
        polls.append(route)
        if len(polls) > 1:
            route.continue_()
        elif moment == "after the claim":
            # The companion gives the login away, and nobody hears of it.
            route.fetch(timeout=60_000)
            cut(route)

    visitor.context.route(HANDOFF, proxy)
    tab = visitor.open()
    popup = tab.start_sign_in()
    with popup.expect_event("close"):
        enter_password(popup, "ada")
    if moment == "before the claim":
        cut(polls[0])
    tab.is_signed_in("ada")
    assert polls


def cut(route: Route) -> None:
    route.fulfill(status=504, content_type="text/html", body="<h1>504 Gateway Time-out</h1>")


def test_login_that_nobody_claimed_in_time_needs_a_click_and_no_password(
    visitor: Visitor,
) -> None:
    """G06: the laptop slept for longer than the 120 s that a finished login is kept.

    What the companion answers then, `server/it handoff` proves with its clock.
    """
    asleep: list[Route] = []
    awake = False

    def sleep(route: Route) -> None:
        if awake:
            route.continue_()
        else:
            asleep.append(route)

    visitor.context.route(HANDOFF, sleep)
    tab = visitor.open()
    popup = tab.start_sign_in()
    with popup.expect_event("close"):
        enter_password(popup, "ada")
    assert asleep
    awake = True
    gone = json.dumps({"code": "handoff_gone", "message": "This sign-in is over."})
    for route in asleep:
        with suppress(Error):  # (a frame that nobody sees takes its question back)
            route.fulfill(status=410, content_type="application/json", body=gone)
    tab.is_signed_out()
    tab.sign_in_again("ada")


def test_ticket_that_lapsed_on_the_way_to_the_app_is_asked_for_again(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    """G08: whoever redeems it first spends it; here the companion has forgotten it."""
    stack = start_stack(app="multipage")
    visitor = new_visitor(stack)
    claims: list[Any] = []

    def lapsed(route: Route) -> None:
        answer = route.fetch(timeout=60_000)
        body = answer.json()
        if "ticket" in body and not claims:
            claims.append(body)
            body = {**body, "ticket": "x" * len(body["ticket"])}
        route.fulfill(response=answer, json=body)

    visitor.context.route(HANDOFF, lapsed)
    tab = visitor.open()
    tab.sign_in("ada")
    assert claims
    tab.reads("Redeems: 2")
    nothing_broke(tab)


def test_seven_waiting_frames_starve_nobody(visitor: Visitor) -> None:
    """G15: each asks whether its own login has arrived."""
    tabs = [visitor.open() for _ in range(_FRAMES)]
    popups: list[Page] = []
    for tab in tabs:
        tab.is_signed_out()
        tab.page.bring_to_front()
        popups.append(tab.start_sign_in())
        tab.component.is_in_state("waiting")
    late = visitor.open()
    late.is_signed_out()
    signs_in(tabs[-1], popups[-1])
    signs_in(tabs[0], popups[0])
    late.page.reload()
    late.is_signed_in("ada")


def signs_in(tab: Tab, popup: Page) -> None:
    enter_password(popup, "ada")
    tab.page.bring_to_front()
    expect(tab.component.root).to_have_attribute("data-state", "signed-in")
