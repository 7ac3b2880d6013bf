"""What a browser context said and asked for: for assertions, and for whoever reads a failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import (
        BrowserContext,
        ConsoleMessage,
        Page,
        Request,
        Response,
        WebSocket,
    )


@dataclass
class Evidence:
    """Listens to one browser context from its beginning."""

    console: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of pages, uncaught exceptions."""
    network: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    messages: list[bytes | str] = field(default_factory=list)
    """Websocket messages, both ways."""

    @property
    def violations(self) -> list[str]:
        """What a page of ours asked for and its own policy forbids.

        Not that somebody else's page may not frame ours: tests try that.
        """
        return [
            line
            for line in self.complaints
            if "Content Security Policy" in line and "frame-ancestors" not in line
        ]

    def listen(self, context: BrowserContext) -> None:
        """Hears every page of the context, popups too."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self._complain(f"uncaught: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("requestfailed", self._failed)
        context.on("page", self._page)

    def _page(self, page: Page) -> None:
        page.on("websocket", self._websocket)

    def _websocket(self, websocket: WebSocket) -> None:
        websocket.on("framereceived", self._message)
        websocket.on("framesent", self._message)

    def _message(self, payload: bytes | str) -> None:
        self.messages.append(payload)

    def _console(self, message: ConsoleMessage) -> None:
        line = f"{message.type}: {message.text} ({message.location.get('url', '')})"
        self.console.append(line)
        if message.type in {"error", "warning"}:
            self.complaints.append(line)

    def _complain(self, line: str) -> None:
        self.console.append(line)
        self.complaints.append(line)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        self.network.append(f"--> {request.method} {request.url}")

    def _response(self, response: Response) -> None:
        self.responses.append(response)
        self.network.append(f"<-- {response.status} {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        self.network.append(f"x-- {request.failure} {request.method} {request.url}")

    def save(self, folder: Path, pages: list[Page]) -> None:
        """Writes all, with a picture of each open page."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "console.txt").write_text("\n".join(self.console))
        (folder / "network.txt").write_text("\n".join(self.network))
        for number, page in enumerate(pages):
            if not page.is_closed():
                page.screenshot(path=folder / f"page-{number}.png", full_page=True)
