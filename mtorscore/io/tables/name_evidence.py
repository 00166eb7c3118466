"""What a list of names says: how much it looks like genes, and how much like samples of this field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mtorscore.genes.identifier_kinds import is_symbol, kind_of, plain_form
from mtorscore.genes.numbers import entrez_evidence
from mtorscore.genes.tables import human

__all__ = ["NameEvidence", "looks_like_sample", "weigh_names"]

# Words with which samples of liver cancer and its models are named; many are aliases of genes.
_WORDS = (
    r"HCCs?|HBL?|CCAs?|i?CCA|ICC|CHC|cHCC|ECC|PLC|LIHC|CHOL|FLC|FNH|HCA|NASH|NAFLD|HBV|HCV|LC|LT|NT|TN|TT|NN|AT|PT|NL|TL|TC|NC|"
    r"TP|NP|T|N|C|P|S|A|B|D|E|G|H|K|L|M|R|V|W|X|Y|Z|KO|WT|OE|SH|SI|sg|sh|si|EV|NS|DMSO|VEH|RAPA|TORIN|RAD|PDX|PDO|ORG|"
    r"ctrl|ctl|con|control|contr|case|treat(?:ed|ment)?|untreated|tumou?r|tum|normal|norm|nor|adj(?:acent)?|non-?tumou?r|"
    r"para(?:cancer|tumou?r)?|healthy|liver|patient|pat|pt|subj(?:ect)?|sample|samp|smp|donor|mouse|rat|rep(?:licate)?|"
    r"bio|lib(?:rary)?|run|lane|well|spot|array|chip|exp|batch|group|day|hour|hr|time|lane|cell|bc|id|case|met|prim|rec|"
    r"pre|post|before|after|responder|nonresponder|low|high|mut|veh|drug|vehicle|mock|scr|scramble|nc|luc|gfp"
)
_CELL_LINES = (
    r"hep-?g2|hep-?3b\w*|huh-?(?:1|6|7)\w*|sk-?hep-?1|snu-?\d{3}\w*|plc(?:/prf/5)?|c3a|jhh-?\d|hu-?h6|mhcc-?97\w*|"
    r"hcc-?lm\d|smmc-?7721|bel-?7402|qgy-?\d+|l-?o2|li-?7|hle|hlf|rbe|hucc-?t1|tfk-?1|kkk?u-?\w*\d+|egi-?1|hek-?293t?|"
    r"mcf-?(?:7|10a)\w*|hela|a549|hct-?116|thle-?2|heparg|focus|aml-?12|hepa-?1-?6|mef\w*"
)
# Further words after a mark. No word holds an underscore here, so that a text is split in one way only: where it could
# be split in many, a long row of underscores would be tried in all of them.
_MORE = r"(?:(?:_*[ .-]_*|_+)[^\W_]{1,12})*_*"
_FIELD = re.compile(
    rf"^(?:(?:{_WORDS})(?:[ ._-]?#?\d{{1,5}}[A-Za-z]?)?{_MORE}|(?:\w{{1,8}}[ ._-])?(?:{_CELL_LINES}){_MORE}|"
    rf"\d{{1,6}}[ ._-]?(?:T|N|TT|NT|P|A|L|PT|TU|NO|tumou?r|normal|adj)\d?)$",
    re.IGNORECASE,
)
_CELL_LINE = re.compile(rf"^(?:{_CELL_LINES})(?:[ .-]?\w)*$", re.IGNORECASE)
_BARCODE = re.compile(r"^(?:\w+[_-])?[ACGT]{10,}(?:-\d+)?$")
# What examples and simulations call genes; G1 may also be a group, so this is weak evidence.
_INVENTED = re.compile(r"^(?:g|genes?|feat(?:ure)?|probe|transcript|tx|locus|tag)[ ._-]?\d+$", re.IGNORECASE)
_STEM = re.compile(r"^(?P<stem>.*?[^\d]|)(?P<number>\d+)(?P<end>[^\d]{0,12})$")
# Nobody names a sample with more characters.
_LONGEST = 200
_MOUSE = re.compile(r"^[A-Z][a-z0-9]{2,}[A-Za-z0-9.-]*$")
_SAMPLE_LIKE = re.compile(
    r"tumou?r|normal|patient|sample|control|replicate|\brep\b|(?:^|[ ._-])rep\d|\.bam$|\.cel$", re.I
)


@dataclass(frozen=True)
class NameEvidence:
    """How much a list of names looks like genes and like samples, each from 0 to 1, and the commonest kind of gene."""

    genes: float
    samples: float
    kind: str
    count: int

    def words(self) -> str:
        """Say it in words."""
        kind = f" ({self.kind})" if self.kind else ""
        return f"{self.genes:.0%} genes{kind}, {self.samples:.0%} samples"


def looks_like_sample(name: str) -> bool:
    """Whether a name is a common one for a sample of this field, by itself."""
    if _certainly_sample(name):
        return True
    return len(name) <= _LONGEST and bool(_FIELD.match(name) or _SAMPLE_LIKE.search(name))


def _certainly_sample(name: str) -> bool:
    """Whether a name is a sample's by an identifier, a cell barcode or a cell line."""
    return kind_of(name) == "sample" or (len(name) <= _LONGEST and bool(_BARCODE.match(name) or _CELL_LINE.match(name)))


