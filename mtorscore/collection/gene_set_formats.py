"""GMT, GMX, GRP, MSigDB JSON and network tables of signatures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtorscore.collection.entries import Signature, Source, signed_signature
from mtorscore.collection.gene_set_text import GeneSets, clean, read_lines, read_text
from mtorscore.errors import FormatError, SignatureError, examples

__all__ = [
    "read_gmt",
    "read_gmx",
    "read_grp",
    "read_json",
    "read_network",
    "write_gmt",
    "write_gmx",
    "write_grp",
    "write_json",
    "write_network",
]

Parts = list[tuple[str, Signature, tuple[str, ...]]]
"""Name, signature and genes of unsigned gene sets."""


def read_gmt(path: Path) -> list[Signature]:
    """Read one gene set per line: name, description, genes.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Signature
        In file order.

    Raises
    ------
    FormatError
        If a line has no name or no gene, or a name is duplicated.
    """
    sets = GeneSets(path)
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) < 3 or not clean(fields[0]):
            raise FormatError(
                "A GMT line is name, description and genes, separated by tabs; "
                f"this one has {len(fields)} field(s): {line[:40]!r}.",
                path=path,
                line=number,
            )
        sets.add(fields[0], fields[1], fields[2:], line=number)
    return sets.signatures()


def write_gmt(parts: Parts) -> str:
    """Return GMT text: one line per unsigned part."""
    rows = ["\t".join([name, " ".join(s.title.split()) or "na", *genes]) for name, s, genes in parts]
    return "\n".join(rows) + "\n"


def read_gmx(path: Path) -> list[Signature]:
    """Read one gene set per column: name, description, genes.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Signature
        In column order.

    Raises
    ------
    FormatError
        If the rows are fewer than three, a column has no name or no gene, or a name is duplicated.
    """
    rows = [line.split("\t") for line in read_lines(path)]
    if len(rows) < 3:
        raise FormatError("A GMX file has a row of names, a row of descriptions and rows of genes.", path=path, line=1)
    sets = GeneSets(path)
    # The row of descriptions may be blank and is still the second one; a row may hold more fields than the first.
    for column in range(max(map(len, rows))):
        cells = [row[column] if column < len(row) else "" for row in rows]
        if any(map(clean, cells)):
            sets.add(cells[0], cells[1], cells[2:], line=1, column=column + 1)
    return sets.signatures()


def write_gmx(parts: Parts) -> str:
    """Return GMX text: one column per unsigned part."""
    columns = [[name, " ".join(s.title.split()) or "na", *genes] for name, s, genes in parts]
    depth = max(map(len, columns))
    padded = [c + [""] * (depth - len(c)) for c in columns]
    return "\n".join("\t".join(row) for row in zip(*padded, strict=True)) + "\n"


def read_grp(path: Path) -> list[Signature]:
    """Read one gene set, a gene a line; the file's name is the set's, lines that begin with # are comments."""
    genes: list[str] = []
    comment = ""
    for number, line in enumerate(read_lines(path), start=1):
        if line.lstrip().startswith("#"):
            comment = comment or line.lstrip("# ").strip()
            continue
        gene = clean(line)
        if any(c.isspace() for c in gene):
            raise FormatError(f"A GRP file has one gene a line; {gene[:40]!r} is more.", path=path, line=number)
        genes.append(line)
    sets = GeneSets(path)
    sets.add(path.name.removesuffix(".gz").removesuffix(".grp"), comment, genes)
    return sets.signatures()


def write_grp(parts: Parts) -> str:
    """Return GRP text of the only part.

    Raises
    ------
    SignatureError
        If there is more than one part.
    """
    if len(parts) != 1:
        raise SignatureError(f"A GRP file holds one gene set, not {len(parts)}; write .gmt, or one part at a time.")
    name, signature, genes = parts[0]
    return "\n".join([f"# {' '.join(signature.title.split()) or name}", *genes]) + "\n"


