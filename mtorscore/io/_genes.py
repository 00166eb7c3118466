"""Gene identifiers: which kind a name is, and the shipped tables of symbols, their history and other identifiers."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

__all__ = ["Gene", "GeneTable", "excel_dates", "gene_likeness", "human", "kind_of", "mouse", "strip_version"]

_ENSEMBL = re.compile(r"^ENS(?P<species>[A-Z]{0,6}?)(?P<type>[GTPER])R?\d{9,11}(?:[._]\d+)?(?:_PAR_[XY])?$")
# Letters and digits only, and no beginning that any other kind has: by far the most names are such.
_PLAIN = re.compile(r"^(?!(?i:ENS|TCGA|GS[ME]|SR[RX]|SA[MN]|DO|SP))[A-Za-z][A-Za-z0-9]*$")
_ENSGR = re.compile(r"^ENSGR")
_ENTREZ = re.compile(r"^\d{1,9}$")
_PAIR = re.compile(r"^(?P<symbol>[^|]+)\|(?P<entrez>\d+)$")
_REFSEQ = re.compile(r"^[NX][MRP]_\d{6,9}(?:\.\d+)?$")
_COMPOSITE = re.compile(
    r"(?:^|[|_:;,( ])ENS[A-Z]{0,6}G\d{11}(?:\.\d+)?(?:[|_:;,) ]|$)|^[A-Za-z][\w.-]* \(\d+\)$|^HGNC:\d+$|^gene[:-]\S+$"
)
_PROBE = re.compile(r"^(?:\d+(?:_[a-z]{1,2})*_at|AFFX-\S+|ILMN_\d+|A_\d\d_P\d+|TC\d{8,}\.hg\.\d)$")
_SAMPLE = re.compile(r"^(?:TCGA-\w\w-\w{4}|GS[ME]\d+|SR[RX]\d+|SA[MN]\w*\d+|DO\d+|SP\d+)", re.IGNORECASE)
_DATE = re.compile(r"^(?:\d{1,2}-[A-Z][a-z]{2,3}|[A-Z][a-z]{2,3}-\d{1,2}|\d{4}-\d{2}-\d{2}(?: 00:00:00)?)$")


class Gene(NamedTuple):
    """One approved human gene, or a mouse gene with its human orthologue."""

    symbol: str
    hgnc: str = ""
    entrez: str = ""
    ensembl: str = ""
    group: str = ""
    human: str = ""


@dataclass(frozen=True)
class GeneTable:
    """Lookups over one organism's genes.

    Attributes
    ----------
    by_symbol, by_ensembl, by_entrez
        One gene each.
    previous, alias
        Historical names -> every gene that had them.
    by_upper, previous_upper
        Upper-case current or previous symbol -> gene, where only one fits.
    """

    by_symbol: dict[str, Gene]
    by_ensembl: dict[str, Gene]
    by_entrez: dict[str, Gene]
    previous: dict[str, tuple[Gene, ...]]
    alias: dict[str, tuple[Gene, ...]]
    by_upper: dict[str, Gene]
    previous_upper: dict[str, Gene]


def _rows(name: str) -> Iterable[list[str]]:
    raw = resources.files("mtorscore").joinpath("data", name).read_bytes()
    lines = gzip.decompress(raw).decode().split("\n")
    return (line.split("\t") for line in lines[1:] if line)


def _unique_upper(genes: Iterable[Gene]) -> dict[str, Gene]:
    found: dict[str, Gene | None] = {}
    for gene in genes:
        key = gene.symbol.upper()
        found[key] = None if key in found else gene
    return {k: g for k, g in found.items() if g is not None}


@lru_cache(maxsize=1)
def human() -> GeneTable:
    """Return the approved human genes (HGNC, 2024-07-23) with previous and alias symbols."""
    by_symbol, by_ensembl, by_entrez = {}, {}, {}
    previous: dict[str, list[Gene]] = {}
    alias: dict[str, list[Gene]] = {}
    for hgnc, symbol, old, other, entrez, ensembl, group in _rows("genes_human.tsv.gz"):
        gene = Gene(symbol, f"HGNC:{hgnc}", entrez, ensembl, group)
        by_symbol[symbol] = gene
        if ensembl:
            by_ensembl[ensembl] = gene
        if entrez:
            by_entrez[entrez] = gene
        for names, table in ((old, previous), (other, alias)):
            for name in names.split("|") if names else ():
                table.setdefault(name, []).append(gene)
    for ensembl, symbol in _rows("ensembl_retired.tsv.gz"):
        by_ensembl.setdefault(ensembl, by_symbol[symbol])
    return GeneTable(
        by_symbol,
        by_ensembl,
        by_entrez,
        {k: tuple(v) for k, v in previous.items()},
        {k: tuple(v) for k, v in alias.items()},
        _unique_upper(by_symbol.values()),
        {n.upper(): genes[0] for n, genes in previous.items() if len(genes) == 1 and n.upper() not in previous},
    )


@lru_cache(maxsize=1)
def by_hgnc() -> dict[str, Gene]:
    """Return the human genes by their HGNC ids."""
    return {gene.hgnc: gene for gene in human().by_symbol.values()}


@lru_cache(maxsize=1)
def mouse() -> GeneTable:
    """Return the mouse genes that have exactly one human orthologue; `Gene.human` is its symbol."""
    by_symbol, by_ensembl = {}, {}
    for symbol, orthologue, mgi, ensembl in _rows("genes_mouse.tsv.gz"):
        gene = Gene(symbol, mgi, "", ensembl, "", orthologue)
        by_symbol[symbol] = gene
        if ensembl:
            by_ensembl[ensembl] = gene
    return GeneTable(by_symbol, by_ensembl, {}, {}, {}, _unique_upper(by_symbol.values()), {})


@lru_cache(maxsize=1)
def excel_dates() -> dict[str, tuple[str, ...]]:
    """Return spreadsheet date form -> the current symbols that it may stand for; one where it is unambiguous."""
    sure: dict[str, set[str]] = {}
    every: dict[str, set[str]] = {}
    for day, month, _original, symbol, ambiguous in _rows("excel_dates.tsv.gz"):
        for form in (day, month):
            every.setdefault(form, set()).add(symbol)
            if ambiguous == "no":
                sure.setdefault(form, set()).add(symbol)
    return {form: tuple(sorted(sure.get(form) or symbols)) for form, symbols in every.items()}


def is_date(name: str) -> bool:
    """Whether a spreadsheet made a date of the name."""
    return bool(_DATE.match(name))


def strip_version(name: str) -> str:
    """Cut the version and the pseudo-autosomal marks off an Ensembl id: ENSG..15, ENSGR.., .._PAR_Y -> ENSG..

    Examples
    --------
    >>> strip_version("ENSG00000182378.15_PAR_Y"), strip_version("ENSGR0000182378.12")
    ('ENSG00000182378', 'ENSG00000182378')
    """
    name = _ENSGR.sub("ENSG0", name)
    return re.split(r"[._]", name, maxsplit=1)[0]


@lru_cache(maxsize=1 << 17)
def kind_of(name: str) -> str:
    """Name the kind of one identifier, "" where nothing is recognised by its form alone.

    One of ``ensembl``, ``ensembl_mouse``, ``ensembl_transcript``, ``ensembl_other``, ``entrez``, ``symbol|entrez``,
    ``refseq``, ``probe``, ``date``, ``sample``, ``composite`` (several names in one, such as ``ENSG.._TP53``).
    """
    if _PLAIN.match(name):
        return ""
    found = _ENSEMBL.match(name)
    if found:
        if found["type"] == "T":
            return "ensembl_transcript"
        if found["type"] not in "GR":
            return "ensembl_other"
        return {"": "ensembl", "MUS": "ensembl_mouse"}.get(found["species"], "ensembl_other")
    for kind, pattern in (
        ("entrez", _ENTREZ),
        ("symbol|entrez", _PAIR),
        ("refseq", _REFSEQ),
        ("probe", _PROBE),
        ("date", _DATE),
        ("sample", _SAMPLE),
        ("composite", _COMPOSITE),
    ):
        if pattern.search(name):
            return kind
    return ""


def split_pair(name: str) -> tuple[str, str]:
    """Split ``SYMBOL|Entrez``; the symbol is "" where it is ``?``."""
    found = _PAIR.match(name)
    if not found:
        return name, ""
    return ("" if found["symbol"] == "?" else found["symbol"]), found["entrez"]


def is_symbol(name: str) -> bool:
    """Whether a name is or was a human symbol, or is a mouse symbol, in any case."""
    table = human()
    upper = name.upper()
    return (
        name in table.by_symbol
        or upper in table.by_upper
        or name in table.previous
        or (name in table.alias and len(name) > 2)
        or upper in table.previous
    )


def gene_likeness(names: Sequence[str], most: int = 400) -> tuple[float, str]:
    """Return the share of names that look like gene identifiers, and the commonest kind.

    Parameters
    ----------
    names
        Row or column names.
    most
        Names looked at, evenly spread.
    """
    if not len(names):
        return 0.0, ""
    step = max(1, len(names) // most)
    chosen = [str(n) for n in names[::step]]
    counts: dict[str, int] = {}
    for name in chosen:
        kind = kind_of(name)
        if kind in ("sample", "date"):
            continue
        if kind in ("", "entrez") and is_symbol(name):
            kind = "symbol"
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
    if not counts:
        return 0.0, ""
    best = max(sorted(counts), key=lambda k: counts[k])
    return sum(counts.values()) / len(chosen), best
