"""Missing and contradictory settings: exit 2, and one line for each problem."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from harness import paths
from harness.program import environment

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "AUTH0_BASE_URL": "http://localhost:3001",
    "AUTH0_ISSUER_BASE_URL": "http://localhost:3002/",
    "AUTH0_CLIENT_ID": "client",
    "AUTH0_CLIENT_SECRET": "a-client-secret-of-thirty-two-bytes!",
    "AUTH0_SECRET": "a-session-secret-of-thirty-two-bytes",
}


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(paths.COMPANION), *arguments],
        env=environment(folder, settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("command", [(), ("serve",), ("check-config",)], ids=str)
def test_missing_settings_are_all_named_one_line_each(
    folder: Path, command: tuple[str, ...]
) -> None:
    ended = run(folder, *command)
    assert ended.returncode == 2
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    missing = ["AUTH0_BASE_URL", "AUTH0_ISSUER_BASE_URL", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET"]
    for name in [*missing, "AUTH0_SECRET"]:
        assert len([line for line in lines if line.split(":")[0].endswith(name)]) == 1, lines


def test_contradictory_settings_are_all_named(folder: Path) -> None:
    settings = {
        "AUTH0_BASE_URL": "https://login.example.org",
        "STREAMLIT_ORIGINS": "https://login.example.org",
        "AUTH0_ISSUER_BASE_URL": "http://tenant.example.org/",
        "SESSION_ROLLING_SECONDS": "100",
        "SESSION_ABSOLUTE_SECONDS": "10",
        "AUTH0_ALGORITHMS": "none",
        "AUTH0_SECRET": "short",
    }
    ended = run(folder, "check-config", **{**GOOD, **settings})
    assert ended.returncode == 2
    output = ended.stdout + ended.stderr
    expected = [*settings, "STREAMLIT_SECRET"]
    expected.remove("AUTH0_BASE_URL")
    expected.remove("SESSION_ABSOLUTE_SECONDS")
    for name in expected:
        assert name in output, f"{name} is not named in\n{output}"
    for value in (GOOD["AUTH0_CLIENT_SECRET"], "short"):
        assert value not in output


def test_good_settings_are_called_good(folder: Path) -> None:
    ended = run(folder, "check-config", **GOOD)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "the configuration is good")


def test_dev_mode_refuses_to_be_reachable_by_others(folder: Path) -> None:
    ended = run(folder, "check-config", "--dev", HOST="0.0.0.0")  # noqa: S104 (refused)
    assert ended.returncode == 2
    assert "HOST" in ended.stdout + ended.stderr
