"""Shared by all text formats of gene sets: read lines, clean and split names, check sets, warn of repairs."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mtorscore.collection.entries import Signature, signed_signature
from mtorscore.errors import DataWarning, FormatError, examples, warn

__all__ = ["MOST", "Cleaned", "GeneSets", "clean", "description", "is_gene", "read_lines", "read_text", "stray_genes"]

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff]")
_SIGNS = {",": "a comma", ";": "a semicolon", "|": "a bar", "/": "a slash", " ": "a blank"}
_SEPARATED = re.compile(r"[\s,;|/]")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_WEIGHTED = re.compile(rf"(?P<gene>[^,;|\s]*[A-Za-z][^,;|\s]*)\s*,\s*(?P<weight>{_NUMBER})")
# Two names of one gene are written with a bar or a slash too, so that pieces must be different genes there.
_SURE, _UNSURE = re.compile(r"\s*[,;]\s*|\s+"), re.compile(r"\s*(?:/+|\|+|[,;])\s*|\s+")
_NO_WORD = {"", "na", "n/a", "none", "null", "nan", "-", ".", "up", "down", "dn"}
# So many of the pieces, or of the descriptions, must be known genes.
MOST = 0.8


def read_text(path: Path) -> str:
    """Return a text file, gzipped or not, with line feeds and without a byte-order mark."""
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FormatError("This is not a text file in UTF-8; save it as UTF-8.", path=path, line=line) from error
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"The file cannot be unpacked ({error}); fetch it again.", path=path) from error
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise FormatError("The file holds zero bytes, so it is not text in UTF-8; save it anew.", path=path, line=line)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file; only line ends separate lines, whatever else a description holds."""
    lines = read_text(path).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def clean(cell: str) -> str:
    """Return a name without blanks and quotes around it and without invisible characters."""
    plain = (cell if cell.isascii() else _INVISIBLE.sub("", cell)).strip()
    if len(plain) > 1 and plain[0] == plain[-1] == '"':
        plain = plain[1:-1].replace('""', '"').strip()
    return plain


class Cleaned(dict[str, str]):
    """Names as `clean` returns them, each cleaned once: a set stands beside every one of its genes."""

    def __missing__(self, cell: str) -> str:
        """Clean a name that is met for the first time."""
        self[cell] = name = clean(cell)
        return name


def description(cell: str) -> str:
    """Return a description; ``na`` is the formats' word for none."""
    text = " ".join(clean(cell).split())
    return "" if text == "na" else text


def is_gene(name: str) -> bool:
    """Whether a name is a symbol of any vintage, human or mouse, or an Ensembl id."""
    from mtorscore.genes.identifier_kinds import is_symbol, kind_of, plain_form

    kind = kind_of(name)
    if kind in ("ensembl", "ensembl_mouse"):
        return True
    return not kind and is_symbol(plain_form(name))


def _is_separated(name: str) -> bool:
    """Whether a name holds a sign that separates names; ``MTOR|2475``, a symbol and its Entrez id, is one name."""
    if not _SEPARATED.search(name):
        return False
    from mtorscore.genes.identifier_kinds import kind_of

    return kind_of(name) != "symbol|entrez"


