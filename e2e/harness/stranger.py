"""A website of somebody else: serves the pages that a test gives it, on any loopback name."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_PAGE: Final = "text/html; charset=utf-8"


class Stranger:
    """One server under two names: `cross_site` and `same_site` as seen from localhost."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.received: list[tuple[str, str | None]] = []
        """Paths asked for, each with the `Cookie` header that came along."""
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.received.append((self.path, self.headers.get("Cookie")))
                path = self.path.partition("?")[0]
                page = stranger.pages.get(path)
                status = HTTPStatus.OK if page is not None else HTTPStatus.NOT_FOUND
                self.send_response(status)
                self.send_header("Content-Type", stranger.types.get(path, _PAGE))
                for name, value in stranger.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write((page or "").encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name)
                """Keeps quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        port = self._server.server_address[1]
        self.cross_site = f"http://127.0.0.1:{port}"
        self.same_site = f"http://localhost:{port}"

    def serve(self, path: str, body: str) -> None:
        """From now on `path` is a page with this body."""
        self.pages[path] = f"<!doctype html><title>A stranger</title>{body}"

    def serve_as(self, path: str, content: str, content_type: str) -> None:
        """From now on `path` is this file."""
        self.pages[path] = content
        self.types[path] = content_type

    def stop(self) -> None:
        """Closes the site."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
