"""Pictures for the README, taken of the real thing: `UPDATE_SCREENSHOTS=1` writes them."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from harness import paths
from harness.visitor import COMPONENT

if TYPE_CHECKING:
    from conftest import NewVisitor, StartStack
    from harness.visitor import Tab, Visitor

pytestmark = pytest.mark.skipif(
    os.environ.get("UPDATE_SCREENSHOTS") != "1",
    reason="pictures are only written with UPDATE_SCREENSHOTS=1",
)

BACKGROUNDS = {"light": "#ffffff", "dark": "#0e1117"}


@pytest.mark.parametrize(
    ("theme", "name"), [("light", "screenshot.png"), ("dark", "screenshot-dark.png")]
)
def test_picture_of_the_demo_signed_in(
    start_stack: StartStack, new_visitor: NewVisitor, theme: str, name: str
) -> None:
    tab = themed(start_stack, new_visitor, theme).open()
    tab.press("Count up")
    tab.sign_in("ada")
    tab.press("Call scoped API")
    tab.reads("The API answered.")
    rest(tab)
    paths.DOCS.mkdir(exist_ok=True)
    tab.page.screenshot(path=paths.DOCS / name)


def test_picture_of_the_components_states(start_stack: StartStack, new_visitor: NewVisitor) -> None:
    columns = []
    for theme in BACKGROUNDS:
        visitor = themed(start_stack, new_visitor, theme)
        columns.append((theme, states(visitor.open())))
    page = new_visitor(visitor.stack, viewport={"width": 1000, "height": 520}).context.new_page()
    page.set_content("".join(column(theme, pictures) for theme, pictures in columns))
    paths.DOCS.mkdir(exist_ok=True)
    page.screenshot(path=paths.DOCS / "component-states.png", full_page=True)


def states(tab: Tab) -> list[bytes]:
    """A picture of the frame in each of its states."""
    frame = tab.page.locator(COMPONENT)
    pictures = []

    def take() -> None:
        rest(tab)
        pictures.append(frame.screenshot())

    tab.is_signed_out()
    take()
    popup = tab.start_sign_in()
    tab.component.is_in_state("waiting")
    take()
    popup.get_by_test_id("dev-decline").click()
    tab.component.is_in_state("error")
    take()
    tab.page.reload()
    tab.is_signed_out()
    # Not `add_init_script`: it reaches only frames that load after this.
    tab.component.root.evaluate("() => { window.open = () => null; }")
    tab.component.part("login-button").click()
    tab.component.is_in_state("waiting")
    take()
    tab.page.reload()
    tab.sign_in("ada")
    take()
    return pictures


def themed(start_stack: StartStack, new_visitor: NewVisitor, theme: str) -> Visitor:
    return new_visitor(
        start_stack(dark=theme == "dark"),
        color_scheme=theme,
        device_scale_factor=2,
        viewport={"width": 1280, "height": 800},
    )


def rest(tab: Tab) -> None:
    """Waits until nothing moves, and takes the pointer away."""
    tab.page.mouse.move(1279, 799)
    app = tab.page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    tab.page.wait_for_load_state("networkidle")
    tab.page.evaluate("() => document.fonts.ready.then(() => true)")


def column(theme: str, pictures: list[bytes]) -> str:
    images = "".join(
        f'<img style="display:block;margin:18px 0;max-width:420px"'
        f' src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
        for picture in pictures
    )
    return (
        f'<div style="float:left;width:420px;padding:12px 32px;'
        f'background:{BACKGROUNDS[theme]}">{images}</div>'
    )
