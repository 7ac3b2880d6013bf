"""Fixtures: servers and browsers for one test each, and the evidence when it fails."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from harness import chromium, paths
from harness.stack import Stack
from harness.stranger import Stranger
from harness.visitor import Visitor
from harness.wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

# Pictures for the README, not a test: taken when asked for.
collect_ignore = [] if os.environ.get("UPDATE_SCREENSHOTS") == "1" else ["test_screenshots.py"]

# Two cores, five programs a test: what takes one second alone may take twenty.
_PATIENCE_MS = 45_000


class StartStack(Protocol):
    """Starts the servers as a test wishes them."""

    def __call__(self, **wishes: Any) -> Stack:
        """Returns when all answer."""


class NewVisitor(Protocol):
    """A person with a fresh browser profile."""

    def __call__(
        self, stack: Stack, *, context: BrowserContext | None = None, **options: Any
    ) -> Visitor:
        """Options are those of Playwright's `new_context`, for want of a given one."""


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright's driver, one a worker."""
    with sync_playwright() as driver:
        expect.set_options(timeout=_PATIENCE_MS)
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, one a worker: contexts, not processes, keep tests apart."""
    browser = chromium.launch(playwright.chromium)
    yield browser
    browser.close()


@pytest.fixture
def lenient_context(playwright: Playwright, tmp_path: Path) -> Iterator[BrowserContext]:
    """A Chromium of its own that allows third-party cookies."""
    context = chromium.launch_lenient(playwright.chromium, tmp_path / "profile")
    yield context
    context.close()


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Everything that a test writes: logs, databases; kept when it failed."""
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    folder = paths.ARTEFACTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    if not _failed(request.node):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_stack(folder: Path) -> Iterator[StartStack]:
    """Starts servers; all end with the test."""
    stacks: list[Stack] = []

    def start(**wishes: Any) -> Stack:
        home = folder / f"stack-{len(stacks)}" if stacks else folder
        home.mkdir(exist_ok=True)
        stack = Stack(Wishes(**wishes), home)
        stacks.append(stack)
        stack.start()
        return stack

    yield start
    for stack in stacks:
        stack.stop()


@pytest.fixture
def new_visitor(
    request: pytest.FixtureRequest, browser: Browser, folder: Path
) -> Iterator[NewVisitor]:
    """Opens browser profiles; a failed test leaves its pictures, console and network."""
    visitors: list[Visitor] = []

    def new(stack: Stack, *, context: BrowserContext | None = None, **options: Any) -> Visitor:
        context = context or browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options}
        )
        context.set_default_timeout(_PATIENCE_MS)
        visitor = Visitor(context, stack)
        visitors.append(visitor)
        return visitor

    yield new
    for number, visitor in enumerate(visitors):
        if _failed(request.node):
            visitor.evidence.save(folder / f"visitor-{number}", visitor.context.pages)
        visitor.context.close()
    for visitor in visitors:
        if visitor.evidence.violations and not visitor.expects_violations:
            pytest.fail(f"against our own policy: {visitor.evidence.violations}")


@pytest.fixture
def stack(start_stack: StartStack) -> Stack:
    """The usual servers with the demo app."""
    return start_stack()


@pytest.fixture
def visitor(stack: Stack, new_visitor: NewVisitor) -> Visitor:
    """A person before the usual servers."""
    return new_visitor(stack)


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Somebody else's website, without pages yet."""
    stranger = Stranger()
    yield stranger
    stranger.stop()


_OUTCOME = pytest.StashKey[bool]()


def _failed(node: pytest.Item) -> bool:
    return node.stash.get(_OUTCOME, False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Notes a failure for the fixtures, and attaches the ends of the programs' logs."""
    report = yield
    if report.failed:
        item.stash[_OUTCOME] = True
        folder = getattr(item, "funcargs", {}).get("folder")
        for log in sorted(folder.rglob("*.log")) if folder else []:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            report.sections.append((f"end of {log.relative_to(paths.ROOT)}", tail))
    return report
