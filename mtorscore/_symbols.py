"""Gene symbols through time and species, from the tables in mtorscore/data."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

__all__ = ["approved_symbols", "current_symbol", "human_to_mouse", "old_symbols", "other_names"]


def _rows(name: str) -> Iterator[dict[str, str]]:
    path = Path(str(files("mtorscore"))) / "data" / name
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    header = lines[0].split("\t")
    return (dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:] if line)


class _History(NamedTuple):
    approved: frozenset[str]
    previous: dict[str, tuple[str, ...]]
    alias: dict[str, tuple[str, ...]]


@lru_cache(maxsize=1)
def _history() -> _History:
    approved: set[str] = set()
    previous: dict[str, tuple[str, ...]] = {}
    alias: dict[str, tuple[str, ...]] = {}
    for row in _rows("genes_human.tsv.gz"):
        symbol = row["symbol"]
        approved.add(symbol)
        for text, table in ((row["previous"], previous), (row["alias"], alias)):
            if text:
                for name in text.split("|"):
                    table[name] = (*table.get(name, ()), symbol)
    return _History(frozenset(approved), previous, alias)


@lru_cache(maxsize=1)
def _upper() -> dict[str, str]:
    """Return upper-case approved or earlier symbol -> approved symbol, where only one fits."""
    history = _history()
    earlier = _only((name.upper(), s) for name, genes in history.previous.items() for s in genes)
    return earlier | _only((s.upper(), s) for s in history.approved)


def _only(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs whose key has one value."""
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return {key: next(iter(values)) for key, values in found.items() if len(values) == 1}


def approved_symbols() -> frozenset[str]:
    """Return the approved human symbols."""
    return _history().approved


def old_symbols() -> Mapping[str, tuple[str, ...]]:
    """Return earlier symbols and aliases -> approved symbols; several where the old name is ambiguous.

    An earlier symbol outranks an alias: ``A`` that one gene was called and another is nicknamed means the first.
    """
    history = _history()
    return {**history.alias, **history.previous}


def current_symbol(symbol: str) -> tuple[str, ...]:
    """Return the approved symbols that a name can mean: one, none, or several where it is ambiguous.

    Looked up, in order, as approved symbol, earlier symbol, alias, and approved or earlier symbol in another case
    (``C12ORF66`` of a file that writes everything in capitals).
    """
    history = _history()
    if symbol in history.approved:
        return (symbol,)
    found = history.previous.get(symbol) or history.alias.get(symbol)
    if found:
        return found
    other_case = _upper().get(symbol.upper())
    return (other_case,) if other_case else ()


def _possible_names(wanted: set[str], names: Iterable[str]) -> list[str]:
    """Return the names that can mean any of the approved symbols `wanted`: few of many are worth a closer look."""
    history = _history()
    known = set(wanted)
    for table in (history.previous, history.alias):
        known.update(name for name, genes in table.items() if not wanted.isdisjoint(genes))
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
    names = list(universe)
    present = set(names)
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
    return {row["human"]: row["symbol"] for row in _rows("genes_mouse.tsv.gz")}
