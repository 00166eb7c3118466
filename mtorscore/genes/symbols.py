"""Current and earlier gene symbols and orthologues, from the tables in mtorscore/data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from mtorscore.genes.identifier_kinds import kind_of, plain_form, split_pair, strip_version
from mtorscore.genes.tables import human, mouse

__all__ = ["approved_symbols", "current_symbol", "human_to_mouse", "old_symbols", "other_names", "symbols_of"]


@lru_cache(maxsize=1)
def approved_symbols() -> frozenset[str]:
    """Return the approved human symbols."""
    return frozenset(human().by_symbol)


@lru_cache(maxsize=1)
def old_symbols() -> Mapping[str, tuple[str, ...]]:
    """Return earlier symbols and aliases -> approved symbols; several where the old name is ambiguous.

    An earlier symbol outranks an alias: ``A`` that one gene was called and another is nicknamed means the first.
    """
    table = human()
    return {name: tuple(g.symbol for g in genes) for name, genes in {**table.alias, **table.previous}.items()}


def current_symbol(symbol: str) -> tuple[str, ...]:
    """Return the approved symbols that a name can mean: one, none, or several where it is ambiguous.

    Looked up, in order, as approved symbol, earlier symbol, alias, and approved or earlier symbol in another case
    (``C12ORF66`` of a file that writes everything in capitals).
    """
    table = human()
    if symbol in table.by_symbol:
        return (symbol,)
    found = table.previous.get(symbol) or table.alias.get(symbol)
    if found:
        return tuple(gene.symbol for gene in found)
    upper = symbol.upper()
    other_case = table.by_upper.get(upper) or table.previous_upper.get(upper)
    return (other_case.symbol,) if other_case else ()


def symbols_of(name: str) -> tuple[str, ...]:
    """Return the approved human symbols that an identifier of a gene set can mean: one, none, or several.

    Beside what `current_symbol` follows: Ensembl ids of human and mouse, Entrez ids (with a symbol before them or
    not), mouse symbols as mouse genes are written (``Trp53``), the latter by one-to-one orthologues.

    Examples
    --------
    >>> [symbols_of(n) for n in ("ENSG00000198793.14", "2475", "Trp53", "ENSMUSG00000028991", "SAMTOR")]
    [('MTOR',), ('MTOR',), ('TP53',), ('MTOR',), ('BMT2',)]
    """
    kind, plain = kind_of(name), plain_form(name)
    if kind == "ensembl_mouse":
        gene = mouse().by_ensembl.get(strip_version(name))
        return (gene.human,) if gene is not None else ()
    if kind == "ensembl":
        gene = human().by_ensembl.get(strip_version(name))
        return (gene.symbol,) if gene is not None else ()
    symbol, entrez = split_pair(name) if kind == "symbol|entrez" else ("", plain if plain.isdigit() else "")
    if entrez:
        gene = human().by_entrez.get(entrez)
        return (gene.symbol,) if gene is not None else current_symbol(symbol)
    table, of_mouse = human(), mouse().by_symbol.get(plain)
    if of_mouse is not None and plain != plain.upper() and not (plain in table.previous or plain in table.alias):
        return (of_mouse.human,)
    return current_symbol(name) or (current_symbol(plain) if plain != name else ())


def _possible_names(wanted: set[str], names: Iterable[str]) -> list[str]:
    """Return the names that can mean any of the approved symbols `wanted`."""
    known = human().names_of(wanted)
    upper = {name.upper() for name in known}
    return [name for name in names if name in known or name.upper() in upper]


def other_names(genes: Iterable[str], universe: Iterable[str]) -> dict[str, str]:
    """Find genes that a matrix holds under another name.

    Parameters
    ----------
    genes
        Symbols, current or not.
    universe
        Gene names of the matrix.

    Returns
    -------
    dict
        Gene -> name in the matrix, for genes that the matrix lacks by their own name but holds by exactly one other
        name of the same approved gene. Ambiguous names are never followed.
    """
    present = set(universe)
    missing = {g: current_symbol(g) for g in dict.fromkeys(genes) if g not in present}
    wanted = {options[0] for options in missing.values() if len(options) == 1}
    if not wanted:
        return {}
    held: dict[str, set[str]] = defaultdict(set)
    for name in _possible_names(wanted, present):
        options = current_symbol(name)
        if len(options) == 1 and options[0] in wanted:
            held[options[0]].add(name)
    out: dict[str, str] = {}
    for gene, options in missing.items():
        if len(options) == 1 and options[0] in held:
            candidates = held[options[0]]
            # The approved symbol names the gene outright; other rows are tied to it by history only.
            if options[0] in candidates:
                out[gene] = options[0]
            elif len(candidates) == 1:
                out[gene] = next(iter(candidates))
    return out


@lru_cache(maxsize=1)
def human_to_mouse() -> Mapping[str, str]:
    """Return approved human symbol -> mouse symbol, one-to-one pairs only."""
    return {gene.human: gene.symbol for gene in mouse().genes}
