"""Genes of many signatures as numbers: each symbol is looked up, sorted and written once, not once per signature."""

from __future__ import annotations

import hashlib
import json
import string
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from mtorscore._entries import Signature

__all__ = ["Vocabulary", "plain_hashes", "sort_keys"]

Ints = npt.NDArray[np.int64]
# Characters that JSON writes as they are, among them all that gene symbols are made of.
PLAIN = (string.ascii_letters + string.digits + "-_.:;,@/|+*() ").encode()


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of signatures, and which of them each signature holds.

    Attributes
    ----------
    symbols
        Distinct symbols.
    codes
        Places in `symbols` of all genes: up, then down, signature by signature.
    sizes
        ``(n_signatures, 2)`` up and down genes.
    """

    symbols: tuple[str, ...]
    codes: Ints
    sizes: Ints

    @classmethod
    def of(cls, signatures: Sequence[Signature]) -> Vocabulary:
        """Give each symbol of the signatures a number, in the order in which they come."""
        lists = list(chain.from_iterable((s.up, s.down) for s in signatures))
        sizes = np.array([len(genes) for genes in lists], dtype=np.int64).reshape(len(signatures), 2)
        numbers: defaultdict[str, int] = defaultdict(count().__next__)
        codes = np.fromiter(map(numbers.__getitem__, chain.from_iterable(lists)), np.int64, int(sizes.sum()))
        return cls(tuple(numbers), codes, sizes)

    @property
    def pointer(self) -> Ints:
        """Signature i holds ``codes[pointer[i]:pointer[i + 1]]``."""
        return np.concatenate([[0], np.cumsum(self.sizes.sum(axis=1))]).astype(np.int64)


def sort_keys(pointer: Ints, columns: Ints, n_columns: int) -> Ints:
    """Return a number per entry that puts the columns of each row in order, and the rows; no two are alike."""
    keys: Ints = np.repeat(np.arange(pointer.size - 1), np.diff(pointer)) * n_columns + columns
    return keys


def plain_hashes(signatures: Sequence[Signature], vocabulary: Vocabulary) -> list[str | None]:
    """Return the hashes of signatures, see `Entry.hash`; None for those with down genes, weights or unusual names."""
    if "".join(vocabulary.symbols).encode().translate(None, PLAIN):
        return [None] * len(signatures)
    ordered = sorted(range(len(vocabulary.symbols)), key=vocabulary.symbols.__getitem__)
    rank = np.empty(len(ordered), dtype=np.int64)
    rank[ordered] = np.arange(len(ordered))
    pointer = vocabulary.pointer
    ranks = np.sort(sort_keys(pointer, rank[vocabulary.codes], rank.size)) % max(rank.size, 1)
    names = np.array(vocabulary.symbols, dtype=object)[ordered][ranks].tolist()
    found: list[str | None] = []
    for s, a, b in zip(signatures, pointer[:-1].tolist(), pointer[1:].tolist(), strict=True):
        if s.down or s.weights or not s.up:
            found.append(None)
            continue
        weights = '":1.0,"'.join(names[a:b])
        text = f'{{"id":{json.dumps(s.id)},"kind":"{s.kind}","weights":{{"{weights}":1.0}}}}'
        found.append(hashlib.sha256(text.encode()).hexdigest()[:16])
    return found
