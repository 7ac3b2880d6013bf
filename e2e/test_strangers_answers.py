"""Something on the way answers instead of the companion: it has no say in who is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from conftest import NewVisitor
    from harness.stack import Stack

PORTAL = "<html><body>Please accept the terms of this network.</body></html>"


@pytest.mark.parametrize("status", [200, 401])
def test_a_portal_on_the_way_neither_signs_out_nor_confirms_a_sign_out(
    stack: Stack, new_visitor: NewVisitor, status: int
) -> None:
    def portal(route: Route) -> None:
        route.fulfill(status=status, content_type="text/html", body=PORTAL)

    visitor = new_visitor(stack)
    tab = visitor.open()
    tab.sign_in("ada")
    visitor.context.route("**/api/auth/logout", portal)
    tab.component.part("logout-button").click()
    expect(tab.component.frame.get_by_text("Signing out failed")).to_be_visible()
    tab.is_signed_in("ada")

    visitor.context.route("**/api/auth/ticket", portal)
    tab.page.reload()
    tab.component.is_in_state("error")
    tab.never_reads("Signed out")

    visitor.context.unroute_all()
    tab.page.reload()
    tab.is_signed_in("ada")
    tab.sign_out()
