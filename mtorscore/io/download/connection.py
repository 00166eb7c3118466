"""One request at a time, bounded in time, redirects and header bytes whatever the server does."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FetchError
from mtorscore.io.download.addresses import shown

if TYPE_CHECKING:
    import httpx

__all__ = ["Limits", "Watch", "answer_of", "client", "failure"]

MOST_REDIRECTS = 10
TICK = 0.05


@dataclass(frozen=True)
class Limits:
    """Bounds of one answer.

    Attributes
    ----------
    head_seconds
        Until the last header has come.
    stall_seconds, stall_bytes
        The body brings at least so many bytes in so many seconds.
    whole_seconds
        Until the last byte.
    """

    head_seconds: float
    stall_seconds: float
    stall_bytes: int
    whole_seconds: float


class _NotOurs(logging.Filter):
    """Keep our requests, whose addresses may hold a token, out of the log of the HTTP library."""

    ours = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not getattr(self.ours, "active", False)


_FILTER = _NotOurs()


def client(timeout: float = 60.0) -> httpx.Client:
    """Return an HTTP client that honours the proxies of the environment and keeps no connection open."""
    import httpx

    from mtorscore._version import __version__

    logging.getLogger("httpx").addFilter(_FILTER)
    # A watch has to see the connection of each request being made.
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=0)
    headers = {"User-Agent": f"mtorscore/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx.Client(
            follow_redirects=False,
            timeout=httpx.Timeout(timeout, connect=20.0),
            limits=limits,
            headers=headers,
            trust_env=True,
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        # What the library says may repeat the password of the proxy.
        raise FetchError(
            "the proxy that the environment names (HTTP_PROXY, ALL_PROXY) cannot be used "
            f"({type(error).__name__}); known are http, https and socks5 (with the package socksio)."
        ) from None


class Watch:
    """Cuts the connections of a request once it is too slow, or once everything is to stop.

    The read time-out of the client starts anew with every byte, and a body that never yields a block is never looked
    at; so a thread looks at the clock.
    """

    def __init__(self, limits: Limits, stop: threading.Event | None = None) -> None:
        self._limits, self._stop = limits, stop
        self._sockets: list[socket.socket] = []
        self._lock, self._done = threading.Lock(), threading.Event()
        self._arrived: Callable[[], int] | None = None
        self.reason = ""
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take a handle of each connection that the client makes (the client calls this)."""
        if event.endswith("connect_tcp.complete"):
            # A duplicate: cutting it cuts the connection, also where TLS has taken the original over.
            handle = info["return_value"].get_extra_info("socket").dup()
            with self._lock:
                self._sockets.append(handle)
            if self.reason:
                self._cut(self.reason)

    def body(self, arrived: Callable[[], int]) -> None:
        """Say that the headers have come, and how to ask for the number of bytes that came since."""
        self._arrived = arrived

    def _cut(self, reason: str) -> None:
        self.reason = reason
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _look(self) -> None:
        start = since = time.monotonic()
        before, in_body = 0, False
        while not self._done.wait(TICK):
            now, count = time.monotonic(), self._arrived
            if self._stop is not None and self._stop.is_set():
                return self._cut("it was stopped")
            if now - start > self._limits.whole_seconds:
                return self._cut(f"the answer has not ended after {now - start:.0f} s")
            if count is None:
                if now - since > self._limits.head_seconds:
                    return self._cut(f"the headers have not ended after {now - since:.0f} s")
            elif not in_body:
                since, in_body = now, True
            elif now - since > self._limits.stall_seconds:
                if (arrived := count() - before) < self._limits.stall_bytes:
                    return self._cut(f"only {arrived} bytes came in {now - since:.0f} s")
                since, before = now, count()
        return None


@contextlib.contextmanager
def answer_of(
    http: httpx.Client,
    method: str,
    url: str,
    *,
    watch: Watch,
    spend: Callable[[], None],
    headers: dict[str, str] | None = None,
    json: Any = None,
) -> Iterator[httpx.Response]:
    """Yield the answer to a request, its body still to be read; redirects are followed.

    Parameters
    ----------
    http, method, url, headers, json
        The request.
    watch
        What ends it when it takes too long.
    spend
        Called before each request; may raise.

    Raises
    ------
    FetchError
        After ten redirects, or where the address cannot be fetched.
    httpx.HTTPError
        Where the network or the server fails.
    """
    answer = _opened(http, url, {"method": method, "headers": headers, "json": json}, watch, spend)
    try:
        watch.body(lambda: answer.num_bytes_downloaded)
        yield answer
    finally:
        answer.close()


def _opened(
    http: httpx.Client, url: str, made: dict[str, Any], watch: Watch, spend: Callable[[], None]
) -> httpx.Response:
    import httpx

    _FILTER.ours.active = True
    try:
        request = http.build_request(url=url, extensions={"trace": watch.trace}, **made)
        for _ in range(MOST_REDIRECTS + 1):
            spend()
            answer = http.send(request, stream=True)
            if answer.next_request is None:
                return answer
            # What a redirect has for a body is nobody's.
            answer.close()
            request = answer.next_request
    except FetchError:
        raise
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        raise FetchError(f"{shown(url)}: no address that can be fetched, or it leads to one.") from None
    finally:
        _FILTER.ours.active = False
    raise FetchError(f"{shown(url)}: more than {MOST_REDIRECTS} redirects.")


def failure(error: httpx.HTTPError) -> str:
    """Say what failed, without an address."""
    said = str(error).rstrip(".")
    return type(error).__name__ + (f": {said[:200]}" if said and "://" not in said and "URL" not in said else "")
