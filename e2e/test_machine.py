"""The machine-to-machine script against the dev tenant and the remote API."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from harness import paths
from harness.program import environment

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartStack
    from harness.stack import Stack

SCRIPT = paths.EXAMPLES / "m2m_script.py"


def run_script(stack: Stack, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    settings = {"AUTH0_ISSUER_BASE_URL": stack.issuer, "REMOTE_API_BASE_URL": stack.api, **extra}
    return subprocess.run(
        [paths.PYTHON, SCRIPT],
        env=environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_script_solves_equations_without_a_person(start_stack: StartStack, folder: Path) -> None:
    stack = start_stack()
    result = run_script(stack, folder)
    assert (result.returncode, result.stderr.split("\n")[:2]) == (0, ["x = 0.8", "y = 1.4"])
    assert stack.tenant.token_requests("client_credentials") == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("API_CLIENT_SECRET", "not-the-secret", "(invalid_client)"),
        ("API_AUDIENCE", "http://another.api", "("),
    ],
)
def test_script_says_why_the_tenant_refuses(
    start_stack: StartStack, folder: Path, name: str, value: str, said: str
) -> None:
    result = run_script(start_stack(), folder, **{name: value})
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret-of" not in result.stderr
