"""A page of somebody else cannot find out whether its visitor is signed in (catalogue D40).

One table: every address of ours that a GET reaches, by every way in which a foreign page can
look at it. What is compared is all that such a page gets to know, between a visitor who is
signed in and one who is not; the control below shows that the probes do tell answers apart.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import Error as PlaywrightError

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from conftest import NewVisitor
    from harness.stack import Stack
    from harness.stranger import Stranger
    from harness.visitor import Visitor

ROUTES: Final = (
    "/",
    "/signed-in",
    "/signed-out",
    "/streamlit",
    "/streamlit/hero",
    "/api/auth/login",
    "/api/auth/login?returnTo=/",
    "/api/auth/login?prompt=none",
    "/api/auth/callback?state=x&code=y",
    "/api/auth/handoff",
    "/api/auth/ticket",
    "/api/auth/watch",
    "/api/auth/me",
    "/api/auth/logout",
    "/api/auth/redeem",
    "/api/auth/token",
    "/api/auth/session",
    "/api/auth/revoke",
    "/api/auth/backchannel-logout",
    "/api/ping",
    "/api/pong",
    "/healthz",
    "/readyz",
    "/nowhere",
)
# What xsleaks.dev lists: error events, frame counts, navigations, window references, sizes,
# ids of elements, and what CORS, CORP and redirects show. Times are looked at on their own.
PROBE: Final = """
const element = (name, attributes) => new Promise((done) => {
    const made = Object.assign(document.createElement(name), attributes);
    const end = (seen) => { setTimeout(() => made.remove()); done(seen); };
    made.onload = () => end(['load', made.naturalWidth, made.naturalHeight, frames.length,
        made.contentWindow ? made.contentWindow.length : null]);
    made.onerror = () => end(['error']);
    document.body.append(made);
});
const fetched = async (url, options) => {
    try {
        const answer = await fetch(url, {credentials: 'include', cache: 'no-store', ...options});
        const text = await answer.text();
        return [answer.type, answer.status, answer.redirected, text.length];
    } catch (error) {
        return [error.name];
    }
};
const measured = (url) => performance.getEntriesByName(url).map((entry) => [
    entry.initiatorType, entry.transferSize > 0, entry.encodedBodySize, entry.decodedBodySize,
    entry.redirectEnd, entry.responseStatus, entry.contentType, entry.deliveryType]);
window.probe = async (url) => {
    performance.clearResourceTimings();
    const seen = {
        image: await element('img', {src: url}),
        script: await element('script', {src: url}),
        style: await element('link', {rel: 'stylesheet', href: url}),
        frame: await element('iframe', {src: url}),
        named: await element('iframe', {src: url + '#login-button'}),
        audio: await fetched(url, {mode: 'no-cors', headers: {range: 'bytes=0-'}}),
        opaque: await fetched(url, {mode: 'no-cors'}),
        cors: await fetched(url, {mode: 'cors'}),
        manual: await fetched(url, {mode: 'no-cors', redirect: 'manual'}),
        head: await fetched(url, {mode: 'no-cors', method: 'HEAD'}),
        post: await fetched(url, {mode: 'no-cors', method: 'POST', body: '{}'}),
    };
    seen.measured = measured(url);
    return seen;
};
"""
# A window that the page opens and keeps a handle of: how many frames it has, whether it is
# still there, and how far its history went, which it reads after it led it back to itself.
WINDOWS: Final = """
let opened = null;
const led_home = () => new Promise((done) => {
    opened.location = '/home';
    const look = () => {
        if (opened.closed) return done('closed');
        try {
            if (opened.location.pathname === '/home') return done(opened.history.length);
        } catch {}
        setTimeout(look, 20);
    };
    look();
});
"""


@pytest.fixture
def signed_in_and_out(
    stack: Stack, new_visitor: NewVisitor, lenient_context: BrowserContext
) -> tuple[Visitor, Visitor]:
    """Two people, of whom the first has a browser that sends third-party cookies, too."""
    someone = new_visitor(stack, context=lenient_context)
    someone.open().sign_in("ada")
    return someone, new_visitor(stack)


@pytest.mark.parametrize("site", ["cross_site", "same_site"])
def test_no_request_of_a_foreign_page_tells_who_is_signed_in(
    signed_in_and_out: tuple[Visitor, Visitor], stranger: Stranger, site: str
) -> None:
    origin = getattr(stranger, site)
    stranger.serve("/probe", f"<body><script>{PROBE}</script>")
    pages = [visitor.context.new_page() for visitor in signed_in_and_out]
    companion = signed_in_and_out[0].stack.companion
    seen: list[dict[str, Any]] = []
    for page in pages:
        page.goto(f"{origin}/probe")
        seen.append({route: page.evaluate(f"probe('{companion}{route}')") for route in ROUTES})
        # The control: an answer that is there and one that is not are told apart.
        there, not_there = (page.evaluate(f"probe('{origin}{path}')") for path in ("/probe", "/no"))
        assert {way for way in there if there[way] != not_there[way]} >= {"style", "opaque"}
    assert differences(*seen) == {}


def test_no_window_of_a_foreign_page_tells_who_is_signed_in(
    signed_in_and_out: tuple[Visitor, Visitor], stranger: Stranger
) -> None:
    stranger.serve("/opener", f"<body><script>{WINDOWS}</script>")
    stranger.serve("/home", "<p>home</p>")
    seen: list[dict[str, Any]] = []
    for visitor in signed_in_and_out:
        page = visitor.context.new_page()
        page.goto(f"{stranger.cross_site}/opener")
        # The launcher closes itself after a logout, but not for who is still signed in.
        routes = [*ROUTES, "/?state=of-a-logout"]
        seen.append({route: in_a_window(page, visitor.stack, route) for route in routes})
        # The control: a window that closes itself is told from one that stays.
        closing = in_a_window(page, visitor.stack, "/signed-in?close")
        assert closing[1] == "closed"
        assert seen[-1]["/signed-in"][1] != "closed"
    assert differences(*seen) == {}


def in_a_window(page: Page, stack: Stack, route: str) -> Any:
    """What the opener gets to know of a window."""
    url = f"{stack.companion}{route}"
    with page.expect_popup() as opened:
        page.evaluate(f"() => {{ opened = open('{url}', 'w' + Math.random()) }}")
    try:
        opened.value.wait_for_load_state()
    except PlaywrightError:
        # It closed itself.
        assert opened.value.is_closed()
    frames = page.evaluate("opened.closed ? null : opened.length")
    length = page.evaluate("led_home()")
    if not opened.value.is_closed():
        opened.value.close()
    return [frames, length]


def differences(known: dict[str, Any], unknown: dict[str, Any]) -> dict[str, Any]:
    """Where the two visitors differ."""
    assert known.keys() == unknown.keys()
    return {
        route: (known[route], unknown[route])
        for route in known
        if json.dumps(known[route]) != json.dumps(unknown[route])
    }
