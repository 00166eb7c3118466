"""GMX, GRP, MSigDB JSON and network tables of signatures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtorscore.collection import Entry, Signature, SignatureCollection, Source
from mtorscore.errors import FormatError, SignatureError

__all__ = [
    "read_gmx",
    "read_grp",
    "read_json",
    "read_network",
    "write_gmx",
    "write_grp",
    "write_json",
    "write_network",
]

WithoutRepeats = Callable[[Sequence[tuple[str, Sequence[str]]], Path], list[tuple[str, ...]]]
Parts = list[tuple[str, Signature, tuple[str, ...]]]


def read_gmx(path: Path, lines: list[str], without_repeats: WithoutRepeats) -> list[Entry]:
    """Read one gene set per column: name, description, genes.

    Parameters
    ----------
    path
        For messages.
    lines
        The file's lines.
    without_repeats
        Drops blanks and repeats with one warning.

    Returns
    -------
    list of Entry
        In column order.

    Raises
    ------
    FormatError
        If the rows are fewer than three, a column has no name or no gene, or a name stands twice.
    """
    rows = [line.split("\t") for line in lines if line.strip()]
    if len(rows) < 3:
        raise FormatError("A GMX file has a row of names, a row of descriptions and rows of genes.", path=path, line=1)
    sets: list[tuple[str, list[str]]] = []
    titles: list[str] = []
    for column, name in enumerate(n.strip() for n in rows[0]):
        cells = [row[column] if column < len(row) else "" for row in rows]
        if not name:
            if any(c.strip() for c in cells):
                raise FormatError("A column has genes but no name.", path=path, line=1, column=column + 1)
            continue
        if name in dict(sets):
            raise FormatError(f"The set {name} stands twice; rename one.", path=path, line=1, column=column + 1)
        if not any(c.strip() for c in cells[2:]):
            raise FormatError(f"The set {name} holds no gene.", path=path, line=1, column=column + 1)
        sets.append((name, cells[2:]))
        titles.append(_description(cells[1]))
    genes = without_repeats(sets, path)
    return [
        Signature(id=name, title=title, up=up, path=str(path))
        for (name, _), title, up in zip(sets, titles, genes, strict=True)
    ]


def write_gmx(parts: Parts) -> str:
    """Return GMX text: one column per unsigned part."""
    columns = [[name, " ".join(s.title.split()) or "na", *genes] for name, s, genes in parts]
    depth = max(map(len, columns))
    padded = [c + [""] * (depth - len(c)) for c in columns]
    return "\n".join("\t".join(row) for row in zip(*padded, strict=True)) + "\n"


def read_grp(path: Path, lines: list[str], without_repeats: WithoutRepeats) -> list[Entry]:
    """Read one gene set, a gene a line; the file's name is the set's, lines that begin with # are comments."""
    (genes,) = without_repeats([(path.stem, [x for x in lines if not x.lstrip().startswith("#")])], path)
    comment = next((line.lstrip("# ").strip() for line in lines if line.lstrip().startswith("#")), "")
    strange = [g for g in genes if "\t" in g or " " in g]
    if strange:
        raise FormatError(f"A GRP file has one gene a line; {strange[0]!r} is more.", path=path)
    if not genes:
        raise FormatError("The file holds no gene.", path=path)
    return [Signature(id=path.stem, title=comment, up=genes, path=str(path))]


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
    return "\n".join([f"# {signature.title or name}", *genes]) + "\n"


def read_json(path: Path, text: str) -> list[Entry]:
    """Read MSigDB's JSON: set name -> object with ``geneSymbols``.

    Parameters
    ----------
    path
        For messages.
    text
        The file's text.

    Returns
    -------
    list of Entry
        In file order, with PMID, exact source and MSigDB id as sources.

    Raises
    ------
    FormatError
        If the text is no JSON, or a set has no ``geneSymbols``.
    """
    try:
        sets = json.loads(text, object_pairs_hook=_no_repeats)
    except (json.JSONDecodeError, ValueError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise FormatError(f"This is not valid JSON ({error}).", path=path, line=line) from error
    if not isinstance(sets, dict):
        raise FormatError("MSigDB's JSON is an object of set name to set.", path=path)
    entries: list[Entry] = []
    for name, record in sets.items():
        genes = record.get("geneSymbols") if isinstance(record, dict) else None
        if not isinstance(genes, list) or not genes:
            raise FormatError(f"The set {name} has no list `geneSymbols`.", path=path)
        entries.append(
            Signature(
                id=name,
                title=str(record.get("exactSource") or ""),
                up=tuple(dict.fromkeys(str(g) for g in genes)),
                sources=_json_sources(name, record),
                path=str(path),
            )
        )
    return entries


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


def read_network(path: Path, lines: list[str]) -> list[Entry]:
    """Read ``source, target, weight``: one row per signature and gene, the weight's sign is the direction.

    Parameters
    ----------
    path
        For messages; ``.csv`` is separated by commas, anything else by tabs.
    lines
        The file's lines, the first one a header; without ``weight`` every gene weighs 1.

    Returns
    -------
    list of Entry
        In order of first appearance.

    Raises
    ------
    FormatError
        If a column is missing, a weight is 0 or no number, or a pair stands twice.
    """
    table = csv.reader(lines, delimiter="," if path.suffix.lower() == ".csv" else "\t")
    header = [h.strip().lower() for h in next(table, [])]
    if not {"source", "target"} <= set(header):
        found = ", ".join(header[:5]) or "nothing"
        raise FormatError(f"The header must hold source, target and weight; it holds {found}.", path=path, line=1)
    at = {name: header.index(name) for name in ("source", "target", "weight") if name in header}
    sets: dict[str, dict[str, float]] = {}
    for number, row in enumerate(table, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(header):
            raise FormatError(f"{len(row)} fields where the header has {len(header)}.", path=path, line=number)
        source, target = row[at["source"]].strip(), row[at["target"]].strip()
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
            raise FormatError(f"{target} stands twice in {source}; keep one row.", path=path, line=number)
        genes[target] = weight
    return [
        Signature(
            id=name,
            up=tuple(g for g, w in genes.items() if w > 0),
            down=tuple(g for g, w in genes.items() if w < 0),
            weights={g: abs(w) for g, w in genes.items() if abs(w) != 1},
            path=str(path),
        )
        for name, genes in sets.items()
    ]


def write_network(collection: SignatureCollection) -> str:
    """Return the table ``source, target, weight``, separated by tabs; signed weights, so nothing of a list is lost."""
    rows = ["source\ttarget\tweight"]
    for signature in collection.signatures:
        rows += [f"{signature.id}\t{gene}\t{weight!r}" for gene, weight in signature.signed_weights().items()]
    return "\n".join(rows) + "\n"


def _description(text: str) -> str:
    return "" if text.strip() == "na" else text.strip()


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {twice} stands twice")
    return out


def _json_sources(name: str, record: dict[str, Any]) -> tuple[Source, ...]:
    systematic = str(record.get("systematicName") or "")
    sources = [Source(name=f"MSigDB {name}", accession=systematic)] if systematic else []
    if record.get("pmid"):
        sources.append(Source(name="Study behind the set", role="rationale", pmid=str(record["pmid"])))
    return tuple(sources)
