"""What the README says of settings and of error texts is what the programs say and read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = README.split("## Settings of the companion")[1].split("## Recipes")[0]
TROUBLE = README.split("## Troubleshooting")[1].split("## Licence")[0]
# Read by the companion, and told elsewhere: 2022 names in the guide, `NAME_FILE` in a sentence,
# traces in docs/operations.md.
ELSEWHERE = {
    *("AUTH0_DOMAIN", "NEXT_PUBLIC_REMOTE_API_BASE_URL", "NEXT_RUN_PORT", "DEV_TENANT_PORT"),
    *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"),
}


def _sources(*folders: str) -> str:
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.rs"))
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(files))


def test_each_setting_that_the_companion_reads_is_in_the_table() -> None:
    files = (ROOT / "server/src/config").glob("*.rs")
    parsers = [file.read_text(encoding="utf-8") for file in files if file.name != "tests.rs"]
    words = r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOST|PORT)"'
    names = {name for parser in parsers for name in re.findall(words, parser)}
    names = {name for name in names if not name.endswith("_FILE")} - ELSEWHERE
    assert len(names) > 25
    assert [name for name in sorted(names) if f"`{name}`" not in SETTINGS] == []


@pytest.mark.parametrize("row", re.findall(r"^\| `([^|]+)`[^|]* \|", TROUBLE, re.MULTILINE))
def test_each_error_text_of_the_troubleshooting_is_one_that_people_can_see(row: str) -> None:
    text, *code = re.split(r"` \(`", row)
    source = re.sub(
        r"\\\n\s*", "", _sources("server/src", "shared/src", "crates/session-store/src")
    )
    # What a program fills in stands as an example or as dots.
    fixed = re.split(r"…|`cargo xtask build`|127\.0\.0\.1:3001|AUTH0_CLIENT_ID: ", text)
    for part in fixed:
        assert part.strip() in source, part
    for name in code:
        assert f'"{name}"' in source
