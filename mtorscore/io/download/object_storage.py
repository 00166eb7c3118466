"""Files in object storage and on servers (s3, gs, http, memory): one checked copy in the cache, whatever is read of it.

fsspec speaks to the storage; credentials are its affair (its configuration, the environment, `storage_options`). Of an
address only what `addresses.shown` shows is written anywhere, and what a library says about a failure, which may quote
addresses and keys, is not repeated.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from mtorscore.errors import FetchError
from mtorscore.io.download.addresses import identity, is_remote, shown
from mtorscore.io.download.archives import write_json
from mtorscore.io.download.cache_files import cached, locked, make_folder, open_part, read_note, record_of
from mtorscore.io.download.fetching import cache_folder, fetch
from mtorscore.io.tables.file_bytes import sha256

__all__ = ["local_copy"]

# Packages that fsspec needs for a protocol.
_NEEDS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs",
          "adl": "adlfs", "http": "aiohttp", "https": "aiohttp", "sftp": "paramiko", "ssh": "paramiko"}  # fmt: skip
BLOCK, MOST_FILES, SPARE = 8 << 20, 1_000_000, 1 << 28


def local_copy(address: str | Path, storage_options: Mapping[str, Any] | None = None) -> Path:
    """Return a path as it is, and of an address the copy in the cache; it is fetched once, and again if it changed.

    Parameters
    ----------
    address
        A path; ``http(s)://`` and ``ftp://``, which are fetched as `fetch` does; ``file://``; or any protocol of
        fsspec. A Zarr store is copied with all its files.
    storage_options
        For fsspec, such as ``{"anon": True}`` for a public bucket. They are neither written nor shown.

    Returns
    -------
    pathlib.Path
        The file or folder; a copy is as large as the original, and stays in the cache.

    Raises
    ------
    FetchError
        If it cannot be had: a package is missing, there is no such file, access is refused, or the disk is full.
    """
    if not is_remote(address):
        return Path(address)
    text = str(address)
    scheme = text.partition("://")[0].lower()
    if scheme in ("http", "https", "ftp") and not storage_options:
        return fetch(text)
    if "::" in text:
        raise FetchError(
            f"{shown(text.partition('::')[0])}: chained addresses (::) are not read; name the file itself."
        )
    root = cache_folder()
    target = root / "storage" / hashlib.sha256(text.encode()).hexdigest()[:16] / _name(text)
    if os.environ.get("MTORSCORE_OFFLINE", "") not in ("", "0") and scheme not in ("file", "local"):
        return _kept(target, text)
    system, place = _opened(text, scheme, dict(storage_options or {}))
    if scheme in ("file", "local"):
        return Path(place)
    with _plainly(text):
        found = system.info(place)
    copied = _folder if str(found.get("type")) == "directory" else _file
    try:
        make_folder(target.parent, root)
        with locked(target.parent):
            return copied(system, place, target, text)
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(
            f"{shown(text)} cannot be kept in {target.parent} ({error.strerror or 'the disk failed'}); free some "
            "space, or name another folder with MTORSCORE_CACHE."
        ) from None


def _name(address: str) -> str:
    """Return the name of a copy, without what is behind ? or ;, where tokens stand."""
    bare = PurePosixPath(urlsplit(shown(address)).path.partition(";")[0].rstrip("/")).name
    return re.sub(r"[^A-Za-z0-9._-]", "_", bare).lstrip(".")[-150:] or "download"


def _kept(target: Path, address: str) -> Path:
    """Return the copy of an earlier time; nothing is asked of the storage."""
    whole = target.is_dir() and not target.is_symlink() and bool(read_note(record_of(target)))
    if not whole and not cached(target):
        raise FetchError(f"{shown(address)} is not in the cache ({target.parent}), and mtorscore is offline.")
    return target


def _opened(address: str, scheme: str, options: dict[str, Any]) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise FetchError(f"{shown(address)}: reading {scheme}:// needs the package fsspec: "
                         "pip install 'mtorscore[remote]'.") from None  # fmt: skip
    try:
        system, place = fsspec.core.url_to_fs(address, **options)
    except ImportError:
        needed = _NEEDS.get(scheme, "the one that fsspec names for it")
        raise FetchError(f"{shown(address)}: reading {scheme}:// needs the package {needed} beside fsspec.") from None
    except ValueError:
        raise FetchError(
            f"{shown(address)}: {scheme}:// is no protocol that fsspec knows, or lacks an option."
        ) from None
    except Exception as error:  # whatever a storage package raises
        raise _failed(address, error) from None
    return system, str(place)


def _failed(address: str, error: BaseException) -> FetchError:
    """Return an error without the words of a library, which may quote keys."""
    why = {
        FileNotFoundError: "there is no such file; check the address",
        PermissionError: "access is refused; check the credentials and that they reach this file",
        IsADirectoryError: "it is a folder; name a file in it, or a Zarr store",
        TimeoutError: "the storage does not answer; try again",
    }
    said = next((text for kind, text in why.items() if isinstance(error, kind)), None)
    return FetchError(f"{shown(address)}: {said or f'the storage failed ({type(error).__name__}); try again'}.")


@contextmanager
def _plainly(address: str) -> Iterator[None]:
    """Turn what goes wrong in the storage into one sentence without credentials."""
    try:
        yield
    except (FetchError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:  # whatever a storage package raises
        raise _failed(address, error) from None


def _file(system: Any, place: str, target: Path, address: str) -> Path:
    """Copy a file, unless the copy is whole and the original is the one it was made of."""
    with _plainly(address):
        found = system.info(place)
    mark = hashlib.sha256(str(sorted(map(str, found.items()))).encode()).hexdigest()
    if read_note(record_of(target)).get("original") == mark and cached(target):
        return target
    _copy(system, place, target, address)
    note = identity(address) | {"bytes": target.stat().st_size, "sha256": sha256(target), "original": mark}
    write_json(note, record_of(target))
    return target


def _folder(system: Any, place: str, target: Path, address: str) -> Path:
    """Copy a folder, such as a Zarr store, unless all its files are what they were."""
    with _plainly(address):
        files = {str(k): v for k, v in system.find(place, detail=True).items()}
    if not files:
        raise FetchError(f"{shown(address)}: there is no file in this folder.")
    if len(files) > MOST_FILES:
        raise FetchError(f"{shown(address)}: {len(files)} files are more than are copied ({MOST_FILES}).")
    mark = hashlib.sha256(str(sorted((k, sorted(map(str, v.items()))) for k, v in files.items())).encode()).hexdigest()
    if read_note(record_of(target)).get("original") == mark and target.is_dir() and not target.is_symlink():
        return target
    base = str(place).rstrip("/") + "/"
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    _check_space(sum(int(v.get("size") or 0) for v in files.values()), target.parent, address)
    for name in files:
        inside = PurePosixPath(name.removeprefix(base))
        if not name.startswith(base) or ".." in inside.parts or "\\" in name or "\0" in name:
            raise FetchError(f"{shown(address)}: a file of this folder has a name that leads out of it.")
        make_folder((part / inside).parent, target.parent)
        _copy(system, name, part / inside, address)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    write_json(identity(address) | {"files": len(files), "original": mark}, record_of(target))
    return target


def _copy(system: Any, place: str, target: Path, address: str) -> None:
    """Copy a file in blocks; under its name it is whole."""
    part = target.with_name(f"{target.name}.part")
    with _plainly(address):
        stated = system.info(place).get("size")
        source = system.open(place, "rb")
    _check_space(int(stated or 0), target.parent, address)
    with source, open_part(part, append=False) as out:
        done = _pour(source, out.write, address)
    if stated is not None and done != int(stated):
        part.unlink(missing_ok=True)
        raise FetchError(f"{shown(address)}: {done} of {stated} bytes arrived; try again.")
    part.replace(target)


def _pour(source: Any, write: Callable[[bytes], Any], address: str) -> int:
    done = 0
    while True:
        with _plainly(address):
            block = source.read(BLOCK)
        if not block:
            return done
        write(block)
        done += len(block)


def _check_space(needed: int, folder: Path, address: str) -> None:
    if shutil.disk_usage(folder).free < needed + SPARE:
        raise FetchError(
            f"{shown(address)}: a copy needs {needed >> 20} MiB in {folder}, which are not free; name another folder "
            "with MTORSCORE_CACHE."
        )