def _split_names(fields: Sequence[str]) -> tuple[list[str], bool]:
    """Return the genes of fields that hold several each, and whether they were split.

    Fields are split where at least half of a set's fields hold several names and nearly all of the pieces are known
    genes: different ones, where a bar or a slash separates them, since ``NKX2-1/TTF1`` is one gene under two names.

    Examples
    --------
    >>> _split_names(["MTOR;RHEB;AKT1"]), _split_names(["NKX2-1/TTF1"]), _split_names(["MTOR", "p70 S6 kinase", "AKT1"])
    ((['MTOR', 'RHEB', 'AKT1'], True), (['NKX2-1/TTF1'], False), (['MTOR', 'p70 S6 kinase', 'AKT1'], False))
    """
    several = [f for f in fields if _is_separated(f)]
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
        Name and description of each, and its genes as the file has them.

    Returns
    -------
    list of int
        Without those whose name holds the description (``SREBF1_TARGETS``, ``SREBF1``), or whose genes do.
    """
    found = []
    for i, (name, title, genes) in enumerate(sets):
        if title.lower() in _NO_WORD or _SEPARATED.search(title) or ":" in title:
            continue
        members = set(map(clean, genes)) - {""}
        if title in members or title.lower() in name.lower():
            continue
        # A number is an Entrez id where the members are.
        entrez = title.isdigit() and sum(g.isdigit() for g in members) > MOST * len(members)
        if entrez or _names_a_gene(title):
            found.append(i)
    return found


def _names_a_gene(word: str) -> bool:
    """Whether a word is a symbol as it is written, or an Ensembl id; HCC, an alias, is rather the disease."""
    from mtorscore.genes.identifier_kinds import kind_of
    from mtorscore.genes.tables import human, mouse

    table = human()
    known = word in table.by_symbol or word in table.previous or word in mouse().by_symbol
    return known or kind_of(word) in ("ensembl", "ensembl_mouse")


class GeneSets:
    """The gene sets of a file, checked as they are added.

    Parameters
    ----------
    path
        For messages and provenance.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cells: dict[str, Sequence[str]] = {}
        self._titles: dict[str, str] = {}
        self._lines: dict[str, int | None] = {}

    def add(
        self, name: str, title: str, cells: Sequence[str], *, line: int | None = None, column: int | None = None
    ) -> str:
        """Add a set.

        Parameters
        ----------
        name, title
            As the file has them.
        cells
            Genes as the file has them, blank ones allowed.
        line, column
            Where the set is, one-based.

        Returns
        -------
        str
            Its clean name.

        Raises
        ------
        FormatError
            If the name is empty or was there before, or there is no gene.
        """
        plain = clean(name)
        if not plain:
            raise FormatError("A set has genes but no name; name it.", path=self.path, line=line, column=column)
        if plain in self._cells:
            before = self._lines[plain]
            where = f" (first in line {before})" if before is not None and before != line else ""
            message = f"The set {plain} is duplicated{where}; rename one."
            raise FormatError(message, path=self.path, line=line, column=column)
        if not any(map(clean, cells)):
            message = f"The set {plain} holds no gene; list its genes, or delete the set."
            raise FormatError(message, path=self.path, line=line, column=column)
        self._cells[plain], self._titles[plain], self._lines[plain] = cells, description(title), line
        return plain

    def signatures(self) -> list[Signature]:
        """Return the sets as signatures in the order added, each gene once; one `DataWarning` for all repairs.

        Raises
        ------
        FormatError
            If some genes of a set have a weight (``GENE,1.5``) and others none, or a weight is 0 or not finite.
        """
        found = _Found()
        out = [self._signature(name, cells, found) for name, cells in self._cells.items()]
        if said := found.words():
            warn(f"{self.path}: {'. '.join(said)}.", DataWarning)
        return out

    def _signature(self, name: str, cells: Sequence[str], found: _Found) -> Signature:
        genes = [g for g in map(clean, cells) if g]
        found.quoted += [c.strip() for c in cells if c.strip()[:1] == '"' and clean(c) != c.strip()]
        title, path = self._titles[name], str(self.path)
        # One look at all of a set, which holds hundreds of names and hardly ever such a sign.
        odd = list(filter(_is_separated, genes)) if _SEPARATED.search("\0".join(genes)) else []
        if odd:
            weights = self._weights(name, genes)
            if weights is not None:
                return replace(signed_signature(name, weights, path=path), title=title)
            genes, split = _split_names(genes)
            found.split += odd[:3] if split else []
            found.separated += [] if split else odd
        once = tuple(dict.fromkeys(genes))
        if len(once) < len(genes):
            found.repeating.append(name)
        return Signature(id=name, title=title, up=once, path=path)

    def _weights(self, name: str, genes: Sequence[str]) -> dict[str, float] | None:
        """Return the weights of genes that are written ``GENE,1.5``, as VISION and Enrichr do; None where none are."""
        pairs = [_WEIGHTED.fullmatch(g) for g in genes]
        written = [p for p in pairs if p is not None]
        if not written:
            return None
        if len(written) < len(genes):
            without = [g for g, p in zip(genes, pairs, strict=True) if p is None]
            raise self._error(name, f"{len(without)} of {len(genes)} genes have no weight ({examples(without)})")
        bad = [p[0] for p in written if not 0 < abs(float(p["weight"])) < float("inf")]
        if bad:
            raise self._error(name, f"{len(bad)} weight(s) are 0 or not finite ({examples(bad)})")
        weights = {p["gene"]: float(p["weight"]) for p in written}
        if len(weights) < len(written):
            names = [p["gene"] for p in written]
            twice = sorted({g for g in weights if names.count(g) > 1})
            raise self._error(name, f"{len(twice)} weighted gene(s) are duplicated ({examples(twice)})")
        return weights

    def _error(self, name: str, what: str) -> FormatError:
        message = f"In the set {name}, {what}; write every gene once, as GENE,1.5, or all without a weight."
        return FormatError(message, path=self.path, line=self._lines[name])


@dataclass
class _Found:
    """What was repaired or is odd in the sets of a file."""

    repeating: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    separated: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """Return one sentence per kind."""
        said = []
        if self.repeating:
            many = f"{len(self.repeating)} set(s) repeat genes ({examples(self.repeating)})"
            said.append(f"{many}; each gene counts once")
        if self.quoted:
            said.append(f"quotes around {len(self.quoted)} gene(s) were taken off ({examples(self.quoted)})")
        if self.split:
            shown = examples(map(repr, self.split))
            said.append(
                f"genes stand in one field, separated by blanks or signs ({shown}), and were split; separate them by "
                "tabs"
            )
        if self.separated:
            signs = [word for sign, word in _SIGNS.items() if any(sign in g for g in self.separated)]
            said.append(
                f"{len(self.separated)} gene name(s) hold {' or '.join(signs)} "
                f"({examples(map(repr, self.separated))}) and count as one name each, which no matrix has; separate "
                "genes by tabs, and give weights in a .tsv of source, target, weight"
            )
        return said
