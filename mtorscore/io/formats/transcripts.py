"""Transcripts summed to genes by a table of two columns (tx2gene)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble
from mtorscore.io.tables.cell_text import is_missing
from mtorscore.io.tables.delimited import parse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["summed_by_gene"]


def _plain(name: str) -> str:
    """Return a transcript without the further fields of GENCODE and without its version."""
    first = name.split("|", 1)[0]
    base, point, version = first.rpartition(".")
    return base if point and version.isdigit() else first


def _pairs(path: Path) -> dict[str, str]:
    """Return transcript -> gene from the first two columns; a first line that is a pair is one."""
    grid = parse(file_bytes.load(path), text=True)
    if len(grid.columns) < 2:
        raise FormatError("a table of transcripts and genes has two columns; this has one.", path=path)
    rows = [(grid.names[0], grid.names[1]), *zip(grid.columns[0], grid.columns[1], strict=True)]
    return {_plain(str(t).strip()): str(g).strip() for t, g in rows if not is_missing(t) and not is_missing(g)}


def summed_by_gene(adata: AnnData, tx2gene: str | Path) -> AnnData:
    """Sum the transcripts of each gene, in ``X`` and in every layer; values must be linear (TPM, counts).

    Parameters
    ----------
    adata
        Samples x transcripts.
    tx2gene
        Table whose first two columns are transcript and gene; versions of transcripts may differ.

    Raises
    ------
    FormatError
        If the table has one column, or none of the transcripts is in it.
    """
    path = Path(tx2gene)
    genes_of = _pairs(path)
    names = [_plain(str(n)) for n in adata.var["id"]]
    found = [genes_of.get(n, "") for n in names]
    known = [i for i, g in enumerate(found) if g]
    if not known:
        raise FormatError(f"none of the {len(names)} transcripts ({examples(names)}) is in it.", path=path)
    if len(known) < len(names):
        lost = [n for n, g in zip(names, found, strict=True) if not g]
        warn(
            f"{len(lost)} of {len(names)} transcripts ({examples(lost)}) are not in {path.name}; left out.", DataWarning
        )
    genes, at = np.unique([found[i] for i in known], return_inverse=True)
    adder = sparse.csr_matrix((np.ones(len(known)), (known, at)), shape=(len(names), len(genes)))
    layers = {name: np.asarray(layer @ adder) for name, layer in adata.layers.items()}
    obs = adata.obs.reset_index(drop=True)
    counts = pd.DataFrame({"n_transcripts": np.bincount(at)})
    out = assemble(np.asarray(adata.X @ adder), list(adata.obs_names), [str(g) for g in genes], obs=obs, var=counts)
    for name, layer in layers.items():
        out.layers[name] = layer
    return out
