"""Where the built programs and the browsers are. Builds nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
E2E: Final = ROOT / "e2e"
APPS: Final = E2E / "apps"
EXAMPLES: Final = ROOT / "python" / "examples"
ARTEFACTS: Final = ROOT / "target" / "e2e"
PROVIDER: Final = E2E / "provider"
DOCS: Final = ROOT / "docs"

CHROMIUM: Final = os.environ.get("CHROMIUM_BIN", "/usr/bin/chromium")
FIREFOX: Final = os.environ.get("FIREFOX_BIN", "/usr/bin/firefox-esr")
# WebKitGTK's test browser lies where no PATH leads; its driver and the screen are on it.
WEBKIT: Final = os.environ.get("WEBKIT_BIN", "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser")
WEBKIT_DRIVER: Final = "/usr/bin/WebKitWebDriver"
XVFB_RUN: Final = "/usr/bin/xvfb-run"
REDIS: Final = os.environ.get("REDIS_BIN", "/usr/bin/redis-server")
NGINX: Final = os.environ.get("NGINX_BIN", "/usr/sbin/nginx")
# The interpreter that runs the tests: the package under test is installed beside it.
PYTHON: Final = sys.executable


def _from_env(name: str, default: str) -> Path:
    return (ROOT / os.environ.get(name, default)).resolve()


COMPANION: Final = _from_env("COMPONENT_AUTH0_BIN", "target/debug/component-auth0")
REMOTE_API: Final = _from_env("REMOTE_API_BIN", "target/debug/remote-api")
STATIC_DIR: Final = _from_env("STATIC_DIR", "dist")
TRUNK_DIR: Final = _from_env("TRUNK_DIST", "target/trunk")


def app(name: str) -> Path:
    """The Streamlit script of that name: an example that users see, or an app for tests."""
    example = EXAMPLES / f"{name}.py"
    return example if example.exists() else APPS / f"{name}.py"
