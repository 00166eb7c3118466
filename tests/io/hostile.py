"""A server on the loopback that answers with exactly the bytes that a test gives it, at the pace that it gives."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

# What is answered to the n-th request (from 0) for a path, given the request as it came.
Answer = Callable[["Hostile", int, bytes], Iterable[bytes]]


def reply(body: bytes = b"", status: str = "200 OK", *headers: str, length: bool = True) -> bytes:
    """Return an answer in one piece, with its length unless told otherwise."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def says(*answers: bytes) -> Answer:
    """Give one answer after the other; the last one for ever."""
    return lambda _, n, __: [answers[min(n, len(answers) - 1)]]


class Hostile:
    """Answers by path, the number of requests for each, and all requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.counts: Counter[str] = Counter()
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def slowly(self, data: bytes, size: int = 1, pause: float = 0.05) -> Iterator[bytes]:
        """Yield a few bytes at a time, until all are sent or the test is over."""
        for start in range(0, len(data), size):
            if self.over.wait(pause):
                return
            yield data[start : start + size]

    def endless(self, piece: bytes) -> Iterator[bytes]:
        while not self.over.is_set():
            yield piece

    def silence(self) -> Iterator[bytes]:
        self.over.wait(60)
        yield b""

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            asked = b""
            while b"\r\n\r\n" not in asked and (block := connection.recv(1 << 16)):
                asked += block
            path = asked.split(b" ", 2)[1].decode("latin-1").partition("?")[0] if asked else ""
            n, self.counts[path] = self.counts[path], self.counts[path] + 1
            self.requests.append(asked)
            answer = self.answers.get(path, says(reply(status="404 Not Found")))
            for piece in itertools.chain(answer(self, n, asked)):
                connection.sendall(piece)
            # Closed in order: what is still coming in would otherwise reset what has been sent.
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(1)
            while connection.recv(1 << 16):
                pass
