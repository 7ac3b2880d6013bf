"""A Redis of one test, as replicas share it: sessions survive its restart."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from harness import paths
from harness.ports import free_port
from harness.program import Program

if TYPE_CHECKING:
    from pathlib import Path


class Redis(Program):
    """`redis-server` on a free port, with its append-only file in the test's folder."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        data = folder / "redis"
        data.mkdir(exist_ok=True)
        super().__init__(
            "redis",
            [
                *(paths.REDIS, "--port", str(self.port), "--bind", "127.0.0.1"),
                # What the kernel was given outlives the process: no need to wait for the disk.
                *("--dir", data, "--save", "", "--appendonly", "yes", "--appendfsync", "no"),
                # What the companion demands of the operator: no session is evicted.
                *("--maxmemory-policy", "noeviction"),
            ],
            env={},
            folder=folder,
        )

    def answers(self) -> bool:
        """Whether it is up, its data loaded."""
        return self.says("PING") == "+PONG"

    def says(self, command: str) -> str | None:
        """The first line of its answer; None if it has none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.makefile().readline().rstrip()
        except OSError:
            return None
