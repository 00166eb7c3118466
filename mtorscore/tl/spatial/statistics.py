"""Statistics of neighbours on plain arrays: sums per section, their means over permutations, and statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtorscore.tl.spatial.sections import Floats, Ints

__all__ = ["STATISTICS", "Part", "Sums"]

STATISTICS = ("moran", "geary", "getis_ord")


@dataclass(frozen=True)
class Sums:
    """``(..., n_sections, n_signatures)``, r and c being the sums of rows and columns of w.

    Attributes
    ----------
    products, ends, squares
        Sums of w_ij x_i x_j, of (r_i + c_i) x_i and of (r_i + c_i) x_i^2.
    """

    products: Floats
    ends: Floats
    squares: Floats

    def pooled(self) -> Sums:
        """Return the sums over all sections, as of one."""
        return Sums(*(v.sum(axis=-2, keepdims=True) for v in (self.products, self.ends, self.squares)))


class Part:
    """Observations that have a value, ordered by section, with the weights between them.

    Parameters
    ----------
    values
        ``(n, n_signatures)``, none missing.
    weights
        ``(n, n)``, sparse; no edge leads to another section.
    codes
        ``(n,)`` section of each.
    """

    def __init__(self, values: Floats, weights: Any, codes: Ints) -> None:
        order = np.argsort(codes, kind="stable")
        self.codes, sizes = np.unique(codes[order], return_counts=True)
        self.sizes = sizes.astype(np.float64)[:, None]
        self._bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.shift = values.mean(axis=0)
        self.x = values[order] - self.shift
        self.weights = weights[order][:, order].tocsr()
        columns, rows = (np.asarray(self.weights.sum(axis=a)).reshape(-1, 1) for a in (0, 1))
        self._ends = rows + columns
        edges = np.diff(self.weights.indptr)[:, None]
        self.edges = self.per_section(edges)[:, 0]
        self.isolated = self.per_section((rows == 0).astype(np.int64))[:, 0]
        self.weight = self.per_section(rows)

    def per_section(self, values: Any) -> Any:
        """Return sums of rows by section."""
        return np.add.reduceat(values, self._bounds[:-1], axis=0)

    def constant(self) -> Any:
        """Say of each section and signature whether all values are equal."""
        low, high = (f.reduceat(self.x, self._bounds[:-1], axis=0) for f in (np.minimum, np.maximum))
        return high - low <= 1e-12 * np.maximum(np.abs(self.shift), np.abs(self.x).max(axis=0))

    def sums(self, x: Floats | None = None) -> Sums:
        """Return the sums of values, of those measured where none are given."""
        x = self.x if x is None else x
        around = self.weights @ x
        return Sums(*(self.per_section(v) for v in (x * around, self._ends * x, self._ends * x * x)))

    def expected(self) -> Sums:
        """Return the means of the sums over all permutations within sections."""
        n, total, square = self.sizes, self.per_section(self.x), self.per_section(self.x**2)
        own = self.per_section(self.weights.diagonal()[:, None])
        pairs = (total**2 - square) / np.maximum(n * (n - 1), 1)
        return Sums(
            (self.weight - own) * pairs + own * square / n, 2 * self.weight * total / n, 2 * self.weight * square / n
        )

    def permuted(self, n_permutations: int, seed: int) -> Sums:
        """Return the sums of values that are permuted within sections, the same way for every signature."""
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(n_permutations):
            order = np.concatenate(
                [a + rng.permutation(b - a) for a, b in zip(self._bounds[:-1], self._bounds[1:], strict=True)]
            )
            found.append(self.sums(self.x[order]))
        return Sums(*(np.stack([getattr(f, name) for f in found]) for name in ("products", "ends", "squares")))

    def statistic(self, name: str, sums: Sums, *, pooled: bool) -> Floats:
        """Return a statistic, over all sections or of each.

        Parameters
        ----------
        name
            One of `STATISTICS`.
        sums
            Of `sums`, `expected` or `permuted`.
        pooled
            Over all sections.

        Returns
        -------
        numpy.ndarray
            ``(..., 1 or n_sections, n_signatures)``; NaN or infinite where it is not defined.
        """
        n, w, total, square = self.sizes, self.weight, self.per_section(self.x), self.per_section(self.x**2)
        if pooled:
            sums = sums.pooled()
            n, w, total, square = (v.sum(axis=0, keepdims=True) for v in (n, w, total, square))
        mean = total / n
        with np.errstate(invalid="ignore", divide="ignore"):
            if name == "moran":
                crossed = sums.products - mean * sums.ends + mean**2 * w
                return np.asarray(n / w * crossed / (square - n * mean**2))
            if name == "geary":
                return np.asarray((n - 1) / (2 * w) * (sums.squares - 2 * sums.products) / (square - n * mean**2))
            # The sums are of centred values; G is of the values as they are.
            products = sums.products + self.shift * sums.ends + self.shift**2 * w
            whole = total + n * self.shift
            return np.asarray(products / (whole**2 - (square + 2 * self.shift * total + n * self.shift**2)))
