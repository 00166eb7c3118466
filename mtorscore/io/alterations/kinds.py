"""Kinds of alterations: the words of portals and callers, and what they mean here."""

from __future__ import annotations

import re
from functools import lru_cache

from mtorscore.io.alterations.declared import declared_genes
from mtorscore.io.tables.cell_text import COPY_NUMBER, is_missing_word

__all__ = [
    "BITS",
    "COUNTED",
    "KINDS",
    "LEVELS",
    "SHALLOW",
    "UNALTERED",
    "kind_of_change",
    "kind_of_mutation",
    "kinds_in_words",
    "kinds_of_cell",
    "says_nothing",
]

KINDS = (
    *("truncating", "missense hotspot", "missense", "inframe", "promoter", "unclassified", "structural variant"),
    *("deep deletion", "amplification", "altered", "shallow deletion", "gain"),
)
"""In the order in which a cell lists them."""
BITS = {kind: 1 << i for i, kind in enumerate(KINDS)}
SHALLOW = ("shallow deletion", "gain")
"""Recorded, but counted as alterations on request only."""
COUNTED = tuple(k for k in KINDS if k not in SHALLOW)
LEVELS = dict(
    zip(
        COPY_NUMBER,
        ("deep deletion", "deep deletion", "shallow deletion", "", "gain", "amplification"),
        strict=True,
    )
)
"""Copy-number levels of GISTIC and cBioPortal (-1.5 is how some panels write a deep deletion that is less sure)."""


_PROMOTERS = ("5flank", "promoter", "upstream", "upstreamgenevariant")
_WORDS: dict[str, tuple[str, ...]] = {
    "truncating": (
        *("nonsensemutation", "nonsense", "stopgain", "stopgained", "stopgainsnv", "stoplost", "stoploss"),
        "truncating",
        *("frameshiftdel", "frameshiftins", "frameshift", "frameshiftdeletion", "frameshiftinsertion", "truncation"),
        *("frameshiftvariant", "frameshiftsubstitution", "splicesite", "splicesitesnp", "splicesitedel", "trunc"),
        *("splicesiteins", "splicesitedeletion", "splicesiteinsertion", "spliceacceptorvariant", "splicedonorvariant"),
        *("translationstartsite", "startlost", "startcodonsnp", "startcodondel", "startcodonins", "nonstopmutation"),
        *("splice", "splicing", "nonstop", "stopcodondel", "stopcodonins", "truncatingmutation", "startloss"),
        *("initiatorcodonvariant", "exonlossvariant", "transcriptablation", "frameshiftblocksubstitution"),
    ),
    "missense": ("missensemutation", "missense", "missensevariant", "nonsynonymoussnv", "nonsynonymous"),
    "inframe": (
        *("inframedel", "inframeins", "inframe", "inframedeletion", "inframeinsertion", "nonframeshiftdeletion"),
        *("nonframeshiftinsertion", "nonframeshiftsubstitution", "inframemutation", "inframevariant"),
        *("disruptiveinframedeletion", "disruptiveinframeinsertion", "conservativeinframedeletion"),
        *("conservativeinframeinsertion", "nonframeshiftblocksubstitution", "proteinalteringvariant"),
    ),
    "structural variant": ("fusion", "structuralvariant", "sv", "rearrangement", "translocation", "fusiongene"),
    "": (
        *("silent", "synonymous", "synonymoussnv", "synonymousvariant", "intron", "intronvariant", "intronic", "3utr"),
        *("5utr", "igr", "rna", "lincrna", "3flank", "spliceregion", "targetedregion", "intergenic", "downstream"),
        *("intergenicregion", "noncodingtranscriptexonvariant", "utr3", "utr5", "ncrna", "ncrnaexonic", "noncoding"),
        *("3primeutrvariant", "5primeutrvariant", "downstreamgenevariant", "spliceregionvariant", "utr"),
        "stopretainedvariant",
        *("nontranscribed", "denovostartoutofframe", "5utrflank", "exonvariant", "intragenicvariant", "startgain"),
        *("5primeutrprematurestartcodongainvariant", "startretainedvariant", "noncodingtranscriptvariant"),
        *("ncrnaintronic", "ncrnasplicing", "ncrnautr3", "ncrnautr5", "regulatoryregionvariant"),
        "nmdtranscriptvariant",
        *("tfbindingsitevariant", "maturemirnavariant", "splicepolypyrimidinetractvariant", "splicedonorregionvariant"),
    ),
}  # fmt: skip
_MEANING = {word: kind for kind, words in _WORDS.items() for word in words}
_RESIDUE = re.compile(r"(?:p\.)?\(?([A-Z][a-z]{2}|[A-Z*])(\d+)")
_MISSENSE = re.compile(r"(?:p\.)?\(?(?:[A-Z][a-z]{2}|[A-Z])\d+(?:[A-Z][a-z]{2}|[A-Z])\)?")
_ANY_CHANGE = re.compile(
    r"(?:p\.)?\(?(?:[A-Z][a-z]{2}|[A-Z*])\d+[A-Za-z0-9_*=>?]*\)?|(?:c\.|g\.|p\.)\S+|[A-Z]?\d+_splice"
)
_TRUNCATED = re.compile(r"fs|\*|Ter|_?splice|X\d*\)?$")
_INFRAME = re.compile(r"del|ins|dup")
_TOLD = re.compile(r"^(?:mut|cna|sv|fusion):\s*", re.IGNORECASE)
_THREE = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H",
    "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W",
    "Tyr": "Y", "Val": "V", "Ter": "*",
}  # fmt: skip

