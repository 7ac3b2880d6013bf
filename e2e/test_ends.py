"""Sessions that end elsewhere: in another tab or app, at the provider, by time or by decree.

The page that shows somebody learns of it by itself: nobody reloads or clicks in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from harness.visitor import FULL_NAMES
from harness.wishes import SHORT

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab

# So long that no re-check of Python's is due: what a page shows, its frame has brought.
NEVER = {"RECHECK_SECONDS": "3600"}
BY_THE_PROVIDER = "You were signed out by your identity provider."
EXPIRED = "Your session has expired. Please sign in again."
NOT_RENEWED = "Your identity provider no longer renews this session. Please sign in again."


def test_logout_in_one_tab_shows_in_the_other(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(app_env=NEVER))
    first, second = visitor.open(), visitor.open()
    first.sign_in("ada")
    second.page.reload()
    second.is_signed_in("ada")
    first.page.bring_to_front()
    first.sign_out()
    second.is_signed_out()


def test_logout_in_python_shows_in_another_app(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(app="callbacks", second_app="sidebar", app_env=NEVER))
    first = visitor.open()
    first.sign_in("ada")
    second = visitor.new_tab()
    second.page.goto(visitor.stack.second_app)
    second.is_signed_in("ada")
    first.press("Sign out (Python)")
    first.is_signed_out()
    second.is_signed_out()


def test_logout_at_the_provider_ends_the_session_and_says_so(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(back_channel_logout=True, app_env=NEVER)
    visitor = new_visitor(stack)
    tab, other_tab = visitor.open(), visitor.new_tab()
    tab.sign_in("ada")
    other_tab.open().is_signed_in("ada")
    bystander = new_visitor(stack).open()
    bystander.sign_in("grace")
    stack.tenant.end_sessions_of("ada")
    assert stack.tenant.journal()["backchannel_logouts"] == [
        {"client_id": "dev-OEStreamlitApp", "status": 200}
    ]
    for ended in (tab, other_tab):
        ended.is_signed_out()
        ended.reads(BY_THE_PROVIDER)
    bystander.press("Count up")
    bystander.reads("Count: 1")
    bystander.is_signed_in("grace")


def test_expired_session_says_so_and_the_next_sign_in_takes_the_words_away(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    lifetime = {"SESSION_ABSOLUTE_SECONDS": "12", "SESSION_ROLLING_SECONDS": "12"}
    tab = new_visitor(start_stack(companion_env=lifetime, app_env=NEVER)).open()
    tab.sign_in("ada")
    tab.is_signed_out()
    tab.reads(EXPIRED)
    tab.sign_in_again("ada")
    tab.never_reads(EXPIRED)


def test_role_taken_at_the_provider_is_gone_after_the_next_refresh(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(app="roles", access_token_seconds=SHORT, app_env={"RECHECK_SECONDS": "0"})
    tab = new_visitor(stack).open()
    tab.sign_in("ada")
    tab.reads("Roles: admin, analyst")
    stack.tenant.change_user("ada", roles=["analyst"])
    tab.lets_time_pass()
    tab.press("Fetch a token")
    tab.reads("Roles: analyst")
    tab.is_signed_in("ada")


def test_refresh_refused_by_the_provider_ends_the_session_and_says_so(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    stack = start_stack(access_token_seconds=SHORT, app_env=NEVER)
    visitor = new_visitor(stack)
    tab, other_tab = visitor.open(), visitor.new_tab()
    tab.sign_in("ada")
    other_tab.open().is_signed_in("ada")
    stack.tenant.revoke_refresh_tokens_of("ada")
    tab.lets_time_pass()
    tab.press("Call protected API")
    for ended in (tab, other_tab):
        ended.is_signed_out()
        ended.reads(NOT_RENEWED)
    sign_in_works(tab)


def sign_in_works(tab: Tab) -> None:
    """The provider's own session lives on: a click is enough."""
    tab.sign_in_again("ada")
    tab.never_reads(NOT_RENEWED)
    expect(tab.component.part("user-name")).to_have_text(FULL_NAMES["ada"])
