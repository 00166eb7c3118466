"""Signatures laid over a gene universe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Resolved"]


@dataclass(frozen=True)
class Resolved:
    """Signatures laid over a gene universe, as plain arrays for the kernels.

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
        """Return columns of the coverage table: matched and total genes per direction, share, missing genes."""
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
            "missing": [",".join(m) for m in self.missing],
        }
