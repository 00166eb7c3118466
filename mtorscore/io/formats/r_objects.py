"""Convert R workspaces and single R objects into data frames."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import FormatError
from mtorscore.io.formats.r_serialisation import MOST_EXPANDED, NA_INTEGER, NotPlainError, TooLongError, Vector, parse
from mtorscore.io.tables import file_bytes

__all__ = ["objects"]


def objects(path: Path) -> dict[str, pd.DataFrame]:
    """Return every matrix and data frame of an R file by name (lists are searched one level deep).

    Raises
    ------
    FormatError
        If the file is damaged or holds neither.
    """
    data = file_bytes.raw(path)
    try:
        value = parse(data)
    except NotPlainError:
        value = _by_library(data, path)
    except TooLongError as error:
        raise FormatError(f"not a sound R file: {error}; save it again.", path=path) from error
    named = value if isinstance(value, dict) else {path.name.split(".")[0]: value}
    found: dict[str, pd.DataFrame] = {}
    for name, item in named.items():
        for part, thing in _inner(item):
            frame = _frame(thing)
            if frame is not None:
                found[f"{name}${part}" if part else str(name)] = frame
    if not found:
        raise FormatError(
            f"the R file holds no matrix or data frame (only {', '.join(sorted(map(str, named)))}).", path=path
        )
    return found


def _by_library(data: bytes, path: Path) -> Any:
    import rdata

    try:
        with warnings.catch_warnings():
            # Classes such as data.table have no constructor of their own; their data frame is what is wanted.
            warnings.simplefilter("ignore")
            parsed = rdata.parser.parse_data(data, altrep_constructor_dict=_bounded_sequences(len(data)))
            return rdata.conversion.convert(parsed)
    except Exception as error:
        raise FormatError(
            f"the R file is damaged or of an unknown version ({str(error)[:200]}); save it again.", path=path
        ) from error


def _bounded_sequences(size: int) -> dict[bytes, Any]:
    """Return the library's ways to expand what a file holds in short, with a bound for sequences."""
    from rdata.parser import DEFAULT_ALTREP_MAP

    left = size + MOST_EXPANDED

    def bounded(expand: Any) -> Any:
        def checked(state: Any) -> Any:
            nonlocal left
            n = float(state.value[0])
            if not 0 <= n <= left:
                raise ValueError(f"a sequence of {n:.0f} values in a file of {size} bytes")
            left -= int(n)
            return expand(state)

        return checked

    return {k: bounded(v) if k.startswith(b"compact_") else v for k, v in DEFAULT_ALTREP_MAP.items()}


def _inner(item: Any) -> list[tuple[str, Any]]:
    if isinstance(item, dict):
        return list(item.items())
    if isinstance(item, Vector) and isinstance(item.values, list) and "data.frame" not in (item.strings("class") or []):
        names = item.strings("names")
        if names is not None and any(isinstance(v, Vector) and v.attributes for v in item.values):
            return list(zip(names, item.values, strict=False))
    return [("", item)]


def _column(item: Any) -> np.ndarray[Any, Any]:
    """Return a vector as float64, or as text (factors by their labels)."""
    values = item.values
    if isinstance(values, list):
        return np.array(values, dtype=object)
    levels = item.strings("levels")
    if levels is not None:
        table = np.array([*levels, None], dtype=object)
        return table[np.where(values == NA_INTEGER, len(levels), values - 1)]
    out = values.astype(np.float64)
    if values.dtype.kind == "i":
        out[values == NA_INTEGER] = np.nan
    return np.asarray(out)


def _plain(item: Vector) -> pd.DataFrame | None:
    if "data.frame" in (item.strings("class") or []):
        names = item.strings("names") or []
        columns = [_column(v) for v in item.values]
        if len({len(c) for c in columns}) > 1 or len(names) != len(columns):
            return None
        index = item.strings("row.names")
        n = len(columns[0]) if columns else 0
        frame = pd.DataFrame(dict(enumerate(columns)), index=index if index and len(index) == n else range(1, n + 1))
        frame.columns = pd.Index(names)
        if not (index and len(index) == n):
            frame.index = pd.RangeIndex(n)
        return frame
    dim = item.attributes.get("dim")
    if not isinstance(dim, Vector) or len(dim.values) != 2 or isinstance(item.values, list):
        return None
    rows, columns_n = (int(v) for v in dim.values)
    names_of = item.attributes.get("dimnames")
    labels = [v.values if isinstance(v, Vector) else None for v in names_of.values] if names_of else [None, None]
    return pd.DataFrame(_column(item).reshape((rows, columns_n), order="F"), index=labels[0], columns=labels[1])


def _frame(thing: Any) -> pd.DataFrame | None:
    if isinstance(thing, Vector):
        return _plain(thing)
    if isinstance(thing, pd.DataFrame):
        return thing
    dims = getattr(thing, "dims", None)
    if dims is not None and len(dims) == 2:
        rows, columns = dims
        coords = {d: list(map(str, thing.coords[d].values)) for d in dims if d in thing.coords}
        return pd.DataFrame(np.asarray(thing.values), index=coords.get(rows), columns=coords.get(columns))
    if isinstance(thing, np.ndarray) and thing.ndim == 2:
        return pd.DataFrame(thing)
    return None
