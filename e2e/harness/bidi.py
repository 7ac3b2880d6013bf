"""WebDriver BiDi over a websocket: what it takes to press buttons in an unpatched Firefox.

Playwright drives only a Firefox of its own making, and geckodriver is not packaged here.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from harness.waiting import wait_for_value, wait_until

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_ANSWER_SECONDS: Final = 30.0


class BidiError(Exception):
    """The browser refused a command."""


class Bidi:
    """One session. Keeps of all events what `note_violations` asks for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self.violations: list[str] = []
        """Directives that documents broke, as far as heard: any later answer comes after."""
        self.call("session.new", capabilities={})

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer.

        Raises:
            BidiError: The browser refused it.
        """
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_ANSWER_SECONDS))
            if answer.get("id") == number:
                break
            if answer.get("method") == "script.message":
                self.violations.append(answer["params"]["data"]["value"])
        if answer["type"] == "error":
            raise BidiError(f"{method}: {answer['error']}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def note_violations(self) -> None:
        """From now on every new document says what its policy forbade it."""
        self.call("session.subscribe", events=["script.message"])
        self.call(
            "script.addPreloadScript",
            functionDeclaration="""(say) => addEventListener(
                'securitypolicyviolation',
                (event) => say(`${event.effectiveDirective} ${event.blockedURI}`)
            )""",
            arguments=[{"type": "channel", "value": {"channel": "violations"}}],
        )

    def tabs(self) -> list[BidiPage]:
        """All top-level browsing contexts, popups too."""
        contexts = self.call("browsingContext.getTree", maxDepth=0)["contexts"]
        return [BidiPage(self, context["context"]) for context in contexts]


class BidiPage:
    """A document: a tab's, or a frame's."""

    def __init__(self, bidi: Bidi, context: str) -> None:
        self._bidi = bidi
        self.context = context

    def goto(self, url: str) -> None:
        """Navigates, and waits for the document."""
        self._bidi.call("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def reload(self) -> None:
        """Reloads, and waits for the document."""
        self._bidi.call("browsingContext.reload", context=self.context, wait="complete")

    def frame(self, url: str) -> BidiPage:
        """Waits for a frame whose address begins like that."""

        def find() -> BidiPage | None:
            tree = self._bidi.call("browsingContext.getTree", root=self.context)["contexts"]
            children = tree[0]["children"] or []
            found = [child for child in children if child["url"].startswith(url)]
            return BidiPage(self._bidi, found[0]["context"]) if found else None

        return wait_until(find, what=f"a frame of {url}")

    def only_frame(self) -> BidiPage:
        """Waits for the one frame, whatever is in it."""

        def find() -> BidiPage | None:
            tree = self._bidi.call("browsingContext.getTree", root=self.context)["contexts"]
            children = tree[0]["children"] or []
            return BidiPage(self._bidi, children[0]["context"]) if children else None

        return wait_until(find, what="a frame")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression: text, a number, a boolean or None."""
        answer = self._bidi.call(
            "script.evaluate",
            expression=expression,
            target={"context": self.context},
            awaitPromise=True,
        )
        return answer.get("result", {}).get("value")

    def becomes(self, expression: str, expected: Any) -> None:
        """Waits until the expression has this value.

        Raises:
            TimeoutError: It has another one.
        """
        wait_for_value(self.evaluate, expression, expected, replaced=BidiError)

    def click(self, selector: str) -> None:
        """Presses the element as a person does: the page gets a user activation."""
        locator = {"type": "css", "value": selector}

        def find() -> list[Any]:
            found = self._bidi.call(
                "browsingContext.locateNodes", context=self.context, locator=locator
            )
            nodes: list[Any] = found["nodes"]
            return nodes

        element = {"sharedId": wait_until(find, what=selector)[0]["sharedId"]}
        # Streamlit gives a frame its height a moment after its content has one.
        middle = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        self.becomes(f"(r => r.height > 0 && r.top + r.height / 2 < innerHeight)({middle})", True)
        move = {"type": "pointerMove", "x": 0, "y": 0}
        pointer = {
            "type": "pointer",
            "id": "mouse",
            "actions": [
                {**move, "origin": {"type": "element", "element": element}},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        }
        self._bidi.call("input.performActions", context=self.context, actions=[pointer])

    def screenshot(self) -> str:
        """A PNG of the viewport, base64."""
        data: str = self._bidi.call("browsingContext.captureScreenshot", context=self.context)[
            "data"
        ]
        return data
