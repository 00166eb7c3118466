"""What one file says of alterations: events, and for which samples and genes it can say anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mtorscore.io.alterations.kinds import BITS

__all__ = ["CALLS", "COPY_NUMBER", "DATA", "MUTATIONS", "STRUCTURAL", "Cells", "Part"]

MUTATIONS, COPY_NUMBER, STRUCTURAL, CALLS = "mutations", "copy_number", "structural_variants", "calls"
DATA = (MUTATIONS, COPY_NUMBER, STRUCTURAL, CALLS)
"""Kinds of data: lists of mutations, levels of copy number, lists of structural variants, tables of calls."""


@dataclass
class Cells:
    """What a table of genes and samples says.

    Attributes
    ----------
    samples, genes
        Its rows and columns, each once.
    bits
        Samples x genes: kinds, one bit each.
    known
        Samples x genes: whether the gene was looked at.
    """

    samples: list[str]
    genes: list[str]
    bits: npt.NDArray[np.uint16]
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, samples: list[str], genes: list[str]) -> Cells:
        """Return a table that says nothing yet."""
        shape = (len(samples), len(genes))
        return cls(samples, genes, np.zeros(shape, dtype=np.uint16), np.zeros(shape, dtype=np.bool_))


@dataclass
class Part:
    """What one file says.

    Attributes
    ----------
    path, data
        The file, and which of `DATA` it holds.
    bits
        (sample, gene) -> kinds, one bit each, of a list of events.
    cells
        What a table of genes and samples says; None of a list.
    samples
        Samples that the file shows to be profiled, in its order.
    genes
        Genes that it speaks of; None where it speaks of all.
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
    cells: Cells | None = None
    samples: dict[str, None] = field(default_factory=dict)
    genes: dict[str, None] | None = None
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
