"""Samples by name, printed as the one line of JSON that `cargo xtask bench` reads."""

from __future__ import annotations

import json
import sys
from collections import defaultdict


class Report:
    """Durations in milliseconds, unless the name says otherwise."""

    def __init__(self) -> None:
        self._samples: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, name: str, value: float) -> None:
        """One more sample of that name."""
        self._samples[name].append(round(value, 3))

    def print(self) -> None:
        """All of them."""
        sys.stdout.write(json.dumps({"samples": self._samples}) + "\n")
