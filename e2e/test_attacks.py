"""Attacks from other people's pages: on the handoff, on the session, on the frame."""

from __future__ import annotations

import base64
import hashlib
import secrets
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from harness.visitor import enter_password

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from conftest import NewVisitor
    from harness.stack import Stack
    from harness.stranger import Stranger
    from harness.visitor import Visitor

LOGIN = "/api/auth/login"
LOGOUT = "/api/auth/logout"


class Attacker:
    """Made a handoff verifier, and hopes that a victim's login gets bound to it."""

    def __init__(self, stack: Stack) -> None:
        self.verifier = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self._stack = stack

    def form(self, *, extra: str = "") -> str:
        """A form that sends the challenge as soon as the page is there."""
        return (
            f'<form id=f method=post action="{self._stack.companion}{LOGIN}" {extra}>'
            f'<input name=handoff_challenge value="{self.challenge}"></form>'
            "<script>document.getElementById('f').submit()</script>"
        )

    def claim(self) -> httpx.Response:
        """Claims the login, with headers as a program can forge them.

        Of two polls with one verifier the newer sends the older away at once, so that
        nobody has to wait for the end of a long poll.
        """

        def poll() -> httpx.Response:
            with self._stack.outside_client() as client:
                return client.post(
                    "/api/auth/handoff",
                    json={"verifier": self.verifier},
                    headers={"Origin": self._stack.companion, "X-Component-Auth0": "frame"},
                )

        with ThreadPoolExecutor(max_workers=2) as pool:
            first = pool.submit(poll)
            done, _ = wait([first], timeout=1)
            polls = [first] if done else [first, pool.submit(poll)]
            done, rest = wait(polls, return_when=FIRST_COMPLETED)
            if rest:
                # A third one frees the second.
                pool.submit(poll_briefly, self._stack, self.verifier)
            return done.pop().result()

    def gets_nothing(self) -> None:
        """The claim is answered like one for a verifier that nobody knows."""
        answer = self.claim()
        assert (answer.status_code, answer.json()) == (202, {"status": "pending"})
        assert "set-cookie" not in answer.headers


def poll_briefly(stack: Stack, verifier: str) -> None:
    """Supersedes whoever polls with this verifier, and leaves."""
    with stack.outside_client() as client:
        try:
            client.post(
                "/api/auth/handoff",
                json={"verifier": verifier},
                headers={"Origin": stack.companion},
                timeout=0.5,
            )
        except httpx.ReadTimeout:
            return


@pytest.fixture
def victim(visitor: Visitor) -> Visitor:
    """Has a live session at the provider, and none at the companion."""
    page = visitor.context.new_page()
    page.goto(f"{visitor.stack.companion}{LOGIN}?returnTo=/")
    enter_password(page, "ada")
    expect(page.get_by_test_id("user-name")).to_have_text("Ada Lovelace")
    visitor.context.clear_cookies(name="component-auth0")
    page.close()
    return visitor


def test_a_login_that_our_own_page_bound_can_be_claimed(victim: Visitor) -> None:
    """The control: the claim of these tests works where it may."""
    attacker = Attacker(victim.stack)
    page = victim.context.new_page()
    page.goto(victim.stack.companion)
    page.evaluate(
        """([action, challenge]) => {
            const form = document.createElement('form');
            form.method = 'post';
            form.action = action;
            const input = form.appendChild(document.createElement('input'));
            input.name = 'handoff_challenge';
            input.value = challenge;
            document.body.append(form);
            form.submit();
        }""",
        [LOGIN, attacker.challenge],
    )
    page.wait_for_url(f"{victim.stack.companion}/signed-in?close")
    answer = attacker.claim()
    assert answer.status_code == 200
    assert answer.json()["user"]["name"] == "Ada Lovelace"


@pytest.mark.parametrize("site", ["cross_site", "same_site"])
def test_link_with_the_attackers_challenge_binds_nothing(
    victim: Visitor, stranger: Stranger, site: str
) -> None:
    attacker = Attacker(victim.stack)
    target = f"{victim.stack.companion}{LOGIN}?handoff_challenge={attacker.challenge}"
    stranger.serve("/", f'<a href="{target}">Win a prize</a>')
    page = victim.context.new_page()
    page.goto(getattr(stranger, site))
    page.get_by_text("Win a prize").click()
    # A login by single sign-on, of the victim's own browser: that much a link can do.
    page.wait_for_url(f"{victim.stack.companion}/signed-in")
    attacker.gets_nothing()


@pytest.mark.parametrize("site", ["cross_site", "same_site"])
def test_auto_submitting_form_with_the_attackers_challenge_is_refused(
    victim: Visitor, stranger: Stranger, site: str
) -> None:
    attacker = Attacker(victim.stack)
    stranger.serve("/", attacker.form())
    refused(victim, getattr(stranger, site))
    attacker.gets_nothing()


def test_form_without_an_origin_is_refused(victim: Visitor, stranger: Stranger) -> None:
    attacker = Attacker(victim.stack)
    # `Origin: null`, by referrer policy here and by sandbox below.
    stranger.serve("/", '<meta name=referrer content="no-referrer">' + attacker.form())
    refused(victim, stranger.same_site)
    attacker.gets_nothing()


