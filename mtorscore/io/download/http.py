"""Download one file over HTTP: resumed, retried, verified, and moved into place when complete."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._atomic import write_whole
from mtorscore.errors import FetchError, warn
from mtorscore.io.download.remote import Remote
from mtorscore.io.download.verify import RetryError, encoded_in_transfer, refuse_page, unwrap, verify
from mtorscore.io.tables.file_bytes import sha256

if TYPE_CHECKING:
    import httpx

__all__ = ["cached", "client", "download", "locked", "post_json"]

RETRIES = 6
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
# A server that trickles: fewer bytes than this in so many seconds, and the attempt is given up.
STALL_SECONDS = 90.0
STALL_BYTES = 8192
# Only an attempt that brought this much more starts the count of failures again.
PROGRESS = 1 << 16


def client(timeout: float = 60.0) -> httpx.Client:
    """Return an HTTP client: redirects followed, proxies of the environment honoured."""
    import httpx

    from mtorscore._version import __version__

    limits = httpx.Limits(max_connections=8)
    headers = {"User-Agent": f"mtorscore/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(timeout, connect=20.0),
            limits=limits,
            headers=headers,
            trust_env=True,
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        raise FetchError(
            f"the proxy that the environment names (HTTP_PROXY, ALL_PROXY) cannot be used: {error}."
        ) from error


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.source.json")


def cached(target: Path) -> bool:
    """Whether the file is complete: its size and SHA-256 are those recorded when it was fetched."""
    record = _record(target)
    if not (target.is_file() and record.is_file()):
        return False
    try:
        known = json.loads(record.read_text())
    except ValueError:
        return False
    if not isinstance(known, dict):
        return False
    return bool(target.stat().st_size == known.get("bytes") and sha256(target) == known.get("sha256"))


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let one process at a time fetch a file or data set."""
    lock = target.with_name(f".{target.name}.lock")
    with lock.open("w") as handle:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        except (ImportError, OSError):
            # Windows, or a file system without locks: the atomic move alone has to do.
            pass
        yield


def download(
    remote: Remote,
    target: Path,
    *,
    http: httpx.Client,
    retries: int = RETRIES,
    sleep: Callable[[float], None] = time.sleep,
    advance: Callable[[int], None] = lambda _: None,
    fresh: bool = False,
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
    fresh
        Fetch even what is there whole; it stays until the new file is complete.

    Returns
    -------
    pathlib.Path
        `target`. Beside it ``<name>.source.json`` records URL, SHA-256, size and date.

    Raises
    ------
    FetchError
        If the file could not be had whole.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target):
            if not fresh and cached(target):
                return target
            part = target.with_name(f".{target.name}.part")
            validator = _whole(remote, part, http=http, retries=retries, sleep=sleep, advance=advance)
            _settle(remote, part, target, validator)
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(
            f"{remote.name} cannot be written to {target.parent} ({error.strerror or error}); free some space, or name "
            "another folder with MTORSCORE_CACHE."
        ) from error
    return target


