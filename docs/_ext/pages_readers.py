"""The page of file formats, from what each reader declares."""

from __future__ import annotations

from markdown import code, join, table

from mtorscore.io.formats.reader import Reader
from mtorscore.io.readers import READERS

__all__ = ["pages"]


def pages() -> dict[str, str]:
    """Return the page."""
    origins = sorted({r.origin for r in READERS}, key=str.lower)
    return {
        "formats.md": join(
            "# File formats",
            "What `mt.read` and `mtorscore read` read, from what the readers themselves declare. The *kind* is what "
            "`mtorscore describe FILE` prints and `kind=` takes; options are given as `mt.read(path, option=...)`. "
            "[Read a file](../howto/read_files.md) says what is repaired and what is refused.",
            *(_section(origin, [r for r in READERS if r.origin == origin]) for origin in origins),
        )
    }


def _section(origin: str, readers: list[Reader]) -> str:
    return join(f"## {origin}", table(["what is read", "kind", "options"], map(_row, readers)))


def _row(reader: Reader) -> list[str]:
    options = [f"{code(f'{name}=')} {meaning}" for name, meaning in (reader.options or {}).items()]
    if reader.options is None:
        options = ["those of what it holds"]
    return [reader.title, ", ".join(map(code, reader.kinds)), "; ".join(options)]