UNALTERED = frozenset({
    "0", "0.0", "n", "no", "false", "wt", "wild type", "wild-type", "wildtype", "unaltered", "not altered",
    "no alteration", "unmutated", "non-mutated", "not mutated", "normal", "negative", "neg", "diploid", "neutral",
    "none", "absent",
})  # fmt: skip
"""Cells that say that a gene was looked at and is not altered, in lower case."""
UNKNOWN = frozenset({
    "na", "nan", "n/a", "#n/a", "<na>", "n.a.", "nd", "n.d.", "ns", "np", "?", "unknown", "missing", "null", "failed",
    "not profiled", "not sequenced", "not available", "[not available]", "not tested", "not done", "not evaluable",
})  # fmt: skip
"""Cells that say that a gene was not looked at, in lower case."""
_CELLS = {
    "1": "altered", "1.0": "altered", "yes": "altered", "true": "altered", "altered": "altered", "mut": "altered",
    "mutated": "altered", "mutation": "altered", "mutant": "altered", "positive": "altered", "present": "altered",
    "pos": "altered", "y": "altered", "amp": "amplification", "amplified": "amplification",
    "amplification": "amplification", "high-level amplification": "amplification", "highamp": "amplification",
    "homdel": "deep deletion", "deep deletion": "deep deletion", "deepdel": "deep deletion", "del": "deep deletion",
    "homozygous deletion": "deep deletion", "homozygous_deletion": "deep deletion", "deleted": "deep deletion",
    "homloss": "deep deletion", "deletion": "deep deletion", "hetloss": "shallow deletion",
    "shallow deletion": "shallow deletion", "loss": "shallow deletion", "heterozygous deletion": "shallow deletion",
    "hetdel": "shallow deletion", "gain": "gain", "low-level gain": "gain", "gained": "gain", "promoter": "promoter",
    "upstream": "promoter", "missense hotspot": "missense hotspot", "hotspot": "missense hotspot",
    "promoter mutation": "promoter", "driver": "altered",
}  # fmt: skip


@lru_cache(maxsize=100_000)
def says_nothing(text: str) -> bool:
    """Whether a cell says that a gene was not looked at (not a blank one, which its table must say)."""
    low = text.lower()
    return bool(low) and low not in UNALTERED and (low in UNKNOWN or is_missing_word(text))


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _residue(change: str) -> str:
    """Return the residue of a protein change (``R249``), in one letter."""
    found = _RESIDUE.match(change)
    return f"{_THREE.get(found[1], found[1])}{found[2]}" if found else ""


