"""Rows of text tables that are none: comments among them, and a row inside a cell whose quote is never closed."""

from __future__ import annotations

from pathlib import Path

from mtorscore.errors import FormatError

__all__ = ["is_comment", "refuse_open_quote", "without_comments"]


def is_comment(line: str, comment: str, delimiter: str) -> bool:
    """Whether a line begins as a comment and holds no further cell."""
    return line.startswith(comment) and not any(f.strip() for f in line.split(delimiter)[1:])


def without_comments(
    data: bytes, span: tuple[int, int], comment: str, delimiter: str, repairs: list[str]
) -> tuple[bytes, int]:
    """Blank the lines of comment among the rows: those that begin as one and hold no further cell."""
    start, stop = span
    mark = comment.encode()
    if data.find(b"\n" + mark, start - 1, stop) < 0:
        return data, stop
    lines = data[start:stop].split(b"\n")
    found = [
        i
        for i, line in enumerate(lines)
        if line.startswith(mark) and is_comment(line.decode(errors="replace"), comment, delimiter)
    ]
    if not found:
        return data, stop
    repairs.append(f"{len(found)} line(s) of comment among the rows left out")
    for i in found:
        lines[i] = b""
    body = b"\n".join(lines)
    return data[:start] + body + data[stop:], start + len(body)


def refuse_open_quote(row: list[str], delimiter: str, width: int, path: Path, last: int) -> None:
    """Raise FormatError where a cell holds the cells and the end of a row: the quote before it is never closed."""
    for i, cell in enumerate(row):
        if "\n" in cell and cell.partition("\n")[0].count(delimiter) >= max(width - 1 - i, 1):
            raise FormatError(
                f"a quote opens before {cell[:20]!r} and is not closed on its line, so that the next row would become "
                "part of this cell. Close or remove it.",
                path=path,
                line=last - cell.count("\n"),
                column=i + 1,
            )
