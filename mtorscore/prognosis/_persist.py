"""Models on disk: one zip archive of JSON and plain arrays. Loading checks everything and executes nothing."""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtorscore.collection import as_collection, library
from mtorscore.errors import DataWarning, EndpointError, FormatError, ReferenceMismatchError, examples
from mtorscore.prognosis._risksets import FloatArray
from mtorscore.prognosis.endpoints import Endpoint

if TYPE_CHECKING:
    from mtorscore.prognosis.fitted import FittedModel
    from mtorscore.tl import Reference

FORMAT = "mtorscore-model/1"
LARGEST = 256 * 2**20
"""No member of an archive may be larger than this when unpacked."""
ARRAYS = ("coef", "mean", "scale", "times", "hazard")
TEXT = ("name", "kind")
TABLES = ("clinical", "signatures", "training", "versions")
_MEMBERS = {"model.json", "CARD.md", "reference.npz", *(f"{a}.npy" for a in ARRAYS)}


def save(model: FittedModel, path: Path) -> Path:
    """Write under a temporary name in the same folder, then move."""
    header = {
        "format": FORMAT,
        **{k: getattr(model, k) for k in TEXT},
        **{k: _plain(getattr(model, k)) for k in TABLES},
        "scores": list(model.scores),
        "columns": list(model.columns),
        "endpoint": {k: v for k, v in asdict(model.endpoint).items() if v is not None},
        "penalty": model.penalty,
        "intercept": model.intercept,
        "offset": model.offset,
    }
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model.json", json.dumps(header, indent=1, default=str))
            archive.writestr("CARD.md", model.card)
            for key in ARRAYS:
                buffer = io.BytesIO()
                # Infinite scales mark constant columns; NaN never stands here.
                np.save(buffer, np.asarray(getattr(model, key), dtype=np.float64), allow_pickle=False)
                archive.writestr(f"{key}.npy", buffer.getvalue())
            if model.reference is not None:
                archive.writestr("reference.npz", _reference_bytes(model.reference))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _reference_bytes(reference: Reference) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return reference.save(Path(folder) / "reference.npz").read_bytes()


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda v: v.item() if isinstance(v, np.generic) else str(v)))


def load(path: Path, signatures: Any = None) -> FittedModel:
    """Read, check, build."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            header = _header(archive, path)
            arrays = {key: _array(archive, f"{key}.npy", path) for key in ARRAYS}
            reference = _reference(archive, path)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        if isinstance(error, FormatError | FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise FormatError(f"This is no saved model, or it is damaged ({error}).", path=path) from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise FormatError(f"The archive is damaged ({error}).", path=path) from error
    model = _build(header, arrays, reference, path)
    _compare(model, signatures, path)
    return model


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    infos = archive.infolist()
    names = [i.filename for i in infos]
    strange = [n for n in names if n not in _MEMBERS]
    if strange or len(set(names)) < len(names):
        raise FormatError(f"The archive holds parts that no model has ({examples(strange or names)}).", path=path)
    large = [i.filename for i in infos if i.file_size > LARGEST]
    if large:
        raise FormatError(f"{examples(large)} would unpack to more than {LARGEST // 2**20} MiB; refused.", path=path)
    missing = [n for n in ("model.json", *(f"{a}.npy" for a in ARRAYS)) if n not in names]
    if missing:
        raise FormatError(f"The model lacks {examples(missing)}.", path=path)


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Read a member, but never more than its directory entry promised to be allowed."""
    with archive.open(name) as member:
        content = member.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise FormatError(f"{name} unpacks to more than {LARGEST // 2**20} MiB; refused.", path=path)
    return content


