from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import hypothesis
import pytest

from companion import FakeCompanion
from races import THREADS, Gate, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure: no deadlines. `HYPOTHESIS_PROFILE=long` tries for minutes what
# `tests` tries for seconds; `--hypothesis-show-statistics` prints how many cases that were.
hypothesis.settings.register_profile("tests", deadline=None, max_examples=150)
hypothesis.settings.register_profile(
    "long",
    deadline=None,
    max_examples=20_000,
    stateful_step_count=100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


@pytest.fixture
def companion() -> FakeCompanion:
    return FakeCompanion()


@pytest.fixture
def gate(companion: FakeCompanion) -> Iterator[Gate]:
    gate = Gate(companion)
    yield gate
    gate.open.set()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool
