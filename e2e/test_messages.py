"""Messages of other windows: forged orders, floods and odd values (catalogue D27)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

    from conftest import NewVisitor, StartStack
    from harness.stack import Stack
    from harness.stranger import Stranger
    from harness.visitor import Tab, Visitor

FLOOD: Final = 100_000

# What the frame says to its host, and how many messages came from others than the host. Set in
# every frame: only the host's window hears values, and ahead of the frame's own listener.
NOTE_THE_VALUES: Final = """
window.heard = [];
window.fromStrangers = 0;
addEventListener('message', (event) => {
    if (event.data?.type === 'streamlit:setComponentValue') window.heard.push(event.data.value);
    if (event.source !== window.parent) window.fromStrangers += 1;
});
"""
# All that somebody who is not the host could want of the frame.
ORDERS: Final = """
const args = {challenge: 'A'.repeat(43), hostname: 'Mallory', known: null,
              command: {id: 'm' + Math.random(), name: 'logout'},
              login_options: {prompt: 'login'}, labels: {login: 'Mallory', logout: 'Mallory'}};
const orders = [
    {type: 'streamlit:render', args, disabled: true, theme: {base: 'dark'}},
    {isStreamlitMessage: true, type: 'streamlit:render', args},
    {isStreamlitMessage: true, type: 'streamlit:setComponentValue', value: null},
    {type: 'authorization_response', response: {code: 'x', state: 'y'}},
];
"""
ORDERS_OF_ONE: Final = 4
TO_ALL_FRAMES: Final = (
    ORDERS
    + """
