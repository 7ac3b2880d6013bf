"""No token, code of ours or session key reaches what a browser can see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from playwright.sync_api import Error as PlaywrightError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Response

    from conftest import NewVisitor, StartStack
    from harness.visitor import Visitor

# The beginning of every JWT, and with two more parts the whole of one.
_JWT_START: Final = "eyJ"
_JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_REDIRECTS: Final = range(300, 400)


def test_no_token_in_any_answer_message_address_or_storage(
    start_stack: StartStack, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(start_stack(app="state_dump"))
    tab = visitor.open()
    tab.sign_in("ada")
    tab.page.reload()
    tab.is_signed_in("ada")
    for name, content in kept_by_the_browser(visitor):
        assert not _JWT.search(content), f"a JWT in {name}"
    assert _JWT_START not in tab.page.content()
    # Cookies ignore ports: Streamlit's own is seen from here, ours are not.
    assert "component-auth0" not in tab.component.root.evaluate("() => document.cookie")
    # The answer that is held open while somebody is signed in has to end before it is read.
    tab.sign_out()
    looked_at = 0
    for name, content in sent_to_the_browser(visitor):
        looked_at += 1
        assert not _JWT.search(content), f"a JWT in {name}"
    assert looked_at > 20
    of_companion = [a for a in visitor.evidence.responses if a.url.startswith(tab.stack.companion)]
    for path in ("/api/auth/handoff", "/api/auth/watch"):
        assert any(path in answer.url for answer in of_companion)
    for answer in of_companion:
        assert _JWT_START.encode() not in body(answer), answer.url


def test_no_authorization_code_or_token_stays_in_an_address(visitor: Visitor) -> None:
    tab = visitor.open()
    popup = tab.start_sign_in()
    visited: list[str] = []
    popup.on("framenavigated", lambda frame: visited.append(frame.url))
    popup.locator("input[name=username]").fill("ada")
    popup.locator("input[name=password]").fill("ada-password")
    with popup.expect_event("close"):
        popup.get_by_test_id("dev-login").click()
    tab.is_signed_in("ada")
    # The popup ends at a clean page: the callback itself never becomes a page.
    assert visited[-1] == f"{visitor.stack.companion}/signed-in?close"
    assert not [url for url in visited if "code=" in url]
    assert not [url for url in visitor.evidence.requests if _JWT_START in url]


def test_no_secret_in_any_log(visitor: Visitor) -> None:
    tab = visitor.open()
    tab.sign_in("ada")
    tab.press("Call scoped API")
    tab.reads("The API answered.")
    cookies = [cookie["value"] for cookie in visitor.context.cookies()]
    tab.sign_out()
    codes = re.findall(r"[?&](?:code|state)=([^&\s]+)", "\n".join(visitor.evidence.requests))
    secrets = [value for value in [*cookies, *codes] if len(value) > 16]
    assert len(secrets) >= 3
    for program in visitor.stack.programs:
        output = program.output()
        assert not _JWT.search(output.encode()), program.name
        assert not [secret for secret in secrets if secret in output], program.name


def sent_to_the_browser(visitor: Visitor) -> Iterator[tuple[str, bytes]]:
    """Everything that came to this browser, but for HttpOnly cookies."""
    for answer in visitor.evidence.responses:
        yield answer.url, answer.url.encode()
        yield answer.url, body(answer)
    for number, message in enumerate(visitor.evidence.messages):
        content = message.encode() if isinstance(message, str) else message
        yield f"websocket message {number}", content


def kept_by_the_browser(visitor: Visitor) -> Iterator[tuple[str, bytes]]:
    """Everything that lies in this browser."""
    yield "cookies and storage", repr(visitor.context.storage_state(indexed_db=True)).encode()
    for page in visitor.context.pages:
        for frame in page.frames:
            stored = frame.evaluate("() => JSON.stringify([{...sessionStorage}, history.state])")
            yield f"session storage of {frame.url}", str(stored).encode()


def body(answer: Response) -> bytes:
    """The body, where there is one that the browser kept."""
    if answer.status in _REDIRECTS:
        return b""
    try:
        return answer.body()
    except PlaywrightError:
        # A closed popup's pages, and answers to aborted requests, are gone.
        return b""
