"""Providers as they are: on another site, cutting the opener, down, or somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from harness import paths
from harness.visitor import enter_password
from harness.waiting import wait_until

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.stack import Stack
    from harness.visitor import Visitor


@pytest.mark.parametrize("policy", ["same-origin", "same-origin-allow-popups"])
def test_login_when_the_provider_severs_the_opener(visitor: Visitor, policy: str) -> None:
    visitor.stack.tenant.misbehave(pages={"coop": policy})
    tab = visitor.open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()


def test_login_when_only_the_first_hop_severs_the_opener(visitor: Visitor) -> None:
    visitor.stack.tenant.misbehave(pages={"coop": "same-origin", "coop_one_hop": True})
    visitor.open().sign_in("ada")


@pytest.fixture
def foreign_provider(start_stack: StartStack) -> Stack:
    """The provider on http://127.0.0.1: cross-site to the companion on localhost."""
    return start_stack(provider_host="127.0.0.1")


def test_main_flows_with_the_provider_on_another_site(
    foreign_provider: Stack, new_visitor: NewVisitor
) -> None:
    """G04."""
    tab = new_visitor(foreign_provider).open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()
    tab.sign_in("grace")


def test_refusal_with_the_provider_on_another_site(
    foreign_provider: Stack, new_visitor: NewVisitor
) -> None:
    tab = new_visitor(foreign_provider).open()
    tab.start_sign_in().get_by_test_id("dev-decline").click()
    tab.component.is_in_state("error")
    tab.sign_in("ada")


def test_form_post_response_from_another_site(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(
        provider_host="127.0.0.1", companion_env={"AUTH0_RESPONSE_MODE": "form_post"}
    )
    new_visitor(stack).open().sign_in("ada")


def test_single_sign_on_needs_no_password_the_second_time(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(stack)
    page = visitor.context.new_page()
    page.goto(stack.companion)
    page.get_by_test_id("login-button").click()
    enter_password(page, "ada")
    expect(page.get_by_test_id("user-name")).to_be_visible()
    visitor.context.clear_cookies(name="component-auth0")
    visitor.open().sign_in_again("ada")


def test_provider_down_at_start_and_the_companion_recovers_by_itself(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(provider_up=False)
    assert httpx.get(f"{stack.companion}/readyz", trust_env=False).status_code == 503
    tab = new_visitor(stack).open()
    tab.is_signed_out()
    popup = tab.start_sign_in()
    expect(popup.get_by_test_id("error")).to_contain_text("cannot be reached")
    popup.close()
    stack.provider_program.start()
    stack.provider_program.wait_ready()
    wait_until(
        lambda: httpx.get(f"{stack.companion}/readyz", trust_env=False).status_code == 200,
        what="the companion to find its provider",
        seconds=60,
    )
    with tab.page.expect_popup() as again:
        tab.component.part("open-login").click()
    enter_password(again.value, "ada")
    tab.is_signed_in("ada")


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("id_token", {"bad_signature": True}),
        ("id_token", {"wrong_nonce": True}),
        ("id_token", {"claims": {"aud": "somebody-else"}}),
        ("authorize", {"wrong_iss": "http://evil.test/"}),
        ("token", {"error": "invalid_grant"}),
    ],
    ids=["bad signature", "wrong nonce", "wrong audience", "wrong issuer", "code refused"],
)
def test_unacceptable_answer_of_the_provider_signs_nobody_in(
    visitor: Visitor, section: str, fault: dict[str, object]
) -> None:
    tab = visitor.open()
    popup = tab.start_sign_in()
    visitor.stack.tenant.misbehave(**{section: fault})
    enter_password(popup, "ada")
    expect(popup.get_by_test_id("error")).to_be_visible()
    tab.component.is_in_state("error")
    tab.never_reads("Hello")
    visitor.stack.tenant.behave()
    tab.sign_in_again("ada")


@pytest.mark.skipif(
    not (paths.PROVIDER / "node_modules" / "oidc-provider").is_dir(),
    reason="npm's oidc-provider is not installed: run `npm ci` in e2e/provider",
)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_login_with_the_certified_provider_of_npm(
    start_stack: StartStack, new_visitor: NewVisitor, host: str
) -> None:
    stack = start_stack(provider="oidc-provider", provider_host=host)
    tab = new_visitor(stack).open()
    popup = tab.start_sign_in()
    popup.locator("input[name=login]").fill("ada")
    popup.locator("input[name=password]").fill("any")
    popup.get_by_role("button", name="Sign-in").click()
    popup.get_by_role("button", name="Continue").click()
    tab.component.is_in_state("signed-in")
    tab.reads("Hello Ada at oidc-provider")
    tab.page.reload()
    tab.reads("Hello Ada at oidc-provider")
    tab.component.part("logout-button").click()
    tab.is_signed_out()
