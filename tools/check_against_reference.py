"""Compare signature files with the tables that their genes were read from.

Usage: python tools/check_against_reference.py REFERENCE_FOLDER [ID ...]

The folder holds ``hgnc.tsv.gz``, ``literature_signatures.tsv``, ``msigdb_selected.gmt``, ``msigdb_selected_index.tsv``
and ``progeny_pi3k.tsv``. Compared are symbols, genes per direction, weights, evidence and sources. One line per
difference; exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from mtorscore.collection import Composite, Entry, Panel, Ratio, Signature, SignatureCollection
from mtorscore.collection.entry_format import RESTRICTED

LIBRARY = Path(__file__).resolve().parents[1] / "signatures"
# In the literature table: lists under another name than the entry's; entries that share only the name with a list;
# genes of a list that the entry leaves out on purpose.
OTHER_NAMES = {
    "S6K_RIBI_CURATED": "RIBI_S6K_CHAUVIN",
    "EIF4E_SENSITIVE_CITED": "EIF4E_SENSITIVE_FIELD",
    "MITOCHONDRIAL_4EBP": "4EBP_MITOCHONDRIAL",
    "BCL2_FAMILY_RATIO": "ANTIAPOPTOTIC",
}
# Lists that differ from the reference on purpose; signatures/CHANGELOG.md says why.
WRITTEN_BY_HAND = ("MIR_MTOR_LOCI", "HCC_5GENE_SCORE", "FEEDBACK_RELIEF", "PPARG_LIPID_STORAGE")
LEFT_OUT = {"BCL2_FAMILY_RATIO": ("XIAP",)}
CROSS_CHECKED = "membership recalled, then cross-checked in:"
Row = dict[str, str]


class Reference:
    """The reference folder, read once."""

    def __init__(self, folder: Path) -> None:
        self.approved: set[str] = set()
        self._older: tuple[dict[str, set[str]], dict[str, set[str]]] = (defaultdict(set), defaultdict(set))
        with gzip.open(folder / "hgnc.tsv.gz", "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                self.approved.add(row["symbol"])
                for column, table in zip(("prev_symbols", "alias_symbols"), self._older, strict=True):
                    for name in filter(None, (row[column] or "").split("|")):
                        table[name].add(row["symbol"])
        self.literature: dict[str, list[Row]] = defaultdict(list)
        for row in _rows(folder / "literature_signatures.tsv"):
            self.literature[row["signature"]].append(row)
        self.index = {row["set_name"]: row for row in _rows(folder / "msigdb_selected_index.tsv")}
        lines = (folder / "msigdb_selected.gmt").read_text(encoding="utf-8").splitlines()
        self.sets = {line.split("\t")[0]: [g for g in line.split("\t")[2:] if g] for line in lines}
        self.progeny = _rows(folder / "progeny_pi3k.tsv")

    def current(self, symbol: str) -> str | None:
        """Return the approved symbol; None where there is none or more than one."""
        if symbol in self.approved:
            return symbol
        found = next((table[symbol] for table in self._older if table.get(symbol)), set())
        return next(iter(found)) if len(found) == 1 else None


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def directions(entry: Entry) -> dict[str, int]:
    """Return the direction of every gene of an entry: 1, -1, or 0 where a panel says neither."""
    if isinstance(entry, Signature):
        return {g: (1 if w > 0 else -1) for g, w in entry.signed_weights().items()}
    if isinstance(entry, Ratio):
        return dict.fromkeys(entry.numerator, 1) | dict.fromkeys(entry.denominator, -1)
    return dict(entry.members) if isinstance(entry, Panel) else {}


def check(entry: Entry, reference: Reference) -> tuple[bool, list[str]]:
    """Compare an entry with the reference.

    Parameters
    ----------
    entry
        From a signature file.
    reference
        The tables.

    Returns
    -------
    bool
        Whether the reference holds a list of that entry.
    list of str
        The differences.
    """
    found = [f"{g} is not an approved symbol" for g in entry.genes if g not in reference.approved]
    listed = [s.name.removeprefix("MSigDB ") for s in entry.sources if s.role == "list" and s.name[:7] == "MSigDB "]
    progeny = next(
        (m for s in entry.sources if (m := re.search(r"PROGENy .*pathway (\w+), first (\d+)", s.name))), None
    )
    name = OTHER_NAMES.get(entry.id, entry.id)
    if isinstance(entry, Composite):
        return False, found
    if listed:
        return True, found + list(_msigdb(entry, listed, reference))
    if progeny is not None:
        return True, found + list(_progeny(entry, progeny[1], int(progeny[2]), reference))
    if name in reference.literature and entry.id not in WRITTEN_BY_HAND:
        return True, found + list(_literature(entry, reference.literature[name], reference))
    return False, found


def _same_genes(entry: Entry, expected: dict[str, int]) -> Iterator[str]:
    """Yield genes that only the entry or only the reference has, or that have another direction."""
    own = directions(entry)
    yield from (f"{g} is not in the reference" for g in own if g not in expected)
    yield from (f"{g} is in the reference, not in the file" for g in expected if g not in own)
    turned = {1: "up", -1: "down", 0: "neither"}
    for gene, sign in expected.items():
        if gene in own and own[gene] != sign:
            yield f"{gene} is {turned[own[gene]]} in the file and {turned[sign]} in the reference"


def _msigdb(entry: Entry, names: list[str], reference: Reference) -> Iterator[str]:
    """Compare with one set, or with a set of up genes and one of down genes."""
    if missing := [n for n in names if n not in reference.sets or n not in reference.index]:
        yield f"the reference lacks {', '.join(missing)}"
        return
    mapped = [{s for g in reference.sets[n] if (s := reference.current(g)) is not None} for n in names]
    both = mapped[0] & mapped[1] if len(mapped) == 2 else set()
    sign = 1 if not isinstance(entry, Signature) or entry.up else -1
    expected = dict.fromkeys(mapped[0] - both, sign)
    for genes in mapped[1:]:
        expected |= dict.fromkeys(genes - both, -1)
    yield from _same_genes(entry, expected)
    for name in names:
        row = reference.index[name]
        source = next(s for s in entry.sources if s.name == f"MSigDB {name}")
        if row["restricted"] == "yes" or name.startswith(RESTRICTED):
            yield f"{name} is under restricted terms"
        for what, given, there in (
            ("version", source.version, row["msigdb_version"]),
            ("accession", source.accession, row["msigdb_id"]),
        ):
            if (given or "") != there:
                yield f"the {what} of {name} is {given} in the file and {there} in the reference"


def _progeny(entry: Entry, pathway: str, number: int, reference: Reference) -> Iterator[str]:
    """Compare with the first genes of a pathway by p value, weights included."""
    rows = sorted((r for r in reference.progeny if r["pathway"] == pathway), key=lambda r: int(r["rank"]))
    expected: dict[str, float] = {}
    for row in rows:
        symbol = row["current_symbol"] or reference.current(row["gene_symbol"])
        if symbol in reference.approved and symbol not in expected and len(expected) < number:
            expected[str(symbol)] = float(row["weight"])
    yield from _same_genes(entry, {g: (1 if w > 0 else -1) for g, w in expected.items()})
    own = entry.signed_weights() if isinstance(entry, Signature) else {}
    for gene in own.keys() & expected.keys():
        if own[gene] != expected[gene]:
            yield f"{gene} weighs {own[gene]:g} in the file and {expected[gene]:g} in the reference"


def _literature(entry: Entry, rows: Iterable[Row], reference: Reference) -> Iterator[str]:
    """Compare with a literature list: genes that were read or cross-checked, and recalled ones that the file has."""
    rows = list(rows)
    turned = -1 if all(r["direction"] == "-1" for r in rows) and not isinstance(entry, Panel) else 1
    expected: dict[str, int] = {}
    places: dict[str, set[str]] = defaultdict(set)
    obtained: list[str] = []
    for row in rows:
        symbol = reference.current(row["gene_symbol"])
        label, checks = _evidence(row["how_obtained"])
        if symbol is None:
            yield f"{row['gene_symbol']} of the reference has no current symbol"
            continue
        if symbol not in entry.genes and (label == "recalled" or symbol in LEFT_OUT.get(entry.id, ())):
            continue
        expected[symbol] = turned * int(row["direction"])
        obtained.append(row["how_obtained"])
        for database, term in checks if symbol in entry.genes else ():
            places[database].add(term)
        if symbol in entry.genes and entry.evidence_of(symbol) != label:
            yield f"{symbol} is {entry.evidence_of(symbol)} in the file and {label} in the reference"
    yield from _same_genes(entry, expected)
    yield from _sources(entry, places, obtained)


def _sources(entry: Entry, places: dict[str, set[str]], obtained: list[str]) -> Iterator[str]:
    """Compare the sources of a file with the places that the rows of its genes name."""
    stated = {
        name: set(terms.split(", "))
        for source in entry.sources
        if source.role == "cross-check"
        for name, _, terms in [source.name.partition(": ")]
    }
    for database in sorted(stated.keys() | places.keys()):
        for term in sorted(stated.get(database, set()) ^ places.get(database, set())):
            where = "file" if term in stated.get(database, set()) else "reference"
            yield f"{database} {term} is a cross-check only in the {where}"
    for source in entry.sources:
        file = (source.accession or "").partition("@")[0]
        if source.role == "list" and ":" in file and not any(file in how for how in obtained):
            yield f"no gene of the reference was read in {file}"


def _evidence(how: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the evidence class of a gene and the places where it was found, as database and term."""
    parts = [p.strip().removeprefix("also in: ") for p in how.removeprefix(CROSS_CHECKED).split(";")]
    open_parts = [p for p in parts if not p.removeprefix("MSigDB ").startswith(RESTRICTED)]
    checked = how.startswith(CROSS_CHECKED) and bool(open_parts)
    label = "read" if how.startswith("read:") else "cross-checked" if checked else "recalled"
    return label, [place for part in open_parts if (place := _place(part)) is not None]


