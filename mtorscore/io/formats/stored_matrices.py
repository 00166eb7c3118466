"""HDF5 files and Zarr stores of matrices, checked before anything in them is read.

Everything lies inside the file, no link leads round in a circle, no array claims far more than is stored, and matrices
have the shapes and pointers that the names beside them say. Reading, describing and scoring from disk ask here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mtorscore._sparse_structure import can_be_sparse, check_indices, check_numbers, check_stored_pointers, load_stored
from mtorscore.errors import FormatError, MtorscoreError

__all__ = [
    "check_anndata",
    "check_hdf5",
    "check_matrices",
    "check_zarr",
    "read_anndata",
    "scipy_reads",
    "sound",
    "sparse_shape",
]

MOST_OBJECTS, MOST_REPEATED, MOST_DEPTH = 200_000, 1_000, 60
# Arrays of so many bytes may be empty on disk; what is larger must be there, compressed at most so much.
SMALL_BYTES = 64 << 20
MOST_DEFLATED, MOST_COMPRESSED = 1_100, 50_000
FEW_FILTERS = frozenset({1, 2, 3, 32000})
PIECE, MOST_LOOKED_AT = 4_000_000, 100_000_000
METADATA_BYTES = 64 << 20


@contextmanager
def sound(path: str | Path, what: str = "the file") -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into one FormatError.

    Parameters
    ----------
    path, what
        What is being read.
    """
    try:
        yield
    except MtorscoreError:
        raise
    except MemoryError as error:
        # A length that was damaged asks for more memory than any small file can fill.
        if _stored(Path(path)) > SMALL_BYTES:
            raise
        raise FormatError(f"{what} is damaged: it claims to hold more than fits in memory; get it again.",
                          path=path) from error  # fmt: skip
    except Exception as error:
        why = f"{type(error).__name__}: {str(error)[:160]}"
        raise FormatError(f"{what} is truncated or damaged ({why}); get it again.", path=path) from error


def _stored(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files if f.is_file())


def check_hdf5(root: Any, path: str | Path) -> None:
    """Raise FormatError unless all of an open HDF5 file lies in it, can be reached, and is as large as it claims."""
    with sound(path):
        now = (root.name, *_state(path))
        # What is read was just recognised, and has not been written to since.
        if now != _last_sound.get("file"):
            _check_group(root, "", (_address(root),), _Seen(), path)
            _last_sound["file"] = now


_last_sound: dict[str, tuple[Any, ...]] = {}


def _state(path: str | Path) -> tuple[int, ...]:
    """Return what changes when a file does."""
    found = Path(path).stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@dataclass
class _Seen:
    """What a walk through a file has met: objects, and groups that were reached before by another way."""

    objects: int = 0
    repeated: int = 0
    groups: set[int] = field(default_factory=set)


def _check_group(group: Any, where: str, above: tuple[int, ...], seen: _Seen, path: str | Path) -> None:
    import h5py

    for name in group:
        place = f"{where}/{name}"
        seen.objects += 1
        if seen.objects > MOST_OBJECTS or seen.repeated > MOST_REPEATED or len(above) > MOST_DEPTH:
            _refuse(f"too many objects (over {MOST_OBJECTS}), or nested deeper than {MOST_DEPTH}", path)
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink | h5py.SoftLink):
            _refuse(f"{place} is a link to another file ({getattr(link, 'filename', 'unknown')})", path)
        try:
            found = group[name]
        except (KeyError, OSError, RuntimeError) as error:
            raise FormatError(
                f"{place} cannot be opened: a link to nothing or to itself, or damaged.", path=path
            ) from error
        if isinstance(found, h5py.Group):
            address = _address(found)
            if address in above:
                _refuse(f"{place} holds itself", path)
            # Groups that hold others twice, which hold others twice, would never come to an end.
            seen.repeated += address in seen.groups
            seen.groups.add(address)
            _check_group(found, place, (*above, address), seen, path)
        elif isinstance(found, h5py.Dataset):
            _check_dataset(found, place, path)


def _address(found: Any) -> int:
    import h5py

    return int(h5py.h5o.get_info(found.id).addr)


def _check_dataset(found: Any, place: str, path: str | Path) -> None:
    stored_as = found.id.get_create_plist()
    if found.is_virtual or stored_as.get_external_count():
        _refuse(f"the values of {place} are stored in another file", path)
    filters = {stored_as.get_filter(k)[0] for k in range(stored_as.get_nfilters())}
    ratio = MOST_DEFLATED if filters <= FEW_FILTERS else MOST_COMPRESSED
    _check_size(found.shape, found.dtype.itemsize, int(found.id.get_storage_size()), ratio, place, path)


def _check_size(shape: Any, width: int, stored: int, ratio: int, place: str, path: str | Path) -> None:
    claimed = math.prod(int(n) for n in shape or ()) * width
    if claimed > SMALL_BYTES + ratio * stored:
        _refuse(f"{place} claims {' x '.join(map(str, shape))} values, and {stored} bytes are stored", path)


