"""Whether a list of whole numbers is made of Entrez ids, by weight of evidence.

Low numbers are nearly all taken: of 1 to 10,000, three in four are ids of approved genes, so that patients 1000 to
1039 would pass as genes one by one. A list is therefore held against the share of approved ids in its own range.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import log

from mtorscore.genes.tables import human

__all__ = ["entrez_evidence", "is_running_count"]

# Fewer numbers are no evidence of anything.
FEWEST = 3
_BOUNDS = (0, 10_000, 30_000, 100_000, 300_000, 1_000_000, 100_000_000, 1_000_000_000)


@lru_cache(maxsize=1)
def _density() -> list[float]:
    """Return the share of approved ids in each range of `_BOUNDS`."""
    ids = sorted(int(e) for e in human().by_entrez)
    places = [bisect_left(ids, b) for b in _BOUNDS]
    return [
        max((b - a) / (high - low), 1e-5)
        for a, b, low, high in zip(places, places[1:], _BOUNDS, _BOUNDS[1:], strict=False)
    ]


def is_running_count(names: Sequence[str]) -> bool:
    """Whether numbers only count: 1, 2, 3, ..., 1000, 1001, ... or 0, 2, 4, ... (spots, patients, years, an index)."""
    if len(names) < 3 or not all(n.isdigit() and n.isascii() and len(n) <= 9 for n in names):
        return False
    steps = [int(b) - int(a) for a, b in pairwise(names)]
    common = max(set(steps), key=steps.count)
    return common != 0 and steps.count(common) >= 0.9 * len(steps)


def entrez_evidence(names: Sequence[str]) -> float:
    """Return the weight of evidence (a log likelihood ratio) that numbers are Entrez ids rather than any numbers.

    Parameters
    ----------
    names
        Names; what is no number is passed over.

    Returns
    -------
    float
        Above 3 the numbers are Entrez ids, below 0 they are not by themselves; -inf where they only count.
    """
    numbers = [n for n in dict.fromkeys(names) if n.isdigit() and n.isascii() and len(n) <= 9]
    if not numbers:
        return 0.0
    if is_running_count(numbers) or any(n.startswith("0") for n in numbers):
        return float("-inf")
    if len(numbers) < FEWEST:
        # One number or two prove nothing, and small ones rather count rows.
        return float("-inf") if any(int(n) < 100 for n in numbers) else -1.0
    known, density, weight = human().by_entrez, _density(), 0.0
    for n in numbers:
        d = density[bisect_left(_BOUNDS, int(n) + 1) - 1]
        expected = max(0.6, 1 - 0.1 * (1 - d))
        weight += log(expected / d) if n in known else log((1 - expected) / (1 - d))
    return weight
