"""Kernel densities over a cohort and the random walk of GSVA, on plain arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels._jit import jit

__all__ = ["find_values", "gaussian_at", "gaussian_within", "walk"]

STEPS_PER_SD = 1000.0


@jit
def gaussian_within(
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    bandwidth: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the kernel distribution function of each gene at its own values.

    Parameters
    ----------
    values
        ``(n_genes, n_obs)`` sorted within a gene.
    n_valid
        Values of each gene that count, from the front.
    bandwidth
        ``(n_genes,)`` standard deviation of the kernel.
    table
        Normal distribution function at 0, 0.001, 0.002, ...; read without interpolation, as the reference does.

    Returns
    -------
    numpy.ndarray
        ``(n_genes, n_obs)``, NaN behind the valid values.
    """
    n_genes, n_obs = values.shape
    out = np.full((n_genes, n_obs), np.nan)
    last = table.size - 1
    total = np.empty(n_obs)
    for g in range(n_genes):
        n = n_valid[g]
        x = values[g]
        if n == 0:
            continue
        scale = STEPS_PER_SD / bandwidth[g]
        for i in range(n):
            total[i] = table[0]
        for i in range(n):
            below = 0.0
            for j in range(i + 1, n):
                step = (x[j] - x[i]) * scale
                t = table[int(min(step, last))]
                total[j] += t
                below += 1.0 - t
            total[i] += below
        for i in range(n):
            out[g, i] = total[i] / n
        # Equal values have one density, whatever the order in which their terms were added up.
        for i in range(1, n):
            if x[i] == x[i - 1]:
                out[g, i] = out[g, i - 1]
    return out


@jit
def gaussian_at(
    queries: npt.NDArray[np.float64],
    genes: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    bandwidth: npt.NDArray[np.float64],
    table: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the kernel distribution function of gene ``genes[i]`` at ``queries[i]``; see `gaussian_within`."""
    out = np.empty(queries.size)
    last = table.size - 1
    for q in range(queries.size):
        g = genes[q]
        scale = STEPS_PER_SD / bandwidth[g]
        total = 0.0
        for j in range(n_valid[g]):
            step = (queries[q] - values[g, j]) * scale
            t = table[int(min(abs(step), last))]
            total += t if step >= 0 else 1.0 - t
        out[q] = total / n_valid[g]
    return out


@jit
def find_values(
    x: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    n_valid: npt.NDArray[np.int64],
    density: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the density of each value that the cohort holds; -1 where it does not, NaN for NaN.

    Parameters
    ----------
    x
        ``(n_rows, n_genes)``.
    values, n_valid, density
        ``(n_genes, n_obs)`` as in `gaussian_within`.
    """
    n_rows, n_genes = x.shape
    out = np.empty((n_rows, n_genes))
    for g in range(n_genes):
        for i in range(n_rows):
            v = x[i, g]
            if v != v:
                out[i, g] = np.nan
                continue
            low, high = 0, n_valid[g]
            while low < high:
                middle = (low + high) // 2
                if values[g, middle] < v:
                    low = middle + 1
                else:
                    high = middle
            found = low < n_valid[g] and values[g, low] == v
            out[i, g] = density[g, low] if found else -1.0
    return out


@jit
def walk(
    above: npt.NDArray[np.float64],
    tied: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    length: float,
    indptr: npt.NDArray[np.int64],
    slots: npt.NDArray[np.int64],
    max_diff: bool,
    abs_ranking: bool,
    skip_nan: bool,
) -> npt.NDArray[np.float64]:
    """Return the extreme deviations of each set's random walk.

    Parameters
    ----------
    above, tied
        ``(n_obs, n_genes)`` genes ranked strictly higher, and the size of the tie block; `above` is NaN for genes
        without a rank.
    weight
        ``(n_obs, n_genes)`` what a gene adds, before division by its set's sum.
    length
        Genes in the walk.
    indptr, slots
        The sets over the columns of `above`.
    max_diff
        Difference of the two extremes; if not, the larger one.
    abs_ranking
        With `max_diff`, their distance.
    skip_nan
        Whether genes without a rank are left out; if not, their sets are NaN.

    Returns
    -------
    numpy.ndarray
        ``(n_obs, n_sets)``; NaN for sets without a gene, or without one outside, or without weight.
    """
    n_obs = above.shape[0]
    n_sets = indptr.size - 1
    out = np.full((n_obs, n_sets), np.nan)
    longest = 0
    for s in range(n_sets):
        longest = max(longest, indptr[s + 1] - indptr[s])
    place = np.empty(longest)
    width = np.empty(longest)
    gain = np.empty(longest)
    for i in range(n_obs):
        n = length
        for s in range(n_sets):
            k = 0
            spoilt = False
            total = 0.0
            for e in range(indptr[s], indptr[s + 1]):
                a = above[i, slots[e]]
                if a != a:
                    spoilt = spoilt or not skip_nan
                    continue
                place[k] = a
                width[k] = tied[i, slots[e]]
                gain[k] = weight[i, slots[e]]
                total += gain[k]
                k += 1
            if spoilt or k == 0 or k >= n:
                continue
            if not total > 0.0:
                continue
            order = np.argsort(place[:k])
            highest, lowest, reached = 0.0, 0.0, 0.0
            outside = n - k
            e = 0
            hits = 0
            while e < k:
                a = place[order[e]]
                block = width[order[e]]
                before = reached / total - (a - hits) / outside
                here = 0
                while e < k and place[order[e]] == a:
                    reached += gain[order[e]]
                    here += 1
                    e += 1
                hits += here
                after = reached / total - (a + block - hits) / outside
                highest = max(highest, before, after)
                lowest = min(lowest, before, after)
            if max_diff:
                out[i, s] = highest - lowest if abs_ranking else highest + lowest
            else:
                out[i, s] = highest if highest > abs(lowest) else lowest
    return out
