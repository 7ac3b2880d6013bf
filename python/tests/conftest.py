from __future__ import annotations

import pytest
from companion import FakeCompanion


@pytest.fixture
def companion() -> FakeCompanion:
    return FakeCompanion()
