"""The component in a harness page: bytes, requests, cold and warm loads, and idle minutes.

The page is to the frame what Streamlit is: it shows it when it says `componentReady`, and
answers with a render. A cold load has a browser profile of its own. Prints samples.
"""

from __future__ import annotations

import argparse
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from harness_path import fresh_folder

from playwright.sync_api import Page, Request, expect, sync_playwright

from harness import chromium, paths
from harness.ports import free_port
from harness.program import Program
from harness.stack import Stack
from harness.visitor import Tab, Visitor
from harness.wishes import Wishes
from report import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Frame

_PATIENCE_MS: Final = 60_000
_IDLE_MS: Final = 60_000
_SECRET: Final = "benchmark-session-secret-of-the-companion-32"  # noqa: S105 (of a minute's life)

# Tells when the button is there and the browser has drawn it.
_WATCH_BUTTON: Final = """
if (location.pathname === "/streamlit") window.benchButton = new Promise((drawn, fail) => {
  const watch = new MutationObserver(() => {
    // The style sheet shows the button by the root's state.
    if (!document.querySelector('[data-state="signed-out"] [data-testid="login-button"]')) return;
    watch.disconnect();
    const now = () => performance.timeOrigin + performance.now();
    requestAnimationFrame(() => setTimeout(() => drawn(now())));
  });
  watch.observe(document, { childList: true, subtree: true, attributes: true });
  setTimeout(() => fail(new Error("no button in a minute")), 60_000);
});
"""

# What Streamlit does with a component of version 1, and the time of what it hears.
_HOST_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>Host</title><body><script>
const now = () => performance.timeOrigin + performance.now();
const args = %(args)s;
let marks = {};
function start() {
  const frame = document.createElement("iframe");
  frame.style.cssText = "display:none;border:0;width:700px;height:0";
  frame.sandbox = "allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox " +
    "allow-same-origin allow-scripts allow-downloads";
  addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || !event.data.isStreamlitMessage) return;
    if (event.data.type === "streamlit:componentReady") {
      marks.ready ??= now();
      frame.style.display = "block";
      const theme = { base: "light", primaryColor: "#ff4b4b", backgroundColor: "#ffffff",
        secondaryBackgroundColor: "#f0f2f6", textColor: "#31333f", font: "sans-serif" };
      frame.contentWindow.postMessage(
        { type: "streamlit:render", args, dfs: [], disabled: false, theme }, "*");
    } else if (event.data.type === "streamlit:setFrameHeight" && event.data.height > 0) {
      marks.height ??= now();
      frame.style.height = event.data.height + "px";
    }
  });
  marks.start = now();
  frame.src = "%(companion)s/streamlit?streamlitUrl=" + encodeURIComponent(location.href);
  document.body.append(frame);
}
</script>"""

# Of the frame's own requests, as the browser counts them; a cached one transfers nothing.
_TRANSFERS: Final = """() => [
  ...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource"),
].map((entry) => ({
  path: new URL(entry.name).pathname,
  body: entry.encodedBodySize,
  wire: entry.transferSize,
}))"""


@dataclass(frozen=True)
class Network:
    """Throttling by the browser, the same each way."""

    name: str
    megabits: float | None = None
    latency_ms: float = 0.0


# As the 2022 system was measured.
_NETWORKS: Final = (
    Network("fast"),
    Network("middle", 9.0, 60.0),
    Network("slow", 1.6, 150.0),
)


class HostPage:
    """A web server with the one page that holds the frame."""

    def __init__(self, companion: str) -> None:
        args = {
            "key": "bench",
            "default": None,
            "challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "known": None,
            "hostname": "Benchmark",
            "events": ["onStatusUpdate", "onError"],
        }
        body = (_HOST_PAGE % {"args": json.dumps(args), "companion": companion}).encode()

        class Handler(BaseHTTPRequestHandler):
            """One page for every path."""

            def do_GET(self) -> None:
                """The page."""
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (as above)
                """Keeps quiet."""

        self._port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        """Where it is, on the companion's site."""
        return f"http://localhost:{self._port}"

    def stop(self) -> None:
        """Closes it."""
        self._server.shutdown()
        self._server.server_close()


