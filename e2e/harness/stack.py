"""All servers of one test on free ports: companion, provider, remote API, Streamlit.

Same-site is the usual topology of a development machine. `streamlit_host="127.0.0.1"`
makes the frame cross-site to the app's page, `provider_host="127.0.0.1"` makes the
provider cross-site to the companion: same-site hides cookie mistakes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx

from harness import paths
from harness.ports import free_port
from harness.program import Program
from harness.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

API_AUDIENCE: Final = "http://oe.streamlit.app/api"
_CLIENT_ID: Final = "dev-OEStreamlitApp"
_CLIENT_SECRET: Final = "dev-only-secret-of-OEStreamlitApp"  # noqa: S105 (published)
_SESSION_SECRET: Final = "end-to-end-tests-session-secret-of-the-companion"  # noqa: S105
_HOST_SECRET: Final = "end-to-end-tests-secret-of-the-streamlit-host"  # noqa: S105
_SCOPE: Final = (
    "openid profile email offline_access "
    "read:messages read:chart read:export write:import write:solve"
)


@dataclass(frozen=True)
class Wishes:
    """How a test wants its servers."""

    app: str = "demo_app"
    streamlit_host: str = "localhost"
    provider_host: str = "localhost"
    provider: str = "dev-tenant"
    """`dev-tenant`, or `oidc-provider` for npm's."""
    provider_up: bool = True
    static_dir: Path = paths.STATIC_DIR
    dark: bool = False
    companion_env: Mapping[str, str] = field(default_factory=dict)
    app_env: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """The running servers."""

    def __init__(self, wishes: Wishes, folder: Path) -> None:
        self.wishes = wishes
        self.folder = folder
        self._companion_port = free_port()
        self._provider_port = free_port()
        self._api_port = free_port()
        self._streamlit_port = free_port()
        self.companion = f"http://localhost:{self._companion_port}"
        self.issuer = f"http://{wishes.provider_host}:{self._provider_port}"
        if wishes.provider == "dev-tenant":
            self.issuer += "/"
        self.api = f"http://localhost:{self._api_port}"
        self.app = f"http://{wishes.streamlit_host}:{self._streamlit_port}"
        self.tenant = Tenant(self.issuer)
        self.provider_program = self._provider()
        self.companion_program = self._companion()
        self.api_program = self._remote_api()
        self.streamlit_program = self._streamlit()

    @property
    def programs(self) -> list[Program]:
        """All of them, in the order of their dependence."""
        return [
            self.provider_program,
            self.companion_program,
            self.api_program,
            self.streamlit_program,
        ]

    def start(self) -> None:
        """Starts all side by side and waits until each answers."""
        started = self.programs if self.wishes.provider_up else self.programs[1:]
        for program in started:
            program.start()
        for program in started:
            program.wait_ready()

    def stop(self) -> None:
        """Ends all."""
        self.tenant.close()
        for program in reversed(self.programs):
            program.stop()

    def restart_streamlit(self) -> None:
        """The Streamlit server dies and comes back on its port."""
        self.streamlit_program.stop()
        self.streamlit_program.start()
        self.streamlit_program.wait_ready()

    def outside_client(self) -> httpx.Client:
        """Somebody without a browser who talks to the companion."""
        return httpx.Client(base_url=self.companion, trust_env=False, timeout=40)

    def _provider(self) -> Program:
        if self.wishes.provider == "oidc-provider":
            return Program(
                "oidc-provider",
                ["node", "--no-warnings", paths.PROVIDER / "server.mjs"],
                env={
                    "ISSUER": self.issuer,
                    "PORT": str(self._provider_port),
                    "CLIENT_ID": _CLIENT_ID,
                    "CLIENT_SECRET": _CLIENT_SECRET,
                    "BASE_URL": self.companion,
                },
                folder=self.folder,
                ready_url=f"{self.issuer}/.well-known/openid-configuration",
            )
        return Program(
            "dev-tenant",
            [
                *(paths.COMPANION, "dev-tenant", "--test-switches"),
                *("--issuer", self.issuer, "--allow-base-url", self.companion),
            ],
            env={},
            folder=self.folder,
            ready_url=f"{self.issuer}.well-known/openid-configuration",
        )

    def _companion(self) -> Program:
        port = self._streamlit_port
        env = {
            "PORT": str(self._companion_port),
            "AUTH0_BASE_URL": self.companion,
            "AUTH0_ISSUER_BASE_URL": self.issuer,
            "AUTH0_CLIENT_ID": _CLIENT_ID,
            "AUTH0_CLIENT_SECRET": _CLIENT_SECRET,
            "AUTH0_SECRET": _SESSION_SECRET,
            "STREAMLIT_SECRET": _HOST_SECRET,
            "STREAMLIT_ORIGINS": f"http://localhost:{port},http://127.0.0.1:{port}",
            "REMOTE_API_BASE_URL": self.api,
            "SESSION_STORE": f"sqlite:{self.folder / 'sessions.db'}",
            "STATIC_DIR": str(self.wishes.static_dir),
        }
        if self.wishes.provider == "dev-tenant":
            env |= {
                "AUTH0_AUDIENCE": API_AUDIENCE,
                "AUTH0_SCOPE": _SCOPE,
                "ROLES_CLAIM": "http://oe.streamlit.app/roles",
            }
        return Program(
            "companion",
            [paths.COMPANION],
            env={**env, **self.wishes.companion_env},
            folder=self.folder,
            # Ready needs the provider; alive does not.
            ready_url=f"{self.companion}/{'readyz' if self.wishes.provider_up else 'healthz'}",
        )

    def _remote_api(self) -> Program:
        return Program(
            "remote-api",
            [paths.REMOTE_API],
            env={
                "PORT": str(self._api_port),
                "AUTH0_ISSUER_BASE_URL": self.issuer,
                "API_AUDIENCE": API_AUDIENCE,
                "CORS_ORIGINS": self.companion,
            },
            folder=self.folder,
            ready_url=f"{self.api}/api/ping",
        )

    def _streamlit(self) -> Program:
        options = {
            "server.headless": True,
            "server.address": "127.0.0.1",
            "server.port": self._streamlit_port,
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": False,
            "client.toolbarMode": "minimal",
            "theme.base": "dark" if self.wishes.dark else "light",
        }
        flags = [f"--{name}={json.dumps(value).strip(chr(34))}" for name, value in options.items()]
        return Program(
            "streamlit",
            [paths.PYTHON, "-m", "streamlit", "run", paths.app(self.wishes.app), *flags],
            env={
                "COMPONENT_BASE_URL": self.companion,
                "STREAMLIT_SECRET": _HOST_SECRET,
                "REMOTE_API_BASE_URL": self.api,
                **self.wishes.app_env,
            },
            folder=self.folder,
            ready_url=f"http://127.0.0.1:{self._streamlit_port}/_stcore/health",
        )
