"""Models on disk: one zip archive of JSON and plain arrays. Reading checks the parts and executes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import tokenize
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore._atomic import atomic
from mtorscore.errors import FormatError, examples
from mtorscore.prognosis.statistics.risk_sets import FloatArray

if TYPE_CHECKING:
    from mtorscore.tl import Reference

FORMAT = "mtorscore-model/2"
FIRST = "mtorscore-model/1"
"""Written by 0.1.0: without levels of ordered columns, horizon, scoring method and digest."""
DIGEST = "digest.txt"
LARGEST = 256 * 2**20
"""No member of an archive may be larger than this when unpacked."""
LARGEST_OF = {"model.json": 8 * 2**20, "CARD.md": 2**20, DIGEST: 1024, "reference.npz": LARGEST}
"""Members with a limit of their own; JSON takes many times its size in memory."""
LARGEST_ARRAY = 16 * 2**20
ARRAYS = ("coef", "mean", "scale", "times", "hazard")
FURTHER = ("intercepts",)
"""Arrays that only some kinds of model have."""
_MEMBERS = {"model.json", "CARD.md", DIGEST, "reference.npz", *(f"{a}.npy" for a in (*ARRAYS, *FURTHER))}


def write(
    path: Path, header: Mapping[str, Any], arrays: Mapping[str, FloatArray], card: str, reference: Reference | None
) -> Path:
    """Write under a temporary name in the same folder, then move.

    Parameters
    ----------
    path
        The file.
    header
        What JSON takes; the format is added.
    arrays
        Under the names of `ARRAYS` and `FURTHER`; of the latter only those that are not empty are written.
    card
        Text for people.
    reference
        Of the scorer, where the model takes expression.
    """
    parts = parts_of(header, arrays, reference)
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("CARD.md", card)
        archive.writestr(DIGEST, digest_of(parts))
    return path


def parts_of(
    header: Mapping[str, Any], arrays: Mapping[str, FloatArray], reference: Reference | None
) -> dict[str, bytes]:
    """Return the members of the archive that decide what the model predicts, by name."""
    parts = {"model.json": json.dumps({"format": FORMAT, **header}, indent=1, default=str).encode()}
    for key in (*ARRAYS, *(k for k in FURTHER if len(arrays[k]))):
        buffer = io.BytesIO()
        # Infinite scales mark constant columns; NaN never stands here.
        np.save(buffer, np.asarray(arrays[key], dtype=np.float64), allow_pickle=False)
        parts[f"{key}.npy"] = buffer.getvalue()
    if reference is not None:
        parts["reference.npz"] = _reference_bytes(reference)
    return parts


def digest_of(parts: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of the members that decide what the model predicts: not of the card, nor of the digest."""
    whole = hashlib.sha256()
    for name in sorted(set(parts) - {"CARD.md", DIGEST}):
        whole.update(f"{name} {len(parts[name])}\n".encode())
        whole.update(parts[name])
    return whole.hexdigest()


def _reference_bytes(reference: Reference) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return reference.save(Path(folder) / "reference.npz").read_bytes()