def read_json(path: Path) -> list[Signature]:
    """Read MSigDB's JSON: set name -> object with ``geneSymbols``, or -> the list of genes itself.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Signature
        In file order, with PMID, exact source and MSigDB id as sources.

    Raises
    ------
    FormatError
        If the text is not JSON, or a set has no list of gene symbols.
    """
    try:
        sets = json.loads(read_text(path), object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise FormatError(f"This is not valid JSON ({error}).", path=path, line=line) from error
    if not isinstance(sets, dict):
        raise FormatError("MSigDB's JSON is an object of set name to set.", path=path)
    found = GeneSets(path)
    records: dict[str, dict[str, Any]] = {}
    for name, value in sets.items():
        record = value if isinstance(value, dict) else {"geneSymbols": value}
        genes = record.get("geneSymbols")
        if not isinstance(genes, list):
            raise FormatError(f"The set {name} has no list `geneSymbols`.", path=path)
        strange = [g for g in genes if not isinstance(g, str)]
        if strange:
            shown = examples(map(repr, strange))
            raise FormatError(f"The set {name} holds what is not a gene symbol ({shown}); write text.", path=path)
        records[found.add(name, str(record.get("exactSource") or ""), genes)] = record
    return [replace(s, sources=_json_sources(s.id, records[s.id])) for s in found.signatures()]


def write_json(parts: Parts) -> str:
    """Return MSigDB's JSON; fields that we do not know are empty."""
    sets: dict[str, Any] = {}
    for name, signature, genes in parts:
        listed = [s for s in signature.sources if s.role == "list"]
        sets[name] = {
            "collection": signature.branch,
            "systematicName": next((s.accession for s in listed if s.accession), ""),
            "pmid": next((s.pmid for s in signature.sources if s.pmid), ""),
            "exactSource": signature.title,
            "externalDetailsURL": [],
            "msigdbURL": "",
            "geneSymbols": list(genes),
            "filteredBySimilarity": [],
            "externalNamesForSimilarTerms": [],
        }
    return json.dumps(sets, indent=1, ensure_ascii=False) + "\n"


def read_network(path: Path) -> list[Signature]:
    """Read ``source, target, weight``: one row per signature and gene, the weight's sign is the direction.

    Parameters
    ----------
    path
        The file, its first line a header; ``.csv`` is separated by commas, anything else by tabs. ``mor`` (the name
        of the column in older decoupler networks) is taken for ``weight``; without either every gene weighs 1.

    Returns
    -------
    list of Signature
        In order of first appearance.

    Raises
    ------
    FormatError
        If a column is missing, a weight is 0 or not a number, or a pair is duplicated.
    """
    comma = path.name.lower().removesuffix(".gz").endswith(".csv")
    table = csv.reader(read_lines(path), delimiter="," if comma else "\t")
    header = [clean(h).lower() for h in next(table, [])]
    if not {"source", "target"} <= set(header):
        found = ", ".join(header[:5]) or "nothing"
        raise FormatError(f"The header must hold source, target and weight; it holds {found}.", path=path, line=1)
    header = [("weight" if h == "mor" and "weight" not in header else h) for h in header]
    at = {name: header.index(name) for name in ("source", "target", "weight") if name in header}
    sets: dict[str, dict[str, float]] = {}
    for row in table:
        number = table.line_num
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(header):
            raise FormatError(f"{len(row)} fields where the header has {len(header)}.", path=path, line=number)
        source, target = clean(row[at["source"]]), clean(row[at["target"]])
        text = row[at["weight"]] if "weight" in at else "1"
        try:
            weight = float(text)
        except ValueError:
            weight = 0.0
        if not source or not target or weight == 0 or weight != weight or abs(weight) == float("inf"):
            raise FormatError(
                f"A row needs source, target and a weight other than 0, not {row!r}.", path=path, line=number
            )
        genes = sets.setdefault(source, {})
        if target in genes:
            raise FormatError(f"{target} is duplicated in {source}; keep one row.", path=path, line=number)
        genes[target] = weight
    return [signed_signature(name, genes, path=str(path)) for name, genes in sets.items()]


def write_network(signatures: Sequence[Signature], delimiter: str = "\t") -> str:
    """Return the table ``source, target, weight`` with signed weights, so that nothing of a list is lost."""
    text = io.StringIO()
    table = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    table.writerow(["source", "target", "weight"])
    for signature in signatures:
        table.writerows((signature.id, gene, repr(weight)) for gene, weight in signature.signed_weights().items())
    return text.getvalue()


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {twice} is duplicated")
    return out


def _json_sources(name: str, record: dict[str, Any]) -> tuple[Source, ...]:
    systematic = str(record.get("systematicName") or "")
    sources = [Source(name=f"MSigDB {name}", accession=systematic)] if systematic else []
    if record.get("pmid"):
        sources.append(Source(name="Study behind the set", role="rationale", pmid=str(record["pmid"])))
    return tuple(sources)
