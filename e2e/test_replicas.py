"""Two companions, one Redis, nginx by turns before them, no stickiness: they behave as one."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from harness.visitor import enter_password
from harness.waiting import wait_until
from harness.wishes import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import NewVisitor, StartStack
    from harness.nginx import Nginx
    from harness.stack import Stack
    from harness.visitor import Tab

# Each step at the one that did not take the step before.
CROSSED: Final = {
    "/api/auth/login": 0,
    "/api/auth/callback": 1,
    "/api/auth/handoff": 0,
    "/api/auth/redeem": 1,
    "/api/auth/token": 0,
    "/api/auth/session": 1,
    "/api/auth/ticket": 0,
    "/api/auth/watch": 1,
    "/api/auth/logout": 0,
}
ANSWERED: Final = "The API answered."


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    return start_stack(replicas=2, access_token_seconds=SHORT)


def test_every_step_of_a_login_may_come_to_the_other_replica(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(replicas=2, routes=CROSSED, access_token_seconds=SHORT)
    visitor = new_visitor(stack)
    tab, other_tab = visitor.open(), visitor.new_tab()
    tab.is_signed_out()
    tab.sign_in("ada")
    calls_the_api(tab)
    tab.page.reload()
    tab.is_signed_in("ada")
    other_tab.open().is_signed_in("ada")
    tab.page.bring_to_front()
    tab.sign_out()
    # The other tab listens at the replica that did not end the session.
    other_tab.is_signed_out()
    assert taken_by(stack) == CROSSED


def test_two_people_live_through_plain_round_robin(stack: Stack, new_visitor: NewVisitor) -> None:
    ada, grace = new_visitor(stack).open(), new_visitor(stack).open()
    ada.sign_in("ada")
    grace.sign_in("grace")
    refreshes = stack.tenant.token_requests("refresh_token")
    grace.lets_time_pass()
    for tab, user in ((ada, "ada"), (grace, "grace")):
        calls_the_api(tab)
        tab.page.reload()
        tab.is_signed_in(user)
    assert stack.tenant.token_requests("refresh_token") >= refreshes + 2
    ada.sign_out()
    ada.page.reload()
    ada.is_signed_out()
    grace.page.reload()
    grace.is_signed_in("grace")
    assert {stack.replica_of(exchange) for exchange in proxy(stack).exchanges("/api/auth/")} == {
        0,
        1,
    }


def test_rolling_restart_costs_nobody_a_session_or_a_login(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    ada, grace = new_visitor(stack).open(), new_visitor(stack).open()
    ada.sign_in("ada")
    popup = grace.start_sign_in()
    grace.component.is_in_state("waiting")
    with crowd(stack) as answers:
        for replica in stack.replicas:
            replica.restart()
    assert set(answers) == {200}
    for _ in stack.replicas:
        calls_the_api(ada)
        ada.is_signed_in("ada")
    grace.component.is_in_state("waiting")
    enter_password(popup, "grace")
    grace.is_signed_in("grace")
    ada.page.reload()
    ada.is_signed_in("ada")
    # Ada's frame listens again, at companions that did not know of it.
    elsewhere = ada.page.context.new_page()
    elsewhere.goto(stack.companion)
    elsewhere.get_by_test_id("logout-button").click()
    ada.is_signed_out()


def test_login_arrives_though_the_replica_that_it_began_at_is_killed(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    began = dict.fromkeys(("/api/auth/login", "/api/auth/handoff", "/api/auth/callback"), 0)
    stack = start_stack(replicas=2, routes=began)
    tab = new_visitor(stack).open()
    popup = tab.start_sign_in()
    tab.component.is_in_state("waiting")
    assert taken_by(stack)["/api/auth/login"] == 0
    # The frame's question lies there, unanswered.
    stack.replicas[0].kill()
    enter_password(popup, "ada")
    tab.is_signed_in("ada")
    assert taken_by(stack)["/api/auth/callback"] == 1
    tab.page.reload()
    tab.is_signed_in("ada")


@contextmanager
def crowd(stack: Stack) -> Iterator[Counter[int]]:
    """People who ask all the time; the answers they get, by status."""
    answers: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        with stack.outside_client() as client:
            while not over.is_set():
                answers[client.get("/api/ping").status_code] += 1

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        yield answers
    finally:
        over.set()
        for asker in askers:
            asker.join()


def calls_the_api(tab: Tab) -> None:
    tab.press("Call protected API")
    tab.reads(ANSWERED)
    # Gone again, so that the next call's answer is its own.
    tab.press("Count up")
    wait_until(lambda: tab.page.get_by_text(ANSWERED).count() == 0, what="the page to be drawn")


def taken_by(stack: Stack) -> dict[str, int]:
    """The replica that answered a path last. POST only, but for the callback."""
    return {
        exchange.path: stack.replica_of(exchange)
        for exchange in proxy(stack).exchanges("/api/auth/")
    }


def proxy(stack: Stack) -> Nginx:
    assert stack.nginx is not None
    return stack.nginx
