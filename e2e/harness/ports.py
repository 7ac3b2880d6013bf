"""Free ports, safe among the workers of one run.

Each worker has a slice of its own, below the range from which the system takes ports for
outgoing connections: a port that is free now stays free until the program binds it.
"""

from __future__ import annotations

import errno
import os
import socket
from itertools import count
from typing import Final

_FIRST: Final = 12_000
_PER_WORKER: Final = 2_000
_MOST_WORKERS: Final = 8

_offsets = count(os.getpid() % _PER_WORKER)


def free_port() -> int:
    """A port that nobody listens on, on either loopback address."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    start = _FIRST + (int(name.removeprefix("gw")) % _MOST_WORKERS) * _PER_WORKER
    for _ in range(_PER_WORKER):
        port = start + next(_offsets) % _PER_WORKER
        if _is_free(port):
            return port
    raise RuntimeError("no free port in this worker's slice")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True
