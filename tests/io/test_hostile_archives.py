"""Whatever an archive holds, all of its files are unpacked or there is one sentence and nothing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import mtorscore as mt
from mtorscore.errors import FetchError, FormatError
from mtorscore.io.download.unpack import check_tar, unpack

FILES = {f"GSM{i}.txt": bytes([65 + i]) * 700 for i in range(3)}
STEP = 1536  # of a header and the two blocks of a file


def tar_bytes(files: dict[str, bytes], kind: bytes = tarfile.REGTYPE, form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd" if kind in b"12" else ""
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_bytes(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, mode: int = 0o100644) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, method
            file.writestr(info, data)
    return out.getvalue()


TAR, ZIP = tar_bytes(FILES), zip_bytes(FILES)
WHOLE_TAR = 3 * STEP + 1024  # what comes after the two closing blocks is padding


def flip(data: bytes, *places: int) -> bytes:
    out = bytearray(data)
    for place in places:
        out[place] ^= 1
    return bytes(out)


def sized(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024


def nested_header(times: int) -> bytes:
    """Long-name headers that follow one another and never come to a file."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 512
    return (info.tobuf(tarfile.GNU_FORMAT) + b"a" * 512) * times


def encrypted() -> bytes:
    data = bytearray(ZIP)
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + place] |= 1
    return bytes(data)


def central(offset: int, form: str, value: int) -> bytes:
    """Change a field of the first member in the zip's list."""
    data = bytearray(ZIP)
    struct.pack_into(form, data, data.index(b"PK\1\2") + offset, value)
    return bytes(data)


def long_list() -> bytes:
    data = bytearray(ZIP)
    struct.pack_into("<I", data, data.rindex(b"PK\5\6") + 12, 0xFFFFFFF0)
    return bytes(data)


