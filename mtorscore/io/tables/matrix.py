"""Tables into AnnData: which columns describe and which measure, in either orientation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataError, DataWarning, FormatError, examples, warn
from mtorscore.genes.identifier_kinds import gene_likeness, is_symbol, kind_of
from mtorscore.genes.tables import human
from mtorscore.io.tables.cell_text import holds_text, typed
from mtorscore.io.tables.checks import refuse_headless, refuse_unusable
from mtorscore.io.tables.delimited import Grid
from mtorscore.io.tables.orientation import (
    GENE_COLUMNS,
    LIKE_NUMBER,
    MEASURE,
    MEASURES,
    SAMPLE_COLUMNS,
    SAMPLE_KEY,
    STATISTIC,
    are_row_numbers,
    best_ids,
    is_prose,
    row_ids,
    table_kind,
)

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.io.tables.file_bytes import Content

__all__ = [
    "MEASURE_OPTION",
    "SPECIAL",
    "TABLE_KINDS",
    "TABLE_OPTION",
    "assemble",
    "described",
    "from_grid",
    "repeated",
    "unique",
]

# What a table can be told to be: values with genes or samples in rows, or descriptions of samples or of genes.
TABLE_KINDS = ("matrix", "matrix_t", "clinical", "genes", "contrast")
TABLE_OPTION = {"table": "what it is, as `kind=` may say: " + ", ".join(TABLE_KINDS)}
MEASURE_OPTION = {"measure": "what is read where samples have several columns each, such as count or FPKM"}

# Counters that HTSeq and STAR write below or above the genes.
SPECIAL = re.compile(
    r"^(__)?(no_feature|ambiguous|too_low_aqual|not_aligned|alignment_not_unique)$|^N_[a-z]\w+$", re.IGNORECASE
)
_NO_SAMPLE = re.compile(rf"^({MEASURES}|value|expression|signal|intensity|abundance|column_\d+)$", re.IGNORECASE)
_NOTHING = frozenset({"NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None"})


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, in order."""
    return [n for n, c in Counter(names).items() if c > 1]


