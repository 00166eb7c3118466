"""Tables into AnnData: which columns describe and which measure, in either orientation."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore._doors import option
from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.genes.identifier_kinds import gene_likeness, is_symbol, kind_of
from mtorscore.genes.numbers import is_running_count
from mtorscore.genes.tables import human
from mtorscore.io.tables.assembly import assemble, described, repeated, unique
from mtorscore.io.tables.cell_text import typed
from mtorscore.io.tables.checks import refuse_headless, refuse_odd_cells, refuse_unusable
from mtorscore.io.tables.delimited import Grid, parse
from mtorscore.io.tables.laboratory import laboratory_columns
from mtorscore.io.tables.long_columns import LongColumns, long_columns
from mtorscore.io.tables.long_table import pivot
from mtorscore.io.tables.name_evidence import weigh_names
from mtorscore.io.tables.orientation import (
    GENE_COLUMNS,
    LIKE_NUMBER,
    MEASURE,
    MEASURES,
    SAMPLE_COLUMNS,
    SAMPLE_KEY,
    Verdict,
    are_row_numbers,
    best_ids,
    first_is_a_sample,
    is_key,
    is_prose,
    row_ids,
    table_kind,
)
from mtorscore.io.tables.statistic_columns import is_statistic, is_telling

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.io.tables.file_bytes import Content

__all__ = [
    "MEASURE_OPTION",
    "SPECIAL",
    "TABLE_KINDS",
    "TABLE_OPTION",
    "from_grid",
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


def from_grid(
    grid: Grid, content: Content | None, kind: str = "", measure: str = "", ids: str = ""
) -> tuple[AnnData, dict[str, Any]]:
    """Turn a parsed table into an AnnData and say how; `measure` chooses where samples have several columns each.

    Returns
    -------
    AnnData, dict
        The dict holds ``table`` (what it is), ``evidence``, ``orientation`` and ``repairs``.
    """
    refuse_headless(grid)
    verdict = Verdict(kind, "as asked") if kind else table_kind(grid)
    if ids and ids not in grid.names:
        raise FormatError(f"there is no column {ids!r}; there are {examples(grid.names, 12)}.", path=grid.path)
    kind = verdict.kind
    made: dict[str, Any] = {"table": kind.removesuffix("_t"), "evidence": verdict.evidence, "orientation": ""}
    made["repairs"] = grid.repairs
    if not grid.n_rows:
        raise FormatError("the table has a header and no rows.", path=grid.path, line=grid.header_line or 1)
    found = verdict.long
    if kind in ("clinical", "long"):
        as_weighed = grid
        grid = _keys_as_text(grid, content)
        found = found if grid is as_weighed else None
    if kind == "genes":
        refuse_odd_cells(grid, content)
    if kind in ("clinical", "genes", "contrast"):
        return _described(grid, kind, ids), made
    if kind == "long":
        return _long(grid, found), made | {"table": "matrix", "orientation": "long"}
    refuse_odd_cells(grid, content)
    made["orientation"] = "samples in rows" if kind == "matrix_t" else "genes in rows"
    if kind == "matrix_t":
        adata = _samples_in_rows(_keys_as_text(grid, content), content, ids)
    else:
        adata = _genes_in_rows(grid, content, measure, ids)
    return adata, made | _identified(adata, verdict, made["orientation"])


def _identified(adata: AnnData, verdict: Verdict, orientation: str) -> dict[str, Any]:
    """Return what the identifiers are, and what is guessed rather than known, with its evidence."""
    names = [str(n) for n in adata.var["id"]]
    found = weigh_names(names)
    counted = is_running_count(names)
    kind = "row numbers" if counted else (found.kind or "unknown")
    guessed: dict[str, Any] = {}
    if verdict.evidence != "as asked":
        guessed["orientation"] = {"is": orientation, "evidence": verdict.evidence, "sure": verdict.sure}
    share = f"{found.genes:.0%} of the names are such"
    why = "they only count" if counted else share
    guessed["identifiers"] = {"is": kind, "evidence": why, "sure": bool(found.genes >= 0.5 and not counted)}
    if counted:
        warn(
            f"the rows are only numbered ({examples(names)}), which names no gene; name the column that does with "
            f"{option('ids')}, or give the annotation of the array with {option('platform')}.",
            DataWarning,
        )
    if not verdict.sure:
        warn(
            f"{orientation}: a guess ({verdict.evidence}); say it with "
            f"{option('orientation', orientation.replace(' ', '-'))}.",
            DataWarning,
        )
    return {"identifiers": kind, "guessed": guessed}


def _keys_as_text(grid: Grid, content: Content | None) -> Grid:
    """Return the table with ids of samples and patients as they are written: 001, 1.10, 1E0 and 20 digits are text."""
    keys = [i for i in range(1, len(grid.names)) if not grid.is_text(i) and is_key(grid.names[i])]
    if content is None or not keys:
        return grid
    written = parse(content, delimiter=grid.delimiter, skip=grid.skip, text=True)
    if len(written.names) != len(grid.names) or written.n_rows != grid.n_rows:
        return grid
    columns = [written.columns[i] if i in keys else c for i, c in enumerate(grid.columns)]
    return replace(grid, columns=columns)


def _long(grid: Grid, found: LongColumns | None) -> AnnData:
    """Turn a table with a row for each gene and sample into a matrix; its columns are looked for where not known."""
    found = found or long_columns(grid)
    if found is None:
        raise FormatError("no column of genes, of samples and of values is recognised in it.", path=grid.path)
    gene, sample, value = found.at
    values = typed(grid.columns[value]) if grid.is_text(value) else grid.columns[value]
    if values.dtype == object:
        raise FormatError(f"text in the column of values {found.value!r}.", path=grid.path, column=value + 1)
    columns = {"gene": grid.columns[gene], "sample": grid.columns[sample], "value": values}
    grid.repairs.append(f"a long table ({found.gene}, {found.sample}, {found.value}) turned into a matrix")
    return pivot(pd.DataFrame(columns), "gene", "sample", "value", grid.path)


def _described(grid: Grid, kind: str, ids_column: str = "") -> AnnData:
    """Return a table without a matrix: rows are observations (clinical) or genes (annotation, contrasts)."""
    at, ids = _named_rows(grid, ids_column)
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


def _named_rows(grid: Grid, column: str) -> tuple[int, list[str]]:
    """Return the place and the values of the column that names the rows: `column`, or the one that is found."""
    if not column:
        return row_ids(grid)
    at = grid.names.index(column)
    values = grid.columns[at]
    return at, [str(v) for v in values] if grid.is_text(at) else _as_text(values)


def _with_names_first(grid: Grid) -> Grid:
    """Return a table whose first column holds values with its column of genes in front.

    Raises
    ------
    FormatError
        If no column names the rows.
    """
    text = [i for i in range(1, len(grid.names)) if grid.is_text(i)]
    named = [i for i in text if weigh_names([str(v) for v in grid.columns[i]]).genes >= 0.5]
    if not named:
        raise FormatError(
            f"no column names the rows: the first, {grid.names[0]!r}, holds values "
            f"({examples(list(grid.columns[0]))}). Add a column with the names of the genes.",
            path=grid.path,
            line=grid.header_line or 1,
        )
    order = [named[0], *(i for i in range(len(grid.names)) if i != named[0])]
    grid.repairs.append(f"the first column holds values; the rows are named by the column {grid.names[named[0]]!r}")
    columns = [typed(grid.columns[0]) if i == 0 else grid.columns[i] for i in order]
    return replace(grid, names=[grid.names[i] for i in order], columns=columns)


def _genes_in_rows(grid: Grid, content: Content | None, measure: str = "", column: str = "") -> AnnData:
    if not column and first_is_a_sample(grid):
        grid = _with_names_first(grid)
    at, ids = _named_rows(grid, column)
    describing = {at, 0} if column else {at, *range(at)}
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
    dropped = {at} if column else {0, at}
    further = {grid.names[i] or "column": _as_text(grid.columns[i]) for i in sorted(describing - dropped)}
    var = pd.DataFrame(further, index=range(grid.n_rows))
    if not column:
        ids, var, better = best_ids(ids, var)
        if better and any(row_ids(grid)[1]):
            grid.repairs.append(f"the genes are named by the column {better!r}; the first column is var['row_name']")
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
    found = [i for i in values if is_statistic(grid.names[i])]
    if not any(is_telling(grid.names[i]) for i in found) or len(found) == len(values):
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


def _samples_in_rows(grid: Grid, content: Content | None, column: str = "") -> AnnData:
    at, ids = _named_rows(grid, column)
    genes: list[int] = []
    obs_columns: list[int] = []
    numbers = typed(grid.columns[0])
    if (
        not column
        and at == 0
        and numbers.dtype != object
        and grid.names[0] in human().by_symbol
        and not are_row_numbers(ids)
    ):
        # Written without the names of the rows: the first column holds values of a gene.
        grid.columns[0], at = numbers, -1
        ids = [f"row_{i + 1}" for i in range(grid.n_rows)]
        grid.repairs.append("no column names the samples; they are called by the number of their row")
    for i in range(0 if column else at + 1, len(grid.names)):
        if column and i == at:
            continue
        name = grid.names[i]
        # "stage" or "T" is an alias of some gene; only a current symbol outweighs what the column says.
        current = name in human().by_symbol
        symbol = gene_likeness([name])[0] > 0
        describes = (SAMPLE_COLUMNS.match(name) is not None or is_key(name)) and not current
        text = grid.is_text(i) and (not symbol or (not current and is_prose(grid, i)))
        (obs_columns if describes or text else genes).append(i)
    numbers_of = [i for i in genes if not grid.is_text(i)]
    if labs := laboratory_columns(grid, numbers_of, bool(obs_columns)):
        names_of = examples([grid.names[i] for i in labs], 8)
        grid.repairs.append(f"{len(labs)} columns of laboratory values and scores ({names_of}) are no genes; in obs")
        warn(
            f"{grid.path.name}: {len(labs)} columns of laboratory values and scores among the genes ({names_of}) went "
            "to obs.",
            DataWarning,
        )
        genes, obs_columns = [i for i in genes if i not in labs], sorted({*obs_columns, *labs})
    refuse_unusable(grid, content, genes)
    x = np.column_stack([grid.columns[i] for i in genes]).astype(np.float64, order="C")
    obs = pd.DataFrame({grid.names[i]: grid.columns[i] for i in obs_columns}, index=range(grid.n_rows))
    names = [grid.names[i] for i in genes]
    return _checked(assemble(x, ids, names, obs=obs if len(obs.columns) else None), grid, x)


def _checked(adata: AnnData, grid: Grid, x: npt.NDArray[np.float64]) -> AnnData:
    if np.isnan(x).all():
        raise FormatError("the table holds no number at all.", path=grid.path)
    return adata
