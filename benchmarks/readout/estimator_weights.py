"""Weights of the estimators as they are published: of the entries, and of the same procedure without each cohort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mtorscore.collection import Entry, Signature, SignatureCollection

if TYPE_CHECKING:
    from benchmarks.readout.estimator import Fitted

__all__ = ["NOTHING", "PATH", "of_fits", "read", "signed", "without"]

PATH = Path(__file__).parent / "tables" / "estimator_weights.tsv"
NOTHING = "nothing"
"""In the column ``without``: all cohorts were learned from, as the entry is."""


def of_fits(whole: Fitted, left: Mapping[str, Fitted], landmarks: frozenset[str]) -> pd.DataFrame:
    """Return one row per gene of the entry and of its counterpart without each cohort.

    Parameters
    ----------
    whole
        Learned from all blocks.
    left
        Cohort -> learned without it.
    landmarks
        Genes of the L1000 panel.

    Returns
    -------
    pandas.DataFrame
        ``without``, ``gene``, ``weight`` (of the log value; the largest has size 1) and ``landmark`` (0 or 1).
    """
    rows = []
    for name, fitted in [(NOTHING, whole), *left.items()]:
        relative = (fitted.weights / fitted.weights.abs().max()).sort_index()
        rows += [(name, gene, float(f"{w:.4g}"), int(gene in landmarks)) for gene, w in relative.items() if w]
    return pd.DataFrame(rows, columns=["without", "gene", "weight", "landmark"])


def read(path: Path = PATH) -> pd.DataFrame:
    """Return the published table: ``estimator`` and the columns of `of_fits`."""
    return pd.read_csv(path, sep="\t", comment="#", keep_default_na=False)


def signed(table: pd.DataFrame, estimator: str, cohort: str = NOTHING) -> pd.Series:
    """Return gene -> weight of an estimator, learned without a cohort."""
    rows = table[(table["estimator"] == estimator) & (table["without"] == cohort)]
    return rows.set_index("gene")["weight"].astype(float)


def without(collection: SignatureCollection, cohort: str, table: pd.DataFrame) -> SignatureCollection:
    """Return the entries that were learned from a cohort with the weights that they have without it.

    Parameters
    ----------
    collection
        Holds the entries as they are shipped.
    cohort
        Such as ``"LIHC"``.
    table
        As `read` returns it.

    Returns
    -------
    SignatureCollection
        Those entries alone; empty where none has learned from tumours.
    """
    learned = table.loc[table["without"] == cohort, "estimator"].unique()
    found: Iterable[Entry] = (collection[name] for name in learned if name in collection)
    return SignatureCollection(
        [_with(e, signed(table, e.id, cohort)) for e in found if isinstance(e, Signature)], version=collection.version
    )


def _with(entry: Signature, weights: pd.Series) -> Signature:
    up, down = weights[weights > 0], weights[weights < 0]
    return replace(
        entry, up=tuple(up.index), down=tuple(down.index), weights=weights.abs().to_dict(), evidence={}, gene_sources={}
    )  # fmt: skip
