"""Reads the body of an answer: as it was sent, bounded in size and in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx

    from ._deadline import Deadline

PLAIN: Final = ("Accept-Encoding", "identity")
"""The header that declines compression: see `content_of`."""


class UnfitContent(Exception):
    """A body that is not taken; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def content_of(response: httpx.Response, *, max_bytes: int, deadline: Deadline) -> bytes:
    """The whole body.

    Raises:
        UnfitContent: It is too large, late, or compressed although that was declined: a few
            bytes unpack to gigabytes before anybody counts them.
    """
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnfitContent("response_encoded")
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > max_bytes:
            raise UnfitContent("response_too_large")
        if deadline.is_over:
            # Each piece may come in time and the whole never end.
            raise UnfitContent("timeout")
    return bytes(content)
