"""Random gene sets drawn without replacement, each from its own random stream."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtorscore.tl.kernels.jit import jit, jit_within

__all__ = ["draw_sets"]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


@jit_within
def _next(state: npt.NDArray[np.uint64]) -> np.uint64:
    """Advance a splitmix64 stream (Steele, Lea, Flood 2014) and return 64 random bits."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    bits: np.uint64 = z ^ (z >> np.uint64(31))
    return bits


@jit
def draw_sets(
    pool: npt.NDArray[np.int64],
    pool_ptr: npt.NDArray[np.int64],
    bin_of: npt.NDArray[np.int64],
    n_sets: int,
    seed: np.uint64,
) -> npt.NDArray[np.int64]:
    """Draw genes for each place of a template, from the bin of that place.

    Parameters
    ----------
    pool, pool_ptr
        Columns by bin: bin b owns ``pool[pool_ptr[b]:pool_ptr[b + 1]]``.
    bin_of
        ``(k,)`` the bin of each place.
    n_sets
        Sets wanted.
    seed
        Start of the stream.

    Returns
    -------
    numpy.ndarray
        ``(n_sets, k)`` columns, no gene twice in a set.
    """
    k = bin_of.size
    out = np.empty((n_sets, k), dtype=np.int64)
    cards = pool.copy()
    used = np.zeros(pool_ptr.size - 1, dtype=np.int64)
    swap_a = np.empty(k, dtype=np.int64)
    swap_b = np.empty(k, dtype=np.int64)
    state = np.empty(1, dtype=np.uint64)
    for i in range(n_sets):
        state[0] = seed + np.uint64(i) * MIX_1
        used[:] = 0
        for j in range(k):
            b = bin_of[j]
            first = pool_ptr[b] + used[b]
            left = pool_ptr[b + 1] - first
            # 53 random bits scaled to the range: the bias for at most 2^31 genes is below 1e-6 of a per cent.
            pick = first + np.int64(np.float64(_next(state) >> np.uint64(11)) / 9007199254740992.0 * left)
            out[i, j] = cards[pick]
            cards[pick], cards[first] = cards[first], cards[pick]
            swap_a[j], swap_b[j] = pick, first
            used[b] += 1
        for j in range(k - 1, -1, -1):
            a, b = swap_a[j], swap_b[j]
            cards[a], cards[b] = cards[b], cards[a]
    return out
