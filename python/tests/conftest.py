from __future__ import annotations

import hypothesis
import pytest

from companion import FakeCompanion

# A busy machine is no failure.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture
def companion() -> FakeCompanion:
    return FakeCompanion()
