"""The component renders from each build route's output, and says in words when it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness import paths

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import NewVisitor, StartStack
    from harness.visitor import Visitor

ROUTES = {"cargo xtask build": paths.STATIC_DIR, "trunk build": paths.TRUNK_DIR}


@pytest.mark.parametrize("static_dir", ROUTES.values(), ids=ROUTES.keys())
def test_component_renders_and_signs_in_from_this_build(
    start_stack: StartStack, new_visitor: NewVisitor, static_dir: Path
) -> None:
    if not (static_dir / "index.html").is_file():
        pytest.skip(f"{static_dir} holds no build: run `cargo xtask build` or `trunk build`")
    visitor = new_visitor(start_stack(static_dir=static_dir))
    tab = visitor.open()
    tab.is_signed_out()
    expect(tab.component.part("login-button")).to_be_visible()
    box = tab.component.root.bounding_box()
    assert box is not None
    assert box["height"] >= 40
    tab.sign_in("ada")
    refused = [line for line in visitor.evidence.complaints if "Content Security Policy" in line]
    # `trunk serve` leaves pages behind whose own reload socket the companion's CSP refuses.
    assert not [line for line in refused if ".well-known/trunk/ws" not in line]


def test_frame_is_as_high_as_its_content_in_every_state(visitor: Visitor) -> None:
    tab = visitor.open()

    def fits() -> None:
        frame = tab.page.locator("iframe").first.bounding_box()
        root = tab.component.root.bounding_box()
        assert frame is not None
        assert root is not None
        # No scrollbar, and no hole in the page: a few pixels for the focus ring.
        assert 0 <= frame["height"] - root["height"] <= 16, (frame, root)

    tab.is_signed_out()
    fits()
    popup = tab.start_sign_in()
    tab.component.is_in_state("waiting")
    fits()
    popup.get_by_test_id("dev-decline").click()
    tab.component.is_in_state("error")
    fits()
    tab.sign_in("ada")
    fits()


@pytest.mark.parametrize("width", [320, 1280])
def test_every_control_can_be_reached_at_this_width(
    start_stack: StartStack, new_visitor: NewVisitor, width: int
) -> None:
    visitor = new_visitor(start_stack(), viewport={"width": width, "height": 700})
    tab = visitor.open()
    tab.sign_in("ada")
    button = tab.component.part("logout-button").bounding_box()
    frame = tab.page.locator("iframe").first.bounding_box()
    assert button is not None
    assert frame is not None
    assert frame["x"] <= button["x"]
    assert button["x"] + button["width"] <= frame["x"] + frame["width"]
    tab.sign_out()


def test_login_by_keyboard_alone(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.is_signed_out()
    tab.component.part("login-button").focus()
    with tab.page.expect_popup() as popup:
        tab.page.keyboard.press("Enter")
    popup.value.locator("input[name=username]").fill("ada")
    popup.value.keyboard.press("Tab")
    popup.value.keyboard.type("ada-password")
    popup.value.keyboard.press("Enter")
    tab.is_signed_in("ada")
    expect(tab.component.part("logout-button")).to_be_visible()


def test_companion_that_is_away_is_told_by_the_app(visitor: Visitor) -> None:
    """The frame cannot even load: Python must not wait for ever, nor fail."""
    tab = visitor.open()
    tab.sign_in("ada")
    visitor.stack.companion_program.stop()
    tab.press("Count up")
    tab.reads("Count: 1")
    # Network trouble signs nobody out before the access token's end.
    tab.is_signed_in("ada")
    visitor.stack.companion_program.start()
    visitor.stack.companion_program.wait_ready()
    tab.page.reload()
    tab.is_signed_in("ada")
