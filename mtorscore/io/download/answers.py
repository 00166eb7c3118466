"""What the status, headers and body of an answer say, each parsed with doubt."""

from __future__ import annotations

import datetime
import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtorscore.errors import FetchError
from mtorscore.io.download.decompress import Budget, Pieces
from mtorscore.io.download.verify import COMPRESSED, RetryError

if TYPE_CHECKING:
    import httpx

    from mtorscore.io.download.remote import Remote

__all__ = [
    "RETRIED",
    "coding_of",
    "content_of",
    "has_an_end",
    "promised_bytes",
    "refusal",
    "retry_after",
    "right_part",
    "valid_validator",
    "validator_of",
]

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_CODINGS = {"gzip": "gz", "x-gzip": "gz", "deflate": "deflate"}
_NOT_READ = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
# An ETag that is not weak, or a date.
_VALIDATOR = re.compile(r'"[\x21\x23-\x7e]{0,256}"|[A-Z][A-Za-z0-9, :+-]{9,63}')


def refusal(code: int) -> str:
    """Say what a status means that is not worth another attempt."""
    known = {401: "it asks for a log-in", 403: "access is refused", 404: "there is no such file", 410: "it is gone"}
    return known.get(code, "not a file")


def promised_bytes(answer: httpx.Response, offset: int) -> int | None:
    """Return the length of the whole file that Content-Length promises, given that it starts at `offset`."""
    length = answer.headers.get("Content-Length", "")
    return offset + int(length) if _WHOLE.fullmatch(length) and not _chunked(answer) else None


def _chunked(answer: httpx.Response) -> bool:
    return "chunked" in answer.headers.get("Transfer-Encoding", "").lower()


def has_an_end(answer: httpx.Response) -> bool:
    """Whether the transfer itself shows where the body ends: without, a lost connection looks like its end."""
    return _chunked(answer) or _WHOLE.fullmatch(answer.headers.get("Content-Length", "")) is not None


def right_part(stated: str, have: int, promised: int | None) -> bool:
    """Whether Content-Range is the part from byte `have` to the end of a file as long as promised."""
    found = _PART.fullmatch(stated.strip())
    if found is None or int(found[1]) != have:
        return False
    end = int(found[2]) + 1
    return end > have and (promised is None or end == promised) and found[3] in ("*", str(end))


def valid_validator(value: object) -> str:
    """Return an ETag or date that may be sent back, "" for anything else."""
    return value if isinstance(value, str) and _VALIDATOR.fullmatch(value) else ""


def validator_of(answer: httpx.Response) -> str:
    """Return what tells this version of the file from others: the ETag, unless it is weak, or the date."""
    return valid_validator(answer.headers.get("ETag", "")) or valid_validator(answer.headers.get("Last-Modified", ""))


def retry_after(answer: httpx.Response) -> float | None:
    """Return the seconds that the server asks to be left alone; None where it says nothing that makes sense."""
    value = answer.headers.get("Retry-After", "").strip()
    if _WHOLE.fullmatch(value):
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(value[:64])
        when = when if when.tzinfo is not None else when.replace(tzinfo=datetime.UTC)
        return max((when - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError, LookupError):
        return None


def coding_of(answer: httpx.Response, remote: Remote) -> str:
    """Return how the transfer is compressed although the server was asked not to; a .gz is meant as it is.

    Raises
    ------
    FetchError
        If it is compressed in a way that was not asked for and cannot be read.
    """
    stated = [c.strip().lower() for c in answer.headers.get("Content-Encoding", "").split(",")]
    codings = [c for c in stated if c in _CODINGS or c in _NOT_READ]
    if not codings or remote.name.lower().endswith(tuple(COMPRESSED)):
        return ""
    if len(codings) > 1 or codings[0] in _NOT_READ:
        raise FetchError(f"{remote.name}: the server compressed its answer ({', '.join(codings)[:60]}) unasked.")
    return _CODINGS[codings[0]]


def content_of(answer: httpx.Response, coding: str, name: str) -> Iterator[bytes]:
    """Yield the body, decompressed where the transfer is compressed; such a body is whole only at its end.

    Raises
    ------
    RetryError
        If the compressed body is damaged or cut off.
    FetchError
        If it expands without bound.
    """
    if not coding:
        yield from answer.iter_raw()
        return
    budget = Budget(name, 0)
    pieces: Pieces | None = None
    try:
        for block in answer.iter_raw():
            if pieces is None:
                pieces = Pieces(_exact(coding, block))
            budget.size += len(block)
            for piece in pieces.feed(block):
                budget.add(len(piece))
                yield piece
    except zlib.error as error:
        raise RetryError(f"the compressed answer is damaged ({error})", restart=True) from error
    if pieces is None or not pieces.whole:
        raise RetryError("the compressed answer is cut off", restart=True)


def _exact(coding: str, start: bytes) -> str:
    """Say whether a deflated body has the header that it should have; many servers leave it out."""
    has_header = len(start) > 1 and start[0] & 15 == 8 and int.from_bytes(start[:2], "big") % 31 == 0
    return "zlib" if coding == "deflate" and has_header else coding
