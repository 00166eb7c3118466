"""Orientation of a table and its identifiers: whether rows and columns are genes, samples or descriptions, by name.

All readers of tables decide here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from mtorscore.errors import examples
from mtorscore.genes.identifier_kinds import gene_likeness, kind_of
from mtorscore.io.tables.cell_text import is_number
from mtorscore.io.tables.delimited import Grid

__all__ = [
    "GENE_COLUMNS",
    "LIKE_NUMBER",
    "MEASURE",
    "MEASURES",
    "SAMPLE_COLUMNS",
    "SAMPLE_KEY",
    "STATISTIC",
    "all_samples",
    "are_row_numbers",
    "best_ids",
    "genes_in_rows",
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
SAMPLE_KEY = re.compile(r"^_?(sample|patient|subject|cell|barcode|donor|geo_accession|gsm)", re.IGNORECASE)
# What a table with several columns per sample measures: S1_count, S1_FPKM, or TPM.S1.
MEASURES = r"(?:read|raw|expected|normali[sz]ed)?[ _.]?counts?|fpkm|rpkm|tpm|cpm"
MEASURE = re.compile(
    rf"^(?:(?P<stem>.+?)[ ._:-]+\(?(?P<end>{MEASURES})\)?|(?P<start>{MEASURES})[ ._:-]+(?P<rest>.+))$", re.IGNORECASE
)
LIKE_NUMBER = re.compile(r"^[+-]?\d[\d.,' ]*$")
# Columns of a table of contrasts: a value per gene, not per sample.
STATISTIC = re.compile(
    r"^(basemean|log2?_?fc|log2?_?fold_?change|lfcse|stat|t|p|pval(ue)?|p[._]?adj|padj|adj[._]p[._]val|fdr|q_?val(ue)?|"
    r"avg_?expr|aveexpr|b|z_?score|nlog10_\w+|direction|f)$",
    re.IGNORECASE,
)
# The share of names that must look like genes before they are taken for genes.
_ENOUGH = 0.25


def _clean_id(name: object) -> str:
    text = str(name).strip().strip('"')
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def are_row_numbers(names: list[str]) -> bool:
    """Whether the names are row numbers."""
    if len(names) < 2 or not (names[0] in ("0", "1") and names[1] in ("1", "2")):
        return False
    start = int(names[0])
    return all(n == str(i) for i, n in enumerate(names, start))


def all_samples(names: list[str]) -> bool:
    """Whether no column of numbers describes genes or samples, or holds statistics, by its name."""
    known = (GENE_COLUMNS, SAMPLE_COLUMNS, STATISTIC, MEASURE)
    return bool(names) and not any(pattern.match(n) for n in names for pattern in known)


def table_kind(grid: Grid) -> tuple[str, str]:
    """Say what a table is: matrix (genes in rows), matrix_t (samples in rows), clinical, genes or contrast.

    Returns
    -------
    tuple of str
        The kind and the evidence in words.
    """
    ids = row_ids(grid)[1]
    rows, row_kind = (0.0, "") if are_row_numbers(ids) else gene_likeness(ids)
    others = list(range(1, len(grid.names)))
    numeric = [i for i in others if not grid.is_text(i)]
    measures = [i for i in numeric if not GENE_COLUMNS.match(grid.names[i])]
    header, header_kind = gene_likeness([grid.names[i] for i in numeric])
    text = [i for i in others if grid.is_text(i)]
    if rows < _ENOUGH:
        for i in text[:2]:
            share, kind = _likeness(grid.names[i], [str(v) for v in grid.columns[i]])
            if share > max(rows, 0.5):
                rows, row_kind = share, kind
    seen = f"{rows:.0%} of the row names and {header:.0%} of the column names look like genes"
    about = [grid.names[i] for i in others if SAMPLE_COLUMNS.match(grid.names[i])]
    if SAMPLE_KEY.match(grid.names[0]) and len(about) >= 0.5 * max(len(others), 1) and header < _ENOUGH:
        # P1 and P2 are patients here, although symbols too.
        return "clinical", f"the first column is called {grid.names[0]!r}; columns such as {examples(about)}"
    if header >= _ENOUGH and header > rows and len(numeric) >= 3:
        return "matrix_t", f"{seen} ({header_kind})"
    if rows >= _ENOUGH:
        statistics = [i for i in measures if STATISTIC.match(grid.names[i])]
        # A lone t, p or b may as well be a sample; a fold change or an adjusted p may not.
        telling = any(len(grid.names[i]) > 1 for i in statistics)
        if telling and len(statistics) >= 0.5 * len(measures):
            return "contrast", f"{seen}; columns such as {examples([grid.names[i] for i in statistics])}"
        broken = [i for i in text if not is_prose(grid, i) and not GENE_COLUMNS.match(grid.names[i])]
        if not measures and not broken and len(text) > 0.5 * max(len(others), 1):
            return "genes", f"{seen}; no column measures anything"
        return "matrix", f"{seen} ({row_kind})"
    if SAMPLE_KEY.match(grid.names[0]):
        return "clinical", f"{seen}; the first column is called {grid.names[0]!r}"
    samples = [n for n in grid.names if kind_of(n) == "sample"]
    if len(samples) > 0.5 * len(others) and len(others) > 1:
        return "matrix", f"{len(samples)} column names are samples ({examples(samples)}); row names are not known genes"
    clinical = [grid.names[i] for i in others if SAMPLE_COLUMNS.match(grid.names[i])]
    if len(text) > 0.2 * max(len(others), 1) or clinical or len(others) < 3:
        return "clinical", f"{seen}; {len(text)} of {len(others)} columns are text"
    return "matrix", f"{seen}; {len(numeric)} of {len(others)} columns are numbers, genes taken to be in rows"


def _likeness(name: str, values: list[str]) -> tuple[float, str]:
    """Return how much a column looks like gene names; a column of few distinct values, such as a stage, does not."""
    if SAMPLE_COLUMNS.match(name) or len(set(values)) < 0.3 * len(values):
        return 0.0, ""
    return gene_likeness(values)


def row_ids(grid: Grid) -> tuple[int, list[str]]:
    """Return the column of row names and its values; a column that only counts the rows is passed over."""
    ids = [_clean_id(v) for v in grid.columns[0]]
    if len(grid.names) > 2 and are_row_numbers(ids) and grid.is_text(1):
        return 1, [_clean_id(v) for v in grid.columns[1]]
    return 0, ids


def genes_in_rows(ids: Sequence[str]) -> tuple[bool, str]:
    """Say whether the names of rows look like genes, and the evidence in words."""
    share, kind = gene_likeness(ids)
    return share >= _ENOUGH, f"{share:.0%} of the row names look like genes ({kind})"


def is_transposed(obs_names: Sequence[str], var_names: Sequence[str]) -> bool:
    """Whether a stored AnnData has genes as observations."""
    return gene_likeness(obs_names)[0] >= 0.5 and gene_likeness(var_names)[0] < 0.1


def is_prose(grid: Grid, i: int) -> bool:
    """Whether a column is text throughout, so that it describes the rows rather than being a broken measurement."""
    numbers = sum(is_number(v) or bool(LIKE_NUMBER.match(str(v))) for v in grid.columns[i][:200])
    return numbers < 0.2 * min(200, max(grid.n_rows, 1))


def best_ids(ids: list[str], var: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Prefer the first column as identifier; fall back on another where the first is no gene name at all."""
    if not len(var.columns):
        return ids, var
    if gene_likeness(ids)[0] >= _ENOUGH:
        # A row without a symbol is named by what else the file calls it.
        for column in [c for c in var.columns if not all(ids) and gene_likeness([str(v) for v in var[c]])[0] >= 0.5]:
            ids = [n or str(v) for n, v in zip(ids, var[column], strict=True)]
        return ids, var
    likeness = {c: _likeness(str(c), [str(v) for v in var[c]])[0] for c in var.columns}
    best = max(likeness, key=lambda c: likeness[c])
    if likeness[best] < 0.5:
        return ids, var
    return [str(v) for v in var[best]], var.drop(columns=best).assign(row_name=ids)
