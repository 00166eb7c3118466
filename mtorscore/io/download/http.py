"""Download one file over HTTP: resumed, retried, verified, and moved into place when complete."""

from __future__ import annotations

import datetime
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mtorscore._atomic import write_whole
from mtorscore.errors import DataWarning, FetchError, warn
from mtorscore.io.download.addresses import identity, shown
from mtorscore.io.download.answers import (
    RETRIED,
    coding_of,
    content_of,
    has_an_end,
    promised_bytes,
    refusal,
    retry_after,
    right_part,
    valid_validator,
    validator_of,
)
from mtorscore.io.download.cache_files import cached, is_file, locked, open_part, read_note, record_of
from mtorscore.io.download.connection import Limits, Watch, answer_of, client, failure
from mtorscore.io.download.remote import Remote
from mtorscore.io.download.verify import RetryError, refuse_page, shows_its_end, unwrap, verify
from mtorscore.io.tables.file_bytes import sha256

if TYPE_CHECKING:
    import httpx

__all__ = ["bounds", "client", "download"]

RETRIES = 6
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
# Redirects included; a server that goes on dropping a file that grows is left after so many.
MOST_REQUESTS = 64
LARGEST = 1 << 40
HEAD_SECONDS = 120.0
WHOLE_SECONDS = 24 * 3600.0
# A server that trickles: fewer bytes than this in so many seconds, and the attempt is given up.
STALL_SECONDS = 90.0
STALL_BYTES = 8192
# Only an attempt that brought this much more starts the count of failures again.
PROGRESS = 1 << 16


def bounds() -> Limits:
    """Return the bounds of one answer."""
    return Limits(HEAD_SECONDS, STALL_SECONDS, STALL_BYTES, WHOLE_SECONDS)


