"""The session store fails under people's hands: nobody is signed out, nothing loops, it heals."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness.visitor import enter_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from conftest import NewVisitor, StartStack
    from harness.redis import Redis
    from harness.visitor import Tab, Visitor

TRY_AGAIN = "Please try again in a moment."
UNREACHABLE = "The sign-in service cannot be reached"
# What the browser may ask in a fault that lasts as long as these tests: a few times, later
# each time. A loop asks hundreds of times.
FEW = 12


@pytest.fixture(params=["killed", "frozen"])
def fault(request: pytest.FixtureRequest) -> str:
    """Redis refuses connections, or accepts them and says nothing."""
    return str(request.param)


def test_redis_that_fails_signs_nobody_out_and_heals_by_itself(
    start_stack: StartStack, new_visitor: NewVisitor, fault: str
) -> None:
    # Python asks at each run.
    stack = start_stack(app="callbacks", redis=True, app_env={"RECHECK_SECONDS": "0"})
    assert stack.redis is not None
    ada, grace = new_visitor(stack), new_visitor(stack)
    signed_in, reloaded, signing_in = ada.open(), ada.new_tab(), grace.open()
    signed_in.sign_in("ada")
    reloaded.open().is_signed_in("ada")
    signing_in.is_signed_out()
    before = {visitor: asked(visitor) for visitor in (ada, grace)}
    heal = broken(stack.redis, fault)

    # Who is shown stays shown.
    signed_in.press("Do it")
    signed_in.reads("Done: 1")
    signed_in.is_signed_in("ada")
    # Who is asked for anew is unknown, and that is not "signed out".
    reloaded.page.reload()
    reloaded.component.is_in_state("error")
    expect(reloaded.component.part("error")).to_have_text(UNREACHABLE)
    reloaded.never_reads("Signed out")
    reloaded.never_reads(re.compile("^Hello "))
    # Who signs in gets as far as our callback, and a page that says what to do.
    popup = signing_in.start_sign_in()
    enter_password(popup, "grace")
    says_try_again(popup)
    signing_in.never_reads(re.compile("^Hello "))
    for visitor, count in before.items():
        assert asked(visitor) - count <= FEW

    heal()
    # (the frame tries again by itself, but later each time)
    reloaded.page.reload()
    reloaded.is_signed_in("ada")
    signed_in.press("Do it")
    signed_in.reads("Done: 2")
    signed_in.is_signed_in("ada")
    popup.close()
    sign_in_once_more(signing_in, "grace")


def test_sqlite_that_is_locked_refuses_a_login_in_words_and_the_next_one_works(
    visitor: Visitor,
) -> None:
    tab = visitor.open()
    tab.is_signed_out()
    database = visitor.stack.folder / "sessions.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as somebody_else:
        somebody_else.execute("BEGIN EXCLUSIVE")
        popup = tab.start_sign_in()
        enter_password(popup, "ada")
        says_try_again(popup)
        tab.never_reads("Hello")
        somebody_else.execute("ROLLBACK")
    popup.close()
    sign_in_once_more(tab, "ada")


def broken(redis: Redis, fault: str) -> Callable[[], None]:
    """Breaks it; the answer mends it."""
    if fault == "frozen":
        redis.freeze()
        return redis.thaw

    def start() -> None:
        redis.start()
        redis.wait_ready()

    redis.kill()
    return start


def says_try_again(popup: Page) -> None:
    expect(popup.get_by_test_id("error")).to_contain_text(TRY_AGAIN)
    expect(popup.get_by_role("link", name="Start over")).to_be_visible()
    expect(popup.get_by_text("store_unavailable")).to_be_visible()


def sign_in_once_more(tab: Tab, user: str) -> None:
    """From whatever the failed login left in the frame."""
    tab.page.reload()
    tab.is_signed_out()
    tab.sign_in_again(user)


def asked(visitor: Visitor) -> int:
    """How often the browser asked the companion for something of the sign-in."""
    start = f"{visitor.stack.companion}/api/auth/"
    return sum(url.startswith(start) for url in visitor.evidence.requests)
