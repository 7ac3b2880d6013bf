"""All servers of one test on free ports: companions, provider, remote API, Streamlit.

Same-site is the usual topology of a development machine. `streamlit_host="127.0.0.1"`
makes the frame cross-site to the app's page, `provider_host="127.0.0.1"` makes the
provider cross-site to the companion: same-site hides cookie mistakes.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final

import httpx

from harness import paths
from harness.nginx import Nginx
from harness.ports import free_port
from harness.program import Program, environment
from harness.redis import Redis
from harness.relay import Relay
from harness.tenant import Tenant

if TYPE_CHECKING:
    from pathlib import Path

    from harness.nginx import Exchange
    from harness.wishes import Wishes

API_AUDIENCE: Final = "http://oe.streamlit.app/api"
_CLIENT_ID: Final = "dev-OEStreamlitApp"
_CLIENT_SECRET: Final = "dev-only-secret-of-OEStreamlitApp"  # noqa: S105 (published)
_SESSION_SECRET: Final = "end-to-end-tests-session-secret-of-the-companion"  # noqa: S105
_HOST_SECRET: Final = "end-to-end-tests-secret-of-the-streamlit-host"  # noqa: S105
_SCOPE: Final = (
    "openid profile email offline_access "
    "read:messages read:chart read:export write:import write:solve"
)


class Stack:
    """The running servers."""

    def __init__(self, wishes: Wishes, folder: Path) -> None:
        self.wishes = wishes
        self.folder = folder
        front = free_port()
        self._replica_ports = (
            [free_port() for _ in range(wishes.replicas)] if wishes.proxied else [front]
        )
        self._provider_port = free_port()
        self._api_port = free_port()
        self._app_ports = [free_port() for _ in self._apps]
        self._relay_port = free_port() if wishes.cuttable else None
        self.companion = f"http://localhost:{front}"
        self.issuer = f"http://{wishes.provider_host}:{self._provider_port}"
        if wishes.provider == "dev-tenant":
            self.issuer += "/"
        self.api = f"http://localhost:{self._api_port}"
        self.app = self._app_url(self._relay_port or self._app_ports[0])
        self.second_app = self._app_url(self._app_ports[-1])
        self.tenant = Tenant(self.issuer)
        self.redis = Redis(folder) if wishes.needs_redis else None
        self.nginx = self._nginx(front) if wishes.proxied else None
        self.relay: Relay | None = None
        self.provider_program = self._provider()
        self.replicas = [self._companion(number) for number in range(wishes.replicas)]
        self.api_program = self._remote_api()
        self.streamlit_programs = [self._streamlit(number) for number in range(len(self._apps))]

    @property
    def _apps(self) -> list[str]:
        wishes = self.wishes
        return [wishes.app, wishes.second_app] if wishes.second_app else [wishes.app]

    def replica_of(self, exchange: Exchange) -> int:
        """Which companion answered, by its number."""
        # Of a request that was passed on again, the last one.
        address = exchange.upstream.rpartition(", ")[2]
        return self._replica_ports.index(int(address.rpartition(":")[2]))

    @property
    def programs(self) -> list[Program]:
        """All of them, in the order of their dependence."""
        beside = [program for program in (self.redis, self.nginx) if program is not None]
        return [
            self.provider_program,
            *beside,
            *self.replicas,
            self.api_program,
            *self.streamlit_programs,
        ]

    @property
    def companion_program(self) -> Program:
        """The companion, where there is one."""
        (companion,) = self.replicas
        return companion

    @property
    def streamlit_program(self) -> Program:
        """The first app's server."""
        return self.streamlit_programs[0]

    def start(self) -> None:
        """Starts all side by side and waits until each answers."""
        if self._relay_port is not None:
            self.relay = Relay(self._relay_port, self._app_ports[0])
        started = self.programs if self.wishes.provider_up else self.programs[1:]
        for program in started:
            program.start()
        # nginx is up when a companion behind it is: it comes last.
        for program in sorted(started, key=lambda program: program is self.nginx):
            program.wait_ready()

    def stop(self) -> None:
        """Ends all."""
        self.tenant.close()
        if self.relay is not None:
            self.relay.stop()
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
                *("--config", self._tenant_sheet()),
                *("--issuer", self.issuer, "--allow-base-url", self.companion),
            ],
            env={},
            folder=self.folder,
            ready_url=f"{self.issuer}.well-known/openid-configuration",
        )

    def _tenant_sheet(self) -> Path:
        """The tenant's own sheet, with what the test wishes otherwise."""
        sheet = subprocess.run(
            [str(paths.COMPANION), "dev-tenant", "--print-config"],
            check=True,
            capture_output=True,
            text=True,
            env=environment(self.folder, {}),
        ).stdout
        if self.wishes.back_channel_logout:
            hook = "http://localhost:3001/api/auth/backchannel-logout"
            ours = hook.replace("http://localhost:3001", self.companion)
            sheet = _replaced(
                sheet,
                f'# backchannel_logout_uri = "{hook}"',
                f'backchannel_logout_uri = "{ours}"',
            )
        if self.wishes.access_token_seconds is not None:
            seconds = self.wishes.access_token_seconds
            sheet = _replaced(sheet, "\ntoken_seconds = 86400", f"\ntoken_seconds = {seconds}")
        path = self.folder / "dev-tenant.toml"
        path.write_text(sheet)
        return path

    def _nginx(self, front: int) -> Nginx:
        return Nginx(
            self.folder,
            port=front,
            companions=self._replica_ports,
            routes=self.wishes.routes,
            caching=self.wishes.caching,
        )

    def _companion(self, number: int) -> Program:
        port = self._replica_ports[number]
        env = {
            "PORT": str(port),
            "AUTH0_BASE_URL": self.companion,
            "AUTH0_ISSUER_BASE_URL": self.issuer,
            "AUTH0_CLIENT_ID": _CLIENT_ID,
            "AUTH0_CLIENT_SECRET": _CLIENT_SECRET,
            "AUTH0_SECRET": _SESSION_SECRET,
            "STREAMLIT_SECRET": _HOST_SECRET,
            "STREAMLIT_ORIGINS": ",".join(self._app_origins()),
            "REMOTE_API_BASE_URL": self.api,
            "SESSION_STORE": self.redis.url
            if self.redis
            else f"sqlite:{self.folder / 'sessions.db'}",
            "STATIC_DIR": str(self.wishes.static_dir),
        }
        if self.nginx is not None:
            env["TRUSTED_PROXIES"] = "127.0.0.1/32"
        if self.wishes.provider == "dev-tenant":
            env |= {
                "AUTH0_AUDIENCE": API_AUDIENCE,
                "AUTH0_SCOPE": _SCOPE,
                "ROLES_CLAIM": "http://oe.streamlit.app/roles",
            }
        # Ready needs the provider; alive does not.
        probe = "readyz" if self.wishes.provider_up else "healthz"
        return Program(
            f"companion-{number + 1}" if self.wishes.replicas > 1 else "companion",
            [paths.COMPANION],
            env={**env, **self.wishes.companion_env},
            folder=self.folder,
            ready_url=f"http://localhost:{port}/{probe}",
        )

    def _app_origins(self) -> list[str]:
        ports = [*self._app_ports, *([self._relay_port] if self._relay_port else [])]
        return [f"http://{host}:{port}" for port in ports for host in ("localhost", "127.0.0.1")]

    def _app_url(self, port: int) -> str:
        return f"http://{self.wishes.streamlit_host}:{port}"

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

    def _streamlit(self, number: int) -> Program:
        port = self._app_ports[number]
        options = {
            "server.headless": True,
            "server.address": "127.0.0.1",
            "server.port": port,
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": False,
            "client.toolbarMode": "minimal",
            "theme.base": "dark" if self.wishes.dark else "light",
        }
        flags = [f"--{name}={json.dumps(value).strip(chr(34))}" for name, value in options.items()]
        env = {
            "COMPONENT_BASE_URL": self.companion,
            "STREAMLIT_SECRET": _HOST_SECRET,
            "REMOTE_API_BASE_URL": self.api,
        }
        if self._relay_port is not None:
            # The page has the wire's origin, which the server cannot know.
            env["STREAMLIT_ORIGIN"] = self.app
        return Program(
            "streamlit" if number == 0 else f"streamlit-{number + 1}",
            [paths.PYTHON, "-m", "streamlit", "run", paths.app(self._apps[number]), *flags],
            env={**env, **self.wishes.app_env},
            folder=self.folder,
            ready_url=f"http://127.0.0.1:{port}/_stcore/health",
        )


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"the dev tenant's sheet has not exactly one {old!r}")
    return text.replace(old, new)