BAD_NAMES = {
    "climbing": "../evil", "climbing-inside": "a/../../evil", "absolute": "/etc/evil", "backslash": "..\\evil",
    "drive": "C:/evil", "double-slash": "//evil/x",
}  # fmt: skip
SAME_NAMES = {
    "twice-by-case": {"a.txt": b"1", "A.TXT": b"2"},
    "twice-by-dots": {"a": b"1", "./a": b"2"},
    "twice-by-accents": {"caf\u00e9": b"1", "cafe\u0301": b"2"},
    "file-as-folder": {"a": b"1", "a/b": b"2"},
}
# What it is, and what comes of it: all files, or nothing.
ARCHIVES: dict[str, tuple[bytes, bool]] = {
    "tar": (TAR, True),
    "tar-pax": (tar_bytes(FILES, form=tarfile.PAX_FORMAT), True),
    "tar-ustar": (tar_bytes(FILES, form=tarfile.USTAR_FORMAT), True),
    "tar-gz": (gzip.compress(TAR), True),
    "tar-bz2": (bz2.compress(TAR), True),
    "tar-xz": (lzma.compress(TAR), True),
    "tar-gz-in-members": (gzip.compress(TAR[:1000]) + gzip.compress(TAR[1000:]), True),
    "tar-gz-padded": (gzip.compress(TAR) + b"\0" * 1000, True),
    "tar-exactly": (TAR[:WHOLE_TAR], True),
    "tar-gz-without-closing-blocks": (gzip.compress(TAR[: 3 * STEP]), True),
    "zip": (ZIP, True),
    "zip-stored": (zip_bytes(FILES, zipfile.ZIP_STORED), True),
    "zip-bz2": (zip_bytes(FILES, zipfile.ZIP_BZIP2), True),
    "zip-without-modes": (zip_bytes(FILES, mode=0), True),
    "tar-without-closing-blocks": (TAR[: 3 * STEP], False),
    "tar-with-one-closing-block": (TAR[: 3 * STEP + 512], False),
    "tar-first-header-flipped": (flip(TAR, 3), False),
    "tar-second-header-flipped": (flip(TAR, STEP + 3), False),
    "tar-third-size-flipped": (flip(TAR, 2 * STEP + 124 + 10), False),
    "tar-checksum-flipped": (flip(TAR, STEP + 148 + 2), False),
    "tar-header-of-zeros": (TAR[:STEP] + b"\0" * 512 + TAR[STEP + 512 :], False),
    "tar-two-in-one": (TAR + TAR, False),
    "tar-and-more": (TAR + b"more", False),
    "tar-empty": (tar_bytes({}), False),
    "tar-of-zeros": (b"\0" * 10240, False),
    "tar-gz-flipped": (flip(gzip.compress(TAR), 40), False),
    "tar-gz-checksum-flipped": (flip(gzip.compress(TAR), len(gzip.compress(TAR)) - 6), False),
    "tar-gz-and-more": (gzip.compress(TAR) + b"more", False),
    "tar-gz-twice": (gzip.compress(gzip.compress(TAR)), False),
    "tar-size-negative": (flip(sized(10), 124), False),
    "tar-size-of-exabytes": (sized(1 << 62), False),
    "tar-long-name-of-gigabytes": (sized(2 << 30, tarfile.GNUTYPE_LONGNAME), False),
    "tar-pax-of-gigabytes": (sized(2 << 30, tarfile.XHDTYPE), False),
    "tar-headers-without-file": (nested_header(2000), False),
    "tar-sparse": (sized(10, tarfile.GNUTYPE_SPARSE), False),
    "tar-kind-unknown": (tar_bytes({"a": b""}, b"Z"), False),
    "nothing": (b"", False),
    "text": (b"no archive at all\n" * 100, False),
    "half-a-header": (TAR[:300], False),
    "zip-empty": (zip_bytes({}), False),
    "zip-cut": (ZIP[:-30], False),
    "zip-only-its-end": (ZIP[-22:], False),
    "zip-flipped": (flip(ZIP, 40), False),
    "zip-checksum-flipped": (central(16, "<I", 5), False),
    "zip-size-wrong": (central(24, "<I", 5), False),
    "zip-offset-wrong": (central(42, "<I", 10**6), False),
    "zip-method-unknown": (central(10, "<H", 99), False),
    "zip-version-unknown": (central(6, "<H", 255), False),
    "zip-list-of-gigabytes": (long_list(), False),
    "zip-encrypted": (encrypted(), False),
    "zip-lzma": (zip_bytes(FILES, zipfile.ZIP_LZMA), False),
    "zip-link": (zip_bytes(FILES, mode=0o120777), False),
    "zip-device": (zip_bytes(FILES, mode=0o020644), False),
    **{f"tar-{k}": (tar_bytes({n: b"x"}), False) for k, n in BAD_NAMES.items()},
    **{f"zip-{k}": (zip_bytes({n: b"x"}), False) for k, n in BAD_NAMES.items()},
    **{f"tar-{k}": (tar_bytes(f), False) for k, f in SAME_NAMES.items()},
    **{f"zip-{k}": (zip_bytes(f), False) for k, f in SAME_NAMES.items()},
    **{
        f"tar-{k}": (tar_bytes({"a": b""}, t), False)
        for k, t in {
            "symbolic-link": tarfile.SYMTYPE, "hard-link": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE,
            "character-device": tarfile.CHRTYPE, "block-device": tarfile.BLKTYPE,
        }.items()
    },
}  # fmt: skip


def outcome(data: bytes, place: Path) -> dict[str, bytes] | str:
    """Return the files by name, or what is said; nothing is left beside them."""
    archive, folder = place / "a.bin", place / "in" / "out"
    archive.write_bytes(data)
    try:
        unpack(archive, folder)
    except FetchError as error:
        said = str(error)
    else:
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert "\n" not in said
    assert list((place / "in").iterdir()) == []
    assert sorted(p.name for p in place.iterdir()) == ["a.bin", "in"]
    return said


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_all_files_or_one_sentence(tmp_path: Path, kind: str) -> None:
    data, whole = ARCHIVES[kind]
    found = outcome(data, tmp_path)
    if whole:
        assert found == FILES
    else:
        assert isinstance(found, str), found
        assert len(found) < 500


