"""Hostile archives are not unpacked, whole ones are."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from mtorscore.errors import FetchError
from mtorscore.io.download.unpack import unpack
from tests.io.server import tar_of


def link_tar(kind: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("study/link")
        info.type, info.linkname = kind, "/etc/hostname"
        tar.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar_of({"../evil.txt": b"x"}), "outside"),
        (tar_of({"/etc/evil.txt": b"x"}), "outside"),
        (tar_of({"a/../../evil.txt": b"x"}), "outside"),
        (tar_of({"..\\evil.txt": b"x"}), "outside"),
        (link_tar(tarfile.SYMTYPE), "link"),
        (link_tar(tarfile.LNKTYPE), "link"),
        (link_tar(tarfile.FIFOTYPE), "link or device"),
        (tar_of({"study/a": b"x" * 5000})[:-30], "truncated|damaged"),
    ],
    ids=["parent", "absolute", "hidden-parent", "backslash", "symlink", "hardlink", "fifo", "truncated"],
)
def test_hostile_archives_are_not_unpacked(tmp_path: Path, content: bytes, words: str) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(FetchError, match=words):
        unpack(archive, tmp_path / "out" / "study")
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "evil.txt").exists()


def test_archive_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtorscore.io.download.unpack.FLOOR", 1 << 20)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros.txt", b"0" * (30 << 20))
    with pytest.raises(FetchError, match="expands"):
        unpack(bomb, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def device_tar(kind: bytes, name: str = "a") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        info = tarfile.TarInfo(name)
        info.type = kind
        file.addfile(info)
    return buffer.getvalue()


def long_header() -> bytes:
    """Return a tar whose extended header claims two gigabytes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2 << 30
    return info.tobuf() + b"\0" * 1024


def locked_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.txt", b"x" * 100)
    data = bytearray(buffer.getvalue())
    for start in (data.index(b"PK\3\4") + 6, data.index(b"PK\1\2") + 8):
        data[start] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (device_tar(tarfile.CHRTYPE), "device"),
        (device_tar(tarfile.BLKTYPE), "device"),
        (tar_of({"a.txt": b"1", "A.TXT": b"2"}), "is duplicated"),
        (tar_of({"a": b"1", "a/b": b"2"}), "damaged"),
        (tar_of({"x" * 300: b"1"}), "damaged"),
        (tar_of({"C:/evil.txt": b"1"}), "outside"),
        (long_header(), "damaged"),
        (locked_zip(), "encrypted"),
    ],
    ids=["character", "block", "case", "file-as-folder", "long-name", "drive", "long-header", "password"],
)
def test_more_hostile_archives(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(FetchError, match=words):
        unpack(tmp_path / "a.bin", tmp_path / "out" / "study")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_archive_of_many_files_is_unpacked_in_linear_time(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_of({f"f{i}": b"" for i in range(5000)}))
    start = time.process_time()
    assert len(list(unpack(tmp_path / "a.tar", tmp_path / "out").iterdir())) == 5000
    assert time.process_time() - start < 10
