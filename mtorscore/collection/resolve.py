"""Signatures resolved against a gene universe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.collection.entries import Signature
from mtorscore.collection.gene_index import GeneIndex, sort_keys
from mtorscore.errors import SignatureError, examples

__all__ = ["Resolved", "resolve"]


@dataclass(frozen=True)
class Resolved:
    """Signatures resolved against a gene universe, as plain arrays for the kernels.

    Attributes
    ----------
    names
        Signature ids, length ``n``.
    indptr
        ``(n + 1,)`` int64; signature ``i`` owns ``indices[indptr[i]:indptr[i + 1]]``.
    indices
        Positions in the gene universe, ascending within a signature (so that no score depends on list order).
    weights
        Signed weights beside `indices`: positive for up genes, negative for down genes.
    n_up, n_down
        ``(n,)`` int64; genes asked for per direction, matched or not.
    missing
        Per signature the genes that the universe lacks.
    n_vars
        Size of the universe.
    """

    names: tuple[str, ...]
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    n_up: npt.NDArray[np.int64]
    n_down: npt.NDArray[np.int64]
    missing: tuple[tuple[str, ...], ...]
    n_vars: int

    def __len__(self) -> int:
        return len(self.names)

    def coverage(self) -> dict[str, list[Any]]:
        """Return columns of the coverage table: matched and total genes per direction, share, missing genes.

        ``one_direction`` is True where a signature has two directions and the universe holds genes of one only.
        """
        owner = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        up = np.bincount(owner[self.weights > 0], minlength=len(self))
        down = np.bincount(owner[self.weights < 0], minlength=len(self))
        total = self.n_up + self.n_down
        with np.errstate(invalid="ignore"):
            share = np.where(total > 0, (up + down) / np.maximum(total, 1), np.nan)
        return {
            "signature": list(self.names),
            "n_up": self.n_up.tolist(),
            "matched_up": up.tolist(),
            "n_down": self.n_down.tolist(),
            "matched_down": down.tolist(),
            "coverage": share.tolist(),
            "one_direction": ((self.n_up > 0) & (self.n_down > 0) & ((up > 0) != (down > 0))).tolist(),
            "missing": [",".join(m) for m in self.missing],
        }


def resolve(signatures: Sequence[Signature], index: GeneIndex, universe: Sequence[str]) -> Resolved:
    """Find the genes of signatures among the columns of a matrix.

    Parameters
    ----------
    signatures, index
        The signatures, and their genes as numbers.
    universe
        Gene symbols in column order.

    Returns
    -------
    Resolved
        One row per signature.

    Raises
    ------
    SignatureError
        If the universe repeats a symbol that a signature uses.
    """
    names = [str(g) for g in universe]
    n_vars = len(names)
    position = {g: i for i, g in enumerate(names)}
    if len(position) < n_vars:
        _refuse_duplicates(names, set(index.symbols))
    symbols, pointer = index.symbols, index.pointer
    column = np.fromiter(map(position.get, symbols, repeat(-1)), np.int64, len(symbols))
    place = column[index.codes]
    plain = not index.sizes[:, 1].any() and not any(s.weights for s in signatures)
    weights = np.ones(place.size) if plain else np.concatenate([s.weight_array() for s in signatures])
    missing: list[tuple[str, ...]] = [()] * len(signatures)
    found = place >= 0
    if not found.all():
        owner = np.repeat(np.arange(len(signatures)), np.diff(pointer))
        for i in np.unique(owner[~found]):
            missing[i] = tuple(g for g in signatures[i].genes if g not in position)
        pointer = np.concatenate([[0], np.cumsum(np.bincount(owner[found], minlength=len(signatures)))])
        place, weights = place[found], weights[found]
    keys = sort_keys(pointer, place, n_vars)
    if plain:
        place = (np.sort(keys) % max(n_vars, 1)).astype(np.int64)
    else:
        order = np.argsort(keys)
        place, weights = place[order], weights[order]
    return Resolved(
        names=tuple(s.id for s in signatures),
        indptr=pointer.astype(np.int64),
        indices=place,
        weights=weights,
        n_up=index.sizes[:, 0],
        n_down=index.sizes[:, 1],
        missing=tuple(missing),
        n_vars=n_vars,
    )


def _refuse_duplicates(names: Sequence[str], used: set[str]) -> None:
    counts = Counter(g for g in names if g in used)
    duplicated = [g for g, n in counts.items() if n > 1]
    if duplicated:
        raise SignatureError(
            f"{len(duplicated)} gene(s) of the signatures are duplicated in the matrix ({examples(duplicated)}). "
            "Collapse them first, for example with pp.harmonise_genes(adata)."
        )
