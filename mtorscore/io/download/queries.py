"""Query an archive: JSON answers of bounded length, number and memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mtorscore.errors import FetchError
from mtorscore.io.download.addresses import shown
from mtorscore.io.download.answers import RETRIED, coding_of, content_of, retry_after
from mtorscore.io.download.connection import Watch, answer_of, failure
from mtorscore.io.download.http import FIRST_WAIT, LONGEST_WAIT, RETRIES, bounds
from mtorscore.io.download.remote import Remote
from mtorscore.io.download.verify import RetryError

if TYPE_CHECKING:
    import httpx

__all__ = ["Query"]

MOST_BYTES = 64 << 20
# Of all answers to one query. A value takes some hundred bytes once it is parsed, however short it is written.
MOST_VALUES = 5_000_000
MOST_REQUESTS = 500


class Query:
    """The answers of one archive to the pages of one question, within one budget of bytes, values and requests.

    Parameters
    ----------
    http
        The client.
    retries
        Attempts after the first at one page.
    sleep
        Waits; replaced in tests.
    """

    def __init__(
        self, http: httpx.Client, *, retries: int = RETRIES, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._http, self._retries, self._sleep = http, retries, sleep
        self._bytes = self._values = self._requests = 0

    def post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post a question and return the JSON answer, with the same retries as `download`.

        Raises
        ------
        FetchError
            If there is no answer, or it is not a JSON object, or it is too long.
        """
        reason = ""
        for attempt in range(self._retries + 1):
            wait = FIRST_WAIT * 2 ** min(attempt, 20)
            try:
                found = json.loads(self._text(url, body))
            except RetryError as error:
                reason, wait = str(error), wait if error.wait is None else error.wait
            except (ValueError, RecursionError) as error:
                reason = f"the answer is no JSON ({str(error)[:200]})"
            else:
                if isinstance(found, dict):
                    return found
                raise FetchError(f"{shown(url)}: the answer is not a JSON object.")
            if attempt < self._retries:
                self._sleep(min(wait, LONGEST_WAIT))
        raise FetchError(f"{shown(url)} could not be queried after {self._retries + 1} attempts: {reason}.")

    def _text(self, url: str, body: dict[str, Any]) -> bytes:
        import httpx

        with Watch(bounds()) as watch:
            try:
                with answer_of(self._http, "POST", url, watch=watch, spend=self._spend, json=body) as answer:
                    if answer.status_code in RETRIED:
                        raise RetryError(f"the server answered {answer.status_code}", retry_after(answer))
                    if answer.status_code != 200:
                        raise FetchError(f"{shown(url)}: the server answered {answer.status_code}.")
                    text = self._body(answer, url)
            except httpx.HTTPError as error:
                raise RetryError(watch.reason or failure(error)) from error
            if watch.reason:
                raise RetryError(watch.reason)
        return text

    def _body(self, answer: httpx.Response, url: str) -> bytes:
        remote = Remote(url, "the answer")
        text = bytearray()
        for block in content_of(answer, coding_of(answer, remote), remote.name):
            text += block
            if self._bytes + len(text) > MOST_BYTES:
                raise FetchError(f"{shown(url)}: the answers are longer than {MOST_BYTES >> 20} MiB; given up.")
        self._bytes += len(text)
        self._values += text.count(b",") + text.count(b"[") + text.count(b"{")
        if self._values > MOST_VALUES:
            raise FetchError(f"{shown(url)}: the answers hold more than {MOST_VALUES} values; given up.")
        return bytes(text)

    def _spend(self) -> None:
        self._requests += 1
        if self._requests > MOST_REQUESTS:
            raise FetchError(f"the archive did not answer within {MOST_REQUESTS} requests; given up.")