def _missense(gene: str, change: str, hotspot: bool) -> str:
    declared = declared_genes().get(gene)
    # ``ENSP00000269305.4:p.Arg249Ser``, ``TP53:NM_000546:exon7:c.G747T:p.R249S``.
    change = change.rpartition(":")[2]
    known = declared is not None and _residue(change) in declared.hotspots
    return "missense hotspot" if known or hotspot else "missense"


def kind_of_mutation(gene: str, classification: str, change: str = "", *, hotspot: bool = False) -> str | None:
    """Return the kind of one mutation.

    Parameters
    ----------
    gene
        Approved symbol.
    classification
        ``Variant_Classification`` of a MAF, or the word of another caller; of several, the gravest counts.
    change
        Protein change.
    hotspot
        Whether the file calls it a hotspot.

    Returns
    -------
    str or None
        One of `KINDS`; "" for what changes no protein; None where the word is not known and nothing else tells.
    """
    words = [_plain(w) for w in re.split(r"[,;&|]", classification) if w.strip()]
    if any(w in _PROMOTERS for w in words):
        declared = declared_genes().get(gene)
        return "promoter" if declared is not None and declared.promoter else ""
    found = [_MEANING[w] for w in words if w in _MEANING]
    if not found:
        return kind_of_change(gene, change, hotspot=hotspot) if not words else None
    kind = min(found, key=lambda k: KINDS.index(k) if k else len(KINDS))
    return _missense(gene, change, hotspot) if kind == "missense" else kind


def kind_of_change(gene: str, change: str, *, hotspot: bool = False) -> str | None:
    """Return the kind that a protein change tells (``p.R249S``, ``Q61*``, ``X126_splice``); None for other text."""
    text = change.strip()
    declared = declared_genes().get(gene)
    if declared is not None and any(name in text for name in declared.promoter):
        return "promoter"
    if not _ANY_CHANGE.fullmatch(text):
        return None
    if text.endswith("="):
        return ""
    if _TRUNCATED.search(text):
        return "truncating"
    if _INFRAME.search(text):
        return "inframe"
    return _missense(gene, text, hotspot) if _MISSENSE.fullmatch(text) else "unclassified"


def kinds_of_cell(gene: str, text: str) -> list[str] | None:
    """Return the kinds that a cell of a table of calls names; None where a word means nothing.

    Parameters
    ----------
    gene
        Approved symbol.
    text
        Such as ``AMP;MUT``, ``p.R249S``, ``MUTATED`` or ``R249S (driver)``; one that is neither missing nor unaltered.

    Returns
    -------
    list of str or None
        Of `KINDS`; empty where the cell names what changes no protein.
    """
    plain = re.sub(r"\((?:putative )?(?:driver|passenger|vus|germline)\)", "", text, flags=re.IGNORECASE).strip()
    found = []
    # Words between separators first: ``Splice Site`` and ``missense_variant`` are one each, ``AMP;TRUNC`` are two.
    for piece in filter(None, (p.strip() for p in re.split(r"[;,|&]", plain))):
        kinds = _piece(gene, piece)
        if kinds is None:
            return None
        found += kinds
    return list(dict.fromkeys(found))


def _piece(gene: str, text: str) -> list[str] | None:
    """Return the kinds of what stands between separators, as a whole or else by its words."""
    text = _TOLD.sub("", text)
    whole = _word(gene, text)
    if whole is not None:
        return [whole] if whole else []
    kinds = [_word(gene, _TOLD.sub("", w)) for w in re.split(r"[/\s]+", text) if w]
    return None if None in kinds else [k for k in kinds if k]


def _word(gene: str, word: str) -> str | None:
    low = word.lower()
    if low in _CELLS:
        return _CELLS[low]
    if low in UNALTERED:
        return ""
    kind = kind_of_mutation(gene, word) if word else ""
    return kind if kind is not None else kind_of_change(gene, word)


def kinds_in_words(bits: int) -> str:
    """Return the kinds of a cell in words, joined by ``"; "``."""
    return "; ".join(kind for kind in KINDS if bits & BITS[kind])
