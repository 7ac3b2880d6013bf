"""A careless cache before the companion keeps what is nobody's, and never what is somebody's.

It keeps whatever it may by `Cache-Control`, answers to POST and with cookies too (A01: a
session's cookie without `no-store` was served to the next person).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness.visitor import enter_password
from harness.waiting import wait_until

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.nginx import Nginx
    from harness.stack import Stack
    from harness.visitor import Visitor


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    return start_stack(caching=True)


def test_cache_before_the_companion_mixes_no_two_people(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    ada, grace = new_visitor(stack).open(), new_visitor(stack).open()
    ada.sign_in("ada")
    grace.is_signed_out()
    grace.sign_in("grace")
    for tab, user in ((ada, "ada"), (grace, "grace")):
        tab.page.reload()
        tab.is_signed_in(user)
    ada.sign_out()
    ada.page.reload()
    ada.is_signed_out()
    grace.page.reload()
    grace.is_signed_in("grace")
    nothing_of_the_sign_in_was_kept(stack)


def test_cache_before_the_launcher_page_shows_nobody_the_other_ones_name(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    ada, grace = new_visitor(stack), new_visitor(stack)
    sign_in_at_the_launcher(ada, "ada")
    sign_in_at_the_launcher(grace, "grace")
    page = ada.context.new_page()
    page.goto(stack.companion)
    expect(page.get_by_test_id("user-name")).to_have_text("Ada Lovelace")
    nothing_of_the_sign_in_was_kept(stack)


def test_cache_keeps_the_components_files(stack: Stack, new_visitor: NewVisitor) -> None:
    nginx = proxy(stack)
    new_visitor(stack).open().is_signed_out()
    files = {exchange.path for exchange in nginx.exchanges("/static/")}
    assert any(path.endswith(".wasm") for path in files)
    new_visitor(stack).open().is_signed_out()
    wait_until(
        lambda: (
            {exchange.path for exchange in nginx.exchanges("/static/") if hit(exchange.cache)}
            == files
        ),
        what="the second visitor to get all files from the cache",
    )


def sign_in_at_the_launcher(visitor: Visitor, user: str) -> None:
    page = visitor.context.new_page()
    page.goto(visitor.stack.companion)
    page.get_by_test_id("login-button").click()
    enter_password(page, user)
    expect(page.get_by_test_id("user-name")).to_be_visible()


def nothing_of_the_sign_in_was_kept(stack: Stack) -> None:
    exchanges = proxy(stack).exchanges()
    personal = [exchange for exchange in exchanges if not exchange.path.startswith("/static/")]
    assert any(exchange.path.startswith("/api/auth/") for exchange in personal)
    assert [exchange for exchange in personal if hit(exchange.cache)] == []


def hit(cache: str) -> bool:
    return cache not in {"MISS", "BYPASS", ""}


def proxy(stack: Stack) -> Nginx:
    assert stack.nginx is not None
    return stack.nginx
