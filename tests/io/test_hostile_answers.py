"""Whatever a server answers, a whole verified file comes of it or one sentence, within the bounds of `download`."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtorscore.errors import FetchError
from mtorscore.io.download.http import MOST_REQUESTS, client, download
from mtorscore.io.download.remote import Remote
from tests.io.hostile import Answer, Hostile, reply, says

TEXT = "".join(f"G{i}\t{random.Random(i).random():.6f}\n" for i in range(3000)).encode()
GZ = gzip.compress(TEXT, mtime=0)
ETAG = 'ETag: "v1"'


def zipped(method: int = zipfile.ZIP_DEFLATED, text: bytes = TEXT) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr("a.txt", text)
    return out.getvalue()


def tarred(text: bytes = TEXT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name in ("GSM1.txt", "GSM2.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            file.addfile(info, io.BytesIO(text))
    return out.getvalue()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + b"%x\r\n" % len(body) + body + b"\r\n" + end


def away(location: str, status: str = "302 Found") -> bytes:
    return reply(b"moved", status, f"Location: {location}")


def dropped(body: bytes = GZ, after: int = 5000, *headers: str) -> bytes:
    """Return an answer of which the connection is lost on the way."""
    full = reply(body, "200 OK", *(headers or (ETAG,)))
    return full[: len(full) - len(body) + after]


def resumed(content_range: str, body: bytes = GZ[5000:], *headers: str) -> bytes:
    stated = [f"Content-Range: {content_range}"] if content_range else []
    return reply(body, "206 Partial Content", *(headers or (ETAG,)), *stated)


OK = reply(GZ, "200 OK", ETAG)
PART = f"bytes 5000-{len(GZ) - 1}/{len(GZ)}"
STATUS_REFUSED = (
    "204 No Content", "300 Multiple Choices", "304 Not Modified", "400 Bad", "402 Pay", "403 No", "405 No", "406 No",
    "407 Proxy", "409 Conflict", "411 Length", "412 No", "414 Long", "418 Teapot", "451 Law", "501 No", "505 No",
    "599 ?",
)  # fmt: skip
STATUS_RETRIED = ("408 T", "425 E", "429 M", "500 I", "502 B", "503 U", "504 G")
ABSURD_WAITS = {
    "word": "soon", "negative": "-5", "digits": "9" * 5000, "superscript": "²", "no-date": "Mon, 99 Foo 9999 99:99 GMT",
    "far": "Fri, 31 Dec 9999 23:59:59 GMT", "naive": "Wed, 21 Oct 2015 07:28:00 -0000", "float": "1e309", "empty": "",
    "zone": "Wed, 21 Oct 2015 07:28:00 +9999999999",
}  # fmt: skip

# Name of the file, what is served, and whether the file comes of it.
KINDS: dict[str, tuple[str, Answer, bool]] = {
    **{f"status-{s.split()[0]}": ("x.gz", says(reply(b"", s)), False) for s in STATUS_REFUSED},
    **{f"once-{s.split()[0]}": ("x.gz", says(reply(b"", s), OK), True) for s in STATUS_RETRIED},
    **{
        f"retry-after-{k}": ("x.gz", says(reply(b"", "503 U", f"Retry-After: {v}"), OK), True)
        for k, v in ABSURD_WAITS.items()
    },
    "status-503-always": ("x.gz", says(reply(b"", "503 U")), False),
    # Redirects.
    "redirect-to-itself": ("x.gz", says(away("/f")), False),
    "redirect-there-and-back": ("x.gz", says(away("/g")), False),
    "redirect-once": ("x.gz", says(away("/good")), True),
    "redirect-303": ("x.gz", says(away("/good", "303 See Other")), True),
    "redirect-308": ("x.gz", says(away("/good", "308 Permanent")), True),
    "redirect-without-location": ("x.gz", says(reply(b"", "302 Found")), False),
    "redirect-to-a-file": ("x.gz", says(away("file:///etc/passwd")), False),
    "redirect-to-a-script": ("x.gz", says(away("javascript:alert(1)")), False),
    "redirect-to-nowhere": ("x.gz", says(away("http://")), False),
    "redirect-to-no-port": ("x.gz", says(away("http://127.0.0.1:99999999/")), False),
    "redirect-to-bytes": ("x.gz", says(away("http://127.0.0.1:1/\xff\xfe%zz")), False),
    "redirect-with-an-endless-body": (
        "x.gz",
        lambda *_: [b"HTTP/1.1 302 F\r\nLocation: /good\r\n\r\n", *[b"x" * (1 << 16)] * 64],
        True,
    ),
    # Lengths.
    "longer-promised-once": ("x.gz", says(reply(GZ, "200 OK", ETAG).replace(b"Length: ", b"Length: 1"), OK), True),
    "longer-promised-always": ("x.gz", says(reply(GZ).replace(b"Length: ", b"Length: 1")), False),
    "shorter-promised": ("x.gz", says(reply(GZ[:-100]) + GZ[-100:]), False),
    "shorter-promised-text": ("x.txt", says(reply(TEXT)[:-10]), False),
    "negative-length": ("x.gz", says(reply(GZ, "200 OK", "Content-Length: -5", length=False)), False),
    "length-in-words": ("x.gz", says(reply(GZ, "200 OK", "Content-Length: ten", length=False)), False),
    "two-lengths": ("x.gz", says(reply(GZ, "200 OK", "Content-Length: 7")), False),
    "length-of-petabytes": ("x.gz", says(reply(GZ, "200 OK", f"Content-Length: {10**17}", length=False)), False),
    "length-of-4000-digits": ("x.gz", says(reply(GZ, "200 OK", f"Content-Length: {'9' * 4000}", length=False)), False),
    "no-length-gz": ("x.gz", says(reply(GZ, length=False)), True),
    "no-length-gz-cut": ("x.gz", says(reply(GZ[:-200], length=False)), False),
    "no-length-text": ("x.txt", says(reply(TEXT, length=False)), False),
    "empty": ("x.gz", says(reply(b"")), False),
    "endless": ("x.txt", lambda *_: [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * (1 << 20)] * 8], False),
    # Chunks.
    "chunked": ("x.txt", says(chunked(TEXT)), True),
    "chunks-cut": ("x.txt", says(chunked(TEXT, b"")), False),
    "chunks-cut-once": ("x.txt", says(chunked(TEXT, b""), chunked(TEXT)), True),
    "chunk-size-no-number": ("x.txt", says(chunked(TEXT).replace(b"\r\n\r\n", b"\r\n\r\nzz", 1)), False),
    "chunk-of-exabytes": ("x.txt", says(chunked(TEXT).replace(b"\r\n\r\n", b"\r\n\r\nfffffffffffff", 1)), False),
    "chunk-extension-of-megabytes": ("x.txt", says(chunked(TEXT, b"0;" + b"e" * (1 << 21) + b"\r\n\r\n")), False),
    "endless-trailers": ("x.txt", says(chunked(TEXT, b"0\r\n" + b"a: b\r\n" * 200_000)), False),
    # Parts.
    "part-right": ("x.gz", says(dropped(), resumed(PART)), True),
    "part-wrong-start": ("x.gz", says(dropped(), resumed(PART.replace("5000", "4999")), OK), True),
    "part-wrong-total": ("x.gz", says(dropped(), resumed(PART + "9"), OK), True),
    "part-wrong-end": ("x.gz", says(dropped(), resumed(f"bytes 5000-{10**15}/{10**15 + 1}"), OK), True),
    "part-of-4000-digits": ("x.gz", says(dropped(), resumed("bytes 5000-" + "9" * 4000 + "/*"), OK), True),
    "part-in-words": ("x.gz", says(dropped(), resumed("bytes all of it"), OK), True),
    "part-unnamed": ("x.gz", says(dropped(), resumed(""), OK), True),
    "part-backwards": ("x.gz", says(dropped(), resumed("bytes 5000-10/11", b""), OK), True),
    "part-of-another-version": ("x.gz", says(dropped(), resumed(PART, GZ[5000:], 'ETag: "v2"'), OK), True),
    "part-multipart": ("x.gz", says(dropped(), resumed("", b"--b\r\n", ETAG, "Content-Type: multipart/x"), OK), True),
    "part-compressed": ("x.txt", says(dropped(TEXT), resumed(PART, GZ, "Content-Encoding: gzip"), reply(TEXT)), True),
    "part-never-asked-for": ("x.gz", says(resumed(PART)), False),
    "part-416": ("x.gz", says(dropped(), reply(b"", "416 No"), OK), True),
    "etag-weak": ("x.gz", says(dropped(GZ, 5000, 'ETag: W/"v1"'), OK), True),
    "etag-of-90-KB": ("x.gz", says(dropped(GZ, 5000, f'ETag: "{"e" * 90_000}"'), OK), True),
    "etag-not-ascii": ("x.gz", says(dropped(GZ, 5000, 'ETag: "\xe9\xff"'), OK), True),
    "date-absurd": ("x.gz", says(dropped(GZ, 5000, "Last-Modified: \xff\xff"), OK), True),
    "drops-always": ("x.gz", says(dropped(GZ, 100)), False),
    # Pace.
    "says-nothing": ("x.gz", lambda s, *_: s.silence(), False),
    "headers-trickle": ("x.gz", lambda s, *_: s.slowly(reply(GZ)[:2000], 1), False),
    "headers-without-end": ("x.gz", lambda s, *_: s.slowly(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 9999, 6), False),
    "body-trickles": ("x.gz", lambda s, *_: [reply(GZ)[: -len(GZ)], *s.slowly(GZ)], False),
    "body-stops": ("x.gz", lambda s, *_: [reply(GZ)[:-100], *s.silence()], False),
    "body-trickles-without-length": (
        "x.gz",
        lambda s, *_: [b"HTTP/1.1 200 OK\r\n\r\n", *s.slowly(GZ)],
        False,
    ),
    "chunk-trickles": (
        "x.gz",
        lambda s, *_: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", *s.slowly(b"e" * 9999)],
        False,
    ),
    "continue-for-ever": ("x.gz", lambda s, *_: s.endless(b"HTTP/1.1 100 Continue\r\n\r\n"), False),
    # Headers.
    "headers-of-megabytes": ("x.gz", says(reply(GZ, "200 OK", "X: " + "x" * (2 << 20))), False),
    "headers-by-the-thousand": ("x.gz", says(reply(GZ, "200 OK", *["X: y"] * 50_000)), False),
    "header-with-nul": ("x.gz", says(reply(GZ, "200 OK", "X: a\0b")), False),
    "header-without-colon": ("x.gz", says(reply(GZ, "200 OK", "nonsense")), False),
    "cookies": ("x.gz", says(reply(GZ, "200 OK", *["Set-Cookie: a=" + "=;" * 2000] * 10)), True),
    "another-protocol": ("x.gz", says(b"SSH-2.0-OpenSSH_9.6\r\n"), False),
    "no-protocol": ("x.gz", says(GZ), False),
    "nothing": ("x.gz", says(b""), False),
    "nothing-once": ("x.gz", says(b"", OK), True),
    "status-in-words": ("x.gz", says(OK.replace(b"200", b"two")), False),
    # Compressed on the way.
    "gzip-coded": ("x.txt", says(reply(gzip.compress(TEXT), "200 OK", "Content-Encoding: gzip")), True),
    "gzip-coded-without-length": (
        "x.txt",
        says(reply(gzip.compress(TEXT), "200 OK", "Content-Encoding: gzip", length=False)),
        True,
    ),
    "gzip-coded-cut": ("x.txt", says(reply(gzip.compress(TEXT)[:-20], "200 OK", "Content-Encoding: gzip")), False),
    "gzip-coded-cut-without-length": (
        "x.txt",
        says(reply(gzip.compress(TEXT)[:-2000], "200 OK", "Content-Encoding: gzip", length=False)),
        False,
    ),
    "gzip-coded-and-more": (
        "x.txt",
        says(reply(gzip.compress(TEXT) + b"more", "200 OK", "Content-Encoding: gzip")),
        False,
    ),
    "gzip-coded-not": ("x.txt", says(reply(TEXT, "200 OK", "Content-Encoding: gzip")), False),
    "deflated": ("x.txt", says(reply(zlib.compress(TEXT), "200 OK", "Content-Encoding: deflate")), True),
    "deflated-bare": (
        "x.txt",
        says(reply(zlib.compress(TEXT)[2:-4], "200 OK", "Content-Encoding: deflate")),
        True,
    ),
    "coded-unknown": ("x.txt", says(reply(TEXT, "200 OK", "Content-Encoding: aws-chunked")), True),
    "coded-brotli": ("x.txt", says(reply(TEXT, "200 OK", "Content-Encoding: br")), False),
    "coded-zstd": ("x.txt", says(reply(TEXT, "200 OK", "Content-Encoding: zstd")), False),
    "coded-twice": (
        "x.txt",
        says(reply(gzip.compress(gzip.compress(TEXT)), "200 OK", "Content-Encoding: gzip, gzip")),
        False,
    ),
    # Something else than the file.
    "page": ("x.txt", says(reply(b"<!DOCTYPE html><html>log in</html>")), False),
    "page-after-a-mark": ("x.txt", says(reply(b"\xef\xbb\xbf \n<HTML><body>log in</body></HTML>")), False),
    "page-as-gz": ("x.gz", says(reply(b"<html>log in</html>")), False),
    "page-of-script": ("x.txt", says(reply(b"<script>x</script>", "200 OK", "Content-Type: text/html")), False),
    "page-compressed": (
        "x.txt",
        says(reply(gzip.compress(b"<html>log in</html>"), "200 OK", "Content-Encoding: gzip")),
        False,
    ),
    "error-in-json": ("x.txt", says(reply(b'{"error": "no such study"}')), False),
    "error-in-xml": ("x.txt", says(reply(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')), False),
    "not-the-kind-of-its-name": ("x.gz", says(reply(bz2.compress(TEXT))), False),
    # Cut or damaged before it was sent.
    "gz-cut": ("x.gz", says(reply(GZ[:-7])), False),
    "gz-flipped": ("x.gz", says(reply(flipped(GZ, 9000))), False),
    "gz-flipped-once": ("x.gz", says(reply(flipped(GZ, 9000)), OK), True),
    "gz-and-more": ("x.gz", says(reply(GZ + b"more")), False),
    "bz2-cut": ("x.bz2", says(reply(bz2.compress(TEXT)[:-7])), False),
    "xz-cut": ("x.xz", says(reply(lzma.compress(TEXT)[:-7])), False),
    "zip-cut": ("x.zip", says(reply(zipped()[:-7])), False),
    "zip-flipped": ("x.zip", says(reply(flipped(zipped(), 3000))), False),
    "zip-encrypted": ("x.zip", says(reply(zipped().replace(b"\x14\0\0\0\x08", b"\x14\0\1\0\x08"))), False),
    "tar": ("x.tar", says(reply(tarred(), length=False)), True),
    "tar-flipped": ("x.tar", says(reply(flipped(tarred(), 512 + len(TEXT) // 512 * 512 + 512 + 3))), False),
    "tar-without-its-end": ("x.tar", says(reply(tarred().rstrip(b"\0") + b"\0" * 100)), False),
    # Bombs.
    "bomb-gzip-coded": (
        "x.txt",
        says(reply(gzip.compress(b"0" * (48 << 20)), "200 OK", "Content-Encoding: gzip")),
        False,
    ),
    "bomb-gz": ("x.gz", says(reply(gzip.compress(b"0" * (48 << 20)))), False),
    "bomb-bz2": ("x.bz2", says(reply(bz2.compress(b"0" * (48 << 20)))), False),
    "bomb-xz": ("x.xz", says(reply(lzma.compress(b"0" * (48 << 20)))), False),
    "bomb-zip": ("x.zip", says(reply(zipped(text=b"0" * (48 << 20)))), False),
    "bomb-zip-bz2": ("x.zip", says(reply(zipped(zipfile.ZIP_BZIP2, b"0" * (48 << 20)))), False),
    "bomb-zip-lzma": ("x.zip", says(reply(zipped(zipfile.ZIP_LZMA, b"0" * (48 << 20)))), False),
    "bomb-twice-gz": (
        "x.gz",
        says(reply(gzip.compress(gzip.compress(b"0" * (48 << 20))), "200 OK", "Content-Encoding: gzip")),
        False,
    ),
}
WHOLE = {"x.gz": GZ, "x.txt": TEXT, "x.tar": tarred()}
RETRIES = 2


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("mtorscore.io.download.http.HEAD_SECONDS", 0.5)
    monkeypatch.setattr("mtorscore.io.download.http.STALL_SECONDS", 0.5)
    monkeypatch.setattr("mtorscore.io.download.http.LARGEST", 4 << 20)
    monkeypatch.setattr("mtorscore.io.download.decompress.FLOOR", 1 << 20)
    hostile = Hostile()
    yield hostile
    hostile.close()


def tried(remote: Remote, target: Path, waits: list[float], retries: int = RETRIES) -> Path | FetchError:
    """Return the file or the error; a download that never ends fails the test."""
    outcome: list[Path | BaseException] = []

    def work() -> None:
        try:
            with client(timeout=2) as http:
                outcome.append(download(remote, target, http=http, retries=retries, sleep=waits.append))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(240)
    assert outcome, "the download does not end"
    assert isinstance(outcome[0], (Path, FetchError)), repr(outcome[0])
    return outcome[0]


def check_sentence(error: FetchError) -> None:
    said = str(error)
    assert said
    assert "\n" not in said
    assert len(said) < 600


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_whole_file_or_one_sentence(server: Hostile, tmp_path: Path, kind: str) -> None:
    name, answer, whole = KINDS[kind]
    server.answers = {"/f": answer, "/g": says(away("/f")), "/good": says(OK)}
    waits: list[float] = []
    target = tmp_path / name
    bomb = kind.startswith(("bomb", "endless", "length-of", "headers-of"))
    if bomb:
        tracemalloc.start()
    try:
        found = tried(Remote(f"{server.url}/f", name), target, waits)
        peak = tracemalloc.get_traced_memory()[1] if bomb else 0
    finally:
        tracemalloc.stop()
    # A few kilobytes of bz2 are the least that zipfile decompresses at a time.
    assert peak < (40 << 20 if kind != "bomb-zip-bz2" else 200 << 20), "a bomb is never in memory as a whole"
    assert sum(server.counts.values()) <= MOST_REQUESTS
    assert all(0 <= wait <= 60 for wait in waits)
    if whole:
        assert found == target, found
        assert target.read_bytes() == WHOLE[name]
        assert json.loads((tmp_path / f"{name}.source.json").read_text())["bytes"] == len(WHOLE[name])
    else:
        assert isinstance(found, FetchError), found
        check_sentence(found)
        assert len(waits) <= RETRIES
    left = {p.name for p in tmp_path.iterdir()} - {f".{name}.lock"}
    assert left == ({name, f"{name}.source.json"} if whole else set())


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 100


def test_a_server_that_goes_on_dropping_is_left(server: Hostile, tmp_path: Path) -> None:
    """Each attempt brings something, so that the count of failures starts again, but not for ever."""
    data = random.Random(1).randbytes(100 * 70_000)

    def drop(_: Hostile, n: int, asked: bytes) -> Iterator[bytes]:
        start = int(asked.partition(b"Range: bytes=")[2].partition(b"-")[0] or 0)
        stated = [f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}"] if start else []
        full = reply(data[start:], "206 P" if start else "200 OK", ETAG, *stated)
        yield full[: len(full) - len(data[start:]) + 70_000]

    server.answers = {"/f": drop}
    found = tried(Remote(f"{server.url}/f", "x.txt", size=len(data)), tmp_path / "x.txt", [], retries=6)
    assert isinstance(found, FetchError)
    assert server.counts["/f"] <= MOST_REQUESTS


def test_more_than_is_published_is_not_written(server: Hostile, tmp_path: Path) -> None:
    server.answers = {"/f": lambda *_: [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1000] * 100]}
    found = tried(Remote(f"{server.url}/f", "x.txt", size=5000), tmp_path / "x.txt", [])
    assert isinstance(found, FetchError)
    assert "published" in str(found)


@pytest.mark.parametrize(
    "note",
    [
        "", "[]", "5", "{", "[" * 100_000, '{"validator": 5}', '{"validator": ["a"]}', '{"url": {}}',
        '{"url": "URL", "validator": "\\r\\nEvil: yes"}', '{"url": "URL", "validator": "\\u00e9"}',
        '{"url": "URL", "validator": {"a": 1}}', '{"url": "URL", "validator": null}', "\xff\xfe",
    ],
    ids=range(13),
)  # fmt: skip
def test_a_damaged_note_of_a_part_is_no_note(server: Hostile, tmp_path: Path, note: str) -> None:
    server.answers = {"/f": says(OK)}
    (tmp_path / ".x.gz.part").write_bytes(b"nonsense")
    (tmp_path / ".x.gz.part.json").write_bytes(note.replace("URL", f"{server.url}/f").encode("latin-1"))
    found = tried(Remote(f"{server.url}/f", "x.gz"), tmp_path / "x.gz", [])
    assert found == tmp_path / "x.gz"
    assert (tmp_path / "x.gz").read_bytes() == GZ
    assert b"Evil" not in server.requests[0]


@pytest.mark.parametrize("record", ["", "[]", "{", "[" * 100_000, '{"bytes": 5}', '{"sha256": []}', "\xff\xfe"])
def test_a_damaged_record_is_no_record(server: Hostile, tmp_path: Path, record: str) -> None:
    server.answers = {"/f": says(OK)}
    (tmp_path / "x.gz").write_bytes(b"nonsense")
    (tmp_path / "x.gz.source.json").write_bytes(record.encode("latin-1"))
    assert tried(Remote(f"{server.url}/f", "x.gz"), tmp_path / "x.gz", []) == tmp_path / "x.gz"
    assert (tmp_path / "x.gz").read_bytes() == GZ


@pytest.mark.parametrize("name", [".x.gz.part", ".x.gz.lock", ".x.gz.part.json", "x.gz", "x.gz.source.json"])
@pytest.mark.parametrize("hard", [False, True], ids=["symbolic", "hard"])
def test_planted_links_are_not_followed(server: Hostile, tmp_path: Path, name: str, hard: bool) -> None:
    server.answers = {"/f": says(dropped(), resumed(PART))}
    victim, cache = tmp_path / "victim", tmp_path / "cache"
    victim.write_bytes(b"mine")
    cache.mkdir()
    if hard:
        (cache / name).hardlink_to(victim)
    else:
        (cache / name).symlink_to(victim)
    found = tried(Remote(f"{server.url}/f", "x.gz"), cache / "x.gz", [])
    assert victim.read_bytes() == b"mine"
    if isinstance(found, FetchError):
        assert "link" in str(found)
    else:
        assert not (cache / "x.gz").is_symlink()
        assert (cache / "x.gz").read_bytes() == GZ


def test_a_planted_part_is_not_continued(server: Hostile, tmp_path: Path) -> None:
    server.answers = {"/f": says(OK)}
    victim = tmp_path / "victim"
    victim.write_bytes(GZ[:5000])
    (tmp_path / ".x.gz.part").hardlink_to(victim)
    (tmp_path / ".x.gz.part.json").write_text(json.dumps({"url": f"{server.url}/f", "validator": '"v1"'}))
    tried(Remote(f"{server.url}/f", "x.gz"), tmp_path / "x.gz", [])
    assert victim.read_bytes() == GZ[:5000]


SECRET = "s3cr3t-t0ken"  # noqa: S105


@pytest.mark.parametrize("answer", [OK, reply(b"", "404 No"), reply(b"", "503 U"), b"", away("http://" + SECRET)])
@pytest.mark.parametrize(
    "address",
    [
        f"URL/f?token={SECRET}", f"URL/f?acc=GSE1&X-Amz-Signature={SECRET}", f"URL/f?{SECRET}", f"URL/f#{SECRET}",
        f"URL/f;s={SECRET}", "AUTH/f", f"AUTH/f?sig={SECRET}",
    ],
    ids=["token", "signature", "bare", "fragment", "session", "password", "both"],
)  # fmt: skip
def test_a_token_is_neither_written_nor_said(
    server: Hostile, tmp_path: Path, address: str, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    import mtorscore as mt

    url = address.replace("URL", server.url).replace("AUTH", server.url.replace("//", f"//me:{SECRET}@"))
    server.answers = {"/f": says(answer), f"/f;s={SECRET}": says(answer)}
    caplog.set_level("INFO")
    said = ""
    try:
        mt.fetch(url, cache=tmp_path, retries=1, sleep=lambda _: None)
        mt.fetch(url, cache=tmp_path, offline=True)
    except FetchError as error:
        said = str(error)
        check_sentence(error)
    assert server.requests, "it was asked for"
    assert SECRET not in said + caplog.text
    for path in tmp_path.rglob("*"):
        assert SECRET not in path.name
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_the_first_failure_ends_the_other_downloads(
    server: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mtorscore as mt

    monkeypatch.setattr("mtorscore.io.download.http.HEAD_SECONDS", 60.0)
    names = [f"GSE1-GPL{i}_series_matrix.txt.gz" for i in range(40)]
    folder = "/series/GSEnnn/GSE1/matrix"
    links = "".join(f'<a href="{n}">{n}</a>' for n in names)
    server.answers = {f"{folder}/{n}": lambda s, *_: s.silence() for n in names}
    server.answers[f"{folder}/"] = says(reply(f"<html>{links}</html>".encode()))
    server.answers[f"{folder}/{names[0]}"] = says(reply(b"", "404 No"))
    with pytest.raises(FetchError, match="no such file"):
        mt.fetch("GSE1", mirror=server.url, cache=tmp_path, retries=0)
    assert sum(server.counts.values()) <= 8, "what was not begun is not asked for"