const order = (page) => {
    for (let i = 0; i < page.length; i++)
        if (page[i] !== window) for (const message of orders) page[i].postMessage(message, '*');
};
"""
)
# As Streamlit's own page could say it: what structured cloning lets through. A proxy or a
# function does not pass it, and a getter is read by the sender.
ODD_VALUES: Final = """
(frame) => {
    const cyclic = {type: 'streamlit:render'};
    cyclic.args = cyclic;
    const many = Object.fromEntries(Array.from({length: 20000}, (_, i) => ['k' + i, 'v']));
    const sparse = [];
    sparse.length = 4294967295;
    const render = (args, more) => ({type: 'streamlit:render', args, ...more});
    const huge = 'x'.repeat(1_000_000);
    const odd = [
        undefined, null, NaN, 10n, true, huge, [], sparse, new Map([['type', 'streamlit:render']]),
        new Date(), /x/, new Blob(['x']), new ArrayBuffer(8), new Error('streamlit:render'),
        {type: huge}, {type: {toString: 'streamlit:render'}}, {type: ['streamlit:render']},
        cyclic, render(new Map()), render(sparse), render(null, {theme: 7, disabled: 'no'}),
        render({login_options: many, labels: many, events: sparse}),
        render({challenge: 10n, known: {state: 'signed_in', ref: []}}),
        render({command: {id: {}, name: 'logout'}}),
        render({command: {id: 'p', name: '__proto__'}, labels: {['__proto__']: {polluted: 'yes'}}}),
        render({hostname: huge, locale: huge, variant: huge}),
        render({hostname: '\\ud800', locale: 'not a locale', initial_state: 'none'}),
    ];
    const {port1, port2} = new MessageChannel();
    frame.postMessage(render({}), '*', [port1]);
    for (const value of odd) frame.postMessage(value, '*');
    return odd.length;
}
"""


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    return start_stack(app="multipage")


@pytest.fixture
def visitor(stack: Stack, new_visitor: NewVisitor) -> Visitor:
    visitor = new_visitor(stack)
    visitor.context.add_init_script(NOTE_THE_VALUES)
    return visitor


def test_orders_of_any_window_but_the_host_change_nothing(
    visitor: Visitor, stranger: Stranger
) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    before = Watch(tab)
    # A frame beside ours, of another site; one on the host's own origin, which is not the
    # host; and a page that opened the app in a window and kept its handle.
    stranger.serve("/beside", f"<script>{TO_ALL_FRAMES} order(parent)</script>")
    beside = add_frame(tab.page, src=f"{stranger.cross_site}/beside")
    wait_for_script(beside)
    inner = f"<script>{TO_ALL_FRAMES} order(parent)</script>"
    wait_for_script(add_frame(tab.page, srcdoc=inner))
    assert tab.page.evaluate("frames.length") == 3
    before.is_unchanged(by=2 * ORDERS_OF_ONE)

    stranger.serve("/opener", f"<script>const app = open('{tab.stack.app}');</script>")
    opener = visitor.context.new_page()
    with opener.expect_popup() as opened:
        opener.goto(f"{stranger.cross_site}/opener")
    other = type(tab)(opened.value, tab.stack)
    other.is_signed_in("ada")
    of_opened = Watch(other)
    assert opener.evaluate("app.length") == 1
    opener.evaluate(f"() => {{ {TO_ALL_FRAMES} order(app) }}")
    of_opened.is_unchanged(by=ORDERS_OF_ONE)
    before.is_unchanged(by=2 * ORDERS_OF_ONE)
    # The control: the host's own order is obeyed.
    host_says(tab.page, "{command: {id: 'h', name: 'logout'}, challenge: 'B'.repeat(43)}")
    tab.component.is_in_state("signed-out")


def test_a_page_that_may_hold_the_app_gives_the_frame_no_orders(
    start_stack: StartStack, new_visitor: NewVisitor, stranger: Stranger
) -> None:
    """The right window on the wrong origin: framed by `EMBED_ORIGINS` (G02)."""
    stack = start_stack(app="multipage", companion_env={"EMBED_ORIGINS": stranger.same_site})
    visitor = new_visitor(stack)
    visitor.context.add_init_script(NOTE_THE_VALUES)
    visitor.open().sign_in("ada")
    page = visitor.context.new_page()
    stranger.serve("/", f'<iframe src="{stack.companion}/streamlit"></iframe>')
    page.goto(stranger.same_site)
    held = page.frame_locator("iframe")
    page.evaluate(f"() => {{ {TO_ALL_FRAMES} order(window) }}")
    expect(held.locator("#component-auth0")).to_have_attribute("data-state", "error")
    expect(held.get_by_test_id("error")).to_be_visible()
    expect(held.get_by_test_id("login-button")).to_have_count(0)
    assert page.evaluate("heard") == []


def test_a_flood_of_messages_neither_hangs_the_frame_nor_moves_it(
    visitor: Visitor, stranger: Stranger
) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    before = Watch(tab)
    component = frame_of(tab)
    component.evaluate(
        """() => {
            window.received = 0;
            addEventListener('message', () => { window.received += 1; });
        }"""
    )
    script = f"""{ORDERS}
        for (let i = 0; i < {FLOOD}; i++) parent[0].postMessage(orders[i % orders.length], '*')"""
    stranger.serve("/", f"<script>{script}</script>")
    add_frame(tab.page, src=f"{stranger.cross_site}/")
    component.wait_for_function(f"received >= {FLOOD}")
    before.is_unchanged(by=FLOOD)
    tab.sign_out()


def test_odd_values_from_the_host_itself_break_nothing(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    before = Watch(tab)
    component = frame_of(tab)
    sent = tab.page.evaluate(f"() => ({ODD_VALUES})(frames[0])")
    component.evaluate(
        """() => new Promise((done) => {
            addEventListener('message', (event) => event.data === 'last' && done());
            window.postMessage('last', '*');
        })"""
    )
    assert sent > 20
    assert component.evaluate("({}).polluted") is None
    # The host may ask what it likes: of these orders one made the frame look who is there.
    before.says_and_asks_at_most(1)
    # Streamlit's next order finds the frame as it was.
    tab.page.reload()
    tab.is_signed_in("ada")
    # And a flood of good orders is one order many times.
    before = Watch(tab)
    tab.page.evaluate(
        """() => {
            const order = {type: 'streamlit:render', args: {challenge: 'C'.repeat(43)}};
            for (let i = 0; i < 2000; i++) frames[0].postMessage(order, '*');
        }"""
    )
    frame_of(tab).evaluate("() => new Promise((done) => setTimeout(done))")
    before.says_and_asks_at_most(1)
    tab.component.is_in_state("signed-in")
    assert not [line for line in visitor.evidence.complaints if "uncaught" in line]


class Watch:
    """What a frame shows, said and asked, to be compared."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._shown = self._look()
        self._said = self._heard()
        self._asked = self._requests()
        self._received = self._from_strangers()

    def is_unchanged(self, *, by: int) -> None:
        """So many messages of others arrived; it shows the same, and says and asks nothing more."""
        # Those of another process come when they come: the order of what is posted here says
        # nothing of them.
        expected = self._received + by
        frame_of(self._tab).wait_for_function(f"fromStrangers >= {expected}")
        assert self._from_strangers() == expected
        # What they set going is done before this.
        frame_of(self._tab).evaluate("() => new Promise((done) => setTimeout(done))")
        assert self._look() == self._shown
        self.says_and_asks_at_most(0)

    def says_and_asks_at_most(self, times: int) -> None:
        """So many values for Python, and so many requests."""
        assert self._heard() <= self._said + times
        assert len(self._requests()) <= len(self._asked) + times

    def _look(self) -> Any:
        return frame_of(self._tab).evaluate(
            """() => {
                const {state, variant, theme} = document.querySelector('#component-auth0').dataset;
                return [state, variant, theme, document.body.innerText];
            }"""
        )

    def _from_strangers(self) -> Any:
        return frame_of(self._tab).evaluate("fromStrangers")

    def _heard(self) -> Any:
        return self._tab.page.evaluate("heard.length")

    def _requests(self) -> list[str]:
        address = f"{self._tab.stack.companion}/api/"
        asked = frame_of(self._tab).evaluate(
            "() => performance.getEntriesByType('resource').map((entry) => entry.name)"
        )
        # The frame that hears of a session's end asks again by itself.
        return [url for url in asked if url.startswith(address) and not url.endswith("/watch")]


def host_says(page: Page, args: str) -> None:
    """An order of Streamlit's own page."""
    page.evaluate(
        f"() => frames[0].postMessage({{type: 'streamlit:render', args: {args}}}, '*')",
    )


def add_frame(page: Page, **attributes: str) -> Frame:
    """A frame beside ours in Streamlit's page, after its script ran."""
    handle = page.evaluate_handle(
        """(attributes) => new Promise((done) => {
            const frame = Object.assign(document.createElement('iframe'), attributes);
            frame.onload = () => done(frame);
            document.body.append(frame);
        })""",
        attributes,
    )
    element = handle.as_element()
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    return frame


def wait_for_script(frame: Frame) -> None:
    """The frame's script ran: it could name what it has."""
    frame.wait_for_function("typeof order === 'function'")


def frame_of(tab: Tab) -> Frame:
    """Our frame."""
    return next(frame for frame in tab.page.frames if "/streamlit" in frame.url)
