"""A real Streamlit server, and a browser's half of its websocket, without a browser."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SECONDS = 60.0


@contextmanager
def running(app: Path, environ: Mapping[str, str]) -> Iterator[int]:
    """Runs the app until the block ends; yields its port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(app)]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    process = subprocess.Popen(  # noqa: S603
        command,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=app.parent,
    )
    try:
        _until_healthy(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(SECONDS)


def _until_healthy(process: subprocess.Popen[bytes], port: int) -> None:
    transport = httpx.HTTPTransport(retries=0)
    with httpx.Client(transport=transport, trust_env=False) as client:
        deadline = time.monotonic() + SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get(f"http://127.0.0.1:{port}/_stcore/health").is_success:
                    return
            except httpx.TransportError:
                os.sched_yield()
    raise AssertionError("Streamlit did not start")


class Browser:
    """One tab. `reconnect()` is what its websocket does after a lost connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._session_id = ""
        self.elements: list[Any] = []
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), SECONDS)
        self._read = self._socket.makefile("rb")
        protocols = ["streamlit", "no-xsrf-token", self._session_id]
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = [
            "GET /_stcore/stream HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Protocol: {', '.join(filter(None, protocols))}",
        ]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert b" 101 " in self._read.readline()
        while self._read.readline().strip():
            pass

    def close(self) -> None:
        """The connection is lost."""
        self._read.close()
        self._socket.close()

    def reconnect(self) -> None:
        """Connects to the same Streamlit session, and runs the script as a browser does."""
        before, deadline = self._session_id, time.monotonic() + SECONDS
        while True:
            self.close()
            self._session_id = before
            self._connect()
            self.run()
            if self._session_id == before:
                return
            # The server had not noticed yet that the old connection is gone.
            assert time.monotonic() < deadline

    def run(self, **value_of_frame: Any) -> None:
        """Runs the script, with the component's value if there is one."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        if value_of_frame:
            state = message.rerun_script.widget_states.widgets.add()
            state.id = self.frame.id
            state.json_value = json.dumps(value_of_frame)
        self._send(message.SerializeToString())
        self.elements = []
        while True:
            received = ForwardMsg()
            received.ParseFromString(self._receive())
            kind = received.WhichOneof("type")
            if kind == "new_session":
                self._session_id = received.new_session.initialize.session_id
                self.elements = []
            elif kind == "delta" and received.delta.WhichOneof("type") == "new_element":
                self.elements.append(received.delta.new_element)
            elif kind == "script_finished":
                return

    @property
    def frame(self) -> Any:
        """The component."""
        kind = "component_instance"
        return next(getattr(e, kind) for e in self.elements if e.WhichOneof("type") == kind)

    @property
    def challenge(self) -> str:
        """The challenge in the component's args."""
        return str(json.loads(self.frame.json_args)["challenge"])

    @property
    def words(self) -> list[str]:
        """What stands on the page."""
        return [e.markdown.body for e in self.elements if e.WhichOneof("type") == "markdown"]

    # RFC 6455, as far as this needs it

    def _send(self, payload: bytes, opcode: int = 2) -> None:
        mask = secrets.token_bytes(4)
        size = struct.pack("!BB", 0x80 | opcode, 0x80 | min(len(payload), 126))
        if len(payload) >= 126:
            size += struct.pack("!H", len(payload))
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(size + mask + masked)

    def _receive(self) -> bytes:
        payload = b""
        while True:
            first, length = self._read.read(2)
            if length == 126:
                (length,) = struct.unpack("!H", self._read.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._read.read(8))
            part = self._read.read(length)
            opcode, is_last = first & 0xF, bool(first & 0x80)
            if opcode == 9:
                self._send(part, opcode=10)
            elif opcode in {0, 2}:
                payload += part
                if is_last:
                    return payload
