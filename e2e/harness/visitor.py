"""A person with a browser of their own: what they do, and what they see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

from harness.evidence import Evidence

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page

    from harness.stack import Stack

# Ours, whatever other components the app has.
COMPONENT: Final = 'iframe[data-testid="stCustomComponentV1"][src*="/streamlit"]'
FULL_NAMES: Final = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "linus": "Linus Pauling"}


class Component:
    """The sign-in frame in one tab."""

    def __init__(self, page: Page) -> None:
        self.frame: FrameLocator = page.frame_locator(COMPONENT)
        self.root: Locator = self.frame.locator("#component-auth0")

    def part(self, test_id: str) -> Locator:
        """A stable hook of the frame's DOM."""
        return self.frame.get_by_test_id(test_id)

    def is_in_state(self, state: str) -> None:
        """Waits for `data-state`."""
        expect(self.root).to_have_attribute("data-state", state)


class Tab:
    """One tab with the app in it."""

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page = page
        self.stack = stack
        self.component = Component(page)

    def open(self, path: str = "/") -> Tab:
        """Opens the app, as by its address."""
        self.page.goto(f"{self.stack.app}{path}")
        return self

    def press(self, name: str) -> None:
        """Presses a button of the app (not of the frame)."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Waits until the app shows this text."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def never_reads(self, text: str | re.Pattern[str]) -> None:
        """The app shows no such text now."""
        expect(self.page.get_by_text(text)).to_have_count(0)

    def start_sign_in(self) -> Page:
        """Clicks the frame's button; the provider's window."""
        with self.page.expect_popup() as popup:
            self.component.part("login-button").click()
        return popup.value

    def sign_in(self, user: str = "ada") -> None:
        """The whole way through the popup, until frame and app both know."""
        popup = self.start_sign_in()
        enter_password(popup, user)
        self.is_signed_in(user)

    def sign_in_again(self, user: str = "ada") -> None:
        """The provider still knows the person: a click is enough."""
        self.start_sign_in()
        self.is_signed_in(user)

    def is_signed_in(self, user: str = "ada") -> None:
        """Frame and app both say who it is."""
        name = FULL_NAMES[user]
        self.component.is_in_state("signed-in")
        expect(self.component.part("user-name")).to_have_text(name)
        self.reads(f"Hello {name}")

    def is_signed_out(self) -> None:
        """Frame and app both say nobody is."""
        self.component.is_in_state("signed-out")
        expect(self.page.get_by_text("Signed out", exact=True)).to_be_visible()
        expect(self.page.get_by_text(re.compile("^Hello "))).to_have_count(0)

    def lets_time_pass(self) -> None:
        """Until a token of `SHORT` life is due for its refresh."""
        self.page.wait_for_timeout(2_000)

    def sign_out(self) -> None:
        """By the frame's own button."""
        self.component.part("logout-button").click()
        self.is_signed_out()


class Visitor:
    """A person: one browser context, any number of tabs."""

    def __init__(self, context: BrowserContext, stack: Stack) -> None:
        self.context = context
        self.stack = stack
        self.evidence = Evidence()
        self.expects_violations = False
        """Of the pages' own policies: else any fails the test (catalogue D39)."""
        self.evidence.listen(context)

    def new_tab(self) -> Tab:
        """An empty tab."""
        return Tab(self.context.new_page(), self.stack)

    def open(self, path: str = "/") -> Tab:
        """A new tab with the app in it."""
        return self.new_tab().open(path)


def enter_password(popup: Page, user: str, password: str | None = None) -> None:
    """Fills the dev tenant's form in the popup and sends it."""
    popup.locator("input[name=username]").fill(user)
    popup.locator("input[name=password]").fill(password or f"{user}-password")
    popup.get_by_test_id("dev-login").click()
