"""Tables of genes and samples: levels of copy number (GISTIC, cBioPortal), calls of 0 and 1, or words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtorscore.errors import FormatError, examples
from mtorscore.io.alterations.gene_names import is_gene, name_of
from mtorscore.io.alterations.kinds import BITS, LEVELS, UNALTERED, kinds_of_cell, says_nothing
from mtorscore.io.alterations.parts import CALLS, COPY_NUMBER, Cells, Part
from mtorscore.io.alterations.rows import Rows, refuse
from mtorscore.io.tables.cell_text import is_number
from mtorscore.io.tables.name_evidence import weigh_names
from mtorscore.io.tables.orientation import SAMPLE_KEY

__all__ = ["KNOWN", "gene_table", "is_long_copy_number", "long_copy_number"]

KNOWN = (
    "a MAF (Hugo_Symbol, Tumor_Sample_Barcode, Variant_Classification)",
    "data_sv of cBioPortal (Sample_Id, Site1_Hugo_Symbol)",
    "levels of copy number from -2 to 2",
    "a table of genes and samples with 0 and 1 or with words such as WT, R249S, AMP",
)
GENE_COLUMNS = frozenset(
    {"hugo_symbol", "entrez_gene_id", "gene_symbol", "locus_id", "gene_id", "cytoband", "gene_name", "gene", "symbol"}
    | {"description", "ensembl_gene_id", "chromosome", "chr", "start", "end", "track_type", "entrez_id", "ensembl_id"}
)
SAMPLE_COLUMNS = (
    "sample_id",
    "tumor_sample_barcode",
    "sample",
    "samples",
    "barcode",
    "sampleid",
    "patient_id",
    "patient",
)
_TELLING = 0.2
"""A smaller difference between names of rows and of columns says nothing."""
_BLANKS = ("", "-", "--", ".")
UNKNOWN_CELL = -1
"""Bits of a cell that says nothing."""


def is_long_copy_number(rows: Rows) -> bool:
    """Whether each row is one level of one gene in one sample."""
    words = set(rows.words)
    return "value" in words and "sample_id" in words and bool({"hugo_symbol", "entrez_gene_id"} & words)


def long_copy_number(rows: Rows, genes: Collection[str] | None) -> Part:
    """Read levels of copy number in long form."""
    part = Part(rows.path, COPY_NUMBER, says_who=True)
    gene, entrez = rows.column("hugo_symbol"), rows.column("entrez_gene_id")
    sample, value = rows.column("sample_id"), rows.column("value")
    levels: dict[tuple[str, str], tuple[int, bool]] = {}
    for line, cells in rows:
        name = name_of("" if gene is None else cells[gene], "" if entrez is None else cells[entrez])
        who = cells[int(sample or 0)]
        if not who:
            raise FormatError("a level without a sample.", path=rows.path, line=line)
        part.samples[who] = None
        if name and (genes is None or name in genes):
            bits, known = levels.get((who, name), (0, False))
            found = _level(who, name, cells[int(value or 0)], rows.path, line)
            levels[who, name] = (bits | (found or 0), known or found is not None)
    part.genes = dict.fromkeys(g for _, g in sorted(levels))
    part.cells = Cells.of(list(part.samples), list(part.genes))
    row, column = ({name: i for i, name in enumerate(names)} for names in (part.samples, part.genes))
    for (who, name), (bits, known) in levels.items():
        part.cells.bits[row[who], column[name]] = bits
        part.cells.known[row[who], column[name]] = known
    return part


@dataclass(frozen=True)
class _Gene:
    """The cells of one gene, in the order of the samples, and their lines (one for all, or one each)."""

    name: str
    cells: Sequence[str]
    lines: Sequence[int]

    def line(self, i: int) -> int:
        """Return the line of one cell."""
        return self.lines[i] if len(self.lines) > 1 else self.lines[0]


def gene_table(rows: Rows, genes: Collection[str] | None, columns: Mapping[str, str] | None = None) -> Part:
    """Read a table of genes and samples, in either orientation.

    Parameters
    ----------
    rows
        The table.
    genes
        Approved symbols that are wanted; None for all.
    columns
        Gene -> column, of a table with samples in rows whose columns have other names.

    Returns
    -------
    Part
        Of copy number where the cells are levels from -2 to 2, else of calls.

    Raises
    ------
    FormatError
        If neither rows nor columns name genes, a sample or gene column is repeated, or cells mean nothing.
    """
    found, samples = _of_columns(rows, columns) if columns else _either(rows, genes)
    if genes is not None and not found and not columns:
        # None of the wanted genes is there: whether this is a table of alterations at all its other genes tell.
        gene_table(rows, None)
    names = dict.fromkeys(g.name for g in found)
    part = Part(rows.path, CALLS, genes=names, samples=dict.fromkeys(samples), says_who=True)
    part.cells = Cells.of(samples, list(names))
    values: set[str] = set()
    for gene in found:
        values.update(gene.cells)
    known = {_plain(v) for v in values if v and not says_nothing(v)}
    if known and all(_is_number(v) for v in known):
        _numbers(part, part.cells, found, known, rows)
    else:
        _words(part, part.cells, found, values, rows)
    return part


def _either(rows: Rows, genes: Collection[str] | None) -> tuple[list[_Gene], list[str]]:
    """Return the cells in whichever orientation names genes."""
    words, body = rows.words, list(rows)
    if not body or len(rows.header) < 2:
        raise refuse(rows, KNOWN)
    named_down = bool({"hugo_symbol", "gene_symbol", "entrez_gene_id"} & set(words))
    down = _share([c[0] for _, c in body[:2000]])
    across = _share([_bare(h) for h in rows.header[1:]])
    if not named_down and max(down, across) == 0:
        raise refuse(rows, KNOWN)
    if named_down or _stand_down(rows, body, down, across):
        return _genes_down(rows, body, genes)
    return _genes_across(rows, body, genes)


def _stand_down(rows: Rows, body: list[tuple[int, list[str]]], down: float, across: float) -> bool:
    """Whether rows are genes: S1, T1 and HCC1 are aliases of genes, and samples of this field all the same.

    Raises
    ------
    FormatError
        If rows and columns look alike.
    """
    if min(down, across) == 0 or rows.words[0] in GENE_COLUMNS:
        return down > 0 or rows.words[0] in GENE_COLUMNS
    if rows.words[0] in SAMPLE_COLUMNS or SAMPLE_KEY.match(rows.header[0]):
        return False
    left, top = weigh_names([c[0] for _, c in body[:2000]]), weigh_names([_bare(h) for h in rows.header[1:]])
    balance = (left.genes - left.samples) - (top.genes - top.samples)
    if abs(balance) < _TELLING and down == across:
        raise FormatError(
            f"genes may stand in rows ({examples(c[0] for _, c in body)}) or in columns ({examples(rows.header[1:])}): "
            "both look like genes. Head the first column with gene or with sample.",
            path=rows.path,
            line=rows.line,
        )
    return balance > 0 if abs(balance) >= _TELLING else down > across


def _share(names: list[str]) -> float:
    return sum(map(is_gene, names)) / max(len(names), 1)


def _bare(header: str) -> str:
    """Return the gene of a column such as ``TP53 mutation`` or ``TP53_mut``; of ``TP53: MUT`` the whole."""
    for ending in (" mutation", "_mutation", " mutated", "_mut", " mut", " promoter mutation", "_status", " status"):
        if header.lower().endswith(ending):
            return header[: -len(ending)].strip()
    return header.strip()


def _genes_down(
    rows: Rows, body: list[tuple[int, list[str]]], genes: Collection[str] | None
) -> tuple[list[_Gene], list[str]]:
    words = rows.words
    symbol = next((words.index(w) for w in ("hugo_symbol", "gene_symbol", "gene", "symbol") if w in words), None)
    entrez = next((words.index(w) for w in ("entrez_gene_id", "locus_id", "entrez_id") if w in words), None)
    symbol = 0 if symbol is None and entrez is None else symbol
    about = {i for i, w in enumerate(words) if w in GENE_COLUMNS} | {symbol, entrez}
    first = [i for i in range(len(words)) if i not in about]
    samples = [rows.header[i] for i in first]
    _unique(rows, samples, "samples")
    begin, end = (first[0], first[-1] + 1) if first else (0, 0)
    together = len(first) == end - begin
    found = []
    for line, row in body:
        name = name_of("" if symbol is None else row[symbol], "" if entrez is None else row[entrez])
        if name and (genes is None or name in genes):
            found.append(_Gene(name, row[begin:end] if together else [row[i] for i in first], [line]))
    return found, samples


def _genes_across(
    rows: Rows, body: list[tuple[int, list[str]]], genes: Collection[str] | None
) -> tuple[list[_Gene], list[str]]:
    key = _key(rows)
    places: dict[int, str] = {}
    for i, header in enumerate(rows.header):
        name = name_of(_bare(header)) if i != key and is_gene(_bare(header)) else ""
        if name and (genes is None or name in genes):
            places[i] = name
    _unique(rows, [rows.header[i] for i in places], "genes")
    return _across(rows, body, key, places)


def _of_columns(rows: Rows, columns: Mapping[str, str]) -> tuple[list[_Gene], list[str]]:
    missing = [c for c in columns.values() if c not in rows.header]
    if missing:
        raise FormatError(
            f"there is no column {missing[0]!r}; there are {examples(rows.header, 8)}.", path=rows.path, line=rows.line
        )
    places = {rows.header.index(c): name_of(g) or g for g, c in columns.items()}
    return _across(rows, list(rows), _key(rows), places)


def _key(rows: Rows) -> int:
    return next((rows.words.index(w) for w in SAMPLE_COLUMNS if w in rows.words), 0)


def _across(
    rows: Rows, body: list[tuple[int, list[str]]], key: int, places: Mapping[int, str]
) -> tuple[list[_Gene], list[str]]:
    samples = [row[key] for _, row in body]
    if rows.words[key] == "studyid_sampleid":  # sampleMatrix of cBioPortal
        samples = [s.rpartition(":")[2] for s in samples]
    blank = [line for line, row in body if not row[key]]
    if blank:
        raise FormatError("a row without a sample.", path=rows.path, line=blank[0])
    _unique(rows, samples, "samples")
    lines = [line for line, _ in body]
    return [_Gene(g, [row[i] for _, row in body], lines) for i, g in places.items()], samples


def _unique(rows: Rows, names: list[str], what: str) -> None:
    again = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if again or "" in names:
        raise FormatError(
            f"{len(again) or 1} of the {what} stand there twice or have no name ({examples(again) or 'blank'}); keep "
            "one of each.",
            path=rows.path,
            line=rows.line,
        )


def _plain(text: str) -> str:
    """Return a number as `LEVELS` writes it; other text as it is."""
    if not _is_number(text):
        return text
    number = float(text)
    return str(int(number)) if number.is_integer() else str(number)


def _is_number(text: str) -> bool:
    return is_number(text) and math.isfinite(float(text))


def _numbers(part: Part, table: Cells, found: list[_Gene], known: set[str], rows: Rows) -> None:
    """Record levels of copy number, or calls of 0 and 1."""
    strange = known - set(LEVELS)
    if strange:
        gene, i = next((g, i) for g in found for i, c in enumerate(g.cells) if _plain(c) in strange)
        raise FormatError(
            f"{gene.cells[i]!r} of {gene.name} in {table.samples[i]} is neither a level of copy number (-2 to 2) nor 0 "
            "or 1; this looks like ratios of copy number, or like expression. Give the thresholded table "
            "(all_thresholded.by_genes, data_cna).",
            path=rows.path,
            line=gene.line(i),
        )
    named = rows.path.name.lower()
    cna = any(v.startswith("-") for v in known) or "cytoband" in rows.words
    cna = cna or any(w in named for w in ("cna", "thresholded", "gistic"))
    if not cna and "2" in known:
        raise FormatError(
            "0, 1 and 2 may be levels of copy number or numbers of mutations; name the file data_cna.txt if they are "
            "levels, or write 0 and 1.",
            path=rows.path,
        )
    part.data = COPY_NUMBER if cna else CALLS
    bits = dict.fromkeys((c for g in found for c in set(g.cells)), UNKNOWN_CELL)
    for cell in bits:
        if cell and not says_nothing(cell):
            kind = LEVELS[_plain(cell)] if cna else "" if _plain(cell) == "0" else "altered"
            bits[cell] = BITS[kind] if kind else 0
    _record(table, found, [bits] * len(found))


def _record(table: Cells, found: list[_Gene], bits: Sequence[Mapping[str, int]]) -> None:
    """Record cells; one of unknown bits is unknown, unless another row of its gene knows it."""
    column = {name: i for i, name in enumerate(table.genes)}
    for gene, own in zip(found, bits, strict=True):
        codes = np.array([own[c] for c in gene.cells], dtype=np.int32)
        at = column[gene.name]
        table.bits[:, at] |= np.maximum(codes, 0).astype(np.uint16)
        table.known[:, at] |= codes != UNKNOWN_CELL


def _words(part: Part, table: Cells, found: list[_Gene], values: set[str], rows: Rows) -> None:
    """Record calls in words. A blank cell is unaltered where the table has no word for that, else unknown."""
    none_said = not any(v.lower() in UNALTERED for v in values) and any(v and not says_nothing(v) for v in values)
    # A dash or a dot is a blank cell, unless blank cells stand beside it.
    blank = ("",) if "" in values else _BLANKS
    strange: dict[str, str] = {}
    bits: list[dict[str, int]] = []
    for gene in found:
        own: dict[str, int] = {}
        kinds_of: dict[str, list[str]] = {}
        for cell in dict.fromkeys(gene.cells):
            word = cell.lower()
            own[cell] = UNKNOWN_CELL
            if not (none_said and cell in blank) and (not word or says_nothing(cell)):
                continue
            kinds = [] if cell in blank or word in UNALTERED else kinds_of_cell(gene.name, cell)
            if kinds is None:
                i = list(gene.cells).index(cell)
                strange.setdefault(cell, f"line {gene.line(i)}, {gene.name} in {table.samples[i]}")
            kinds_of[cell] = kinds or []
            own[cell] = sum({BITS[k] for k in kinds_of[cell]})
        bits.append(own)
        for sample, cell in zip(table.samples, gene.cells, strict=True):
            part.changes += [(sample, gene.name, k, cell) for k in kinds_of.get(cell, ()) if cell.lower() != k]
    if strange:
        raise FormatError(
            f"{len(strange)} word(s) say neither that a gene is altered nor that it is not ({examples(strange)}; "
            f"the first at {next(iter(strange.values()))}). Write 0 and 1, WT and MUT, a protein change, or AMP and "
            "HOMDEL.",
            path=rows.path,
        )
    _record(table, found, bits)


def _level(sample: str, gene: str, text: str, path: Path, line: int) -> int | None:
    """Return the bits of a level; None where it is not known."""
    if not text or says_nothing(text):
        return None
    level = _plain(text)
    if level not in LEVELS:
        raise FormatError(f"{text!r} of {gene} in {sample} is no level of copy number (-2 to 2).", path=path, line=line)
    return BITS[LEVELS[level]] if LEVELS[level] else 0
