"""Validate a downloaded file."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FetchError

if TYPE_CHECKING:
    import httpx

    from mtorscore.io.download.remote import Remote

__all__ = ["RetryError", "encoded_in_transfer", "refuse_page", "unwrap", "verify"]


class RetryError(Exception):
    """The attempt failed, and another one may succeed."""

    def __init__(self, reason: str, wait: float | None = None, *, restart: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.restart = restart


def encoded_in_transfer(answer: httpx.Response, remote: Remote) -> bool:
    """Whether the server compressed the transfer although it was asked not to; a .gz is meant as it is."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    return coding not in ("", "identity") and not remote.name.lower().endswith(tuple(_OPENERS))


def unwrap(part: Path) -> None:
    """Remove a second layer of gzip that a server added; a file that is merely labelled as encoded stays."""
    try:
        with gzip.open(part) as handle:
            if handle.read(2) != b"\x1f\x8b":
                return
            handle.seek(0)
            inner = part.with_name(f"{part.name}.inner")
            with inner.open("wb") as out:
                shutil.copyfileobj(handle, out)
    except (OSError, EOFError, zlib.error):
        # Not whole: `verify` says so.
        part.with_name(f"{part.name}.inner").unlink(missing_ok=True)
        return
    inner.replace(part)


def refuse_page(answer: httpx.Response, remote: Remote, part: Path) -> None:
    """Raise FetchError where the server sent an HTML page instead of the file."""
    if not answer.headers.get("Content-Type", "").lower().startswith("text/html"):
        return
    with part.open("rb") as handle:
        page = handle.read(200).lstrip().startswith(b"<")
    if page and not remote.name.endswith((".html", ".htm")):
        raise FetchError(f"{remote.url}: a page of HTML came instead of the file (a log-in or an error page?).")


def verify(remote: Remote, part: Path) -> None:
    """Check size, checksums and integrity of the complete file; raise RetryError to fetch it again."""
    size = part.stat().st_size
    if size == 0:
        raise RetryError("the server sent an empty file", restart=True)
    with part.open("rb") as handle:
        start = handle.read(2048).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if (
        start.startswith(b"<")
        and (b"<html" in start or b"<!doctype html" in start)
        and not remote.name.endswith((".html", ".htm"))
    ):
        raise FetchError(f"{remote.url}: a page of HTML came instead of the file (a log-in or an error page?).")
    if re.match(rb'<\?xml[^>]*>\s*<error>|\{\s*"(error|message)"', start) and size < 10_000:
        raise FetchError(
            f"{remote.url}: an error message came instead of the file: {start[:200].decode(errors='replace')}"
        )
    if remote.size is not None and size != remote.size:
        raise RetryError(f"{size} bytes where {remote.size} are published", restart=True)
    for name, published in (("md5", remote.md5), ("sha256", remote.sha256)):
        if published:
            with part.open("rb") as handle:
                found = hashlib.file_digest(handle, name).hexdigest()
            if found != published.lower():
                raise RetryError(f"its {name} is {found}, and {published} is published", restart=True)
    _check_archive(remote, part)


_OPENERS: dict[str, Any] = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def _check_archive(remote: Remote, part: Path) -> None:
    name = remote.name.lower()
    try:
        opener = next((o for e, o in _OPENERS.items() if name.endswith(e)), None)
        if opener:
            with opener(part) as handle:
                while handle.read(1 << 20):
                    pass
        elif name.endswith((".zip", ".xlsx")):
            with zipfile.ZipFile(part) as archive:
                broken = archive.testzip()
            if broken:
                raise RetryError(f"{broken} inside it is damaged", restart=True)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise RetryError(f"the compressed file is not whole ({error})", restart=True) from error