def _in_series(names: Sequence[str]) -> set[str]:
    """Return names that share a stem and differ by a number, unless every one of a stem is an approved symbol."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if found := _STEM.match(name):
            end = found["end"] if len(found["stem"]) < 2 else ""
            groups.setdefault((found["stem"].lower(), end.lower()), []).append(name)
    symbols = human().by_symbol
    out: set[str] = set()
    for members in groups.values():
        # C2 and C3 are symbols, and samples beside C1.
        known = sum((n in symbols and len(n) > 2) or bool(kind_of(n)) for n in members)
        if all(n in symbols for n in members):
            continue
        if len(set(members)) > 1 and known < 0.6 * len(members):
            out.update(members)
    return out


def _gene_weight(name: str, digits: float) -> tuple[float, str]:
    """Return how strongly one name says gene, and its kind."""
    kind = kind_of(name)
    if kind in ("sample", "date"):
        return 0.0, ""
    if kind == "entrez":
        return digits, "entrez" if digits else ""
    if kind:
        return 1.0, kind
    plain = plain_form(name)
    if plain != name and (kind_of(plain) or is_symbol(plain)):
        return 1.0, kind_of(plain) or "symbol"
    table = human()
    if plain in table.by_symbol:
        return 1.0, "symbol"
    if plain in table.previous:
        return 0.8, "symbol"
    if len(plain) > 2 and plain in table.alias:
        return 0.5, "symbol"
    upper = plain.upper()
    if upper in table.by_upper or upper in table.previous:
        return (0.8 if _MOUSE.match(plain) else 0.4), "symbol"
    if plain.replace(".", "-") in table.by_symbol:
        return 1.0, "symbol"
    return 0.0, ""


def weigh_names(names: Sequence[str], most: int = 400) -> NameEvidence:
    """Weigh a list of names.

    Parameters
    ----------
    names
        Row or column names.
    most
        Names looked at, evenly spread.
    """
    step = max(1, len(names) // most)
    chosen = tuple(str(n) for n in names[::step] if str(n))
    if not chosen:
        return NameEvidence(0.0, 0.0, "", 0)
    evidence = entrez_evidence([str(n) for n in names[: 4 * most]])
    return _weighed(chosen, 0.0 if evidence < 0 else (0.7 if evidence > 3 else 0.3))


@lru_cache(maxsize=8)
def _weighed(chosen: tuple[str, ...], digits: float) -> NameEvidence:
    """Weigh names, given how much digits say; several questions are asked about the names of one table."""
    series = _in_series(chosen)
    genes = samples = 0.0
    kinds: Counter[str] = Counter()
    for name in chosen:
        weight, kind = _gene_weight(name, digits)
        if weight < 0.5 and _INVENTED.match(name):
            genes += 0.5
            continue
        certain = weight == 1.0 and kind not in ("symbol",)
        sample = 1.0 if _certainly_sample(name) else 0.0
        if not sample and not certain:
            if looks_like_sample(name):
                sample = 0.4 if weight == 1.0 and name not in series else 0.9
            elif name in series:
                # Genes of an assembly are numbered as well.
                sample = 0.35
        if sample >= 0.7 or name in series:
            # An alias, or C3 among C1 and C2, says little against the name of a sample.
            weight = min(weight, 0.1)
        genes, samples = genes + weight, samples + sample
        if kind and weight >= 0.3:
            kinds[kind] += 1
    kind = max(sorted(kinds), key=lambda k: kinds[k]) if kinds else ""
    return NameEvidence(genes / len(chosen), samples / len(chosen), kind, len(chosen))
