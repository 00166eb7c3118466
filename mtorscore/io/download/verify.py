"""Validate a downloaded file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mtorscore.errors import FetchError
from mtorscore.io.download.addresses import shown
from mtorscore.io.download.decompress import BROKEN, Budget, Decompressed, kind_of, open_zip, zip_blocks
from mtorscore.io.download.unpack import check_tar

if TYPE_CHECKING:
    import httpx

    from mtorscore.io.download.remote import Remote

__all__ = ["RetryError", "refuse_page", "shows_its_end", "unwrap", "verify"]

COMPRESSED = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}
ARCHIVES = (".zip", ".xlsx", ".tar")


class RetryError(Exception):
    """The attempt failed, and another one may succeed."""

    def __init__(self, reason: str, wait: float | None = None, *, restart: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.restart = restart


def shows_its_end(remote: Remote, part: Path) -> bool:
    """Whether a file that was cut off would be noticed: its kind has an end, or its size or checksum is published."""
    name = remote.name.lower()
    if name.endswith((*COMPRESSED, *ARCHIVES)) or remote.size is not None or remote.md5 or remote.sha256:
        return True
    if not name.endswith((".html", ".htm")):
        return False
    with part.open("rb") as handle:
        handle.seek(max(0, part.stat().st_size - 100))
        return handle.read().rstrip().lower().endswith(b"</html>")


def unwrap(part: Path) -> None:
    """Remove a second layer of gzip that a server added; a file that is merely labelled as encoded stays."""
    inner = part.with_name(f"{part.name}.inner")
    budget = Budget(part.name, part.stat().st_size)
    try:
        with part.open("rb") as raw:
            if kind_of(raw.read(8)) != "gz":
                return
            raw.seek(0)
            content = Decompressed(raw, "gz")
            block = content.read(1 << 20)
            if kind_of(block) != "gz":
                return
            inner.unlink(missing_ok=True)
            with inner.open("xb") as out:
                while block:
                    budget.add(len(block))
                    out.write(block)
                    block = content.read(1 << 20)
    except BROKEN:
        # Not whole: `verify` says so.
        inner.unlink(missing_ok=True)
        return
    except BaseException:
        inner.unlink(missing_ok=True)
        raise
    inner.replace(part)


def refuse_page(answer: httpx.Response, remote: Remote, part: Path) -> None:
    """Raise FetchError where the server sent an HTML page instead of the file."""
    if not answer.headers.get("Content-Type", "").lower().startswith("text/html"):
        return
    with part.open("rb") as handle:
        page = handle.read(200).lstrip().startswith(b"<")
    if page and not remote.name.endswith((".html", ".htm")):
        raise FetchError(f"{shown(remote.url)}: a page of HTML came instead of the file (a log-in or an error page?).")


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
        raise FetchError(f"{shown(remote.url)}: a page of HTML came instead of the file (a log-in or an error page?).")
    if re.match(rb'<\?xml[^>]*>\s*<error>|\{\s*"(error|message)"', start) and size < 10_000:
        raise FetchError(
            f"{shown(remote.url)}: an error message came instead of the file: {start[:200].decode(errors='replace')}"
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


def _check_archive(remote: Remote, part: Path) -> None:
    name = remote.name.lower()
    try:
        if name.endswith(tuple(COMPRESSED)):
            _read_through(remote, part)
        elif name.endswith((".zip", ".xlsx")):
            _test_zip(remote, part)
        elif name.endswith(".tar"):
            _test_tar(part)
    except (*BROKEN, ValueError, RuntimeError) as error:
        raise RetryError(f"the compressed file is not whole ({str(error)[:200]})", restart=True) from error


def _read_through(remote: Remote, part: Path) -> None:
    budget = Budget(remote.name, part.stat().st_size, most=1 << 62)
    with part.open("rb") as raw:
        kind = next(k for ending, k in COMPRESSED.items() if remote.name.lower().endswith(ending))
        if kind_of(raw.read(8)) != kind:
            raise EOFError(f"it does not begin as {kind}")
        raw.seek(0)
        content = Decompressed(raw, kind)
        while block := content.read(1 << 20):
            budget.add(len(block))


def _test_zip(remote: Remote, part: Path) -> None:
    budget = Budget(remote.name, part.stat().st_size)
    with open_zip(part, remote.name) as archive:
        for member in archive.infolist():
            for block in zip_blocks(archive, member):
                budget.add(len(block))


def _test_tar(part: Path) -> None:
    """Read a plain tar through; a damaged one is fetched again, and a hostile one is refused when it is read."""
    with part.open("rb") as raw:
        if kind_of(raw.read(8)):
            return
    try:
        check_tar(part)
    except FetchError as error:
        if "not unpacked" in str(error):
            return
        raise RetryError(str(error).partition(": ")[2] or str(error), restart=True) from error
