"""Orientation of a table and its identifiers: whether rows and columns are genes, samples or descriptions, by name.

All readers of tables decide here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtorscore._doors import option
from mtorscore.errors import DataError, FormatError, examples
from mtorscore.genes.identifier_kinds import gene_likeness
from mtorscore.genes.tables import human
from mtorscore.io.tables.cell_text import is_missing, is_number, typed
from mtorscore.io.tables.delimited import Grid
from mtorscore.io.tables.long_columns import LongColumns, long_columns
from mtorscore.io.tables.name_evidence import NameEvidence, weigh_names
from mtorscore.io.tables.statistic_columns import is_statistic, is_telling

__all__ = [
    "GENE_COLUMNS",
    "GENE_KEY",
    "LIKE_NUMBER",
    "MEASURE",
    "MEASURES",
    "ORIENTATIONS",
    "SAMPLE_COLUMNS",
    "SAMPLE_KEY",
    "Verdict",
    "all_samples",
    "are_row_numbers",
    "asked_orientation",
    "best_ids",
    "first_is_a_sample",
    "genes_in_rows",
    "is_key",
    "is_prose",
    "is_transposed",
    "row_ids",
    "table_kind",
]

# Columns that describe a gene although they hold numbers.
GENE_COLUMNS = re.compile(
    r"^(entrez.*|geneid|ncbi.*|(gene_?|chrom_?|tx_?)?(length|start|end)([ _]position)?|(gene_?)?strand|composite.*|"
    r"(gene_?)?(chr(om(osome)?)?|description|title|biotype|type)|symbol|gene([ _]?(name|symbol|id|assignment))?|locus|"
    r"hugo_symbol|hgnc.*|ensgene|ensembl.*|id_?ref|identifier|name|(exon|transcript|eff(ective)?)_?length|cytoband|id|"
    r"(transcript|refseq|unigene|probe|accession)([ _]?ids?)?|tf_family|row_?names?)$",
    re.IGNORECASE,
)
# Columns that describe a sample although they hold numbers.
SAMPLE_COLUMNS = re.compile(
    r"^(OS|DSS|DFI|PFI|RFS|DFS|PFS|TTR|EFS)([._ ]?(time|event|status|days|months|years))?$|"
    r".*(survival|vital|futime|fustat|follow_?up|censored|_event$|_time$|age_at|days_to|stage|grade).*|"
    r"^(age|sex|gender|time|event|status|batch|race|weight|height|bmi|year|patient(_id)?|sample(_id)?|group|diagnosis|"
    r"redaction|id)$",
    re.IGNORECASE,
)
# What the column of gene names is called.
GENE_KEY = re.compile(
    r"^(gene.*|symbols?|hugo.*|hgnc.*|ensembl.*|ensg.*|entrez.*|probes?(et)?(_?set)?([ _.]?ids?)?|id_?ref|"
    r"features?(_?id)?|transcripts?([ _.]?ids?)?|ilmn.*|target_id|tracking_id)$",
    re.IGNORECASE,
)
SAMPLE_KEY = re.compile(r"^_?(sample|patient|subject|cell|barcode|donor|geo_accession|gsm)", re.IGNORECASE)
# What a table with several columns per sample measures: S1_count, S1_FPKM, or TPM.S1.
MEASURES = r"(?:read|raw|expected|normali[sz]ed)?[ _.]?counts?|fpkm|rpkm|tpm|cpm"
MEASURE = re.compile(
    rf"^(?:(?P<stem>.+?)[ ._:-]+\(?(?P<end>{MEASURES})\)?|(?P<start>{MEASURES})[ ._:-]+(?P<rest>.+))$", re.IGNORECASE
)
_ID = re.compile(
    r"(?:^|.*[ ._-])(?:ids?|barcode|uuid)|_?(?:sample|patient|subject|cell|donor|case|geo_accession|gsm)s?"
    r"(?:[ _.-]?(?:no|nr|number|code|name|identifier))?",
    re.IGNORECASE,
)
LIKE_NUMBER = re.compile(r"^[+-]?\d[\d.,' ]*$")
# The share of names that must look like genes before they are taken for genes.
_ENOUGH = 0.25
# By how much one reading must outweigh the other.
_CLEAR = 0.15
ORIENTATIONS = ("genes-in-rows", "samples-in-rows")


@dataclass(frozen=True)
class Verdict:
    """What a table is, the evidence in words, and whether it is more than a guess."""

    kind: str
    evidence: str
    sure: bool = True
    margin: float = 1.0
    long: LongColumns | None = None


def are_row_numbers(names: list[str]) -> bool:
    """Whether the names are row numbers."""
    if len(names) < 2 or not (names[0] in ("0", "1") and names[1] in ("1", "2")):
        return False
    start = int(names[0])
    return all(n == str(i) for i, n in enumerate(names, start))


def is_key(name: str) -> bool:
    """Whether a column holds ids of samples or patients by its name; they stay text."""
    return bool(_ID.fullmatch(name)) and name not in human().by_symbol


def all_samples(names: list[str]) -> bool:
    """Whether no column of numbers describes genes or samples, or holds statistics, by its name."""
    known = (GENE_COLUMNS, SAMPLE_COLUMNS, MEASURE)
    return bool(names) and not any(is_statistic(n) or any(p.match(n) for p in known) for n in names)


def asked_orientation(value: str) -> str:
    """Return the kind of table for ``orientation=``.

    Raises
    ------
    DataError
        If the word is unknown.
    """
    words = re.sub(r"[\s_-]+", " ", value.strip().lower())
    if words in ("genes in rows", "genes", "samples in columns", "genes x samples"):
        return "matrix"
    if words in ("samples in rows", "samples", "genes in columns", "samples x genes", "cells in rows"):
        return "matrix_t"
    raise DataError(f"orientation must be {' or '.join(ORIENTATIONS)}, not {value!r}.")


def table_kind(grid: Grid) -> Verdict:
    """Say what a table is: matrix (genes in rows), matrix_t (samples in rows), long, clinical, genes or contrast.

    Both readings are weighed by the same signals: the names of the rows, those of the columns of numbers, a column of
    symbols beside them, and what the first column is called. One is taken only where it clearly outweighs the other.

    Raises
    ------
    FormatError
        If two readings are about as likely.
    """
    others = list(range(1, len(grid.names)))
    ids = row_ids(grid)[1]
    numeric = [i for i in others if not grid.is_text(i)]
    text = [i for i in others if grid.is_text(i)]
    measures = [i for i in numeric if not GENE_COLUMNS.match(grid.names[i])]
    rows, header = weigh_names(ids), weigh_names([grid.names[i] for i in numeric])
    beside = _symbols_beside(grid, text, rows)
    about = [grid.names[i] for i in others if SAMPLE_COLUMNS.match(grid.names[i])]
    seen = f"row names: {rows.words()}; column names: {header.words()}"
    if beside:
        seen += f"; the column {beside!r} holds genes"
    if SAMPLE_KEY.match(grid.names[0]) and len(about) >= 0.5 * max(len(others), 1) and header.genes < _ENOUGH:
        # P1 and P2 are patients here, although symbols too.
        return Verdict("clinical", f"the first column is called {grid.names[0]!r}; columns such as {examples(about)}")
    if found := long_columns(grid):
        evidence = f"one row for each gene and sample: {found.gene}, {found.sample}, {found.value}"
        return Verdict("long", evidence, long=found)
    genes = max(rows.genes, 0.9 if beside else 0.0)
    statistics = [i for i in measures if is_statistic(grid.names[i])]
    telling = sum(is_telling(grid.names[i]) for i in statistics)
    of_genes = genes >= _ENOUGH or bool(GENE_KEY.match(grid.names[0])) or (telling >= 2 and not about)
    if of_genes and telling and len(statistics) >= 0.5 * len(measures):
        return Verdict("contrast", f"{seen}; columns such as {examples([grid.names[i] for i in statistics])}")
    broken = [i for i in text if not is_prose(grid, i) and not GENE_COLUMNS.match(grid.names[i])]
    if genes >= _ENOUGH and not measures and not broken and len(text) > 0.5 * max(len(others), 1):
        return Verdict("genes", f"{seen}; no column measures anything")
    return _orientation(grid, rows, header, beside, about, seen)


def _orientation(
    grid: Grid, rows: NameEvidence, header: NameEvidence, beside: str, about: list[str], seen: str
) -> Verdict:
    """Weigh genes in rows against samples in rows; with neither, the table describes samples or cannot be told."""
    first = grid.names[0]
    in_rows = max(rows.genes, 0.9 if beside else 0.0) + header.samples + (1.0 if GENE_KEY.match(first) else 0.0)
    in_columns = header.genes + rows.samples + (0.4 if SAMPLE_KEY.match(first) else 0.0)
    if len(about) >= 2 and header.genes >= _ENOUGH:
        in_columns += 0.4
    genes_here, genes_there = max(rows.genes, 0.9 if beside else 0.0), header.genes
    text = sum(grid.is_text(i) for i in range(1, len(grid.names)))
    others = max(len(grid.names) - 1, 1)
    if genes_there >= _ENOUGH and header.count >= 3 and in_columns > in_rows:
        return _verdict(grid, "matrix_t", in_columns - in_rows, seen)
    if genes_here >= _ENOUGH and (in_rows > in_columns or genes_there < _ENOUGH):
        return _verdict(grid, "matrix", max(in_rows - in_columns, genes_here - genes_there), seen)
    if genes_there >= _ENOUGH and header.count >= 3 and genes_there > genes_here:
        return _verdict(grid, "matrix_t", in_columns - in_rows, seen)
    named_gene = bool(GENE_KEY.match(first))
    if SAMPLE_KEY.match(first) and not named_gene:
        return Verdict("clinical", f"{seen}; the first column is called {first!r}")
    series = header.samples > 0.3 and rows.samples < 0.1
    sampled = (header.samples > 0.5 or series) and header.count > 1 and header.count > 0.5 * others
    if sampled or (named_gene and header.count >= 0.5 * others and not about):
        return _verdict(grid, "matrix", in_rows - in_columns, f"{seen}; row names are not known genes")
    if text > 0.2 * others or about or others < 3:
        return Verdict("clinical", f"{seen}; {text} of {others} columns are text")
    if grid.n_rows >= 100 and grid.n_rows >= 3 * others:
        why = f"{seen}; {grid.n_rows} rows of {others} numbers, so that genes are taken to be in rows"
        return Verdict("matrix", why, sure=False)
    raise _undecided(grid, seen)


def _verdict(grid: Grid, kind: str, margin: float, seen: str) -> Verdict:
    if margin < _CLEAR:
        raise _undecided(grid, seen)
    return Verdict(kind, seen, sure=margin >= 2 * _CLEAR, margin=margin)


def _undecided(grid: Grid, seen: str) -> FormatError:
    rows, columns = examples(list(grid.columns[0][:3])), examples(grid.names[1:4])
    return FormatError(
        f"it can be read in two ways: genes in rows ({rows}) and samples in columns ({columns}), or samples in rows "
        f"({rows}) and genes in columns ({columns}). Nothing outweighs ({seen}). Say which: "
        f"{option('orientation', 'genes-in-rows')} or samples-in-rows, or name the column of genes with "
        f"{option('ids')}.",
        path=grid.path,
        line=grid.header_line or 1,
    )


def _symbols_beside(grid: Grid, text: list[int], rows: NameEvidence) -> str:
    """Return the name of a column of genes beside row names that are none (numbers, probes and samples included)."""
    if rows.genes >= 0.5 and rows.kind != "entrez":
        return ""
    for i in text:
        if _likeness(grid.names[i], [str(v) for v in grid.columns[i]])[0] > 0.5:
            return grid.names[i] or f"column_{i + 1}"
    return ""


def _likeness(name: str, values: list[str]) -> tuple[float, str]:
    """Return how much a column looks like gene names; a column of few distinct values, such as a stage, does not."""
    known = [v for v in values if v and not is_missing(v)]
    if SAMPLE_COLUMNS.match(name) or not known or len(set(known)) < 0.3 * len(known):
        return 0.0, ""
    found = weigh_names(known)
    return found.genes, found.kind


def row_ids(grid: Grid) -> tuple[int, list[str]]:
    """Return the column of row names and its values; a column that only counts the rows is passed over."""
    ids = [str(v).strip().strip('"') for v in grid.columns[0]]
    if len(grid.names) > 2 and are_row_numbers(ids) and grid.is_text(1):
        return 1, [str(v).strip().strip('"') for v in grid.columns[1]]
    return 0, ids


def first_is_a_sample(grid: Grid) -> bool:
    """Whether the first column holds values rather than names: decimals, or numbers under the name of a sample."""
    name = grid.names[0]
    values = typed(grid.columns[0])
    known = values[np.isfinite(values)] if values.dtype != object else values[:0]
    if not name or not len(known) or GENE_KEY.match(name) or GENE_COLUMNS.match(name) or SAMPLE_KEY.match(name):
        return False
    return bool((known != np.round(known)).any()) or weigh_names([name, *grid.names[1:4]]).samples > 0.8


def genes_in_rows(ids: Sequence[str]) -> tuple[bool, str]:
    """Say whether the names of rows look like genes, and the evidence in words."""
    found = weigh_names(ids)
    return found.genes >= _ENOUGH, f"{found.genes:.0%} of the row names look like genes ({found.kind})"


def is_transposed(obs_names: Sequence[str], var_names: Sequence[str]) -> bool:
    """Whether a stored AnnData has genes as observations."""
    return gene_likeness(obs_names)[0] >= 0.5 and gene_likeness(var_names)[0] < 0.1


def is_prose(grid: Grid, i: int) -> bool:
    """Whether a column is text throughout, so that it describes the rows rather than being a broken measurement."""
    numbers = sum(is_number(v) or bool(LIKE_NUMBER.match(str(v))) for v in grid.columns[i][:200])
    return numbers < 0.2 * min(200, max(grid.n_rows, 1))


def best_ids(ids: list[str], var: pd.DataFrame) -> tuple[list[str], pd.DataFrame, str]:
    """Prefer the first column as identifier; fall back on another where the first is no gene name, or only numbers.

    Returns
    -------
    list of str, pandas.DataFrame, str
        The identifiers, what remains, and the column that they came from ("" for the first).
    """
    ids = _whole_numbers(ids)
    own = weigh_names(ids)
    if not len(var.columns):
        return ids, var, ""
    if own.genes >= _ENOUGH and own.kind != "entrez":
        # A row without a symbol is named by what else the file calls it.
        for column in [c for c in var.columns if not all(ids) and gene_likeness([str(v) for v in var[c]])[0] >= 0.5]:
            ids = [n or str(v) for n, v in zip(ids, var[column], strict=True)]
        return ids, var, ""
    likeness = {c: _likeness(str(c), [str(v) for v in var[c]])[0] for c in var.columns}
    best = max(likeness, key=lambda c: likeness[c])
    if likeness[best] < 0.5 or (own.kind == "entrez" and _same_genes(ids, [str(v) for v in var[best]])):
        return ids, var, ""
    named = ["" if is_missing(v) else str(v) for v in var[best]]
    # A row that the better column does not name keeps its own name.
    return (
        [n or own_name for n, own_name in zip(named, ids, strict=True)],
        var.drop(columns=best).assign(row_name=ids),
        str(best),
    )


def _same_genes(numbers: list[str], symbols: list[str]) -> bool:
    """Whether numbers are the Entrez ids of the symbols beside them; by themselves numbers say little."""
    table = human()
    pairs = [(table.by_entrez[n].symbol, s) for n, s in zip(numbers, symbols, strict=True) if n in table.by_entrez]
    return bool(pairs) and sum(a == b.upper() for a, b in pairs) >= 0.5 * len(pairs)


def _whole_numbers(ids: list[str]) -> list[str]:
    """Return Entrez ids that a data frame wrote with decimals (7157.0) as whole numbers."""
    numbers = [n for n in ids if n.endswith(".0") and n[:-2].isdigit()]
    if len(numbers) < 0.5 * max(len(ids), 1):
        return ids
    return [n[:-2] if n.endswith(".0") and n[:-2].isdigit() else n for n in ids]
