"""Kinds of gene identifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from mtorscore.genes.tables import human

__all__ = [
    "date_form",
    "gene_likeness",
    "is_date",
    "is_symbol",
    "kind_of",
    "plain_form",
    "split_pair",
    "strip_version",
    "without_affix",
]

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
_MONTHS = {
    **dict.fromkeys(("feb", "fev", "fév", "févr", "febr"), "Feb"),
    **dict.fromkeys(("mar", "mrz", "märz", "mär", "mars", "mrt", "marzo", "march"), "Mar"),
    **dict.fromkeys(("apr", "avr", "abr"), "Apr"),
    **dict.fromkeys(("sep", "sept", "set"), "Sep"),
    **dict.fromkeys(("oct", "okt", "ott", "out"), "Oct"),
    **dict.fromkeys(("nov",), "Nov"),
    **dict.fromkeys(("dec", "dez", "déc", "dic"), "Dec"),
}
"""Months that were gene names once, as spreadsheets of other languages write them."""
_IN_WORDS = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    r"^(?:\d{1,2}-[A-Z][a-z]{2,3}|[A-Z][a-z]{2,3}-\d{1,2}|\d{4}-\d{2}-\d{2}(?: 00:00:00)?|"
    rf"(?P<day>\d{{1,2}})(?:\. ?|-| )(?P<month>(?i:{_IN_WORDS}))\.?|\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d{{2}}))$"
)


# What pipelines write before or behind the gene's own name.
_ASSEMBLY = re.compile(r"^(?:M?STRG|XLOC|TCONS|CUFF|NOVEL)[._]?\d+(?:\.\d+)*[|_:;,](?P<name>.+)$", re.IGNORECASE)
_GENOME = re.compile(
    r"^(?:GRC[hm]\d{2}(?:\.p\d+)?|hg\d{2}|mm\d{1,2}|T2T(?:-CHM13)?|CHM13|human|Homo_sapiens|mouse|Mus_musculus)[_:|-]+"
    r"(?:gene[:-])?(?P<name>\S.*)$",
    re.IGNORECASE,
)
_NUMBERED_ID = re.compile(
    r"^(?:hsa|GeneID|gene_?id|ENTREZ(?:_?(?:ID|GENE))?|NCBI_?(?:Gene(?:ID)?)?|EG)[:_ |=-]\s*(?P<name>\d{1,9})$",
    re.IGNORECASE,
)
_SPECIES_OF_SYMBOL = re.compile(r"^(?:hsa|mmu|gene|symbol|SYM|HGNC_SYMBOL|gene_?name)[:=-](?P<name>[A-Za-z]\S*)$", re.I)
_CUSTOM = re.compile(r"^(?P<name>ENS[A-Z]{0,6}[GT]\d{11}(?:\.\d+)?|[NX][MR]_\d{6,9}(?:\.\d+)?)_at$")


@lru_cache(maxsize=1 << 17)
def plain_form(name: str) -> str:
    """Return a name without what a pipeline wrote around it: ``MSTRG.1|TP53``, ``GRCh38_TP53``, ``GeneID:7157``.

    Examples
    --------
    >>> [plain_form(n) for n in ("MSTRG.1|TP53", "GRCh38______TP53", "hsa:7157", "ENSG00000141510_at", "TP53")]
    ['TP53', 'TP53', '7157', 'ENSG00000141510', 'TP53']
    """
    for pattern in (_ASSEMBLY, _GENOME, _NUMBERED_ID, _CUSTOM, _SPECIES_OF_SYMBOL):
        if found := pattern.match(name):
            return found["name"].lstrip("_ ")
    return name


def without_affix(names: Sequence[str]) -> list[str]:
    """Return names without what nearly all of them begin or end with (``HGNC:``, ``_HUMAN``, `` [Homo sapiens]``)."""
    some = [n for n in names[:400] if n]
    if len(some) < 5:
        return list(names)
    out = list(names)
    first = re.match(r"[A-Za-z][\w.-]*?[_:|. -]+", some[0])
    start = first[0] if first else ""
    if start and sum(n.startswith(start) for n in some) >= 0.8 * len(some):
        out = [n.removeprefix(start) for n in out]
    last = re.search(r"(?<=\w)[_:|. -]+[\[(]?[A-Za-z0-9 ]+[\])]?$", some[0])
    end = last[0] if last else ""
    if end and sum(n.endswith(end) for n in some) >= 0.8 * len(some):
        out = [n.removesuffix(end) for n in out]
    return out


def is_date(name: str) -> bool:
    """Whether a spreadsheet turned the name into a date."""
    return bool(_DATE.match(name))


def date_form(name: str) -> str:
    """Return the date that a spreadsheet made of a gene name as day and English month; "" where the month is not sure.

    Examples
    --------
    >>> [date_form(n) for n in ("1-Sep", "Sep-01", "2023-09-01", "01. Sep", "2.Mrz", "3/1/2023")]
    ['1-Sep', '1-Sep', '1-Sep', '1-Sep', '2-Mar', '']
    """
    found = _DATE.match(name)
    if not found:
        return ""
    if name[:4].isdigit():
        month = {"02": "Feb", "03": "Mar", "04": "Apr", "09": "Sep", "10": "Oct", "11": "Nov", "12": "Dec"}
        return f"{int(name[8:10])}-{month[name[5:7]]}" if name[5:7] in month else ""
    day, word = re.search(r"\d+", name), re.search(r"[^\W\d]+", name)
    if day is None or word is None:
        return ""
    return f"{int(day[0])}-{_MONTHS.get(word[0].lower(), word[0][:3].capitalize())}"


def strip_version(name: str) -> str:
    """Strip version and pseudo-autosomal suffixes from an Ensembl id: ENSG..15, ENSGR.., .._PAR_Y -> ENSG..

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
