"""What stands in the fields of a gene set: one gene or several, with a weight, or a description that is none."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["MOST", "SIGNS", "WEIGHTED", "is_gene", "is_separated", "split_names", "stray_genes"]

SIGNS = {",": "a comma", ";": "a semicolon", "|": "a bar", "/": "a slash", " ": "a blank"}
_SEPARATED = re.compile(r"[\s,;|/]")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
WEIGHTED = re.compile(rf"(?P<gene>[^,;|\s]*[A-Za-z][^,;|\s]*)\s*,\s*(?P<weight>{_NUMBER})")
# Two names of one gene are written with a bar or a slash too, so that pieces must be different genes there.
_SURE, _UNSURE = re.compile(r"\s*[,;]\s*|\s+"), re.compile(r"\s*(?:/+|\|+|[,;])\s*|\s+")
_NO_WORD = {"", "na", "n/a", "none", "null", "nan", "-", ".", "up", "down", "dn"}
# So many of the pieces, or of the descriptions, must be known genes.
MOST = 0.8


def is_gene(name: str) -> bool:
    """Whether a name is a symbol of any vintage, human or mouse, or an Ensembl id."""
    from mtorscore.genes.identifier_kinds import is_symbol, kind_of, plain_form

    kind = kind_of(name)
    if kind in ("ensembl", "ensembl_mouse"):
        return True
    return not kind and is_symbol(plain_form(name))


def is_separated(name: str) -> bool:
    """Whether a name holds a sign that separates names; ``MTOR|2475``, a symbol and its Entrez id, is one name."""
    if not _SEPARATED.search(name):
        return False
    from mtorscore.genes.identifier_kinds import kind_of

    return kind_of(name) != "symbol|entrez"


def split_names(fields: Sequence[str]) -> tuple[list[str], bool]:
    """Return the genes of fields that hold several each, and whether they were split.

    Fields are split where at least half of a set's fields hold several names and nearly all of the pieces are known
    genes: different ones, where a bar or a slash separates them, since ``NKX2-1/TTF1`` is one gene under two names.

    Examples
    --------
    >>> split_names(["MTOR;RHEB;AKT1"]), split_names(["NKX2-1/TTF1"]), split_names(["MTOR", "p70 S6 kinase", "AKT1"])
    ((['MTOR', 'RHEB', 'AKT1'], True), (['NKX2-1/TTF1'], False), (['MTOR', 'p70 S6 kinase', 'AKT1'], False))
    """
    several = [f for f in fields if is_separated(f)]
    if 2 * len(several) < len(fields):
        return list(fields), False
    unsure = any("|" in f or "/" in f for f in several)
    pieces = [[p for p in (_UNSURE if unsure else _SURE).split(f) if p] for f in fields]
    flat = [p for row in pieces for p in row]
    known = sum(map(is_gene, flat)) >= MOST * len(flat)
    if not known or (unsure and any(_one_gene(row) for row in pieces if len(row) > 1)):
        return list(fields), False
    return flat, True


def _one_gene(names: Sequence[str]) -> bool:
    """Whether two of some names are, or were, names of one gene."""
    from mtorscore.genes.tables import human

    table = human()
    seen: set[str] = set()
    for name in names:
        symbol = table.by_symbol.get(name)
        meant = {g.symbol for g in (*table.previous.get(name, ()), *table.alias.get(name, ()))}
        meant |= {symbol.symbol} if symbol is not None else set()
        if meant & seen:
            return True
        seen |= meant
    return False


def stray_genes(sets: Sequence[tuple[str, str, Sequence[str]]]) -> list[int]:
    """Return the places of sets whose description is a gene that belongs to the set, for all that one can see.

    Parameters
    ----------
    sets
        Name, description and genes of each.

    Returns
    -------
    list of int
        Without those whose name holds the description (``SREBF1_TARGETS``, ``SREBF1``), whose genes do, or whose
        description is repeated by most of the sets.
    """
    titles = [title for _, title, _ in sets]
    found = []
    numbers = [g for _, _, genes in sets for g in genes if g]
    entrez = bool(numbers) and sum(g.isdigit() for g in numbers) > MOST * len(numbers)
    for i, (name, title, genes) in enumerate(sets):
        if title.lower() in _NO_WORD or _SEPARATED.search(title) or ":" in title or title in genes:
            continue
        if title.lower() in name.lower() or (2 * titles.count(title) > len(sets) > 1):
            continue
        if is_gene(title) or (entrez and title.isdigit()):
            found.append(i)
    return found
