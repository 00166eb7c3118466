"""Genes of another species, or of two, among those that are read as human."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from mtorscore._doors import option
from mtorscore.errors import DataWarning, examples, warn
from mtorscore.genes.identifier_kinds import kind_of, plain_form
from mtorscore.genes.tables import mouse

__all__ = ["other_species", "warn_species"]

_OF_MOUSE = re.compile(r"^(?:GRCm\d{2}|mm\d{1,2}|mouse|mmu|Mus_musculus)[_:|-]+", re.IGNORECASE)
_ENSEMBL = re.compile(r"^ENS(?P<species>[A-Z]{3,6}?)G\d{11}")
_SPECIES = {
    "MUS": "mouse", "RNO": "rat", "DAR": "zebrafish", "SSC": "pig", "MMU": "macaque", "CAF": "dog", "BTA": "cow",
    "OCU": "rabbit", "GAL": "chicken", "OAR": "sheep", "CGR": "hamster", "PTR": "chimpanzee",
}  # fmt: skip
_FEW = 3


def other_species(names: Sequence[str]) -> str:
    """Say whose Ensembl ids most names are, and how to go on; "" where they are human or of no known species."""
    found = [_ENSEMBL.match(n) for n in names]
    counts = Counter(m["species"] for m in found if m)
    if not counts or counts.total() < 0.5 * len(names):
        return ""
    code = counts.most_common(1)[0][0]
    whose = _SPECIES.get(code, f"another species (ENS{code})")
    if code == "MUS":
        return f"they are Ensembl ids of mouse: say {option('organism', 'mouse')}"
    return (
        f"they are Ensembl ids of {whose}, of which no orthologues ship with mtorscore; give a table of two columns "
        f"(id, human gene) with {option('mapping')}"
    )


def warn_species(table: pd.DataFrame, organism: str) -> None:
    """Warn where names that are read as human ones look like those of mouse, of fish, or of two species.

    Parameters
    ----------
    table
        As `map_identifiers` gives it.
    organism
        As declared; nothing is said of mouse genes.
    """
    if organism != "human":
        return
    ids = table["id"].tolist()
    plain = [plain_form(n) for n in ids]
    symbols = [n for n in plain if n and not kind_of(n) and any(c.isalpha() for c in n)]
    written = [n for n in symbols if n in mouse().by_symbol and n != n.upper()]
    of_mouse = [n for n in ids if kind_of(n) == "ensembl_mouse" or _OF_MOUSE.match(n)]
    small = [n for n in table.loc[table["match"] == "case", "id"] if n == n.lower() and n.upper() != n]
    if len(written) >= _FEW and len(written) > 0.5 * len(symbols):
        warn(
            f"{len(written)} of {len(symbols)} symbols are written as those of mouse genes ({examples(written)}) and "
            "were read as human ones of the same letters. If they are mouse genes, say "
            f"{option('organism', 'mouse')}: one-to-one orthologues are then used.",
            DataWarning,
        )
    elif max(len(written), len(of_mouse)) >= _FEW and max(len(written), len(of_mouse)) > 0.05 * len(ids):
        some = of_mouse if len(of_mouse) >= len(written) else written
        warn(
            f"{len(some)} of {len(ids)} names are of mouse genes ({examples(some)}) beside human ones, as in a "
            "xenograft or a mixture: they are kept apart or read as human ones of the same letters. Leave out the rows "
            "of one species; shares of a library (CPM, TPM) are of both.",
            DataWarning,
        )
    elif len(small) >= _FEW and len(small) > 0.5 * len(symbols):
        warn(
            f"{len(small)} of {len(symbols)} symbols are written in small letters ({examples(small)}), as those of "
            "zebrafish are, and were read as human ones of the same letters. If they are of another species, give a "
            f"table of two columns (symbol, human gene) with {option('mapping')}.",
            DataWarning,
        )
