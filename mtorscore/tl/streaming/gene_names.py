"""The genes of a matrix on disk by current symbols: looked up by their names alone, copies of a gene by their means."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mtorscore.errors import MtorscoreWarning
from mtorscore.io.tables.assembly import no_column, unique
from mtorscore.pp.identifiers import harmonise_genes
from mtorscore.tl.streaming.disk_file import DiskFile
from mtorscore.tl.streaming.stream_source import StreamSource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GeneNaming", "NamedGenes", "known_names", "name_genes"]

_COLUMN = "column of the file"


@dataclass(frozen=True, kw_only=True)
class GeneNaming:
    """How the genes of a file are named.

    Attributes
    ----------
    ids
        Column of ``var`` that names them, instead of its index.
    harmonise
        Keyword arguments of `mtorscore.pp.harmonise_genes`, such as ``organism``; None leaves names as they are. Copies
        of a gene are settled by the rule that keeps the one with the highest mean.
    """

    ids: str | None = None
    harmonise: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class NamedGenes:
    """Names of genes and the columns of the file that hold them; None for all in their order."""

    names: list[str]
    columns: npt.NDArray[np.int64] | None = None


def name_genes(file: DiskFile, source: StreamSource, naming: GeneNaming | None) -> NamedGenes:
    """Name the genes of a file as `mtorscore.read` and `mtorscore.pp.harmonise_genes` name those of a matrix in memory.

    Parameters
    ----------
    file
        The open file; of it only ``var`` is read.
    source
        Its blocks, all genes; they are read once if a gene has several columns.
    naming
        What was asked for; None takes the names of the file.

    Raises
    ------
    FormatError
        If there is no such column.
    DataError
        If no name is known as a gene.
    """
    if naming is None:
        return NamedGenes(file.genes)
    var = _named(file, naming)
    if naming.harmonise is None:
        return NamedGenes([str(n) for n in var.index])
    found = _harmonised(var, np.zeros(len(var)), naming.harmonise)
    if (found["n_rows"] > 1).any():
        copies = int((found["n_rows"] > 1).sum())
        source.tell(
            f"{copies} gene(s) have several columns, of which that of the highest mean is kept; the whole file is gone "
            "through for the means, before the first block is scored."
        )
        with warnings.catch_warnings():
            # They were said the first time.
            warnings.simplefilter("ignore", MtorscoreWarning)
            found = _harmonised(var, _means(source), naming.harmonise)
    columns = found[_COLUMN].to_numpy(dtype=np.int64)
    every = np.array_equal(columns, np.arange(len(var)))
    return NamedGenes([str(n) for n in found.index], None if every else columns)


def known_names(file: DiskFile, naming: GeneNaming) -> list[str]:
    """Return the names that `name_genes` gives, without reading the matrix and without a word.

    Parameters
    ----------
    file, naming
        See `name_genes`.
    """
    var = _named(file, naming)
    if naming.harmonise is None:
        return [str(n) for n in var.index]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)
        return [str(n) for n in _harmonised(var, np.zeros(len(var)), naming.harmonise).index]


def _named(file: DiskFile, naming: GeneNaming) -> pd.DataFrame:
    """Return ``var`` with unique names, and those of the file or of the chosen column in ``id``."""
    import pandas as pd

    var = file.element("var").copy()
    names = [str(n) for n in var.index]
    if naming.ids is not None:
        if naming.ids not in var:
            raise no_column(naming.ids, var.columns, file.path)
        names = [str(n) for n in var[naming.ids]]
    if naming.ids is not None or "id" not in var:
        var["id"] = names
    var[_COLUMN] = np.arange(len(var))
    var.index = pd.Index(unique(names), dtype=object)
    return var


def _harmonised(var: pd.DataFrame, means: npt.NDArray[np.float64], options: Mapping[str, Any]) -> pd.DataFrame:
    """Return the genes that are kept: one observation with the means settles what the whole matrix would."""
    from anndata import AnnData

    return harmonise_genes(AnnData(means[None, :].copy(), var=var.copy()), **options).var


def _means(source: StreamSource) -> npt.NDArray[np.float64]:
    """Return the mean of every column, in one pass; values that are missing from a dense matrix are left out."""
    total = np.zeros(source.n_vars)
    known = np.zeros(source.n_vars)
    for block in source.blocks():
        matrix = block.matrix
        if hasattr(matrix, "indptr"):
            total += np.bincount(matrix.indices, weights=matrix.data, minlength=source.n_vars)
            known += block.n_obs
        else:
            total += np.nansum(matrix, axis=0, dtype=np.float64)
            known += np.sum(~np.isnan(matrix), axis=0)
        source.report(block.n_obs)
    means: npt.NDArray[np.float64] = total / np.maximum(known, 1)
    return means
