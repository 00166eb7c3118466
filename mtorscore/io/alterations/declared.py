"""Declared genes of the pathway and what their alteration is expected to do: ``signatures/alterations.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mtorscore.collection.library_files import library_folder
from mtorscore.collection.yaml_text import load

__all__ = ["DeclaredGene", "declared_genes", "declared_proteins"]

FILE = "alterations.yaml"


@dataclass(frozen=True)
class DeclaredGene:
    """One gene of the pathway.

    Attributes
    ----------
    gene
        Approved symbol.
    effect
        ``"gain"`` (alterations that activate it count), ``"loss"`` or ``"any"``.
    kinds
        Kinds of alterations that count, see `mtorscore.io.read_alterations`.
    branches
        Branch -> direction in which its activity is expected to move: 1, -1, or 0 where none is claimed.
    hotspots
        Residues, such as ``R249``.
    promoter
        Whether variants of the promoter count.
    context
        Whether the gene acts beside the pathway.
    sources
        Where the expectation comes from.
    node
        Branch at which the gene stands on the map of the pathway; "" for a gene beside it.
    """

    gene: str
    effect: str
    kinds: tuple[str, ...]
    branches: Mapping[str, int]
    hotspots: frozenset[str]
    promoter: tuple[str, ...]
    context: bool
    sources: tuple[str, ...]
    node: str


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    text = (library_folder() / FILE).read_text(encoding="utf-8")
    raw: dict[str, Any] = load(text)
    return raw


def declared_proteins() -> Mapping[str, tuple[str, ...]]:
    """Return branch -> antibodies whose mean level is its protein layer."""
    return {str(branch): tuple(map(str, names)) for branch, names in _file()["proteins"].items()}


@lru_cache(maxsize=1)
def declared_genes() -> Mapping[str, DeclaredGene]:
    """Return the declared genes by symbol, in the order of the file."""
    raw = _file()
    effects = {name: tuple(map(str, kinds)) for name, kinds in raw["effects"].items()}
    return {
        str(gene): DeclaredGene(
            gene=str(gene),
            effect=str(said["effect"]),
            kinds=effects[str(said["effect"])],
            branches={str(b): int(d) for b, d in said["branches"].items()},
            hotspots=frozenset(map(str, said.get("hotspots", ()))),
            promoter=tuple(map(str, said.get("promoter", ()))),
            context=_context(said),
            sources=tuple(map(str, said["sources"])),
            node="" if _context(said) else str(said.get("node") or next(iter(said["branches"]))),
        )
        for gene, said in raw["genes"].items()
    }


def _context(said: Mapping[str, Any]) -> bool:
    return str(said.get("context", "")).lower() == "true"
