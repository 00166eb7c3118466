"""Who is in a table of associations, as a short digest that tables can be compared by, also out of a file.

A digest is a MinHash: per position the smallest of a hash over the patients, of which six bits are kept. Positions of
two cohorts agree as often as their patients are the same (Jaccard's index), and 1 in 64 by chance. It tells nobody who
took part.

References
----------
Broder, Compression and Complexity of Sequences 1997:21 (MinHash); Li and Koenig, WWW 2010:671 (few bits).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from mtorscore.prognosis.models.training_cohort import patients_in

__all__ = ["Digests", "cohort_digest", "overlap_notes", "shared_patients"]

LENGTH = 128
_SIGNS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
_CHANCE = 1 / len(_SIGNS)
_RARE = 1e-4
"""Agreement that chance reaches less often than this is overlap."""


def cohort_digest(patients: Iterable[object]) -> str:
    """Return the digest of a set of patients; empty for none."""
    names = sorted({str(p) for p in patients})
    if not names:
        return ""
    base = np.array([int.from_bytes(hashlib.sha256(n.encode()).digest()[:8], "big") for n in names], dtype=np.uint64)
    signs = []
    for salt in range(1, LENGTH + 1):
        signs.append(int(_mixed(base ^ np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)).min()))
    return "".join(_SIGNS[(np.array(signs, dtype=np.uint64) % np.uint64(64)).astype(int)])


def _mixed(x: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """Scatter the bits (the finalizer of SplitMix64)."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Digests:
    """Digests of the patients of observations, each set computed once."""

    def __init__(self, clinical: pd.DataFrame) -> None:
        self.clinical = clinical
        self.known: dict[bytes, str] = {}
        # Rows of a table share their index; the object is held, so that its id stays its own.
        self.seen: dict[int, tuple[pd.Index, str]] = {}

    def of(self, index: pd.Index) -> str:
        """Return the digest of the patients of some observations."""
        if id(index) in self.seen:
            return self.seen[id(index)][1]
        key = pd.util.hash_array(index.astype(str).to_numpy(dtype=object)).tobytes()
        if key not in self.known:
            self.known[key] = cohort_digest(patients_in(self.clinical, index))
        self.seen[id(index)] = index, self.known[key]
        return self.known[key]


def shared_patients(first: str, second: str, n_first: int, n_second: int) -> int:
    """Return about how many patients two digests have in common; 0 where that may be chance."""
    if len(first) != LENGTH or len(second) != LENGTH:
        return 0
    same = sum(a == b for a, b in zip(first, second, strict=True))
    if stats.binom.sf(same - 1, LENGTH, _CHANCE) > _RARE:
        return 0
    jaccard = (same / LENGTH - _CHANCE) / (1 - _CHANCE)
    return min(round(jaccard / (1 + jaccard) * (n_first + n_second)), n_first, n_second)


def overlap_notes(digests: Mapping[str, str], sizes: Mapping[str, int]) -> list[str]:
    """Say which cohorts have patients of the same names, and about how many."""
    notes = []
    for a, b in combinations(digests, 2):
        both = shared_patients(digests[a], digests[b], sizes[a], sizes[b])
        if both:
            notes.append(
                f"about {both} patient(s) of {a} ({sizes[a]}) have the names of patients of {b} ({sizes[b]}): if they "
                "are the same, they count twice"
            )
    return notes
