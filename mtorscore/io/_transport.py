"""One file over HTTP: resumed, retried, verified, and put in place only when it is complete."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import hashlib
import json
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FetchError

if TYPE_CHECKING:
    import httpx

__all__ = ["Remote", "cached", "client", "download", "file_sha256", "post_json"]

RETRIES = 6
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Remote:
    """A file to fetch, with what is published about it.

    Attributes
    ----------
    url, name
        Where it is, and the name it gets.
    size, md5, sha256
        Published size in bytes and checksums; "" or None where there are none.
    """

    url: str
    name: str
    size: int | None = None
    md5: str = ""
    sha256: str = ""
    body: dict[str, Any] | None = field(default=None, compare=False)


class _AgainError(Exception):
    """The attempt failed in a way that another one may mend."""

    def __init__(self, reason: str, wait: float | None = None, *, restart: bool = False) -> None:
        super().__init__(reason)
        self.wait = wait
        self.restart = restart


def client(timeout: float = 60.0) -> httpx.Client:
    """Return an HTTP client: redirects followed, proxies of the environment honoured."""
    import httpx

    from mtorscore import __version__

    limits = httpx.Limits(max_connections=8)
    headers = {"User-Agent": f"mtorscore/{__version__}", "Accept-Encoding": "identity"}
    return httpx.Client(
        follow_redirects=True,
        timeout=httpx.Timeout(timeout, connect=20.0),
        limits=limits,
        headers=headers,
        trust_env=True,
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.source.json")


def cached(target: Path) -> bool:
    """Whether the file is there, whole: its size and SHA-256 are those recorded when it was fetched."""
    record = _record(target)
    if not (target.is_file() and record.is_file()):
        return False
    try:
        known = json.loads(record.read_text())
    except ValueError:
        return False
    return bool(target.stat().st_size == known.get("bytes") and file_sha256(target) == known.get("sha256"))


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Let one process at a time fetch a file."""
    lock = target.with_name(f".{target.name}.lock")
    with lock.open("w") as handle:
        try:
            import fcntl
        except ImportError:  # Windows: the atomic move alone has to do.
            yield
            return
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def download(
    remote: Remote,
    target: Path,
    *,
    http: httpx.Client,
    retries: int = RETRIES,
    sleep: Callable[[float], None] = time.sleep,
    advance: Callable[[int], None] = lambda _: None,
) -> Path:
    """Fetch a file to `target`, or raise and leave nothing there.

    A partial file stays beside it under another name and is resumed (HTTP range, only while ETag or date are the
    same). Failures of the network and of the server (408, 425, 429, 5xx) are retried with growing waits;
    ``Retry-After`` is honoured up to a minute. The size, the published checksums, and the integrity of gz and zip
    files are checked, and a page of HTML is refused.

    Parameters
    ----------
    remote
        What to fetch.
    target
        The file to write; its folder is made.
    http
        The client.
    retries
        Attempts after the first without progress.
    sleep
        Waits; replaced in tests.
    advance
        Called with the number of bytes that arrived.

    Returns
    -------
    pathlib.Path
        `target`. Beside it ``<name>.source.json`` records URL, SHA-256, size and date.

    Raises
    ------
    FetchError
        If the file could not be had whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if cached(target):
            return target
        part = target.with_name(f".{target.name}.part")
        failures = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                validator = _attempt(remote, part, http, advance)
                _verify(remote, part)
                break
            except _AgainError as error:
                if error.restart:
                    part.unlink(missing_ok=True)
                    before = 0
                progress = part.exists() and part.stat().st_size > before
                failures = 0 if progress and not error.restart else failures + 1
                if failures > retries:
                    _forget(part)
                    raise FetchError(
                        f"{remote.url} could not be fetched after {failures} attempts: {error}."
                    ) from error
                wait = min(FIRST_WAIT * 2 ** max(failures - 1, 0), LONGEST_WAIT)
                sleep(min(error.wait, LONGEST_WAIT) if error.wait is not None else wait)
            except FetchError:
                _forget(part)
                raise
        _settle(remote, part, target, validator)
    return target


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_file(part).unlink(missing_ok=True)


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _attempt(remote: Remote, part: Path, http: httpx.Client, advance: Callable[[int], None]) -> str:
    """Fetch what is missing of the partial file once; return the validator (ETag or date)."""
    import httpx

    have, validator = 0, ""
    note = _validator_file(part)
    if part.exists() and note.exists() and remote.body is None:
        try:
            validator = json.loads(note.read_text()).get("validator", "")
        except ValueError:
            validator = ""
        have = part.stat().st_size if validator else 0
    headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
    method = "GET" if remote.body is None else "POST"
    try:
        with http.stream(method, remote.url, headers=headers, json=remote.body) as answer:
            _check_status(answer, remote, have)
            append = answer.status_code == 206
            if append and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                raise _AgainError("the server sent another part than was asked for", restart=True)
            new = answer.headers.get("ETag", "")
            new = (new if not new.startswith("W/") else "") or answer.headers.get("Last-Modified", "")
            if append and new and new != validator:
                raise _AgainError("the file changed on the server meanwhile", restart=True)
            if not append:
                note.write_text(json.dumps({"url": remote.url, "validator": new}))
                validator = new
            promised = _promised(answer, have if append else 0)
            with part.open("ab" if append else "wb") as out:
                for block in answer.iter_raw():
                    out.write(block)
                    advance(len(block))
            size = part.stat().st_size
            if promised is not None and size != promised:
                raise _AgainError(f"{size} bytes came where {promised} were promised", restart=size > promised)
    except httpx.HTTPError as error:
        raise _AgainError(f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise FetchError(f"{remote.url}: cannot be written to {part.parent} ({error}).") from error
    return validator


def _promised(answer: httpx.Response, offset: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _check_status(answer: httpx.Response, remote: Remote, have: int) -> None:
    code = answer.status_code
    if code in (200, 206):
        return
    if code == 416 and have:
        raise _AgainError("the server has no such part of the file", restart=True)
    if code in RETRIED:
        raise _AgainError(f"the server answered {code}", _retry_after(answer.headers.get("Retry-After", "")))
    known = {401: "it asks for a log-in", 403: "access is refused", 404: "there is no such file", 410: "it is gone"}
    raise FetchError(f"{remote.url}: the server answered {code} ({known.get(code, 'not a file')}).")


def _retry_after(value: str) -> float | None:
    if value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    now = datetime.datetime.now(when.tzinfo or datetime.UTC)
    return max((when - now).total_seconds(), 0.0)


def _verify(remote: Remote, part: Path) -> None:
    """Check the whole partial file; what is wrong is fetched again from the start."""
    size = part.stat().st_size
    if size == 0:
        raise _AgainError("the server sent an empty file", restart=True)
    with part.open("rb") as handle:
        start = handle.read(2048).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and not remote.name.endswith((".html", ".htm")):
        raise FetchError(f"{remote.url}: a page of HTML came instead of the file (a log-in or an error page?).")
    if remote.size is not None and size != remote.size:
        raise _AgainError(f"{size} bytes where {remote.size} are published", restart=True)
    for name, published in (("md5", remote.md5), ("sha256", remote.sha256)):
        if published:
            with part.open("rb") as handle:
                found = hashlib.file_digest(handle, name).hexdigest()
            if found != published.lower():
                raise _AgainError(f"its {name} is {found}, and {published} is published", restart=True)
    _check_archive(remote, part)


def _check_archive(remote: Remote, part: Path) -> None:
    name = remote.name.lower()
    try:
        if name.endswith((".gz", ".tgz")):
            with gzip.open(part) as handle:
                while handle.read(1 << 20):
                    pass
        elif name.endswith((".zip", ".xlsx")):
            with zipfile.ZipFile(part) as archive:
                broken = archive.testzip()
            if broken:
                raise _AgainError(f"{broken} inside it is damaged", restart=True)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise _AgainError(f"the compressed file is not whole ({error})", restart=True) from error


def _settle(remote: Remote, part: Path, target: Path, validator: str) -> None:
    digest = file_sha256(part)
    record = _record(target)
    old = json.loads(record.read_text()).get("sha256", "") if record.is_file() else ""
    facts = {
        "url": remote.url,
        "sha256": digest,
        "bytes": part.stat().st_size,
        "validator": validator,
        "retrieved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "published_md5": remote.md5,
        "replaces": old if old and old != digest else "",
    }
    temporary = record.with_name(f".{record.name}.tmp")
    temporary.write_text(json.dumps(facts, indent=1))
    # The record first: a file without its record, or with another's, is fetched again.
    temporary.replace(record)
    part.replace(target)
    _validator_file(part).unlink(missing_ok=True)
    if facts["replaces"]:
        import warnings

        from mtorscore.errors import DataWarning

        warnings.warn(
            f"{target.name} is not the file that was fetched before (SHA-256 {digest[:12]}, before {old[:12]}): the "
            "archive changed it. Results made from the earlier file may not be repeated.",
            DataWarning,
            stacklevel=2,
        )


def post_json(
    url: str,
    body: dict[str, Any],
    *,
    http: httpx.Client,
    retries: int = RETRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Post a query and return the JSON answer, with the same retries as `download`."""
    import httpx

    for attempt in range(retries + 1):
        wait: float | None = None
        try:
            answer = http.post(url, json=body)
            if answer.status_code == 200:
                found = answer.json()
                if isinstance(found, dict):
                    return found
                raise FetchError(f"{url}: the answer is not a JSON object.")
            if answer.status_code not in RETRIED:
                raise FetchError(f"{url}: the server answered {answer.status_code}.")
            reason = f"the server answered {answer.status_code}"
            wait = _retry_after(answer.headers.get("Retry-After", ""))
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__}: {error}"
        except ValueError as error:
            reason = f"the answer is no JSON ({error})"
        if attempt < retries:
            sleep(min(wait if wait is not None else FIRST_WAIT * 2**attempt, LONGEST_WAIT))
    raise FetchError(f"{url} could not be queried after {retries + 1} attempts: {reason}.")
