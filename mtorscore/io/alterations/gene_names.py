"""Names of genes in files of alterations, brought to approved symbols."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from mtorscore.genes.identifier_kinds import date_form
from mtorscore.genes.symbols import current_symbol, symbols_of
from mtorscore.genes.tables import excel_dates

__all__ = ["approved", "is_gene", "name_of", "names_of"]

NO_NAME = frozenset({"", "unknown", ".", "-", "na", "nan", "none", "n/a", "0", "null"})


@lru_cache(maxsize=200_000)
def name_of(symbol: str, entrez: str = "", ensembl: str = "") -> str:
    """Return the approved symbol of a gene.

    Parameters
    ----------
    symbol
        As the file writes it: current, old, ``Unknown`` or blank; ``SYMBOL|chr7`` as GISTIC tells loci apart.
    entrez, ensembl
        Further ids of the row, where it has them. They settle a symbol that is not approved.

    Returns
    -------
    str
        The symbol as written where nothing settles it; "" where nothing names a gene.
    """
    name = symbol.strip().partition("|")[0].strip()
    if name.lower() in NO_NAME:
        name = ""
    # What a spreadsheet makes a date of (``9-Sep``) is the gene it was, if that is one.
    date = excel_dates().get(date_form(name) or name, ())
    options = date or (current_symbol(name) if name else ())
    if name and options == (name,):
        return name
    own = name if name.upper().startswith("ENSG") else ""
    for other in (entrez.strip().removesuffix(".0"), ensembl.strip(), own):
        found = symbols_of(other) if other.lower() not in NO_NAME else ()
        if len(found) == 1 and (not options or found[0] in options):
            return found[0]
    if len(options) == 1:
        return options[0]
    return "" if not name or name.isdigit() or date else name


def names_of(symbols: Sequence[str], entrez: Sequence[str] = (), ensembl: Sequence[str] = ()) -> list[str]:
    """Return the approved symbols of many rows, see `name_of`."""
    none = [""] * len(symbols)
    return [name_of(*row) for row in zip(symbols, entrez or none, ensembl or none, strict=True)]


def is_gene(name: str) -> bool:
    """Whether a name is that of a human gene: a symbol of any time, an Entrez or an Ensembl id."""
    plain = name.strip().partition("|")[0].strip()
    return bool(plain) and plain.lower() not in NO_NAME and bool(current_symbol(plain) or _by_id(plain))


def _by_id(name: str) -> tuple[str, ...]:
    return symbols_of(name) if name.upper().startswith("ENSG") else ()


def approved(genes: Iterable[str]) -> list[str]:
    """Return approved symbols of genes that a user names, each once, in order."""
    return list(dict.fromkeys(filter(None, (name_of(str(g)) for g in genes))))
