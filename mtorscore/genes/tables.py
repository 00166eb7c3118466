"""The shipped tables of gene symbols, their history and other identifiers."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from functools import cached_property, lru_cache
from importlib import resources
from typing import NamedTuple

__all__ = ["Gene", "GeneTable", "by_hgnc", "excel_dates", "human", "mouse", "rows_of"]


class Gene(NamedTuple):
    """One approved human gene, or a mouse gene with its human orthologue."""

    symbol: str
    hgnc: str = ""
    entrez: str = ""
    ensembl: str = ""
    group: str = ""
    human: str = ""


class GeneTable:
    """Lookups over one organism's genes, built on first use.

    Attributes
    ----------
    genes
        Every gene.
    by_symbol, by_ensembl, by_entrez
        One gene each.
    previous, alias
        Historical names -> every gene that had them.
    by_upper, previous_upper
        Upper-case current or previous symbol -> gene, where only one fits.
    """

    def __init__(
        self, genes: list[Gene], old: Iterable[str] = (), other: Iterable[str] = (), retired: str | None = None
    ) -> None:
        self.genes = genes
        self._old, self._other, self._retired = old, other, retired
        self.by_symbol = {gene.symbol: gene for gene in genes}

    @cached_property
    def by_ensembl(self) -> dict[str, Gene]:
        """Genes by current and retired Ensembl id."""
        found = {gene.ensembl: gene for gene in self.genes if gene.ensembl}
        for ensembl, symbol in rows_of(self._retired) if self._retired else ():
            found.setdefault(ensembl, self.by_symbol[symbol])
        return found

    @cached_property
    def by_entrez(self) -> dict[str, Gene]:
        """Genes by Entrez id."""
        return {gene.entrez: gene for gene in self.genes if gene.entrez}

    @cached_property
    def previous(self) -> dict[str, tuple[Gene, ...]]:
        """Genes by earlier symbol."""
        return self._by_name(self._old)

    @cached_property
    def alias(self) -> dict[str, tuple[Gene, ...]]:
        """Genes by alias."""
        return self._by_name(self._other)

    @cached_property
    def by_upper(self) -> dict[str, Gene]:
        """Genes by symbol in capitals, where only one fits."""
        return _only((gene.symbol.upper(), gene) for gene in self.genes)

    @cached_property
    def previous_upper(self) -> dict[str, Gene]:
        """Genes by earlier symbol in capitals, where only one fits."""
        return _only((name.upper(), gene) for name, genes in self.previous.items() for gene in genes)

    def names_of(self, symbols: Iterable[str]) -> set[str]:
        """Return every name, past and present, of approved symbols."""
        wanted = set(symbols)
        found = set(wanted)
        for texts in (self._old, self._other):
            for text, gene in zip(texts, self.genes, strict=False):
                if text and gene.symbol in wanted:
                    found.update(text.split("|"))
        return found

    def _by_name(self, texts: Iterable[str]) -> dict[str, tuple[Gene, ...]]:
        found: dict[str, tuple[Gene, ...]] = {}
        for text, gene in zip(texts, self.genes, strict=False):
            if text:
                for name in text.split("|"):
                    found[name] = (*found[name], gene) if name in found else (gene,)
        return found


def rows_of(name: str) -> Iterable[list[str]]:
    """Return the rows of a shipped table, without its header."""
    raw = resources.files("mtorscore").joinpath("data", name).read_bytes()
    lines = gzip.decompress(raw).decode().split("\n")
    return (line.split("\t") for line in lines[1:] if line)


def _only(pairs: Iterable[tuple[str, Gene]]) -> dict[str, Gene]:
    """Return the pairs whose key has one gene."""
    found: dict[str, Gene | None] = {}
    for key, gene in pairs:
        found[key] = gene if found.get(key, gene) == gene else None
    return {key: gene for key, gene in found.items() if gene is not None}


@lru_cache(maxsize=1)
def human() -> GeneTable:
    """Return the approved human genes (HGNC, 2024-07-23) with previous and alias symbols."""
    hgnc, symbol, old, other, entrez, ensembl, group = zip(*rows_of("genes_human.tsv.gz"), strict=True)
    genes = [Gene(*g) for g in zip(symbol, map("HGNC:".__add__, hgnc), entrez, ensembl, group, strict=True)]
    return GeneTable(genes, old, other, "ensembl_retired.tsv.gz")


@lru_cache(maxsize=1)
def by_hgnc() -> dict[str, Gene]:
    """Return the human genes by their HGNC ids."""
    return {gene.hgnc: gene for gene in human().genes}


@lru_cache(maxsize=1)
def mouse() -> GeneTable:
    """Return the mouse genes that have exactly one human orthologue; `Gene.human` is its symbol."""
    rows = rows_of("genes_mouse.tsv.gz")
    return GeneTable([Gene(symbol, mgi, "", ensembl, "", orthologue) for symbol, orthologue, mgi, ensembl in rows])


@lru_cache(maxsize=1)
def excel_dates() -> dict[str, tuple[str, ...]]:
    """Return spreadsheet date form -> the current symbols that it may come from; one where it is unambiguous."""
    sure: dict[str, set[str]] = {}
    every: dict[str, set[str]] = {}
    for day, month, _original, symbol, ambiguous in rows_of("excel_dates.tsv.gz"):
        for form in (day, month):
            every.setdefault(form, set()).add(symbol)
            if ambiguous == "no":
                sure.setdefault(form, set()).add(symbol)
    return {form: tuple(sorted(sure.get(form) or symbols)) for form, symbols in every.items()}
