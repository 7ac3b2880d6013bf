"""The login as everybody knows it: in, still in after a reload, in in two tabs, out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.visitor import Visitor


def test_login_through_the_popup(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.is_signed_out()
    tab.sign_in("ada")


def test_reload_keeps_the_login(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