def unique(names: list[str]) -> list[str]:
    """Make names unique: the second ``A`` becomes ``A~2``. The published name stays in ``var["id"]``."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return out


def assemble(
    x: Any,
    obs_names: list[str],
    var_names: list[str],
    *,
    obs: pd.DataFrame | None = None,
    var: pd.DataFrame | None = None,
) -> AnnData:
    """Build an AnnData: duplicated genes are numbered (the published name is kept), duplicated samples refused."""
    from anndata import AnnData

    if twice := repeated(obs_names):
        raise DataError(
            f"{len(twice)} sample name(s) are duplicated ({examples(twice)}); rename or remove the copies, "
            "since nothing says which one is meant."
        )
    names = pd.Index(unique(var_names), dtype=object)
    frame = pd.DataFrame(index=names) if var is None else var.set_axis(names)
    frame.insert(0, "id", var_names) if "id" not in frame.columns else frame.__setitem__("id", var_names)
    samples = pd.Index([str(n) for n in obs_names], dtype=object)
    return AnnData(X=x, obs=pd.DataFrame(index=samples) if obs is None else obs.set_axis(samples), var=frame)


def from_grid(grid: Grid, content: Content | None, kind: str = "", measure: str = "") -> tuple[AnnData, dict[str, Any]]:
    """Turn a parsed table into an AnnData and say how; `measure` chooses where samples have several columns each.

    Returns
    -------
    AnnData, dict
        The dict holds ``table`` (what it is), ``evidence``, ``orientation`` and ``repairs``.
    """
    evidence = "as asked"
    if not kind:
        kind, evidence = table_kind(grid)
    made: dict[str, Any] = {"table": kind.removesuffix("_t"), "evidence": evidence, "orientation": ""}
    made["repairs"] = grid.repairs
    if kind in ("clinical", "genes", "contrast"):
        return _described(grid, kind), made
    refuse_headless(grid)
    made["orientation"] = "samples in rows" if kind == "matrix_t" else "genes in rows"
    if kind == "matrix_t":
        return _samples_in_rows(grid, content), made
    return _genes_in_rows(grid, content, measure), made


def _described(grid: Grid, kind: str) -> AnnData:
    """Return a table without a matrix: rows are observations (clinical) or genes (annotation, contrasts)."""
    at, ids = row_ids(grid)
    frame = grid.frame()
    names = unique(ids)
    if any(not n for n in ids):
        names = unique([n or f"row_{i + 1}" for i, n in enumerate(ids)])
    if kind == "clinical" and (copies := len(names) - len(set(ids))):
        grid.repairs.append(f"{copies} row names are duplicated and numbered (A~2)")
        if SAMPLE_KEY.match(grid.names[at]):
            twice = repeated(ids)
            warn(
                f"{grid.path.name}: {len(twice)} value(s) of {grid.names[at]!r} are on several rows "
                f"({examples(twice)}); read_clinical refuses them where the rows differ.",
                DataWarning,
            )
    if at == 1:
        frame = frame.drop(columns=frame.columns[0])
    return described(frame, names, genes=kind != "clinical", ids=ids)


def described(frame: pd.DataFrame, names: list[str], *, genes: bool, ids: list[str] | None = None) -> AnnData:
    """Wrap a table of observations or of genes as an AnnData without values."""
    from anndata import AnnData

    frame = frame.copy()
    frame.columns = pd.Index([str(c) for c in frame.columns])
    frame.index = pd.Index(names, dtype=object)
    for column in frame.columns:
        if holds_text(frame[column]):
            frame[column] = ["" if v is None or v != v else str(v) for v in frame[column]]
    if not genes and (twice := repeated(names)):
        raise DataError(
            f"{len(twice)} sample(s) or patient(s) are duplicated ({examples(twice)}); reduce the table to "
            "one row each, or name another key column."
        )
    if genes:
        if ids is not None:
            frame["id"] = ids
        return AnnData(X=np.zeros((0, len(frame)), dtype=np.float32), var=frame)
    return AnnData(X=np.zeros((len(frame), 0), dtype=np.float32), obs=frame)


def _genes_in_rows(grid: Grid, content: Content | None, measure: str = "") -> AnnData:
    at, ids = row_ids(grid)
    describing = {at, *range(at)}
    values: list[int] = []
    for i in range(len(grid.names)):
        if i in describing:
            continue
        name = grid.names[i]
        if kind_of(name) != "sample" and (GENE_COLUMNS.match(name) or _describes(grid, i, bool(values))):
            describing.add(i)
        elif not name and not grid.is_text(i) and np.isnan(grid.columns[i]).all():
            continue
        else:
            values.append(i)
    values, statistics = _without_statistics(grid, values)
    describing |= set(statistics)
    values, samples = _one_measure(grid, values, measure)
    if nameless := sum(not grid.names[i] for i in values):
        grid.repairs.append(f"{nameless} samples without a name are called by the number of their column")
    refuse_unusable(grid, content, values)
    if not values:
        raise FormatError("no column measures anything: every column is text or describes genes.", path=grid.path)
    further = {grid.names[i] or "column": _as_text(grid.columns[i]) for i in sorted(describing - {0, at})}
    ids, var = best_ids(ids, pd.DataFrame(further, index=range(grid.n_rows)))
    x = grid.matrix(values)
    keep, facts = _real_rows(ids, x, var, grid.repairs)
    if len(keep) < len(ids):
        ids, x, var = [ids[i] for i in keep], x[:, keep], var.iloc[keep]
    obs = pd.DataFrame(facts, index=range(len(values))) if facts else None
    return _checked(assemble(x, samples, ids, obs=obs, var=var if len(var.columns) else None), grid, x)


def _describes(grid: Grid, i: int, after_values: bool) -> bool:
    """Whether a column of text describes the rows; behind a sample only where nothing in it is like a number."""
    if not grid.is_text(i) or not is_prose(grid, i):
        return False
    return not after_values or not any(LIKE_NUMBER.match(str(v)) for v in grid.columns[i])


def _without_statistics(grid: Grid, values: list[int]) -> tuple[list[int], list[int]]:
    """Separate columns of test statistics from the samples, as in tables of differential expression."""
    found = [i for i in values if STATISTIC.match(grid.names[i])]
    if not any(len(grid.names[i]) > 1 for i in found) or len(found) == len(values):
        return values, []
    grid.repairs.append(f"columns of statistics ({examples([grid.names[i] for i in found])}) describe genes")
    return [i for i in values if i not in found], found


def _one_measure(grid: Grid, values: list[int], measure: str) -> tuple[list[int], list[str]]:
    """Return the columns of one measure and their sample names; several measures of the same samples are not mixed."""
    names = {i: grid.names[i] or f"column_{i + 1}" for i in values}
    parts = {i: m for i in values if (m := MEASURE.match(names[i]))}
    kinds = {i: (m["end"] or m["start"]).lower() for i, m in parts.items()}
    stems = {i: m["stem"] or m["rest"] for i, m in parts.items()}
    distinct = sorted(set(kinds.values()))
    shared = len({(stems[i]) for i in parts}) < len(parts)
    if measure:
        chosen = [i for i in values if kinds.get(i) == measure.lower()]
        if not chosen:
            raise FormatError(
                f"no column holds {measure!r}; the columns say {examples(distinct, 6) or 'nothing of that kind'}.",
                path=grid.path,
                line=grid.header_line or 1,
            )
        return chosen, [stems[i] for i in chosen]
    if len(distinct) > 1 and shared:
        raise FormatError(
            f"the columns hold {len(distinct)} measures of the same samples ({examples(distinct, 6)}; such as "
            f"{examples([names[i] for i in parts])}); choose one, such as measure={distinct[0]!r}.",
            path=grid.path,
            line=grid.header_line or 1,
        )
    if len(values) == 1 and _NO_SAMPLE.match(names[values[0]]):
        # One sample, whose column says what is measured: the file is called after the sample.
        return values, [grid.path.name.split(".")[0] or names[values[0]]]
    return values, [names[i] for i in values]


def _real_rows(
    ids: list[str], x: npt.NDArray[np.float64], var: pd.DataFrame, repairs: list[str]
) -> tuple[list[int], dict[str, npt.NDArray[np.float64]]]:
    """Return the rows that are genes, and the other rows: counters (no_feature, ...) and facts of samples."""
    special = [i for i, n in enumerate(ids) if SPECIAL.match(n)]
    about = [i for i, n in enumerate(ids[:20]) if SAMPLE_COLUMNS.match(n) and n not in human().by_symbol]
    nameless = [i for i, n in enumerate(ids) if not n]
    notes = _notes(ids, x)
    if notes:
        repairs.append(f"{len(notes)} line(s) of notes below the table ({examples([ids[i] for i in notes])}) left out")
    blank = {i for i in nameless if np.isnan(x[:, i]).all() and not any(var.iloc[i])}
    if special:
        repairs.append(f"{len(special)} rows of counters ({examples([ids[i] for i in special])}) are no genes; in obs")
    if about:
        repairs.append(f"rows that describe the samples ({examples([ids[i] for i in about])}) are no genes; in obs")
    if blank:
        repairs.append(f"{len(blank)} rows without name and values left out")
    left = blank | set(special) | set(about) | set(notes)
    facts = {ids[i].lstrip("_"): x[:, i].copy() for i in [*special, *about]}
    return [i for i in range(len(ids)) if i not in left], facts


def _notes(ids: list[str], x: npt.NDArray[np.float64]) -> list[int]:
    """Return the last rows that hold words and no value: notes below a table."""
    found = []
    for i in range(len(ids) - 1, max(len(ids) - 20, 0), -1):
        if not np.isnan(x[:, i]).all():
            break
        if " " in ids[i] and not kind_of(ids[i]) and not is_symbol(ids[i]):
            found.append(i)
    return found[::-1]


def _as_text(column: npt.NDArray[Any]) -> list[str]:
    if column.dtype == object:
        # A strand of "-" says something; NA does not.
        return ["" if v in _NOTHING else str(v) for v in column]
    return ["" if v != v else (str(int(v)) if v == int(v) else repr(float(v))) for v in column]


def _samples_in_rows(grid: Grid, content: Content | None) -> AnnData:
    at, ids = row_ids(grid)
    genes: list[int] = []
    obs_columns: list[int] = []
    numbers = typed(grid.columns[0])
    if at == 0 and numbers.dtype != object and grid.names[0] in human().by_symbol and not are_row_numbers(ids):
        # Written without the names of the rows: the first column holds values of a gene.
        grid.columns[0], at = numbers, -1
        ids = [f"row_{i + 1}" for i in range(grid.n_rows)]
        grid.repairs.append("no column names the samples; they are called by the number of their row")
    for i in range(at + 1, len(grid.names)):
        name = grid.names[i]
        # "stage" or "T" is an alias of some gene; only a current symbol outweighs what the column says.
        current = name in human().by_symbol
        symbol = gene_likeness([name])[0] > 0
        describes = SAMPLE_COLUMNS.match(name) is not None and not current
        text = grid.is_text(i) and (not symbol or (not current and is_prose(grid, i)))
        (obs_columns if describes or text else genes).append(i)
    refuse_unusable(grid, content, genes)
    x = np.column_stack([grid.columns[i] for i in genes]).astype(np.float64, order="C")
    obs = pd.DataFrame({grid.names[i]: grid.columns[i] for i in obs_columns}, index=range(grid.n_rows))
    names = [grid.names[i] for i in genes]
    return _checked(assemble(x, ids, names, obs=obs if len(obs.columns) else None), grid, x)


def _checked(adata: AnnData, grid: Grid, x: npt.NDArray[np.float64]) -> AnnData:
    if np.isnan(x).all():
        raise FormatError("the table holds no number at all.", path=grid.path)
    return adata
