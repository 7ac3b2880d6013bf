"""Free ports, safe among workers, and among runs on one machine.

They lie below the range from which the system takes ports for outgoing connections: a port
that is free now stays free until the program binds it. Each process walks from a place of
its own, far from the others', so that no two want the same one.
"""

from __future__ import annotations

import errno
import os
import socket
from itertools import count
from typing import Final

_FIRST: Final = 10_000
_AMOUNT: Final = 20_000
# A prime: the process ids of workers are neighbours, their places are not.
_STRIDE: Final = 4_099

_offsets = count(os.getpid() * _STRIDE % _AMOUNT)


def free_port() -> int:
    """A port that nobody listens on."""
    for _ in range(_AMOUNT):
        port = _FIRST + next(_offsets) % _AMOUNT
        if _is_free(port):
            return port
    raise RuntimeError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True
