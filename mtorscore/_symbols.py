"""Gene symbols through time and species, from the tables in mtorscore/data."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

__all__ = ["approved_symbols", "current_symbol", "human_to_mouse", "old_symbols"]


def _rows(name: str) -> Iterator[dict[str, str]]:
    path = Path(str(files("mtorscore"))) / "data" / name
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


@lru_cache(maxsize=1)
def _history() -> tuple[frozenset[str], dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    approved: set[str] = set()
    previous: dict[str, list[str]] = defaultdict(list)
    alias: dict[str, list[str]] = defaultdict(list)
    for row in _rows("genes_human.tsv.gz"):
        approved.add(row["symbol"])
        for text, table in ((row["previous"], previous), (row["alias"], alias)):
            for name in filter(None, text.split("|")):
                table[name].append(row["symbol"])
    return frozenset(approved), {k: tuple(v) for k, v in previous.items()}, {k: tuple(v) for k, v in alias.items()}


def approved_symbols() -> frozenset[str]:
    """Return the approved human symbols."""
    return _history()[0]


def old_symbols() -> Mapping[str, tuple[str, ...]]:
    """Return earlier symbols and aliases -> approved symbols; several where the old name is ambiguous.

    An earlier symbol outranks an alias: ``A`` that one gene was called and another is nicknamed means the first.
    """
    _, previous, alias = _history()
    return {**alias, **previous}


def current_symbol(symbol: str) -> tuple[str, ...]:
    """Return the approved symbols that a name can mean: one, none, or several where it is ambiguous."""
    if symbol in approved_symbols():
        return (symbol,)
    _, previous, alias = _history()
    return previous.get(symbol) or alias.get(symbol) or ()


@lru_cache(maxsize=1)
def human_to_mouse() -> Mapping[str, str]:
    """Return approved human symbol -> mouse symbol, one-to-one pairs only."""
    return {row["human"]: row["symbol"] for row in _rows("genes_mouse.tsv.gz")}