def test_form_in_a_sandboxed_frame_opens_a_window_that_is_refused(
    victim: Visitor, stranger: Stranger
) -> None:
    attacker = Attacker(victim.stack)
    stranger.serve("/inner", f"{attacker.form(extra='target=_top')}")
    sandbox = "allow-scripts allow-forms allow-top-navigation"
    stranger.serve("/", f'<iframe sandbox="{sandbox}" src="/inner"></iframe>')
    refused(victim, stranger.same_site)
    attacker.gets_nothing()


def test_background_request_with_the_attackers_challenge_binds_nothing(
    victim: Visitor, stranger: Stranger
) -> None:
    attacker = Attacker(victim.stack)
    stranger.serve(
        "/",
        f"<script>fetch('{victim.stack.companion}{LOGIN}', {{method: 'POST', mode: 'no-cors',"
        f" credentials: 'include', body: new URLSearchParams({{handoff_challenge:"
        f" '{attacker.challenge}'}})}}).catch(() => 0)"
        ".then(() => document.title = 'sent')</script>",
    )
    page = victim.context.new_page()
    page.goto(stranger.same_site)
    expect(page).to_have_title("sent")
    attacker.gets_nothing()


def refused(victim: Visitor, url: str) -> Page:
    """Opens the attacker's page, which sends its form: the companion says 403."""
    page = victim.context.new_page()
    with page.expect_response(f"{victim.stack.companion}{LOGIN}") as answer:
        page.goto(url, wait_until="commit")
    assert answer.value.status == 403
    assert "set-cookie" not in answer.value.all_headers()
    return page


@pytest.mark.parametrize("site", ["cross_site", "same_site"])
def test_no_page_of_a_stranger_signs_a_person_out(
    visitor: Visitor, stranger: Stranger, site: str
) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    logout = f"{visitor.stack.companion}{LOGOUT}"
    stranger.serve(
        "/",
        f'<img src="{logout}"><iframe src="{logout}"></iframe><link rel=prefetch href="{logout}">'
        f'<a href="{logout}">Look</a><a href="#logout">Here</a>'
        f'<form id=f method=post action="{logout}" target=sent></form><iframe name=sent></iframe>'
        "<script>"
        "document.getElementById('f').submit();"
        f"navigator.sendBeacon('{logout}');"
        f"fetch('{logout}', {{method: 'POST', mode: 'no-cors', credentials: 'include'}})"
        ".catch(() => 0).then(() => document.title = 'sent');"
        "</script>",
    )
    page = visitor.context.new_page()
    page.goto(getattr(stranger, site))
    expect(page).to_have_title("sent")
    page.get_by_text("Here").click()
    page.get_by_text("Look").click()
    # A link leads to a question, and a question ends nothing.
    expect(page.get_by_role("heading", name="Sign out?")).to_be_visible()
    tab.page.goto(f"{visitor.stack.app}/#logout")
    tab.page.reload()
    tab.is_signed_in("ada")


@pytest.mark.parametrize("path", ["/streamlit", "/", "/api/auth/logout", "/signed-in"])
def test_no_stranger_frames_our_pages(visitor: Visitor, stranger: Stranger, path: str) -> None:
    stranger.serve("/", f'<iframe src="{visitor.stack.companion}{path}"></iframe>')
    page = visitor.context.new_page()
    with page.expect_event(
        "console", lambda message: "frame-ancestors" in message.text and message.type == "error"
    ):
        page.goto(stranger.cross_site)
    expect(page.frame_locator("iframe").locator("main")).to_have_count(0)


def test_the_component_opened_as_a_page_offers_no_login(visitor: Visitor) -> None:
    page = visitor.context.new_page()
    page.goto(f"{visitor.stack.companion}/streamlit")
    expect(page.locator("#component-auth0")).to_have_attribute("data-state", "error")
    expect(page.get_by_test_id("login-button")).to_have_count(0)


def test_callback_of_a_login_begun_in_another_browser_is_refused(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    """Login CSRF: the attacker's own code, in the victim's browser (catalogue D30)."""
    attacker, victim = new_visitor(stack), new_visitor(stack)
    page = attacker.context.new_page()
    attacker.context.route("**/api/auth/callback**", lambda route: route.abort())
    page.goto(f"{stack.companion}{LOGIN}")
    with page.expect_request("**/api/auth/callback**") as request:
        enter_password(page, "linus")
    stolen = victim.context.new_page()
    answer = stolen.goto(request.value.url)
    assert answer is not None
    assert answer.status == 400
    expect(stolen.get_by_test_id("error")).to_be_visible()
    victim.open().is_signed_out()


def test_reloaded_callback_shows_the_finished_page_and_sends_no_code_again(
    visitor: Visitor,
) -> None:
    page = visitor.context.new_page()
    with page.expect_request("**/api/auth/callback**") as request:
        page.goto(f"{visitor.stack.companion}{LOGIN}?returnTo=/")
        enter_password(page, "ada")
    expect(page.get_by_test_id("user-name")).to_have_text("Ada Lovelace")
    page.goto(request.value.url)
    page.wait_for_url(f"{visitor.stack.companion}/signed-in")
    assert visitor.stack.tenant.token_requests("authorization_code") == 1
