"""AnnData from names and values: duplicated genes are numbered, duplicated samples refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore._doors import option
from mtorscore.errors import DataError, FormatError, examples
from mtorscore.io.tables.cell_text import holds_text

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["assemble", "described", "no_column", "repeated", "unique"]


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in order."""
    return [n for n, c in Counter(names).items() if c > 1]


def no_column(name: str, columns: Iterable[object], path: Path) -> FormatError:
    """Return the error of a file whose genes are to be named by a column that it has not."""
    there = examples(columns, 12) or "none beside the names themselves"
    return FormatError(f"there is no column {name!r} ({option('ids')}); there are {there}.", path=path)


def unique(names: list[str]) -> list[str]:
    """Make names unique: the second ``A`` becomes ``A~2``. The published name stays in ``var["id"]``."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return out


def assemble(
    x: Any,
    obs_names: list[str],
    var_names: list[str],
    *,
    obs: pd.DataFrame | None = None,
    var: pd.DataFrame | None = None,
) -> AnnData:
    """Build an AnnData: duplicated genes are numbered (the published name is kept), duplicated samples refused."""
    from anndata import AnnData

    if twice := repeated(obs_names):
        raise DataError(
            f"{len(twice)} sample name(s) are duplicated ({examples(twice)}); rename or remove the copies, "
            "since nothing says which one is meant."
        )
    names = pd.Index(unique(var_names), dtype=object)
    frame = pd.DataFrame(index=names) if var is None else var.set_axis(names)
    frame.insert(0, "id", var_names) if "id" not in frame.columns else frame.__setitem__("id", var_names)
    samples = pd.Index([str(n) for n in obs_names], dtype=object)
    return AnnData(X=x, obs=pd.DataFrame(index=samples) if obs is None else obs.set_axis(samples), var=frame)


def described(frame: pd.DataFrame, names: list[str], *, genes: bool, ids: list[str] | None = None) -> AnnData:
    """Wrap a table of observations or of genes as an AnnData without values."""
    from anndata import AnnData

    frame = frame.copy()
    frame.columns = pd.Index([str(c) for c in frame.columns])
    frame.index = pd.Index(names, dtype=object)
    for column in frame.columns:
        if holds_text(frame[column]):
            frame[column] = ["" if v is None or v != v else str(v) for v in frame[column]]
    if not genes and (twice := repeated(names)):
        raise DataError(
            f"{len(twice)} sample(s) or patient(s) are duplicated ({examples(twice)}); reduce the table to "
            "one row each, or name another key column."
        )
    if genes:
        if ids is not None:
            frame["id"] = ids
        return AnnData(X=np.zeros((0, len(frame)), dtype=np.float32), var=frame)
    return AnnData(X=np.zeros((len(frame), 0), dtype=np.float32), obs=frame)
