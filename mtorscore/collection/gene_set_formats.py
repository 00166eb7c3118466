"""GMT, GMX, GRP, MSigDB JSON and tables of signatures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from mtorscore.collection.entries import Signature, Source, signed_signature
from mtorscore.collection.gene_set_text import (
    MOST,
    Cleaned,
    GeneSets,
    clean,
    is_gene,
    read_lines,
    read_text,
    stray_genes,
)
from mtorscore.errors import DataWarning, FormatError, SignatureError, examples, warn

__all__ = [
    "read_gmt",
    "read_gmx",
    "read_grp",
    "read_json",
    "read_table",
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
    rows: list[_Row] = []
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            fields = line.split("\t")
            rows.append(_Row(fields[0], fields[1] if len(fields) > 1 else "", fields[2:], line, number))
    sets = GeneSets(path)
    bare = _without_descriptions(rows, path)
    for row in rows:
        genes = [row.title, *row.genes] if bare else row.genes
        if not genes or not clean(row.name):
            many = f"this one has {1 + row.text.count(chr(9))} field(s): {row.text[:40]!r}"
            message = f"A GMT line is name, description and genes, separated by tabs; {many}. List genes, or delete it"
            fix = f"{message}; a table of set and gene is read as .tsv or .csv."
            raise FormatError(fix, path=path, line=row.line)
        sets.add(row.name, "" if bare else row.title, genes, line=row.line)
    return sets.signatures()


class _Row(NamedTuple):
    """A set as a file has it: name, description, genes, text and line (or column of a GMX)."""

    name: str
    title: str
    genes: list[str]
    text: str
    line: int


def _without_descriptions(rows: Sequence[_Row], path: Path) -> bool:
    """Whether a file has genes where descriptions belong; one `DataWarning` where it has any."""
    listed = [(clean(r.name), clean(r.title), r.genes) for r in rows]
    stray = stray_genes(listed)
    if not stray:
        return False
    whole = len(stray) >= MOST * len(rows)
    shown = examples(listed[i][1] for i in stray)
    said = f"the descriptions of {len(stray)} of {len(rows)} set(s) are genes ({shown})"
    if whole:
        fix = "so the file has no descriptions, and they count as genes; write na as every description to be sure"
    else:
        fix = "and are not scored; where a set has no description, write na in its place"
    warn(f"{path}: {said}, {fix}.", DataWarning)
    return whole


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
    columns = [[row[i] if i < len(row) else "" for row in rows] for i in range(max(map(len, rows)))]
    listed = [_Row(c[0], c[1], c[2:], "", i) for i, c in enumerate(columns, start=1) if any(map(clean, c))]
    bare = _without_descriptions(listed, path)
    for row in listed:
        genes = [row.title, *row.genes] if bare else row.genes
        sets.add(row.name, "" if bare else row.title, genes, line=1, column=row.line)
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


def read_table(path: Path) -> list[Signature]:
    """Read a table with one row per set and gene: decoupler's networks, msigdbr, TERM2GENE, weighted lists.

    Parameters
    ----------
    path
        The file, its first line a header. The set stands in a column such as ``source``, ``term``, ``gs_name`` or
        ``pathway``, its gene in one such as ``target``, ``gene_symbol``, ``gene`` or ``ensembl_gene``; without a
        column of sets, ``gene`` and ``weight`` are one set, named after the file. ``weight`` (or ``mor``) is signed,
        ``direction`` says up or down, without either every gene weighs 1. Two columns of other names are a set and its
        gene where one of them holds known genes.

    Returns
    -------
    list of Signature
        In order of first appearance.

    Raises
    ------
    FormatError
        If a column is missing, a weight is 0 or not a number, or a weighted pair is duplicated.
    """
    header, rows = _table_rows(path)
    at = _columns(header, rows, path)
    if "weight" not in at and "direction" not in at:
        return _unweighted(at, rows, path).signatures()
    sets: dict[str, dict[str, float]] = {}
    cleaned, plain = Cleaned(), "direction" not in at and at["source"] >= 0
    for number, row in rows:
        if plain:
            source, target = cleaned[row[at["source"]]], cleaned[row[at["target"]]]
        else:
            source, target = _pair(at, row, path)
        weight = _weight(at, row)
        if not source or not target or weight == 0 or weight != weight or abs(weight) == float("inf"):
            also = ", with a direction of up or down" if "direction" in at else ""
            message = f"A row needs source, target and a weight other than 0{also}, not {row!r}."
            raise FormatError(message, path=path, line=number)
        genes = sets.setdefault(source, {})
        if target in genes:
            raise FormatError(f"{target} is duplicated in {source}; keep one row.", path=path, line=number)
        genes[target] = weight
    return [signed_signature(name, genes, path=str(path)) for name, genes in sets.items()]


_Rows = list[tuple[int, list[str]]]
# Headings in the order of trust; capitals, blanks and points do not count.
_HEADINGS: dict[str, tuple[str, ...]] = {
    "source": (
        "source", "gs_name", "term", "term_name", "ont", "pathway", "pathway_name", "geneset", "gene_set",
        "gene_set_name", "set", "set_name", "setname", "signature", "signature_name", "regulon", "tf", "module",
        "program", "cell_type", "celltype", "cluster", "list", "name",
    ),
    "target": (
        "target", "gene_symbol", "human_gene_symbol", "db_gene_symbol", "genesymbol", "symbol", "hgnc_symbol",
        "external_gene_name", "target_genesymbol", "gene_name", "gene", "genes", "gene_id", "geneid", "ensembl_gene",
        "ensembl_gene_id", "ensembl", "ensembl_id", "entrez_gene", "ncbi_gene", "entrez", "entrezid", "entrez_id",
        "entrezgene_id", "feature",
    ),
    "weight": ("weight", "mor", "weights", "gene_weight", "coefficient", "coef", "loading"),
    "direction": ("direction", "sign", "regulation", "up_down", "updown"),
}  # fmt: skip
_DIRECTIONS = {
    **dict.fromkeys(("up", "+", "1", "+1", "1.0", "plus", "pos", "positive", "activation", "increased"), 1.0),
    **dict.fromkeys(("down", "dn", "-", "-1", "-1.0", "minus", "neg", "negative", "repression", "decreased"), -1.0),
}


def _table_rows(path: Path) -> tuple[list[str], _Rows]:
    """Return the header and the rows with their lines, blank ones left out."""
    lines = read_lines(path)
    comma = path.name.lower().removesuffix(".gz").endswith(".csv")
    delimiter = "," if comma else "\t"
    if lines and delimiter not in lines[0]:
        delimiter = next((d for d in "\t,;" if d in lines[0]), delimiter)
    table = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [clean(h) for h in next(table, [])]
        rows = [(table.line_num, row) for row in table if "".join(row).strip()]
    except csv.Error as error:
        message = f"The row cannot be read ({error}); close every quote, and double those within a field."
        raise FormatError(message, path=path, line=table.line_num or 1) from error
    for number, row in rows:
        if len(row) < len(header):
            raise FormatError(f"{len(row)} fields where the header has {len(header)}.", path=path, line=number)
    return header, rows


def _columns(header: Sequence[str], rows: _Rows, path: Path) -> dict[str, int]:
    """Return the places of the columns that a table of sets has; ``source`` is -1 where the file is one set."""
    plain = ["_".join(h.lower().replace(".", " ").replace("-", " ").split()) for h in header]
    at = {
        what: plain.index(n) for what, names in _HEADINGS.items() if (n := next((n for n in names if n in plain), ""))
    }
    if "target" in at and "source" not in at:
        rest = set(range(len(header))) - set(at.values())
        if not rest:
            return at | {"source": -1}
        if len(rest) == 1 and len(header) == 2:
            return at | {"source": rest.pop()}
    if "target" not in at and len(header) == 2 and rows and not any(map(is_gene, header)):
        shares = [sum(is_gene(clean(row[i])) for _, row in rows) / len(rows) for i in (0, 1)]
        gene = int(shares[1] > shares[0])
        if shares[gene] >= MOST > shares[1 - gene]:
            return {"source": 1 - gene, "target": gene}
    if not {"source", "target"} <= set(at):
        found = ", ".join(plain[:5]) or "nothing"
        raise FormatError(
            f"The header must hold source, target and weight; it holds {found}. Term and gene, gs_name and "
            "gene_symbol, or gene and weight are read as well.",
            path=path,
            line=1,
        )
    return at


def _pair(at: Mapping[str, int], row: Sequence[str], path: Path) -> tuple[str, str]:
    """Return the names of the set and of the gene of a row."""
    name = clean(row[at["source"]]) if at["source"] >= 0 else path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return name, clean(row[at["target"]])


def _weight(at: Mapping[str, int], row: Sequence[str]) -> float:
    """Return the signed weight of a row, 0 where it has none."""
    sign = 1.0
    if "direction" in at:
        sign = _DIRECTIONS.get(clean(row[at["direction"]]).lower(), 0.0)
    if "weight" not in at:
        return sign
    try:
        weight = float(row[at["weight"]])
    except ValueError:
        return 0.0
    # A negative weight says the direction itself, and must not say another than its column does.
    return weight * sign if weight > 0 else weight if "direction" not in at or sign < 0 else 0.0


def _unweighted(at: Mapping[str, int], rows: _Rows, path: Path) -> GeneSets:
    """Return the sets of a table without weights; the rows of a set need not stand together."""
    cells: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    for number, row in rows:
        source, target = _pair(at, row, path)
        if not source or not target:
            raise FormatError(f"A row needs a set and a gene, not {row!r}.", path=path, line=number)
        cells.setdefault(source, []).append(target)
        lines.setdefault(source, number)
    sets = GeneSets(path)
    for name, genes in cells.items():
        # msigdbr repeats a symbol for each of its Ensembl ids.
        sets.add(name, "", list(dict.fromkeys(genes)), line=lines[name])
    return sets


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