def _place(part: str) -> tuple[str, str] | None:
    """Return database and term of a place where a gene was found, None for places of other kinds."""
    name = part.removeprefix("MSigDB ")
    if part.startswith("GO:"):
        return "GO", part.split(" ")[0]
    if part.startswith("CollecTRI "):
        return "CollecTRI", part.split(" ")[1].rstrip("+-")
    if part.startswith("FamPlex "):
        return "FamPlex", part.removeprefix("FamPlex ")
    return ("MSigDB", name) if part != name or re.fullmatch(r"[A-Z][A-Z0-9_.]{6,}", part) else None


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reference", type=Path, help="folder of reference tables")
    parser.add_argument("ids", nargs="*", help="entries; all by default")
    parser.add_argument("--library", type=Path, default=LIBRARY, help="folder of signature files")
    arguments = parser.parse_args()
    entries = SignatureCollection.read(arguments.library).select(arguments.ids or None)
    reference = Reference(arguments.reference)
    compared, differences = 0, 0
    for entry in entries:
        there, found = check(entry, reference)
        compared += there
        differences += len(found)
        for difference in found:
            sys.stdout.write(f"{entry.id}: {difference}\n")
    alone = len(entries) - compared
    sys.stdout.write(f"{compared} compared, {alone} without a list in the reference, {differences} difference(s)\n")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