class Load:
    """One load of the frame in a page."""

    def __init__(self, page: Page, origin: str, network: Network) -> None:
        page.goto(origin)
        _throttle(page, network)
        page.evaluate("start()")
        page.wait_for_function("marks.ready && marks.height", timeout=_PATIENCE_MS)
        self._page = page
        self._frame = _component(page)
        # Not `wait_for_function`: that needs an `eval` later, which the frame's CSP forbids.
        self._button = float(self._frame.evaluate("window.benchButton"))

    def times(self) -> dict[str, float]:
        """Milliseconds from the insertion of the frame."""
        marks = self._page.evaluate("marks")
        return {
            "componentReady": marks["ready"] - marks["start"],
            "first height": marks["height"] - marks["start"],
            "button painted": self._button - marks["start"],
        }

    def transfers(self) -> list[dict[str, Any]]:
        """What the frame asked for."""
        transfers: list[dict[str, Any]] = self._frame.evaluate(_TRANSFERS)
        return transfers


def _component(page: Page) -> Frame:
    (frame,) = (frame for frame in page.frames if frame != page.main_frame)
    return frame


def _throttle(page: Page, network: Network) -> None:
    if network.megabits is None:
        return
    bytes_per_second = network.megabits * 1_000_000 / 8
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": network.latency_ms,
            "downloadThroughput": bytes_per_second,
            "uploadThroughput": bytes_per_second,
        },
    )


def _profile(browser: Browser) -> BrowserContext:
    context = browser.new_context(locale="en-GB")
    context.add_init_script(_WATCH_BUTTON)
    return context


def measure_loads(browser: Browser, origin: str, report: Report, runs: int) -> None:
    """All networks by turns; a warm load after each cold one, in a page of its own."""
    for _ in range(runs):
        for network in _NETWORKS:
            context = _profile(browser)
            for kind in ("cold", "warm"):
                page = context.new_page()
                load = Load(page, origin, network)
                for event, elapsed in load.times().items():
                    report.add(f"{kind} {network.name} {event}", elapsed)
                note_transfers(load.transfers(), kind, report)
                page.close()
            context.close()


def note_transfers(transfers: list[dict[str, Any]], kind: str, report: Report) -> None:
    """Bytes and requests of a load."""
    files = [entry for entry in transfers if not entry["path"].startswith("/api/")]
    if kind == "warm":
        report.add("warm bytes", sum(entry["wire"] for entry in files))
        return
    report.add("bytes", sum(entry["body"] for entry in files))
    report.add("requests", len(files))
    report.add("all requests", len(transfers))


def measure_idle(browser: Browser, report: Report) -> None:
    """Nobody does anything: a minute before and a minute after a sign-in."""
    stack = Stack(Wishes(app="callbacks"), fresh_folder("idle"))
    try:
        stack.start()
        tab = Visitor(browser.new_context(locale="en-GB"), stack).open()
        tab.component.is_in_state("signed-out")
        report.add("idle requests", _requests_while_idle(tab))
        tab.sign_in()
        report.add("idle requests signed in", _requests_while_idle(tab))
    finally:
        stack.stop()


def _requests_while_idle(tab: Tab) -> int:
    requests: list[str] = []

    def hear(request: Request) -> None:
        if request.url.startswith(tab.stack.companion):
            requests.append(request.url)

    app = tab.page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    tab.page.on("request", hear)
    tab.page.wait_for_timeout(_IDLE_MS)
    tab.page.remove_listener("request", hear)
    return len(requests)


def start_companion(port: int, host_origin: str) -> Program:
    """The companion alone: a frame that nobody is signed in to asks no provider."""
    folder = fresh_folder("frame")
    base = f"http://localhost:{port}"
    env = {
        "PORT": str(port),
        "AUTH0_BASE_URL": base,
        "AUTH0_ISSUER_BASE_URL": f"http://localhost:{free_port()}/",
        "AUTH0_CLIENT_ID": "bench",
        "AUTH0_CLIENT_SECRET": "bench",
        "AUTH0_SECRET": _SECRET,
        "STREAMLIT_ORIGINS": host_origin,
        "SESSION_STORE": f"sqlite:{folder / 'sessions.db'}",
        "STATIC_DIR": str(paths.STATIC_DIR),
    }
    return Program(
        "companion", [paths.COMPANION], env=env, folder=folder, ready_url=f"{base}/healthz"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--skip-idle", action="store_true")
    options = parser.parse_args()
    report = Report()
    port = free_port()
    host = HostPage(f"http://localhost:{port}")
    companion = start_companion(port, host.origin)
    companion.start()
    try:
        companion.wait_ready()
        with sync_playwright() as playwright:
            expect.set_options(timeout=_PATIENCE_MS)
            browser = chromium.launch(playwright.chromium)
            warm_up = _profile(browser)
            Load(warm_up.new_page(), host.origin, _NETWORKS[0])
            warm_up.close()
            measure_loads(browser, host.origin, report, options.runs)
            if not options.skip_idle:
                measure_idle(browser, report)
            browser.close()
    finally:
        companion.stop()
        host.stop()
    report.print()


if __name__ == "__main__":
    main()
