"""nginx before the companions, configured as a deployment would be (docs: e2e/README.md)."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness import paths
from harness.program import Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Everything that is not said here is as nginx has it from the start: buffering on, HTTP/1.0
# and a new connection for each request, 60 s for an answer, the next server if one is gone.
# But `max_fails=0`: a companion that restarts would count as gone for ten seconds, and when
# the other one follows within them, nobody is left.
_CONFIGURATION: Final = """
daemon off;
{user}
worker_processes 2;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    log_format exchange escape=json '{{"method":"$request_method","path":"$uri",'
        '"status":$status,"upstream":"$upstream_addr","cache":"$upstream_cache_status"}}';
    access_log access.log exchange;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {cache_store}
    upstream companions {{ zone companions 64k; {servers} }}
    {routes}
    limit_conn_zone $binary_remote_addr zone=addresses:10m;
    server {{
        listen 127.0.0.1:{port};
        limit_conn addresses 1000;
        limit_conn_status 429;
        location / {{
            proxy_pass http://{target};
            # The companion answers to its own name only (421 otherwise), and counts clients
            # by their address (TRUSTED_PROXIES says that this one is to be believed).
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            {cache_use}
        }}
    }}
}}
"""
# A cache as careless as it can be while it honours Cache-Control: it keeps what names no
# lifetime, answers to POST, and answers that set cookies.
_CACHE_STORE: Final = "proxy_cache_path cache keys_zone=answers:1m;"
_CACHE_USE: Final = """
            proxy_cache answers;
            proxy_cache_methods GET HEAD POST;
            proxy_cache_key $request_method$request_uri;
            proxy_cache_valid any 10m;
            proxy_ignore_headers Set-Cookie;
"""


@dataclass(frozen=True)
class Exchange:
    """A line of the access log."""

    method: str
    path: str
    status: int
    upstream: str
    """`127.0.0.1:port`; of a request that was passed on again, all, with commas."""
    cache: str
    """`HIT` when no companion was asked."""


class Nginx(Program):
    """Plain round-robin over the companions, no stickiness.

    `routes` gives some paths to one companion, by its place, and to the others only when
    that one is gone. `caching` adds a careless cache.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        companions: Sequence[int],
        routes: Mapping[str, int] | None = None,
        caching: bool = False,
    ) -> None:
        home = folder / "nginx"
        home.mkdir(exist_ok=True)
        self._access_log = home / "access.log"
        configuration = home / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                # Its workers would be somebody who may not enter a private folder.
                user="user root;" if os.geteuid() == 0 else "",
                port=port,
                servers=_servers(companions),
                routes=_routes(routes, companions) if routes else "",
                target="$chosen" if routes else "companions",
                cache_store=_CACHE_STORE if caching else "",
                cache_use=_CACHE_USE if caching else "",
            )
        )
        super().__init__(
            "nginx",
            [paths.NGINX, "-p", home, "-c", configuration, "-e", "stderr"],
            env={},
            folder=folder,
            ready_url=f"http://127.0.0.1:{port}/healthz",
        )

    def exchanges(self, path: str = "/") -> list[Exchange]:
        """What was asked and answered so far, of paths that begin like that."""
        lines = self._access_log.read_text().splitlines()
        parsed: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [Exchange(**line) for line in parsed if line["path"].startswith(path)]


def _servers(companions: Sequence[int], *, first: int | None = None) -> str:
    return " ".join(
        f"server 127.0.0.1:{port} max_fails=0{'' if first in {None, number} else ' backup'};"
        for number, port in enumerate(companions)
    )


def _routes(routes: Mapping[str, int], companions: Sequence[int]) -> str:
    groups = " ".join(
        f"upstream first-{number} {{ zone first-{number} 64k; "
        f"{_servers(companions, first=number)} }}"
        for number in range(len(companions))
    )
    lines = " ".join(f"{path} first-{number};" for path, number in routes.items())
    return f"{groups} map $uri $chosen {{ default companions; {lines} }}"