def test_there_are_enough_kinds() -> None:
    assert len(ARCHIVES) >= 75


@pytest.mark.parametrize("number", range(3))
def test_any_flipped_bit_of_a_header_is_noticed(tmp_path: Path, number: int) -> None:
    for place in range(0, 512, 11):
        found = outcome(flip(TAR, number * STEP + place), tmp_path)
        assert isinstance(found, str), f"byte {place} of header {number} was flipped, and {list(found)} came"
        with pytest.raises(FetchError):
            check_tar(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("data", "whole_from"),
    [
        (TAR, WHOLE_TAR),
        (gzip.compress(TAR), len(gzip.compress(TAR))),
        (bz2.compress(TAR), len(bz2.compress(TAR))),
        (lzma.compress(TAR), len(lzma.compress(TAR))),
        (ZIP, len(ZIP)),
    ],
    ids=["tar", "gz", "bz2", "xz", "zip"],
)
def test_a_cut_at_any_place_is_noticed(tmp_path: Path, data: bytes, whole_from: int) -> None:
    for end in {*range(0, whole_from, max(1, whole_from // 60)), *range(whole_from - 4, whole_from)}:
        assert isinstance(outcome(data[:end], tmp_path), str), f"cut at {end} of {len(data)}"
    assert outcome(data[:whole_from], tmp_path) == FILES


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_bombs_are_stopped_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    import tracemalloc

    monkeypatch.setattr("mtorscore.io.download.unpack.FLOOR", 1 << 20)
    bomb = pack(tar_bytes({"zeros": b"\0" * (48 << 20)}))
    tracemalloc.start()
    try:
        found = outcome(bomb, tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "expands" in str(found)
    assert peak < 16 << 20


@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., bytes]) -> None:
    monkeypatch.setattr("mtorscore.io.download.unpack.MOST_FILES", 20)
    assert isinstance(outcome(make({f"f{i}": b"" for i in range(20)}), tmp_path), dict)
    (tmp_path / "in" / "out").rename(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path.parent / f"{tmp_path.name}-first")
    assert "more than 20" in str(outcome(make({f"f{i}": b"" for i in range(21)}), tmp_path))


def test_an_existing_folder_stays_when_the_new_archive_is_damaged(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(TAR)
    unpack(archive, tmp_path / "out")
    archive.write_bytes(TAR[:2000])
    with pytest.raises(FetchError):
        unpack(archive, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == set(FILES)


@pytest.mark.parametrize(("depth", "whole"), [(1, True), (3, True), (4, False), (30, False)])
def test_archives_within_archives(tmp_path: Path, depth: int, whole: bool) -> None:
    table = b"gene\ts1\ts2\nTP53\t1\t2\nALB\t3\t4\nMYC\t5\t6\nFASN\t5\t1\n"
    data = tar_bytes({"m.tsv": table})
    for _ in range(depth - 1):
        data = tar_bytes({"inner.tar": data})
    (tmp_path / "a.tar").write_bytes(data)
    if whole:
        assert mt.read(tmp_path / "a.tar").shape == (2, 4)
    else:
        with pytest.raises(FormatError, match="archive within 3 others"):
            mt.read(tmp_path / "a.tar")


def test_a_flipped_header_loses_no_sample_in_silence(tmp_path: Path) -> None:
    """A GEO supplement of one file for each sample, of which two of three were lost."""
    rows = "".join(f"ENSG{i:011d}\t{i}\n" for i in range(50))
    raw = tar_bytes({f"GSM{i}_x.counts.txt": rows.encode() for i in range(3)})
    (tmp_path / "GSE1_RAW.tar").write_bytes(raw)
    assert mt.read(tmp_path / "GSE1_RAW.tar").n_obs == 3
    second = 512 + -(-len(rows) // 512) * 512
    (tmp_path / "GSE1_RAW.tar").write_bytes(flip(raw, second + 5))
    with pytest.raises(FormatError, match="damaged"):
        mt.read(tmp_path / "GSE1_RAW.tar")
