"""Recognise long tables: one row for each gene and sample, with one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.io.tables.cell_text import typed
from mtorscore.io.tables.delimited import Grid
from mtorscore.io.tables.name_evidence import weigh_names
from mtorscore.io.tables.statistic_columns import is_telling

__all__ = ["LongColumns", "long_columns"]

_GENE = re.compile(
    r"^(gene.*|symbol|hugo.*|hgnc.*|ensembl.*|ensg.*|entrez.*|probe.*|feature.*|target_id|id_?ref|variable|name)$", re.I
)
_SAMPLE = re.compile(
    r"^_?(sample.*|patient.*|subject.*|cell([ _]?(id|line|name))?|barcode.*|donor.*|case.*|run|library|array|gsm.*|"
    r"srr.*|specimen.*|individual.*|geo_accession|column|observation|replicate)$",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"^(value|expr.*|(raw|read|norm\w*|est|expected)?_?counts?|(log2?_?)?(tpm|fpkm|rpkm|cpm)\w*|abundance|intensity|signal|"
    r"log2_?\w*|level|measurement|quantity|x|y|exp)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LongColumns:
    """The columns of a long table, by name and by place."""

    gene: str
    sample: str
    value: str
    at: tuple[int, int, int]


def _repeats(values: list[str]) -> bool:
    """Whether values repeat as the keys of a long table do."""
    return _repeat(len(set(values)), len(values))


def _repeat(distinct: int, n: int) -> bool:
    return 1 <= distinct <= 0.67 * n


def long_columns(grid: Grid) -> LongColumns | None:
    """Return the columns of genes, samples and values of a long table; None where the table is not one.

    The pairs of gene and sample are distinct and the value is the one column of numbers, or the one that is called so.
    """
    n, width = grid.n_rows, len(grid.names)
    if n < 4 or not 3 <= width <= 20:
        return None
    # Wide tables are recognised without looking at every row.
    if len({str(v) for v in grid.columns[0][:1000]}) == min(n, 1000) and not any(
        _repeats([str(v) for v in grid.columns[i][:1000]]) and grid.is_text(i) for i in range(1, width)
    ):
        return None
    if any(is_telling(name) for name in grid.names):
        return None
    keys = _keys(grid)
    if keys is None:
        return None
    gene, sample = keys
    numbers = [
        i for i in range(width) if i not in keys and (not grid.is_text(i) or (i == 0 and _first_is_number(grid)))
    ]
    called = [i for i in numbers if _VALUE.match(grid.names[i])]
    value = called[0] if len(called) == 1 else (numbers[0] if len(numbers) == 1 else -1)
    if value < 0:
        return None
    return LongColumns(_name(grid, gene), _name(grid, sample), _name(grid, value), (gene, sample, value))


def _first_is_number(grid: Grid) -> bool:
    """Whether the first column, which is kept as text, holds numbers."""
    return typed(grid.columns[0]).dtype != object


def _keys(grid: Grid) -> tuple[int, int] | None:
    """Return the columns of genes and of samples whose pairs are all distinct."""
    candidates = [i for i in range(len(grid.names)) if grid.is_text(i) or _SAMPLE.match(grid.names[i])]
    if _first_is_number(grid) and not _SAMPLE.match(grid.names[0]) and not _GENE.match(grid.names[0]):
        candidates = [i for i in candidates if i]
    coded = {i: _coded(grid.columns[i]) for i in candidates}
    distinct = {i: len(names) for i, (_, names) in coded.items()}
    likeness = {
        i: weigh_names(sorted(names)).genes + (0.5 if _GENE.match(grid.names[i]) else 0.0)
        for i, (_, names) in coded.items()
    }
    likely = [i for i in candidates if likeness[i] >= 0.5 and not _SAMPLE.match(grid.names[i])]
    if not likely:
        return None
    gene = max(likely, key=lambda i: likeness[i])
    others = [
        i for i in candidates if i != gene and (_SAMPLE.match(grid.names[i]) or _repeat(distinct[i], grid.n_rows))
    ]
    others.sort(key=lambda i: (not _SAMPLE.match(grid.names[i]), -distinct[i]))
    for i in others:
        pairs = len(pd.unique(coded[gene][0] * distinct[i] + coded[i][0]))
        several = distinct[gene] < grid.n_rows or distinct[i] < grid.n_rows
        full = pairs > 0.3 * distinct[gene] * distinct[i]
        called = bool(_GENE.match(grid.names[gene]) and _SAMPLE.match(grid.names[i]))
        # With such names a pair that is there twice is a fault of the table, which `pivot` names.
        if (pairs == grid.n_rows or called) and several and full and distinct[gene] < grid.n_rows:
            return gene, i
    return None


def _name(grid: Grid, i: int) -> str:
    return grid.names[i] or f"column_{i + 1}"


def _coded(column: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the number of each cell's text, and the texts."""
    texts = np.empty(len(column), dtype=object)
    texts[:] = [v if type(v) is str else _plain(v) for v in column.tolist()]
    codes, names = pd.factorize(texts)
    return codes.astype(np.int64), list(names)


def _plain(value: object) -> str:
    return f"{value:.17g}" if isinstance(value, float) else str(value)