def check_zarr(path: Path) -> None:
    """Raise FormatError unless all of a Zarr store lies in its folder, runs no code and is as large as it claims."""
    with sound(path, "the Zarr store"):
        files = []
        for found in path.rglob("*"):
            if found.is_symlink() and not found.resolve().is_relative_to(path.resolve()):
                _refuse(f"{found.relative_to(path)} is a link out of the store", path)
            files.append(found)
            if len(found.relative_to(path).parts) > MOST_DEPTH:
                _refuse(f"nested deeper than {MOST_DEPTH}", path)
        for found in files:
            if found.name in ("zarr.json", ".zarray", ".zmetadata"):
                _check_metadata(found, path)


def _check_metadata(file: Path, path: Path) -> None:
    if file.stat().st_size > METADATA_BYTES:
        _refuse(f"{file.relative_to(path)} has {file.stat().st_size} bytes", path)
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file.relative_to(path)} is no sound JSON ({error}).", path=path) from error
    gathered = described.get("consolidated_metadata") or {} if file.name == "zarr.json" else {}
    entries = {file.parent: described}
    for name, entry in (gathered or (described if file.name == ".zmetadata" else {})).get("metadata", {}).items():
        # Attributes may speak of a shape too: a sparse matrix is a group with one.
        if not name.endswith((".zattrs", ".zgroup")):
            entries[file.parent / name.removesuffix("/.zarray")] = entry
    for folder, entry in entries.items():
        if isinstance(entry, dict) and "shape" in entry:
            _check_array(entry, folder, path)


def _check_array(entry: dict[str, Any], folder: Path, path: Path) -> None:
    codecs = [*(entry.get("filters") or ()), entry.get("compressor") or {}, *(entry.get("codecs") or ())]
    named = [str(c.get("id", c.get("name", ""))).removeprefix("numcodecs.") for c in codecs if isinstance(c, dict)]
    place = str(folder.relative_to(path))
    if any("pickle" in n for n in named):
        _refuse(f"{place} holds Python objects, which are not read since they can run code", path)
    kind = entry.get("dtype", entry.get("data_type", ""))
    try:
        width = np.dtype(kind).itemsize
    except TypeError:
        width = 8
    shape = entry["shape"]
    if math.prod(int(n) for n in shape) * width > SMALL_BYTES:
        stored = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        _check_size(shape, width, stored, MOST_COMPRESSED, place, path)
    if any(n.startswith("vlen-") for n in named):
        _check_texts(entry, named, folder, path)


def _check_texts(entry: dict[str, Any], codecs: list[str], folder: Path, path: Path) -> None:
    """Raise FormatError unless no chunk of text claims more values than it has room for: all are made before any."""
    import numcodecs

    grid = entry.get("chunk_grid") or {}
    room = math.prod(int(n) for n in entry.get("chunks") or grid.get("configuration", {}).get("chunk_shape", ()))
    packed = [n for n in codecs if n in ("blosc", "gzip", "zlib", "zstd", "lz4")]
    for chunk in sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith((".z", "zarr.json"))):
        data = chunk.read_bytes()
        for name in reversed(packed):
            data = bytes(numcodecs.get_codec({"id": name}).decode(data))
        claimed = int.from_bytes(data[:4], "little")
        if claimed > room:
            place = chunk.relative_to(path)
            _refuse(f"{place} claims {claimed} texts where there is room for {room}", path)


def check_anndata(root: Any, path: str | Path) -> None:
    """Raise FormatError unless the matrices of an open AnnData file are as large as its names say, and hold numbers.

    Parameters
    ----------
    root
        HDF5 file or Zarr group; pointers of sparse matrices are read, values and indices are not.
    path
        For the error.
    """
    with sound(path):
        lost = [name for name in ("obs", "var") if name not in root]
        if lost:
            _refuse(f"there is no {' and no '.join(lost)}", path)
        n_obs, n_vars = _n_rows(root["obs"], "obs", path), _n_rows(root["var"], "var", path)
        for name, node in _matrices(root):
            n_columns = n_vars
            if name == "raw/X":
                n_columns = _n_rows(root["raw/var"], "raw/var", path) if "raw" in root and "var" in root["raw"] else -1
            shape = _check_matrix(node, name, path)
            if shape[0] != n_obs or n_columns not in (-1, shape[1]):
                _refuse(
                    f"{name} has {shape[0]} x {shape[1]} values for {n_obs} observations and {n_columns} genes", path
                )


def _matrices(root: Any) -> Iterator[tuple[str, Any]]:
    if "X" in root and not _is_null(root["X"]):
        yield "X", root["X"]
    for name in root["layers"] if "layers" in root and hasattr(root["layers"], "keys") else ():
        if not _is_null(root["layers"][name]):
            yield f"layers/{name}", root["layers"][name]
    if "raw" in root and hasattr(root["raw"], "keys") and "X" in root["raw"]:
        yield "raw/X", root["raw"]["X"]


def _is_null(node: Any) -> bool:
    return str(node.attrs.get("encoding-type", "")) == "null" or (not hasattr(node, "keys") and node.shape is None)


