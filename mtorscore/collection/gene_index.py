"""Integer index of the genes of many signatures, so that each symbol is looked up, sorted and hashed once."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from mtorscore.collection.entries import Signature

__all__ = ["GeneIndex", "plain_hashes", "plain_signatures", "sort_keys"]

Ints = npt.NDArray[np.int64]
# Characters that JSON writes as they are, among them all that gene symbols are made of.
PLAIN = (string.ascii_letters + string.digits + "-_.:;,@/|+*() ").encode()


@dataclass(frozen=True)
class GeneIndex:
    """Distinct symbols of signatures, and which of them each signature holds.

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
    codes: npt.NDArray[np.int32]
    sizes: Ints

    @classmethod
    def of(cls, signatures: Sequence[Signature]) -> GeneIndex:
        """Return the index of signatures, symbols in order of first appearance."""
        import pyarrow as pa

        lists = list(chain.from_iterable((s.up, s.down) for s in signatures))
        sizes = np.array([len(genes) for genes in lists], dtype=np.int64).reshape(len(signatures), 2)
        coded = pa.array(list(chain.from_iterable(lists)), pa.string()).dictionary_encode()
        return cls(tuple(coded.dictionary.to_pylist()), coded.indices.to_numpy(), sizes)

    @property
    def pointer(self) -> Ints:
        """Signature i holds ``codes[pointer[i]:pointer[i + 1]]``."""
        return np.concatenate([[0], np.cumsum(self.sizes.sum(axis=1))]).astype(np.int64)


def plain_signatures(lists: Mapping[str, Any]) -> tuple[list[Signature], GeneIndex] | None:
    """Convert thousands of gene lists to signatures in one pass over all genes.

    Returns
    -------
    tuple or None
        None unless all values are lists of distinct text: then each has to be looked at for itself.
    """
    import pyarrow as pa

    values = list(lists.values())
    if not all(lists) or not {list, tuple} >= set(map(type, values)):
        return None
    try:
        genes = pa.array(list(chain.from_iterable(values)))
    except (pa.ArrowException, TypeError, UnicodeError):
        return None
    if genes.type != pa.string() or genes.null_count:
        return None
    coded = genes.dictionary_encode()
    sizes = np.array([[len(v), 0] for v in values], dtype=np.int64)
    found = GeneIndex(tuple(coded.dictionary.to_pylist()), coded.indices.to_numpy(), sizes)
    keys = np.sort(sort_keys(found.pointer, found.codes, len(found.symbols)))
    if (keys[1:] == keys[:-1]).any():
        return None
    shared = np.array(found.symbols, dtype=object)[found.codes].tolist()
    ends = found.pointer.tolist()
    made = [
        Signature.unchecked(str(name), tuple(shared[a:b]))
        for name, a, b in zip(lists, ends[:-1], ends[1:], strict=True)
    ]
    return made, found


def sort_keys(pointer: Ints, columns: npt.NDArray[Any], n_columns: int) -> npt.NDArray[Any]:
    """Return one unique sort key per entry: by row, then by column."""
    n_rows = pointer.size - 1
    keys: npt.NDArray[Any] = np.repeat(np.arange(n_rows) * n_columns, np.diff(pointer)) + columns
    # Half the bytes are sorted in half the time.
    return keys.astype(np.uint32) if n_rows * n_columns < 1 << 32 else keys


def plain_hashes(signatures: Sequence[Signature], index: GeneIndex) -> list[str | None]:
    """Return the hashes of signatures, see `Entry.hash`; None for those with down genes, weights or unusual names."""
    if "".join(index.symbols).encode().translate(None, PLAIN):
        return [None] * len(signatures)
    import pyarrow as pa
    from pyarrow import compute

    symbols = pa.array(index.symbols, pa.string())
    ordered = compute.sort_indices(symbols)
    rank = np.empty(len(symbols), dtype=np.int64)
    rank[ordered.to_numpy()] = np.arange(len(symbols))
    pointer = index.pointer
    ranks = np.sort(sort_keys(pointer, rank[index.codes], rank.size)) % max(rank.size, 1)
    lists = pa.ListArray.from_arrays(pa.array(pointer, pa.int32()), symbols.take(ordered).take(pa.array(ranks)))
    joined = compute.binary_join(lists, '":1.0,"').to_pylist()
    found: list[str | None] = []
    for s, weights in zip(signatures, joined, strict=True):
        if s.down or s.weights or not s.up:
            found.append(None)
            continue
        text = f'{{"id":{json.dumps(s.id)},"kind":"{s.kind}","weights":{{"{weights}":1.0}}}}'
        found.append(hashlib.sha256(text.encode()).hexdigest()[:16])
    return found
