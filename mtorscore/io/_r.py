"""R workspaces and single R objects into data frames, through the rdata library."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.errors import FormatError

__all__ = ["objects"]


def objects(path: Path) -> dict[str, pd.DataFrame]:
    """Return every matrix and data frame of an R file by name (lists are searched one level deep).

    Raises
    ------
    FormatError
        If the file is damaged or holds neither.
    """
    import rdata

    try:
        with warnings.catch_warnings():
            # Classes such as data.table have no constructor of their own; their data frame is what is wanted.
            warnings.simplefilter("ignore")
            parsed = rdata.parser.parse_file(path)
            value = rdata.conversion.convert(parsed)
    except Exception as error:
        raise FormatError(
            f"the R file is damaged or of an unknown version ({error}); save it again.", path=path
        ) from error
    named = value if isinstance(value, dict) else {path.name.split(".")[0]: value}
    found: dict[str, pd.DataFrame] = {}
    for name, item in named.items():
        inner = item.items() if isinstance(item, dict) else [("", item)]
        for part, thing in inner:
            frame = _frame(thing)
            if frame is not None:
                found[f"{name}${part}" if part else str(name)] = frame
    if not found:
        kinds = sorted({type(v).__name__ for v in named.values()})
        raise FormatError(f"the R file holds no matrix or data frame (only {', '.join(kinds)}).", path=path)
    return found


def _frame(thing: Any) -> pd.DataFrame | None:
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