def _n_rows(frame: Any, name: str, path: str | Path) -> int:
    """Return the length of the index of a stored data frame."""
    if not hasattr(frame, "keys"):
        return int(frame.shape[0])
    index = str(frame.attrs.get("_index", "_index"))
    if index not in frame:
        _refuse(f"{name} has no index {index!r}", path)
    values = frame[index]
    if hasattr(values, "keys"):
        values = values["codes"] if "codes" in values else values["values"]
    if len(values.shape) != 1:
        _refuse(f"the index of {name} has {len(values.shape)} dimensions", path)
    return int(values.shape[0])


def sparse_shape(node: Any, name: str, path: str | Path) -> tuple[str, tuple[int, int]]:
    """Return ``"csr"`` or ``"csc"`` and the shape that a stored sparse matrix claims."""
    encoding = str(node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", "")))
    shape = node.attrs.get("shape", node.attrs.get("h5sparse_shape"))
    layout = {"csr_matrix": "csr", "csr": "csr", "csc_matrix": "csc", "csc": "csc"}.get(encoding)
    if layout is None or shape is None or len(shape) != 2:
        _refuse(f"{name} is stored as {encoding!r}, not as a dense, CSR or CSC matrix", path)
    return layout, (int(shape[0]), int(shape[1]))


def _check_matrix(node: Any, name: str, path: str | Path) -> tuple[int, int]:
    if not hasattr(node, "keys"):
        if len(node.shape) != 2:
            _refuse(f"{name} has {len(node.shape)} dimension(s); observations x genes, 2, are needed", path)
        check_numbers(node.dtype, path=path)
        return int(node.shape[0]), int(node.shape[1])
    layout, shape = sparse_shape(node, name, path)
    check_stored_pointers(node, shape, shape[0 if layout == "csr" else 1], path=path, name=name)
    return shape


def scipy_reads(root: Any) -> bool:
    """Whether all sparse matrices of an open AnnData file hold numbers that scipy has sparse matrices of."""
    return all(can_be_sparse(node["data"].dtype) for _, node in _matrices(root) if hasattr(node, "keys"))


def read_anndata(root: Any, path: str | Path) -> Any:
    """Read an open AnnData file with our own reader of sparse matrices, for numbers that scipy has none of."""
    from anndata.experimental import read_dispatched

    def callback(read: Any, name: str, element: Any, *, iospec: Any) -> Any:
        if iospec.encoding_type not in ("csr_matrix", "csc_matrix"):
            return read(element)
        return load_stored(element, *sparse_shape(element, name, path), path=path)

    return read_dispatched(root, callback)


def check_matrices(path: Path, kind: str) -> None:
    """Check a file as reading it would, a sparse matrix up to its 100 million first indices; for `describe`.

    Parameters
    ----------
    path
        File or folder.
    kind
        What it was recognised as; only ``"h5ad"``, ``"h5mu"``, ``"zarr"``, ``"10x-h5"`` and ``"loom"`` are looked at.
    """
    if kind == "zarr":
        import zarr

        check_zarr(path)
        with sound(path, "the Zarr store"):
            root = zarr.open_group(str(path), mode="r")
            check_anndata(root, path)
            _check_all_indices(root, path)
    elif kind in ("h5ad", "h5mu", "10x-h5", "loom"):
        import h5py

        with sound(path, "the HDF5 file"), h5py.File(path) as file:
            check_hdf5(file, path)
            if kind in ("h5ad", "h5mu"):
                for root in [file] if kind == "h5ad" else [m for m in file["mod"].values() if hasattr(m, "keys")]:
                    check_anndata(root, path)
                    _check_all_indices(root, path)
            elif kind == "10x-h5":
                _check_10x(file, path)
            elif file["matrix"].dtype.kind not in "biuf" or len(file["matrix"].shape) != 2:
                _refuse(f"the matrix holds {file['matrix'].dtype} of shape {file['matrix'].shape}", path)


def _check_10x(file: Any, path: Path) -> None:
    for name in file:
        if hasattr(file[name], "keys") and "indptr" in file[name]:
            n_genes, n_cells = (int(n) for n in file[name]["shape"][()])
            check_stored_pointers(file[name], (n_cells, n_genes), n_cells, path=path, name=name)
            _check_indices(file[name]["indices"], n_genes, name, path)


def _check_all_indices(root: Any, path: Path) -> None:
    for name, node in _matrices(root):
        if hasattr(node, "keys"):
            layout, shape = sparse_shape(node, name, path)
            _check_indices(node["indices"], shape[1 if layout == "csr" else 0], name, path)


def _check_indices(indices: Any, n_columns: int, name: str, path: Path) -> None:
    for a in range(0, min(int(indices.shape[0]), MOST_LOOKED_AT), PIECE):
        check_indices(np.asarray(indices[a : a + PIECE]), n_columns, path=path, name=name)


def _refuse(what: str, path: str | Path) -> NoReturn:
    raise FormatError(f"{what}; the file is damaged, or made to mislead. Get it again from its source.", path=path)
