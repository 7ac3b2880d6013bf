"""The machine's WebKitGTK with its cookie protection as it comes, by its own WebDriver."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx

from harness import paths
from harness.ports import free_port
from harness.program import end_group, environment
from harness.waiting import wait_for_value, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
_CAPABILITIES: Final = {
    "browserName": "MiniBrowser",
    "webkitgtk:browserOptions": {"binary": paths.WEBKIT, "args": ["--automation"]},
}


class WebKitError(Exception):
    """The browser refused a command."""


class WebKit:
    """One session of classic WebDriver."""

    def __init__(self, driver: str) -> None:
        self._http = httpx.Client(base_url=driver, trust_env=False, timeout=60)
        answer = self._send("POST", "/session", capabilities={"alwaysMatch": _CAPABILITIES})
        self._session = f"/session/{answer['sessionId']}"

    def _send(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(method, path, json=body if method == "POST" else None)
        value = answer.json()["value"]
        if not answer.is_success:
            raise WebKitError(f"{path}: {value['error']}: {value['message']}")
        return value

    def call(self, method: str, path: str, **body: Any) -> Any:
        """A command of this session.

        Raises:
            WebKitError: The browser refused it.
        """
        return self._send(method, f"{self._session}{path}", **body)

    def goto(self, url: str) -> None:
        """Navigates, and waits for the document."""
        self.call("POST", "/url", url=url)

    def reload(self) -> None:
        """Reloads, and waits for the document."""
        self.call("POST", "/refresh")

    def windows(self) -> list[str]:
        """All tabs and popups."""
        handles: list[str] = self.call("GET", "/window/handles")
        return handles

    def window(self, handle: str) -> None:
        """From now on this one is meant."""
        self.call("POST", "/window", handle=handle)

    def frame(self, selector: str) -> None:
        """From now on the document in this frame of the page is meant."""
        self.call("POST", "/frame", id=None)
        self.call("POST", "/frame", id={_ELEMENT: self._find(selector)})

    def page(self) -> None:
        """From now on the whole page is meant."""
        self.call("POST", "/frame", id=None)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of its promise."""
        script = (
            f"const done = arguments[0]; Promise.resolve({expression})"
            ".then(done, (error) => done(String(error)))"
        )
        return self.call("POST", "/execute/async", script=script, args=[])

    def becomes(self, expression: str, expected: Any) -> None:
        """Waits until the expression has this value.

        Raises:
            TimeoutError: It has another one.
        """
        wait_for_value(self.evaluate, expression, expected, replaced=WebKitError)

    def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        self.call("POST", f"/element/{self._find(selector)}/value", text=text)

    def click(self, selector: str) -> None:
        """Presses the element as a person does, once it can be pressed.

        Raises:
            TimeoutError: It cannot.
        """

        def press() -> bool:
            try:
                self.call("POST", f"/element/{self._find(selector)}/click")
            except WebKitError:
                # Streamlit gives a frame its height a moment after its content has one.
                return False
            return True

        wait_until(press, what=f"{selector} to be pressed")

    def screenshot(self) -> str:
        """A PNG of the viewport, base64."""
        data: str = self.call("GET", "/screenshot")
        return data

    def _find(self, selector: str) -> str:
        def find() -> str | None:
            try:
                found = self.call("POST", "/element", using="css selector", value=selector)
            except WebKitError:
                return None
            element: str = found[_ELEMENT]
            return element

        return wait_until(find, what=selector)

    def end(self) -> None:
        """Closes the browser."""
        self._send("DELETE", self._session)
        self._http.close()


@contextmanager
def webkit(folder: Path) -> Iterator[WebKit]:
    """Starts it on a screen that nobody sees; ends it with all its processes."""
    port = free_port()
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(runtime), "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1"}
    if os.geteuid() == 0:
        # Its sandbox needs namespaces that a container has not. It loads these tests only.
        env["WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS"] = "1"
    with (folder / "webkit.log").open("wb") as output:
        process = subprocess.Popen(
            [*(paths.XVFB_RUN, "-a", paths.WEBKIT_DRIVER), f"--port={port}"],
            env=environment(folder, env),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        driver = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(driver), what="WebKit's driver", seconds=90)
        browser = WebKit(driver)
        try:
            yield browser
        finally:
            browser.end()
    finally:
        end_group(process)


def _answers(driver: str) -> bool:
    try:
        return httpx.get(f"{driver}/status", trust_env=False).is_success
    except httpx.HTTPError:
        return False