def _header(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(_read(archive, "model.json", path).decode())
    except (ValueError, RecursionError) as error:
        raise FormatError("model.json is not readable JSON.", path=path) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else type(header).__name__
        raise FormatError(f"The model is of format {found!r}, not {FORMAT}.", path=path)
    return header


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> FloatArray:
    content = _read(archive, name, path)
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise FormatError(f"{name} is an array of format {version}, not (1, 0).", path=path)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
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


def _build(
    header: dict[str, Any], arrays: dict[str, FloatArray], reference: Reference | None, path: Path
) -> FittedModel:
    from mtorscore.prognosis.fitted import FittedModel

    def need(key: str, kind: type | tuple[type, ...]) -> Any:
        value = header.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise FormatError(f"model.json: {key!r} is {value!r:.60}, not what a model has there.", path=path)
        return value

    def texts(key: str) -> tuple[str, ...]:
        values = need(key, list)
        if not all(isinstance(v, str) for v in values):
            raise FormatError(f"model.json: {key!r} must be a list of names.", path=path)
        return tuple(values)

    kind = need("kind", str)
    if kind not in ("survival", "label"):
        raise FormatError(f"model.json: unknown kind {kind!r}.", path=path)
    columns, scores = texts("columns"), texts("scores")
    p = len(columns)
    if any(len(arrays[k]) != p for k in ("coef", "mean", "scale")) or len(scores) > p:
        raise FormatError(f"The model has {p} columns but arrays of other lengths.", path=path)
    if len(arrays["times"]) != len(arrays["hazard"]) or (np.diff(arrays["times"]) <= 0).any():
        raise FormatError("The baseline hazard does not belong to ascending times.", path=path)
    for key in ("coef", "mean", "times", "hazard"):
        if not np.isfinite(arrays[key]).all():
            raise FormatError(f"{key} holds values that are no numbers.", path=path)
    if not (arrays["scale"] > 0).all() or (arrays["hazard"] < 0).any() or (np.diff(arrays["hazard"]) < 0).any():
        raise FormatError("scale and hazard must be positive, and the hazard must not fall.", path=path)
    numbers = {k: float(need(k, (int, float))) for k in ("penalty", "intercept", "offset")}
    if not np.isfinite(list(numbers.values())).all():
        raise FormatError("penalty, intercept and offset must be finite numbers.", path=path)
    tables = {k: need(k, dict) for k in TABLES}
    _check_tables(tables, scores, columns, path)
    try:
        endpoint = need("endpoint", dict)
        endpoint["order"] = tuple(endpoint.get("order", ()))
        built = Endpoint(**endpoint)
    except (TypeError, EndpointError) as error:
        raise FormatError(f"model.json: the endpoint is not one ({error}).", path=path) from error
    if built.kind not in ("survival", "label", "early") or not isinstance(built.name, str):
        raise FormatError("model.json: the endpoint is of no known kind.", path=path)
    rest: dict[str, Any] = {**numbers, **tables, **arrays}
    return FittedModel(
        name=need("name", str), kind=kind, endpoint=built, scores=scores, columns=columns, reference=reference,
        **rest,
    )  # fmt: skip


def _check_tables(tables: dict[str, Any], scores: tuple[str, ...], columns: tuple[str, ...], path: Path) -> None:
    count = len(scores)
    for name, coded in tables["clinical"].items():
        if isinstance(coded, dict) and isinstance(coded.get("median"), int | float):
            count += 1
        elif isinstance(coded, dict) and isinstance(coded.get("levels"), list):
            count += max(0, len(coded["levels"]) - 1)
        else:
            raise FormatError(f"model.json: clinical column {name!r} has neither median nor levels.", path=path)
    if count != len(columns):
        raise FormatError(
            f"model.json: scores and clinical columns make {count} columns, not {len(columns)}.", path=path
        )
    for name, entry in tables["signatures"].items():
        if not isinstance(entry, dict) or not isinstance(entry.get("hash"), str):
            raise FormatError(f"model.json: signature {name!r} has no hash.", path=path)


def _compare(model: FittedModel, signatures: Any, path: Path) -> None:
    """Refuse other signatures than the model's, or (for the shipped library) say that they changed."""
    known = library(experimental=True) if signatures is None else as_collection(signatures)
    changed = [n for n, s in model.signatures.items() if n in known and known[n].hash != s["hash"]]
    absent = [n for n in model.signatures if n not in known]
    if signatures is not None and (changed or absent):
        raise ReferenceMismatchError(
            f"{path}: {len(changed)} signature(s) of the model are defined otherwise ({examples(changed) or 'none'}) "
            f"and {len(absent)} are missing ({examples(absent) or 'none'}). Use the definitions that the model holds "
            "(load it without `signatures`), or fit it again."
        )
    if changed:
        warnings.warn(
            f"{len(changed)} signature(s) of model {model.name} have changed in the library since it was fitted "
            f"({examples(changed)}); score new data with the definitions stored in the model.",
            DataWarning,
            stacklevel=4,
        )
