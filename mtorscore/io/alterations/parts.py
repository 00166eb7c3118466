"""What one file says of alterations: events, and for which samples and genes it can say anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from mtorscore.io.alterations.kinds import BITS

__all__ = ["CALLS", "COPY_NUMBER", "DATA", "MUTATIONS", "STRUCTURAL", "Part"]

MUTATIONS, COPY_NUMBER, STRUCTURAL, CALLS = "mutations", "copy_number", "structural_variants", "calls"
DATA = (MUTATIONS, COPY_NUMBER, STRUCTURAL, CALLS)
"""Kinds of data: lists of mutations, levels of copy number, lists of structural variants, tables of calls."""


@dataclass
class Part:
    """What one file says.

    Attributes
    ----------
    path, data
        The file, and which of `DATA` it holds.
    bits
        (sample, gene) -> kinds, one bit each.
    samples
        Samples that the file shows to be profiled, in its order.
    genes
        Genes that it speaks of; None where it speaks of all.
    unknown
        (sample, gene) that it says nothing of.
    says_who
        Whether `samples` is everybody who was profiled: columns of a matrix, or a list in the file; a list of mutations
        holds nobody without one.
    left_out
        Reason -> how many rows were not taken.
    changes
        (sample, gene, kind, change) of each event, as far as the file tells.
    mentioned
        Genes that a list of events names, wanted or not, silent or not.
    """

    path: Path
    data: str
    bits: dict[tuple[str, str], int] = field(default_factory=dict)
    samples: dict[str, None] = field(default_factory=dict)
    genes: dict[str, None] | None = None
    unknown: set[tuple[str, str]] = field(default_factory=set)
    says_who: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    changes: list[tuple[str, str, str, str]] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)

    def add(self, sample: str, gene: str, kind: str, change: str = "") -> None:
        """Record one event; one that is there already is not added twice."""
        key = (sample, gene)
        self.bits[key] = self.bits.get(key, 0) | BITS[kind]
        if change:
            self.changes.append((sample, gene, kind, change))

    def named(self) -> Collection[str]:
        """Return the genes that the file names."""
        return dict.fromkeys(g for _, g in self.bits) if self.genes is None else self.genes
