"""Names and addresses inside Streamlit's Markdown."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """`text` as text, whatever markup its owner put into it: links, images, colours."""
    return re.sub(r"([^\w\s@])", r"\\\1", text)
