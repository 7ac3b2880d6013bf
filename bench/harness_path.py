"""Makes the end-to-end tests' harness importable: programs, ports and browsers are its."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

BENCH: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH.parent / "e2e"))


def fresh_folder(name: str) -> Path:
    """An empty folder for what a run writes."""
    root = os.environ.get("BENCH_FOLDER", str(BENCH.parent / "target" / "bench" / "work"))
    folder = Path(root) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