def _whole(
    remote: Remote,
    part: Path,
    *,
    http: httpx.Client,
    retries: int,
    sleep: Callable[[float], None],
    advance: Callable[[int], None],
) -> str:
    """Fetch the partial file until it is complete and verified; return its validator."""
    failures = 0
    try:
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                validator = _attempt(remote, part, http, advance)
                verify(remote, part)
            except RetryError as error:
                if error.restart:
                    part.unlink(missing_ok=True)
                grown = part.stat().st_size - before if part.exists() else 0
                failures = 0 if grown >= PROGRESS and not error.restart else failures + 1
                if failures > retries:
                    raise FetchError(
                        f"{remote.url} could not be fetched after {failures} attempts: {error}."
                    ) from error
                wait = min(FIRST_WAIT * 2 ** max(failures - 1, 0), LONGEST_WAIT)
                sleep(min(error.wait, LONGEST_WAIT) if error.wait is not None else wait)
            else:
                return validator
    except (FetchError, OSError):
        _forget(part)
        raise


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
            known = json.loads(note.read_text())
            validator = known["validator"] if known["url"] == remote.url else ""
        except (ValueError, KeyError, TypeError):
            validator = ""
        have = part.stat().st_size if validator else 0
    headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
    method = "GET" if remote.body is None else "POST"
    try:
        with http.stream(method, remote.url, headers=headers, json=remote.body) as answer:
            _check_status(answer, remote, have)
            partial = answer.status_code == 206
            append = partial and have > 0
            encoded = encoded_in_transfer(answer, remote)
            if encoded and partial:
                raise RetryError("the server sent a part of a compressed answer", restart=True)
            promised = None if encoded else _promised(answer, have if append else 0)
            if partial and not _right_part(answer.headers.get("Content-Range", ""), have, promised):
                raise RetryError("the server sent another part than was asked for", restart=True)
            new = answer.headers.get("ETag", "")
            new = (new if not new.startswith("W/") else "") or answer.headers.get("Last-Modified", "")
            if append and new and new != validator:
                raise RetryError("the file changed on the server meanwhile", restart=True)
            if not append:
                # A compressed transfer cannot be resumed: the server counts other bytes.
                validator = "" if encoded else new
                note.write_text(json.dumps({"url": remote.url, "validator": validator}))
            blocks = answer.iter_bytes() if encoded else answer.iter_raw()
            _copy(blocks, part, "ab" if append else "wb", advance)
            refuse_page(answer, remote, part)
            size = part.stat().st_size
            if promised is not None and size != promised:
                raise RetryError(f"{size} bytes came where {promised} were promised", restart=size > promised)
            if answer.headers.get("Content-Encoding") and not encoded:
                unwrap(part)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise FetchError(f"{remote.url}: no address that can be fetched, or it leads to one ({error}).") from error
    except httpx.HTTPError as error:
        raise RetryError(f"{type(error).__name__}: {error}") from error
    return validator


def _copy(blocks: Iterator[bytes], part: Path, mode: str, advance: Callable[[int], None]) -> None:
    """Write the answer to the partial file; give up on a server that is too slow for the read time-out to notice."""
    since, arrived = time.monotonic(), 0
    with part.open(mode) as out:
        for block in blocks:
            out.write(block)
            advance(len(block))
            arrived += len(block)
            if (now := time.monotonic()) - since > STALL_SECONDS:
                if arrived < STALL_BYTES:
                    raise RetryError(f"only {arrived} bytes came in {now - since:.0f} s")
                since, arrived = now, 0


def _right_part(stated: str, have: int, promised: int | None) -> bool:
    """Whether Content-Range is the part from byte `have` to the end of a file as long as promised."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", stated.strip())
    if found is None or int(found[1]) != have:
        return False
    end = int(found[2]) + 1
    return (promised is None or end == promised) and found[3] in ("*", str(end))


def _promised(answer: httpx.Response, offset: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _check_status(answer: httpx.Response, remote: Remote, have: int) -> None:
    code = answer.status_code
    if code in (200, 206):
        return
    if code == 416 and have:
        raise RetryError("the server has no such part of the file", restart=True)
    if code in RETRIED:
        raise RetryError(f"the server answered {code}", _retry_after(answer.headers.get("Retry-After", "")))
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


def _settle(remote: Remote, part: Path, target: Path, validator: str) -> None:
    digest = sha256(part)
    record = _record(target)
    try:
        old = json.loads(record.read_text()).get("sha256", "")
    except (OSError, ValueError, AttributeError):
        old = ""
    facts = {
        "url": remote.url,
        "sha256": digest,
        "bytes": part.stat().st_size,
        "validator": validator,
        "retrieved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "published_md5": remote.md5,
        "replaces": old if old and old != digest else "",
    }
    # The record first: a file without its record, or with another's, is fetched again.
    write_whole(record, json.dumps(facts, indent=1))
    part.replace(target)
    _validator_file(part).unlink(missing_ok=True)
    if facts["replaces"]:
        from mtorscore.errors import DataWarning

        warn(
            f"{target.name} is not the file that was fetched before (SHA-256 {digest[:12]}, before {old[:12]}): the "
            "archive changed it. Results made from the earlier file may not be repeated.",
            DataWarning,
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