def read(path: Path) -> tuple[dict[str, Any], dict[str, FloatArray], Reference | None]:
    """Return header, arrays and reference of a saved model; the values in the header are not checked yet.

    Raises
    ------
    FormatError
        If the file is damaged, too large or not a model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            header = _header(archive, path)
            _check_digest(archive, header, path)
            there = [key for key in (*ARRAYS, *FURTHER) if f"{key}.npy" in archive.namelist()]
            arrays = dict.fromkeys(FURTHER, np.zeros(0)) | {key: _array(archive, f"{key}.npy", path) for key in there}
            return header, arrays, _reference(archive, path)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, FormatError):
            raise
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise FormatError(f"there is no model to be read ({str(error.strerror).lower()}).", path=path) from error
        raise FormatError(f"This is no saved model, or it is damaged ({error}).", path=path) from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise FormatError(f"The archive is damaged ({error}).", path=path) from error


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    infos = archive.infolist()
    names = [i.filename for i in infos]
    strange = [n for n in names if n not in _MEMBERS]
    if strange or len(set(names)) < len(names):
        raise FormatError(f"The archive holds parts that no model has ({examples(strange or names)}).", path=path)
    large = [i for i in infos if i.file_size > _limit(i.filename)]
    if large:
        name, limit = large[0].filename, _limit(large[0].filename) / 2**20
        raise FormatError(f"{name} would unpack to more than {limit:g} MiB; refused.", path=path)
    missing = [n for n in ("model.json", *(f"{a}.npy" for a in ARRAYS)) if n not in names]
    if missing:
        raise FormatError(f"The model lacks {examples(missing)}.", path=path)


def _check_digest(archive: zipfile.ZipFile, header: dict[str, Any], path: Path) -> None:
    """Refuse a model of which a part was changed after it was written."""
    if header["format"] == FIRST:
        return
    if DIGEST not in archive.namelist():
        raise FormatError(f"The model lacks {DIGEST}.", path=path)
    found = digest_of({name: _read(archive, name, path) for name in archive.namelist()})
    said = _read(archive, DIGEST, path).decode(errors="replace").strip()
    if found != said:
        raise FormatError(
            f"The model is not as it was written: its digest is {found[:12]}, and the file says {said[:12]}. Take the "
            "original file, or fit it again.",
            path=path,
        )


def _limit(name: str) -> int:
    return LARGEST_OF.get(name, LARGEST_ARRAY)


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Read a member, but never more than its directory entry promised to be allowed."""
    with archive.open(name) as member:
        content = member.read(_limit(name) + 1)
    if len(content) > _limit(name):
        raise FormatError(f"{name} unpacks to more than {_limit(name) / 2**20:g} MiB; refused.", path=path)
    return content


def _header(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        text = _read(archive, "model.json", path).decode()
        header = json.loads(text, parse_constant=_no_constant, parse_int=_integer, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise FormatError("model.json is not readable JSON.", path=path) from error
    if not isinstance(header, dict) or header.get("format") not in (FORMAT, FIRST):
        found = header.get("format") if isinstance(header, dict) else type(header).__name__
        newer = isinstance(found, str) and found.startswith(FORMAT.split("/")[0] + "/")
        fix = " Another version of mtorscore wrote it: update mtorscore, or fit the model again." if newer else ""
        raise FormatError(f"The model is of format {found!r:.60}, not {FORMAT}.{fix}", path=path)
    return header


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _integer(text: str) -> int:
    if len(text) > 18:
        raise ValueError("an integer of that size is no count and no code")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError(f"{text:.20} is too large")
    return value


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> FloatArray:
    content = _read(archive, name, path)
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise FormatError(f"{name} is an array of format {version}, not (1, 0).", path=path)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise FormatError(f"{name} is no plain array.", path=path) from error
    if dtype != np.float64 or len(shape) != 1 or shape[0] * 8 != len(content) - stream.tell():
        raise FormatError(f"{name} must be one row of 64-bit numbers, not {dtype} of shape {shape}.", path=path)
    values: FloatArray = np.frombuffer(content[stream.tell() :], dtype=np.float64).copy()
    return values


def _reference(archive: zipfile.ZipFile, path: Path) -> Reference | None:
    if "reference.npz" not in archive.namelist():
        return None
    from mtorscore.tl import Reference

    content = _read(archive, "reference.npz", path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            if sum(i.file_size for i in inner.infolist()) > LARGEST:
                raise FormatError("The reference unpacks to more than is allowed; refused.", path=path)
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "reference.npz"
            target.write_bytes(content)
            return Reference.load(target)
    except FormatError as error:
        raise FormatError(f"The reference inside the model is damaged: {error}", path=path) from error
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, MemoryError, OSError, RecursionError) as error:
        raise FormatError("The reference inside the model is damaged.", path=path) from error
