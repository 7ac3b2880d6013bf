"""What others can read of a login (catalogue D20, D28, D41).

Others: a hostile component beside ours, script on the app's page and in our own frame, and
whoever looks into the browser's memory. The canaries are real: what the back channel, the
cookies and the addresses of this login had.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from harness.waiting import wait_until
from harness.wishes import SHORT

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Request

    from conftest import NewVisitor, StartStack
    from harness.stack import Stack
    from harness.stranger import Stranger
    from harness.visitor import Tab, Visitor

# As a component does, from its own site: says that it is ready, and then reads whatever it
# can reach. What it may not read says so with a SecurityError, which it notes.
SPY: Final = """<script>
const loot = {heard: [], refused: 0, read: []};
const take = (read) => { try { loot.read.push(String(read())); } catch { loot.refused += 1; } };
addEventListener('message', (event) => loot.heard.push(JSON.stringify(event.data ?? null)));
take(() => parent.document.documentElement.outerHTML);
take(() => parent.location.href);
take(() => parent.addEventListener('message', (event) => loot.heard.push(event.data)));
const look = () => {
    for (let i = 0; i < parent.length; i++) {
        if (parent[i] === window) continue;
        take(() => parent[i].document.documentElement.outerHTML);
        take(() => parent[i].localStorage.length);
        take(() => JSON.stringify(parent[i].history.state));
        take(() => parent[i].location.href);
        take(() => parent[i].componentAuth0);
    }
    take(() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie]));
    take(() => JSON.stringify(performance.getEntries().map((entry) => entry.name)));
    take(() => document.referrer);
    return loot;
};
const post = (type, fields) => parent.postMessage({isStreamlitMessage: true, type, ...fields}, '*');
post('streamlit:componentReady', {apiVersion: 1});
post('streamlit:setFrameHeight', {height: 10});
</script>"""
# Script in our own frame reads all that there is, the memory of the WASM included: the glue
# hands the instance out a second time.
READ_OUR_FRAME: Final = """async () => {
    const glue = await import(document.querySelector('link[rel=modulepreload]').href);
    const {memory} = await glue.default();
    const bytes = new TextDecoder('latin1').decode(memory.buffer);
    const caches_ = await caches.keys().catch(() => []);
    const databases = await indexedDB.databases().catch(() => []);
    const seen = performance.getEntries().map((entry) => JSON.stringify(entry));
    return {
        memory: bytes,
        dom: document.documentElement.outerHTML,
        storage: JSON.stringify([{...localStorage}, {...sessionStorage}, caches_, databases]),
        cookies: document.cookie,
        history: JSON.stringify([history.state, location.href, document.referrer, name]),
        globals: Object.keys(window).filter((key) => !['parent', 'top'].includes(key))
            .map((key) => key + String(window[key])).join(),
        network: seen.join(),
    };
}"""
_LONG: Final = 16


@pytest.fixture
def stack(start_stack: StartStack, stranger: Stranger) -> Stack:
    stranger.serve("/spy", SPY)
    return start_stack(
        app="spied",
        app_env={"SPY_URL": f"{stranger.cross_site}/spy"},
        access_token_seconds=SHORT,
    )


def test_a_component_of_another_site_reads_and_hears_nothing(
    stack: Stack, new_visitor: NewVisitor, stranger: Stranger
) -> None:
    visitor = new_visitor(stack)
    tab = visitor.open()
    sign_in(tab)
    spy = next(frame for frame in tab.page.frames if frame.url.startswith(stranger.cross_site))
    spy.wait_for_function("typeof look === 'function'")
    loot = spy.evaluate("look()")
    # The control: it is told its own orders, and it tried.
    assert [line for line in loot["heard"] if "streamlit:render" in line]
    assert loot["refused"] >= 7
    found = json.dumps(loot)
    for word in ("Ada", "ada@example", "ticket", "eyJ", *canaries(visitor).values()):
        assert word not in found, word
    # Nor does it get an instance of our frame of its own: the browser refuses it.
    with tab.page.expect_event("console", lambda message: "frame-ancestors" in message.text):
        spy.evaluate(
            """(url) => {
                document.body.append(Object.assign(document.createElement('iframe'), {src: url}));
            }""",
            f"{stack.companion}/streamlit",
        )


def test_what_a_script_on_the_apps_page_overhears_opens_nothing(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    """It is trusted with the page (design §2), yet has no token, and its ticket is no key."""
    visitor = new_visitor(stack)
    visitor.context.add_init_script(
        """window.overheard = [];
        addEventListener('message', (event) => overheard.push(JSON.stringify(event.data)));"""
    )
    tab = visitor.open()
    sign_in(tab)
    overheard = "".join(tab.page.evaluate("overheard"))
    for name, canary in canaries(visitor).items():
        assert canary not in overheard, name
    tickets = re.findall(r'"ticket":"([\w-]{43})"', overheard)
    challenges = re.findall(r'"challenge":"([\w-]{43})"', overheard)
    assert tickets
    assert challenges
    made_up = "v" * 43
    for ticket in tickets:
        for credential in ({}, {"Authorization": f"Bearer {made_up}"}):
            body = {"ticket": ticket, "verifier": challenges[0], "origin": stack.app}
            with stack.outside_client() as client:
                answer = client.post("/api/auth/redeem", json=body, headers=credential)
            assert answer.status_code == httpx.codes.UNAUTHORIZED
            assert answer.json()["code"] == "invalid_host_credential"
    # By the browser itself, with its cookies, the page gets no ticket of its own making.
    got = tab.page.evaluate(
        """async (url) => {
            const body = JSON.stringify({challenge: 'a'.repeat(43), host_origin: location.origin});
            const headers = {'content-type': 'application/json', 'x-component-auth0': 'frame'};
            const ways = [
                {credentials: 'include', headers, body},
                {credentials: 'include', mode: 'no-cors', body},
            ];
            const answers = ways.map((way) =>
                fetch(url, {method: 'POST', ...way}).then((answer) => answer.text(), () => ''));
            return (await Promise.all(answers)).join('');
        }""",
        f"{stack.companion}/api/auth/ticket",
    )
    assert got == ""
    tab.is_signed_in("ada")


def test_no_secret_is_in_the_frame_in_its_memory_or_in_the_heap(
    stack: Stack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(stack)
    verifiers = handoff_verifiers(visitor)
    tab = visitor.open()
    popup = tab.start_sign_in()
    tab.component.is_in_state("waiting")
    wait_until(lambda: verifiers, what="a poll")
    # The control: this way of looking finds what is there.
    while_waiting = everything_in(frame_of(tab))
    assert verifiers[0] in while_waiting["memory"]
    popup.close()
    tab.component.part("cancel-button").click(delay=50)
    tab.page.reload()
    sign_in(tab)
    tab.page.reload()
    tab.is_signed_in("ada")
    secrets = canaries(visitor)
    for when in ("signed in", "signed out"):
        places = {**everything_in(frame_of(tab)), **heap(tab)}
        for place, content in places.items():
            for name, canary in secrets.items():
                assert canary not in content, f"{name} in {place} when {when}"
            assert not re.search(r"eyJ[\w-]{8,}\.", content), f"a JWT in {place} when {when}"
        assert "Ada Lovelace" in places["heap"]
        if when == "signed in":
            assert "Ada Lovelace" in places["memory"]
            tab.component.part("logout-button").click()
            tab.component.is_in_state("signed-out")
    for line in visitor.evidence.console + visitor.evidence.requests:
        of_the_provider = line.startswith((stack.issuer, f"{stack.companion}/api/auth/callback"))
        for name, canary in {**secrets, "handoff verifier": verifiers[-1]}.items():
            # The redirects of the login itself carry state, nonce and the provider's code.
            assert canary not in line or (of_the_provider and name in IN_REDIRECTS), (name, line)


IN_REDIRECTS: Final = {"code", "state", "nonce"}


def sign_in(tab: Tab) -> None:
    """With a second access token, from a refresh."""
    tab.sign_in("ada")
    tab.lets_time_pass()
    tab.press("Fresh token")
    tab.reads("Refreshed")


def canaries(visitor: Visitor) -> dict[str, str]:
    """Everything secret of this login."""
    found = {
        f"cookie {cookie['name']}": cookie["value"]
        for cookie in visitor.context.cookies()
        if cookie["name"].startswith("component-auth0")
    }
    for url in visitor.evidence.requests:
        query = parse_qs(urlsplit(url).query)
        found |= {name: query[name][0] for name in IN_REDIRECTS & query.keys()}
    lines = (visitor.stack.folder / "back-channel.jsonl").read_text().splitlines()
    for number, (_, body, answer) in enumerate(map(json.loads, lines)):
        said = {**body, **(answer or {})}
        kept = ("verifier", "grant", "access_token")
        found |= {f"{name} {number}": said[name] for name in kept if name in said}
    kinds = {name.split()[0] for name in found}
    assert kinds == {"verifier", "grant", "access_token", "cookie", *IN_REDIRECTS}
    tokens = {value for name, value in found.items() if name.startswith("access_token")}
    assert len(tokens) >= 2, "there was no refresh"
    assert all(isinstance(value, str) and len(value) >= _LONG for value in found.values())
    return found


def handoff_verifiers(visitor: Visitor) -> list[str]:
    """Fills with the verifier of each poll."""
    found: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/auth/handoff"):
            found.append(str(json.loads(request.post_data or "{}")["verifier"]))

    visitor.context.on("request", note)
    return found


def everything_in(frame: Frame) -> dict[str, str]:
    """What script in our frame can read."""
    found: dict[str, str] = frame.evaluate(READ_OUR_FRAME)
    return found


def heap(tab: Tab) -> dict[str, str]:
    """All strings of the page's JavaScript, ours and Streamlit's (same-site: one process)."""
    chunks: list[str] = []
    session = tab.page.context.new_cdp_session(tab.page)
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda event: chunks.append(event["chunk"]))
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    session.detach()
    strings = json.loads("".join(chunks))["strings"]
    return {"heap": "\n".join(strings)}


def frame_of(tab: Tab) -> Frame:
    """Our frame."""
    return next(frame for frame in tab.page.frames if "/streamlit" in frame.url)
