"""One program under test: started in a process group of its own, heard, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from harness.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# What the programs may see of the shell: no setting of a developer changes a test.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "RUST_BACKTRACE", "RUST_LOG")
_GRACE_SECONDS = 10.0


class Program:
    """A child process with its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        folder: Path,
        ready_url: str,
        ready_status: int = httpx.codes.OK,
    ) -> None:
        self.name = name
        self.ready_url = ready_url
        self.log = folder / f"{name}.log"
        self._command = [str(part) for part in command]
        self._env = environment(folder, env)
        self._folder = folder
        self._ready_status = ready_status
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; `wait_ready` says when it answers. A second start appends to the log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Waits until it answers.

        Raises:
            RuntimeError: It ended by itself.
            TimeoutError: It does not answer.
        """

        def answers() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended by itself:\n{self.output()}")
            try:
                answer = httpx.get(self.ready_url, trust_env=False, timeout=5)
            except httpx.HTTPError:
                return False
            return answer.status_code == self._ready_status

        wait_until(answers, what=f"{self.name} at {self.ready_url}", seconds=90)

    def stop(self) -> None:
        """Ends it with all its children: kindly, then not."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process)

    def output(self) -> str:
        """All that it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that leads a group, and all of the group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """A known environment, with `folder` for a home."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "HOME": str(folder), **extra}
