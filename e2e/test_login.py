"""The login as everybody knows it: in, still in after a reload, in two tabs, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from harness.visitor import enter_password

if TYPE_CHECKING:
    from conftest import NewVisitor
    from harness.stack import Stack
    from harness.visitor import Visitor


def test_login_through_the_popup_closes_it_and_greets_the_person(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.is_signed_out()
    popup = tab.start_sign_in()
    tab.component.is_in_state("waiting")
    with popup.expect_event("close"):
        enter_password(popup, "ada")
    tab.is_signed_in("ada")


def test_reload_keeps_the_login(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")


def test_two_tabs_share_the_login_and_its_end(visitor: Visitor) -> None:
    first = visitor.open()
    first.sign_in("ada")
    second = visitor.open()
    second.is_signed_in("ada")
    first.sign_out()
    second.page.reload()
    second.is_signed_out()


def test_two_tabs_sign_in_at_the_same_time_and_both_succeed(visitor: Visitor) -> None:
    first, second = visitor.open(), visitor.open()
    first_popup, second_popup = first.start_sign_in(), second.start_sign_in()
    enter_password(second_popup, "ada")
    second.is_signed_in("ada")
    enter_password(first_popup, "ada")
    first.is_signed_in("ada")


def test_logout_ends_the_session_here_and_at_the_provider(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    tab.sign_out()
    tab.page.reload()
    tab.is_signed_out()
    assert visitor.stack.tenant.requests_to("logout") >= 1
    # The provider's session is over too: the next sign-in asks for the password.
    expect(tab.start_sign_in().get_by_test_id("dev-login")).to_be_visible()


def test_refusal_at_the_provider_is_told_and_the_next_try_succeeds(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.start_sign_in().get_by_test_id("dev-decline").click()
    tab.component.is_in_state("error")
    expect(tab.component.part("error")).to_have_text("The sign-in was refused")
    tab.never_reads("Hello")
    tab.sign_in("ada")


def test_wrong_password_then_the_right_one(visitor: Visitor) -> None:
    tab = visitor.open()
    popup = tab.start_sign_in()
    enter_password(popup, "ada", "no-password-of-hers")
    expect(popup.get_by_test_id("dev-error")).to_have_text("Wrong username or password.")
    tab.component.is_in_state("waiting")
    enter_password(popup, "ada")
    tab.is_signed_in("ada")


def test_second_user_after_the_first_sees_nothing_of_hers(visitor: Visitor) -> None:
    """G09."""
    tab = visitor.open()
    tab.sign_in("ada")
    tab.sign_out()
    tab.sign_in("grace")
    tab.never_reads("Ada Lovelace")
    tab.page.reload()
    tab.is_signed_in("grace")


def test_two_people_in_two_browsers_stay_apart(stack: Stack, new_visitor: NewVisitor) -> None:
    ada, grace = new_visitor(stack).open(), new_visitor(stack).open()
    ada.sign_in("ada")
    grace.is_signed_out()
    grace.sign_in("grace")
    ada.page.reload()
    ada.is_signed_in("ada")
    ada.sign_out()
    grace.page.reload()
    grace.is_signed_in("grace")


def test_launcher_page_signs_in_and_out_without_a_frame(visitor: Visitor) -> None:
    page = visitor.context.new_page()
    page.goto(visitor.stack.companion)
    page.get_by_test_id("login-button").click()
    enter_password(page, "linus")
    expect(page.get_by_test_id("user-name")).to_have_text("Linus Pauling")
    assert page.url == f"{visitor.stack.companion}/"
    page.get_by_test_id("logout-button").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
