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
        ready_url: str = "",
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

        def ready() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended by itself:\n{self.output()}")
            return self.answers()

        wait_until(ready, what=f"{self.name} {self.ready_url}", seconds=90)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            answer = httpx.get(self.ready_url, trust_env=False, timeout=5)
        except httpx.HTTPError:
            return False
        return answer.status_code == self._ready_status

    def stop(self) -> None:
        """Ends it with all its children: kindly, then not."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process)

    def restart(self) -> None:
        """Ends it as a deployment does, and waits until it is up again.

        Raises:
            RuntimeError: It had to be killed, or says that it failed.
        """
        process, self._process = self._process, None
        if process is not None and (status := end_group(process)) != 0:
            raise RuntimeError(f"{self.name} ended with {status}:\n{self.output()}")
        self.start()
        self.wait_ready()

    def kill(self) -> None:
        """Ends it as a crash does: without a chance to tidy up."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def freeze(self) -> None:
        """It accepts connections, and says nothing any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was frozen."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def output(self) -> str:
        """All that it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def end_group(process: subprocess.Popen[bytes]) -> int:
    """Ends a process that leads a group, and all of the group; its exit status."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        # What is frozen would hear the first signal only later.
        os.killpg(process.pid, signal.SIGCONT)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """A known environment, with `folder` for a home."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "HOME": str(folder), **extra}
