"""What both login benchmarks watch in the browser: the callback, and the name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

_PATIENCE_MS: Final = 60_000
# In the top page: when the greeting was drawn, and when a frame's event arrived.
_WATCH: Final = """
(() => {
  if (window !== window.top) return;
  const now = () => performance.timeOrigin + performance.now();
  addEventListener("message", (event) => {
    if (event.data?.type !== "streamlit:setComponentValue") return;
    if (event.data.value?.data?.sessioninfo?.user) window.benchEvent ??= now();
  });
  const look = () => {
    if (window.benchShown || !document.body?.textContent.includes("Hello Ada")) return;
    window.benchShown = -1;
    requestAnimationFrame(() => setTimeout(() => { window.benchShown = now(); }));
  };
  new MutationObserver(look).observe(document, {
    childList: true, subtree: true, characterData: true,
  });
})();
"""


class Watch:
    """Listens to one browser context from its beginning. Times are Unix milliseconds."""

    def __init__(self, context: BrowserContext, callback_path: str) -> None:
        self._callback_path = callback_path
        self._callback: Request | None = None
        context.add_init_script(_WATCH)
        context.on("request", self._hear)

    def _hear(self, request: Request) -> None:
        if urlsplit(request.url).path == self._callback_path:
            self._callback = request

    def callback(self) -> tuple[float, float]:
        """When the redirect back was followed, and when its answer came."""
        if self._callback is None:
            raise RuntimeError("the provider did not redirect back")
        timing = self._callback.timing
        return timing["startTime"], timing["startTime"] + timing["responseStart"]

    def shown(self, page: Page) -> float:
        """When the greeting was drawn."""
        # Looked at seldom: a look at every frame, the default, keeps the page drawing.
        page.wait_for_function("window.benchShown > 0", polling=200, timeout=_PATIENCE_MS)
        return float(page.evaluate("window.benchShown"))

    def event(self, page: Page) -> float:
        """When the frame's announcement reached Streamlit's page."""
        return float(page.evaluate("window.benchEvent"))
