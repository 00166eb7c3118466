"""A file to fetch, with what is published about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Remote"]


@dataclass(frozen=True)
class Remote:
    """A file to fetch, with what is published about it.

    Attributes
    ----------
    url, name
        Where it is, and the name it gets.
    size, md5, sha256
        Published size in bytes and checksums; "" or None where there are none.
    body
        What is posted, where the file is asked for so.
    most
        Largest size in bytes that is accepted, where it is smaller than for files in general.
    """

    url: str = field(repr=False)
    name: str
    size: int | None = None
    md5: str = ""
    sha256: str = ""
    body: dict[str, Any] | None = field(default=None, compare=False)
    most: int | None = None
