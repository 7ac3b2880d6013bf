"""Logins by Streamlit's own `st.login` at the same dev tenant, measured alike. Prints samples.

Needs Authlib on the path, which `st.login` needs too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from typing import TYPE_CHECKING, Final

from harness_path import BENCH, fresh_folder

from playwright.sync_api import expect, sync_playwright

from harness import chromium, paths
from harness.ports import free_port
from harness.program import Program, environment
from harness.visitor import enter_password
from report import Report
from watching import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

_PATIENCE_MS: Final = 60_000
_CALLBACK: Final = "/oauth2callback"
_CLIENT_ID: Final = "dev-OEStreamlitApp"
_CLIENT_SECRET: Final = "dev-only-secret-of-OEStreamlitApp"  # noqa: S105 (published)


def start_tenant(folder: Path, port: int, app: str) -> Program:
    """The dev tenant, with the app's callback registered."""
    sheet = subprocess.run(
        [str(paths.COMPANION), "dev-tenant", "--print-config"],
        check=True,
        capture_output=True,
        text=True,
        env=environment(folder, {}),
    ).stdout
    config = folder / "dev-tenant.toml"
    config.write_text(sheet.replace("callbacks = [", f'callbacks = [\n    "{app}{_CALLBACK}",', 1))
    issuer = f"http://localhost:{port}/"
    return Program(
        "dev-tenant",
        [paths.COMPANION, "dev-tenant", "--config", config, "--issuer", issuer],
        env={},
        folder=folder,
        ready_url=f"{issuer}.well-known/openid-configuration",
    )


def start_streamlit(folder: Path, port: int, app: str, issuer_port: int) -> Program:
    """Streamlit with its `[auth]` section."""
    secrets = folder / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(
        "[auth]\n"
        f'redirect_uri = "{app}{_CALLBACK}"\n'
        'cookie_secret = "benchmark-cookie-secret-of-the-native-peer"\n'
        f'client_id = "{_CLIENT_ID}"\n'
        f'client_secret = "{_CLIENT_SECRET}"\n'
        f'server_metadata_url = "http://localhost:{issuer_port}/.well-known/openid-configuration"\n'
    )
    flags = [
        "--server.headless=true",
        "--server.address=127.0.0.1",
        f"--server.port={port}",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
    ]
    return Program(
        "streamlit",
        [paths.PYTHON, "-m", "streamlit", "run", BENCH / "apps" / "native_app.py", *flags],
        env={"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        folder=folder,
        ready_url=f"http://127.0.0.1:{port}/_stcore/health",
    )


def log_in(browser: Browser, app: str, report: Report) -> None:
    """One person, once."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(_PATIENCE_MS)
    watch = Watch(context, _CALLBACK)
    page = context.new_page()
    page.goto(app)
    page.get_by_role("button", name="Sign in", exact=True).click()
    # It leaves the app's page, and comes back to a new one.
    enter_password(page, "ada")
    shown = watch.shown(page)
    report.add("total", shown - watch.callback()[0])
    context.close()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8)
    options = parser.parse_args()
    report = Report()
    folder = fresh_folder("native")
    tenant_port, app_port = free_port(), free_port()
    app = f"http://localhost:{app_port}"
    programs = [
        start_tenant(folder, tenant_port, app),
        start_streamlit(folder, app_port, app, tenant_port),
    ]
    try:
        for program in programs:
            program.start()
        for program in programs:
            program.wait_ready()
        with sync_playwright() as playwright:
            expect.set_options(timeout=_PATIENCE_MS)
            browser = chromium.launch(playwright.chromium)
            log_in(browser, app, Report())
            for _ in range(options.count):
                log_in(browser, app, report)
            browser.close()
    finally:
        for program in reversed(programs):
            program.stop()
    report.print()


if __name__ == "__main__":
    main()