def download(
    remote: Remote,
    target: Path,
    *,
    http: httpx.Client,
    retries: int = RETRIES,
    sleep: Callable[[float], None] = time.sleep,
    advance: Callable[[int], None] = lambda _: None,
    fresh: bool = False,
    stop: threading.Event | None = None,
) -> Path:
    """Fetch a file to `target`, or raise and leave nothing there.

    A partial file stays beside it under another name and is resumed (HTTP range, only while ETag or date are the
    same). Failures of the network and of the server (408, 425, 429, 5xx) are retried with growing waits;
    ``Retry-After`` is honoured up to a minute. The size, the published checksums, and the integrity of gz, bz2, xz, zip
    and tar files are checked, and a page of HTML is refused.

    Whatever the server does, a file takes at most 64 requests, redirects included (ten for one answer). An answer is
    given up when its headers have not come within two minutes or are longer than 100 KiB, when its body brings less
    than 8 KiB in 90 s, after a day, and at 1 TiB; a compressed one also where it expands beyond 300 times its size.

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
    stop
        Ends the download from another thread, once it is set; what has arrived stays, to be resumed.

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
            validator = _whole(remote, part, http, retries, sleep, advance, stop)
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
    http: httpx.Client,
    retries: int,
    sleep: Callable[[float], None],
    advance: Callable[[int], None],
    stop: threading.Event | None,
) -> str:
    """Fetch the partial file until it is complete and verified; return its validator."""
    failures = 0
    spend = _counter(remote)
    try:
        while True:
            before = part.stat().st_size if is_file(part) else 0
            try:
                validator = _attempt(remote, part, http, advance, spend, stop)
                verify(remote, part)
            except RetryError as error:
                if stop is not None and stop.is_set():
                    raise InterruptedError("stopped") from error
                if error.restart:
                    part.unlink(missing_ok=True)
                grown = part.stat().st_size - before if is_file(part) else 0
                failures = 0 if grown >= PROGRESS and not error.restart else failures + 1
                if failures > retries:
                    raise FetchError(
                        f"{shown(remote.url)} could not be fetched after {failures} attempts: {error}."
                    ) from error
                wait = min(FIRST_WAIT * 2 ** min(max(failures - 1, 0), 20), LONGEST_WAIT)
                sleep(min(error.wait, LONGEST_WAIT) if error.wait is not None else wait)
            else:
                return validator
    except InterruptedError:
        raise
    except (FetchError, OSError):
        _forget(part)
        raise


def _counter(remote: Remote) -> Callable[[], None]:
    """Return what counts requests and ends them."""
    made = 0

    def spend() -> None:
        nonlocal made
        made += 1
        if made > MOST_REQUESTS:
            raise FetchError(f"{shown(remote.url)} could not be fetched with {MOST_REQUESTS} requests: given up.")

    return spend


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_file(part).unlink(missing_ok=True)


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _attempt(
    remote: Remote,
    part: Path,
    http: httpx.Client,
    advance: Callable[[int], None],
    spend: Callable[[], None],
    stop: threading.Event | None,
) -> str:
    """Fetch what is missing of the partial file once; return the validator (ETag or date)."""
    import httpx

    have, validator = _arrived(remote, part)
    headers = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
    method = "GET" if remote.body is None else "POST"
    with Watch(bounds(), stop) as watch:
        try:
            with answer_of(
                http, method, remote.url, watch=watch, spend=spend, headers=headers, json=remote.body
            ) as answer:
                return _take(answer, remote, part, have, validator, advance, watch)
        except httpx.HTTPError as error:
            raise RetryError(watch.reason or failure(error)) from error


def _arrived(remote: Remote, part: Path) -> tuple[int, str]:
    """Return how many bytes of the file are there from an earlier attempt, and what they are a part of."""
    if remote.body is not None or not is_file(part):
        return 0, ""
    known = read_note(_validator_file(part))
    validator = valid_validator(known.pop("validator", ""))
    return (part.stat().st_size, validator) if validator and known == identity(remote.url) else (0, "")


def _take(
    answer: httpx.Response,
    remote: Remote,
    part: Path,
    have: int,
    validator: str,
    advance: Callable[[int], None],
    watch: Watch,
) -> str:
    """Write what the answer brings; return the validator."""
    _check_status(answer, remote, have)
    partial = answer.status_code == 206
    append = partial and have > 0
    coding = coding_of(answer, remote)
    if coding and partial:
        raise RetryError("the server sent a part of a compressed answer", restart=True)
    promised = None if coding else promised_bytes(answer, have if append else 0)
    if partial and not right_part(answer.headers.get("Content-Range", ""), have, promised):
        raise RetryError("the server sent another part than was asked for", restart=True)
    new = validator_of(answer)
    if append and new and new != validator:
        raise RetryError("the file changed on the server meanwhile", restart=True)
    most = _most(remote, promised)
    if not append:
        # A compressed transfer cannot be resumed: the server counts other bytes.
        validator = "" if coding else new
        write_whole(_validator_file(part), json.dumps({**identity(remote.url), "validator": validator}))
    blocks = _bounded(content_of(answer, coding, remote.name), most - (have if append else 0), remote)
    _copy(blocks, part, "ab" if append else "wb", advance)
    if watch.reason:
        # The connection was cut, which looks like the end of an answer without a length.
        raise RetryError(watch.reason)
    _check_length(answer, remote, part, promised, coding)
    refuse_page(answer, remote, part)
    if answer.headers.get("Content-Encoding") and not coding:
        unwrap(part)
    return validator


def _most(remote: Remote, promised: int | None) -> int:
    """Return how long the file may become; refuse a promise of more, or of something else than is published."""
    most = LARGEST if remote.most is None else remote.most
    if promised is not None and promised > most:
        raise FetchError(f"{shown(remote.url)}: the answer is {promised} bytes long, and {most} are the most.")
    return most if remote.size is None else min(most, remote.size)


def _bounded(blocks: Iterator[bytes], most: int, remote: Remote) -> Iterator[bytes]:
    for block in blocks:
        most -= len(block)
        if most < 0:
            if remote.size is not None:
                raise RetryError(f"more bytes than the {remote.size} that are published", restart=True)
            raise FetchError(f"{shown(remote.url)}: the answer does not end where the largest file would; given up.")
        yield block


def _check_length(answer: httpx.Response, remote: Remote, part: Path, promised: int | None, coding: str) -> None:
    size = part.stat().st_size
    if promised is not None and size != promised:
        raise RetryError(f"{size} bytes came where {promised} were promised", restart=size > promised)
    if promised is None and not coding and not has_an_end(answer) and not shows_its_end(remote, part):
        raise RetryError("the server does not say how long the file is, so that a cut could not be seen", restart=True)


def _copy(blocks: Iterator[bytes], part: Path, mode: str, advance: Callable[[int], None]) -> None:
    """Write the answer to the partial file."""
    with open_part(part, append=mode == "ab") as out:
        for block in blocks:
            out.write(block)
            advance(len(block))


def _check_status(answer: httpx.Response, remote: Remote, have: int) -> None:
    code = answer.status_code
    if code in (200, 206):
        return
    if code == 416 and have:
        raise RetryError("the server has no such part of the file", restart=True)
    if code in RETRIED:
        raise RetryError(f"the server answered {code}", retry_after(answer))
    raise FetchError(f"{shown(remote.url)}: the server answered {code} ({refusal(code)}).")


def _settle(remote: Remote, part: Path, target: Path, validator: str) -> None:
    digest = sha256(part)
    old = read_note(record_of(target)).get("sha256", "")
    old = old if isinstance(old, str) and re.fullmatch(r"[0-9a-f]{64}", old) else ""
    facts = {
        "url": shown(remote.url),
        "sha256": digest,
        "bytes": part.stat().st_size,
        "validator": validator,
        "retrieved": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "published_md5": remote.md5,
        "replaces": old if old and old != digest else "",
    }
    # The record first: a file without its record, or with another's, is fetched again.
    write_whole(record_of(target), json.dumps(facts, indent=1))
    part.replace(target)
    _validator_file(part).unlink(missing_ok=True)
    if facts["replaces"]:
        warn(
            f"{target.name} is not the file that was fetched before (SHA-256 {digest[:12]}, before {old[:12]}): the "
            "archive changed it. Results made from the earlier file may not be repeated.",
            DataWarning,
        )
