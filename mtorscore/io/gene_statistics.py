"""Tables of differential expression: which tool wrote them, and the statistic that ranks their genes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, examples
from mtorscore.io.tables.statistic_columns import is_statistic, is_telling

__all__ = ["GeneStatistics", "gene_statistics", "is_gene_table"]

_Float = npt.NDArray[np.float64]

_GENE = (
    "gene_symbol", "genesymbol", "symbol", "hgnc_symbol", "mgi_symbol", "external_gene_name", "gene_name",
    "gene_short_name", "ext_gene", "gene", "genes", "names", "feature", "gene_id", "geneid", "ensembl", "ensembl_id",
    "entrez", "entrezid",
)  # fmt: skip
_COMPARISON = ("cluster", "group", "contrast", "comparison", "condition", "celltype", "cell_type", "sample_2")
_T = (
    "t", "t_stat", "t_statistic", "tstat", "stat", "statistic", "wald_stat", "wald", "test_stat", "scores", "z",
    "z_score", "zscore", "z_stat", "d_score",
)  # fmt: skip
_P = ("p_value", "pvalue", "p_val", "pval", "pvals", "p", "raw_p", "nominal_p_value", "pr_gt_chisq", "prob_chi")
_ADJUSTED = (
    "adj_p_val", "padj", "p_val_adj", "pvals_adj", "fdr", "qval", "q_value", "qvalue", "adj_p_value",
    "adjusted_p_value", "p_adj", "p_adjust", "fdr_p_value", "adj_pval", "bonferroni",
)  # fmt: skip
_CHANGE = re.compile(
    r"(avg_|shrunken_|mean_)?(log_?2?_?|ln_?)(fold_?changes?|fc)|lfc|b|log2_fold_change|logfoldchanges?|log2_ratio|estimate"
)
# With what was compared behind it: log2FC (drug vs vehicle), logFC.KO; not its standard error.
_CHANGE_OF = re.compile(
    r"(log_?2?_?|ln_?)(fold_?changes?|fc)_(?!se$|sd$|std|stderr|err|ci_)\w+|lfc_(?!se$|sd$|std|stderr|err|ci_)\w+"
)
_LINEAR = re.compile(r"fold_?changes?|fc|ratio")
# Each tool by columns that no other writes together, most telling first.
_TOOLS: tuple[tuple[str, frozenset[str]], ...] = (
    ("DESeq2", frozenset({"basemean", "log2foldchange", "pvalue"})),
    ("edgeR", frozenset({"logfc", "logcpm", "pvalue"})),
    ("limma", frozenset({"logfc", "aveexpr", "t"})),
    ("GEO2R (limma)", frozenset({"logfc", "t", "p_value", "adj_p_val", "b"})),
    ("limma", frozenset({"logfc", "t", "p_value", "adj_p_val"})),
    ("Seurat", frozenset({"p_val", "avg_log2fc", "pct_1"})),
    ("Seurat", frozenset({"p_val", "avg_logfc", "pct_1"})),
    ("scanpy", frozenset({"scores", "logfoldchanges", "pvals"})),
    ("sleuth", frozenset({"target_id", "b", "se_b", "qval"})),
    ("Cuffdiff", frozenset({"log2_fold_change", "test_stat", "q_value"})),
)
# Fewer genes than this are no transcriptome, and adjusted p that never exceed this were filtered.
_FEW, _FILTERED = 500, 0.25


@dataclass(frozen=True)
class GeneStatistics:
    """What a table of differential expression says of each gene.

    Attributes
    ----------
    tool
        ``"DESeq2"``, ``"limma"``, ..., or ``"unnamed"``.
    statistic
        ``"t"`` (or z), ``"signed -log10 p"``, ``"signed -log10 adjusted p"`` or ``"log fold change"``.
    columns
        The columns that it is made of.
    genes
        Name of the column of genes; "" for the row names.
    values
        Comparison -> value per gene, without missing ones. One comparison is called "".
    filtered
        Why the table seems to hold chosen genes alone; "" where it does not.
    notes
        What was done, in sentences.
    """

    tool: str
    statistic: str
    columns: tuple[str, ...]
    genes: str
    values: dict[str, pd.Series]
    filtered: str = ""
    notes: tuple[str, ...] = field(default=())


def is_gene_table(frame: pd.DataFrame) -> bool:
    """Say whether a table holds statistics per gene: one that is telling, in half of its columns of numbers or more."""
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    statistics = [c for c in numeric if is_statistic(c)]
    return any(is_telling(c) for c in statistics) and len(statistics) >= 0.5 * len(numeric)


def gene_statistics(frame: pd.DataFrame, *, statistic: str | None = None, genes: str | None = None) -> GeneStatistics:
    """Recognise a table of differential expression and choose the statistic that ranks its genes.

    A t (or z) statistic comes first, then the p value with the sign of the fold change, then the fold change itself,
    which ranks noisy genes highest.

    Parameters
    ----------
    frame
        One row per gene (and comparison), with the tool's own column names.
    statistic
        Column to rank by instead.
    genes
        Column of genes; by default a column that is called so, else the index.

    Returns
    -------
    GeneStatistics
        Genes without a value (such as those that DESeq2 did not test) are left out.

    Raises
    ------
    DataError
        If a column is absent, or nothing ranks the genes.
    """
    for name, column in (("statistic", statistic), ("genes", genes)):
        if column is not None and column not in frame:
            raise DataError(f"`{name}` names {column!r}, which the table does not have; it has {_names(frame)}.")
    words = {_word(str(c)): c for c in reversed(list(frame.columns))}
    tool = next((t for t, needed in _TOOLS if needed <= set(words)), "unnamed")
    at = genes if genes is not None else _gene_column(frame, words)
    ids = frame.index.astype(str).to_series(index=frame.index) if at is None else frame[at].astype(object)
    if at is None and _are_measured(ids):
        raise DataError(
            f"The table names no genes: its first column holds numbers ({examples(ids)}). Write it with its row names, "
            "as write.csv(results) does, or name the column of genes with genes= (--genes)."
        )
    values, kind, used, notes = _ranked(frame, words, statistic)
    known = np.isfinite(values) & ids.notna().to_numpy() & (ids.astype(str) != "").to_numpy()
    if not known.any():
        raise DataError(f"No gene has a value of {kind} ({', '.join(map(str, used))}).")
    if not known.all():
        notes.append(f"{int((~known).sum())} of {len(known)} rows have no value or no gene and are left out")
    parts = _comparisons(frame[known], words, ids[known])
    named = pd.Series(values[known], index=ids[known].astype(str).to_numpy(), dtype=np.float64)
    split = {label: named[mask] for label, mask in parts.items()}
    filtered = _filtered(frame[known], words, max(len(s) for s in split.values()))
    columns = tuple(str(c) for c in used)
    return GeneStatistics(tool, kind, columns, "" if at is None else str(at), split, filtered, tuple(notes))


def _names(frame: pd.DataFrame) -> str:
    return examples(frame.columns, 10)


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def _are_measured(ids: pd.Series) -> bool:
    """Say whether names are numbers with decimals: values, of a table that was written without row names."""
    numbers = pd.to_numeric(ids, errors="coerce")
    return bool((numbers.notna() & (numbers % 1 != 0)).mean() > 0.5)


def _gene_column(frame: pd.DataFrame, words: dict[str, str]) -> str | None:
    """Return the column of genes; None for the index."""
    for word in _GENE:
        column = words.get(word)
        if column is not None and not pd.api.types.is_numeric_dtype(frame[column]) and frame[column].nunique() > 1:
            return column
    if pd.api.types.is_numeric_dtype(frame.index):
        # Row names that were read as the first column, under no name of their own.
        first = frame.columns[0]
        if not pd.api.types.is_numeric_dtype(frame[first]):
            return str(first)
        raise DataError(f"No column names the genes among {_names(frame)}; name it with genes= (--genes).")
    return None


def _first(words: dict[str, str], known: tuple[str, ...], frame: pd.DataFrame) -> str | None:
    found = (words[w] for w in known if w in words)
    return next((c for c in found if pd.api.types.is_numeric_dtype(frame[c])), None)


def _change(frame: pd.DataFrame, words: dict[str, str], notes: list[str]) -> tuple[str | None, _Float]:
    """Return the column of changes, and their values on log scale."""
    for pattern in (_CHANGE, _LINEAR):
        for word, column in words.items():
            if not pattern.fullmatch(word) or not pd.api.types.is_numeric_dtype(frame[column]):
                continue
            if word == "b" and "se_b" not in words:  # limma's B is the log odds of a change
                continue
            values = frame[column].to_numpy(dtype=np.float64)
            if pattern is _LINEAR:
                values = _from_linear(values, column, notes)
            return column, values
    named = [c for w, c in words.items() if _CHANGE_OF.fullmatch(w) and pd.api.types.is_numeric_dtype(frame[c])]
    # Of several, nobody says which is meant.
    return (named[0], frame[named[0]].to_numpy(dtype=np.float64)) if len(named) == 1 else (None, np.empty(0))


def _from_linear(values: _Float, column: str, notes: list[str]) -> _Float:
    known = values[np.isfinite(values)]
    with np.errstate(invalid="ignore", divide="ignore"):
        if (known >= 0).all():
            notes.append(f"{column} is a linear fold change: its log2 is taken")
            return np.where(values > 0, np.log2(values), np.nan)
        if (np.abs(known) >= 1).all():
            notes.append(f"{column} is a linear fold change with minus signs for decreases: its log2 is taken")
            return np.sign(values) * np.log2(np.abs(values))
    notes.append(f"{column} is taken to be on log scale, since it is negative and below 1")
    return values


def _ranked(frame: pd.DataFrame, words: dict[str, str], asked: str | None) -> tuple[_Float, str, list[str], list[str]]:
    notes: list[str] = []
    if asked is not None:
        return frame[asked].to_numpy(dtype=np.float64), f"{asked}, as asked", [asked], notes
    change, changes = _change(frame, words, notes)
    t = _first(words, _T, frame)
    if t is not None:
        values = frame[t].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        if (values[known] < 0).any() or change is None or (changes[known] >= 0).all():
            return values, "t", [t], notes[:0]
        notes.append(f"{t} has no sign and is not used")
    for known_as, kind in ((_P, "signed -log10 p"), (_ADJUSTED, "signed -log10 adjusted p")):
        p = _first(words, known_as, frame)
        if p is not None and change is not None:
            return _signed_log(frame[p].to_numpy(dtype=np.float64), changes, p, notes), kind, [p, change], notes
    if change is None:
        raise DataError(
            f"Nothing in the table ranks genes: there is no t statistic and no fold change among {_names(frame)}. Name "
            "the column with statistic= (--statistic)."
        )
    notes.append("there is neither a t nor a p: genes are ranked by fold change, which puts noisy genes first")
    return changes, "log fold change", [change], notes


def _signed_log(p: _Float, change: _Float, column: str, notes: list[str]) -> _Float:
    if ((p < 0) | (p > 1)).any():
        raise DataError(f"{column} holds values outside 0 to 1, so it is no p; name another column with statistic=.")
    zero = p == 0
    if zero.any():
        least = float(p[p > 0].min(initial=1.0))
        notes.append(f"{int(zero.sum())} p of exactly 0 count as the least other one ({least:.3g})")
        p = np.where(zero, least, p)
    with np.errstate(invalid="ignore"):
        out: _Float = -np.log10(p) * np.sign(change)
    return out


def _comparisons(frame: pd.DataFrame, words: dict[str, str], ids: pd.Series) -> dict[str, npt.NDArray[np.bool_]]:
    """Split rows where genes stand several times because several comparisons stand in one table."""
    if not ids.duplicated().any():
        return {"": np.ones(len(frame), dtype=bool)}
    text = [words[w] for w in _COMPARISON if w in words]
    text += [c for c in frame.columns if c not in text and not pd.api.types.is_numeric_dtype(frame[c])]
    for column in text:
        groups = _as_text(frame[column])
        pairs = pd.DataFrame({"gene": ids.astype(str).to_numpy(), "of": groups.to_numpy()})
        if 1 < groups.nunique() <= 200 and not pairs.duplicated().any() and pairs["gene"].nunique() > 1:
            if column == ids.name:
                continue
            return {str(v): (groups == v).to_numpy() for v in pd.unique(groups)}
    return {"": np.ones(len(frame), dtype=bool)}


def _as_text(column: pd.Series) -> pd.Series:
    """Return labels as they were written: cluster 0, which was read as 0.0."""
    if not pd.api.types.is_float_dtype(column):
        return column.astype(str)
    return pd.Series([f"{v:g}" for v in column], index=column.index, dtype=object)


def _filtered(frame: pd.DataFrame, words: dict[str, str], most_genes: int) -> str:
    for known_as, name in ((_ADJUSTED, "adjusted p"), (_P, "p")):
        column = _first(words, known_as, frame)
        if column is not None:
            highest = float(frame[column].max())
            if highest < _FILTERED:
                return f"no {name} is above {highest:.3g}, so genes that did not change were removed"
            break
    if most_genes < _FEW:
        return f"{most_genes} genes are no transcriptome: the genes that were not chosen are unknown"
    change = [abs(v) for v in _change(frame, words, [])[1]]
    if change and np.nanmin(change) >= 0.1:
        return f"no change is below {np.nanmin(change):.2g} (log scale), so smaller ones were removed"
    return ""
