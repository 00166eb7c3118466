"""Files of the Gene Expression Omnibus: series matrix, DataSets and platform annotation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import DataWarning, FormatError, examples, warn
from mtorscore.io.formats.reader import FirstLines, Found, Reader
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble, described, repeated, unique
from mtorscore.io.tables.cell_text import is_missing, split, typed
from mtorscore.io.tables.checks import refuse_unusable
from mtorscore.io.tables.delimited import Grid, parse

if TYPE_CHECKING:
    from anndata import AnnData

    from mtorscore.io.tables.file_bytes import Content

__all__ = ["ORIGIN", "READERS", "platform_symbols", "platform_table", "sample_table", "series_matrix", "soft_entities"]

ORIGIN = "GEO (Gene Expression Omnibus)"

# Each is a column over all samples.
MOST_CHARACTERISTICS = 5_000
_SYMBOLS = ("gene symbol", "gene_symbol", "symbol", "gene_sym", "genesymbol", "ilmn_gene", "orf", "gene", "hugo")
_SOFT = re.compile(r"\^(DATABASE|SERIES|SAMPLE|PLATFORM|DATASET|ANNOTATION)", re.IGNORECASE)
_KEPT = (
    "title",
    "geo_accession",
    "source_name_ch1",
    "organism_ch1",
    "platform_id",
    "description",
    "molecule_ch1",
    "type",
)


def characteristics(rows: list[list[str]], n: int | None = None) -> dict[str, npt.NDArray[Any]]:
    """Parse the ``key: value`` cells of characteristics lines into typed columns.

    Parameters
    ----------
    rows
        One list per line, one cell per sample. Cells of a line may have different keys: they are sorted by key, not by
        line, since submitters shift them.
    n
        Number of samples; by default that of the longest line.

    Returns
    -------
    dict
        Column name -> values (float64, or text with "" for missing).
    """
    n = max((len(r) for r in rows), default=0) if n is None else n
    columns: dict[str, list[str]] = {}
    blank = [""] * n
    for number, row in enumerate(rows, 1):
        for sample, cell in enumerate(row[:n]):
            key, colon, value = cell.partition(":")
            if not colon or len(key) > 80:
                key, value = f"characteristic_{number}", cell
            if is_missing(cell):
                continue
            name = key.strip()
            if columns.get(name, blank)[sample]:
                name = f"{name} (line {number})"
            if name not in columns:
                columns[name] = [""] * n
                if len(columns) > MOST_CHARACTERISTICS:
                    raise FormatError(f"samples with more than {MOST_CHARACTERISTICS} different characteristics.")
            columns[name][sample] = value.strip()
    return {k: typed(np.array(v, dtype=object)) for k, v in columns.items()}


def _header(content: Content) -> tuple[list[str], int]:
    """Return the lines before the table and the number of the line that begins it (0 where there is none)."""
    at = content.data.find(b"\n!series_matrix_table_begin") + 1
    if not at:
        return content.data.decode().split("\n"), 0
    return content.data[:at].decode().split("\n"), content.data.count(b"\n", 0, at) + 1


def series_matrix(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a GEO series matrix: probes or genes as published, samples with typed characteristics.

    An empty table, as in RNA-seq series, gives an object without variables and a warning that names the
    supplementary files.
    """
    content = file_bytes.load(path)
    lines, begin = _header(content)
    series: dict[str, list[str]] = {}
    samples: dict[str, list[list[str]]] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith("!Series_"):
            fields = split(line, "\t")
            series.setdefault(fields[0][8:], []).append(fields[1] if len(fields) > 1 else "")
        elif line.startswith("!Sample_"):
            fields = split(line, "\t")
            samples.setdefault(fields[0][8:], []).append(fields[1:])
            if "geo_accession" in samples and len(fields) - 1 > len(samples["geo_accession"][0]):
                raise FormatError(
                    f"{fields[0]} has {len(fields) - 1} cells for {len(samples['geo_accession'][0])} samples.",
                    path=path,
                    line=number,
                )
    if "geo_accession" not in samples:
        raise FormatError("no !Sample_geo_accession line: not a complete series matrix.", path=path)
    names = samples["geo_accession"][0]
    if not all(names) or len(set(names)) < len(names):
        raise FormatError("a sample without an accession, or a duplicated one.", path=path)
    obs = sample_table(samples, len(names))
    accession = series.get("geo_accession", [""])[0]
    platform = sorted({v for row in samples.get("platform_id", []) for v in row} | set(series.get("platform_id", [])))
    made = {"accession": accession, "platform": platform, "title": series.get("title", [""])[0], "table": "matrix"}
    made["supplementary"] = [f for f in series.get("supplementary_file", []) if f and f != "NONE"]
    if content.data.count(b"\n!series_matrix_table_begin") > 1:
        raise FormatError("several series matrices in one file; separate them.", path=path)
    if not begin:
        raise FormatError("no !series_matrix_table_begin: the file is cut off; download it again.", path=path)
    grid = _table(content, begin, "!series_matrix_table_end", path)
    if grid is None:
        files = examples([Path(f).name for f in made["supplementary"]]) or "none are named"
        warn(
            f"{path.name}: the expression table is empty, as is usual for RNA-seq series; the values are in the "
            f"supplementary files ({files}). Samples and their characteristics are returned.",
            DataWarning,
        )
        return described(obs, names, genes=False), made | {"table": "clinical"}
    adata = _values(grid, content, names, obs)
    return adata, made | {"repairs": grid.repairs, "orientation": "genes in rows"}


def sample_table(samples: dict[str, list[list[str]]], n: int) -> pd.DataFrame:
    """Return the facts and characteristics of samples, one row each."""
    columns: dict[str, Any] = {}
    for key in _KEPT:
        rows = samples.get(key)
        if rows:
            columns[key.removesuffix("_ch1")] = [*rows[0], *[""] * n][:n]
    for channel in ("ch1", "ch2"):
        parsed = characteristics(samples.get(f"characteristics_{channel}", []), n)
        for name, values in parsed.items():
            label = name if channel == "ch1" else f"{name} ({channel})"
            columns[label if label not in columns else f"{label} (characteristic)"] = values
    return pd.DataFrame(columns, index=range(n))


def _table(content: Content, begin: int, end: str, path: Path) -> Grid | None:
    """Parse the table that starts after line `begin`; None if it has no row."""
    data, at = content.data, 0
    for _ in range(begin + 1):
        at = (data.find(b"\n", at) + 1) or len(data)
    ends = data.find(b"\n", at)
    first = data[at : ends if ends >= 0 else len(data)]
    if not first.strip() or first.startswith(end.encode()):
        if end.encode() not in content.data:
            raise FormatError(f"the table is not closed by {end}: the file is cut off; download it again.", path=path)
        return None
    return parse(content, delimiter="\t", skip=begin, until=end, comment="")


def _values(grid: Grid, content: Content, names: list[str], obs: pd.DataFrame) -> AnnData:
    listed = grid.names[1:]
    twice = repeated(listed)
    if set(listed) != set(names) or twice:
        known, there = set(names), set(listed)
        wrong = [n for n in listed if n not in known] or [n for n in names if n not in there] or twice
        raise FormatError(
            f"the table's samples are not those of the header ({examples(wrong)}); the file was edited or cut.",
            path=grid.path,
            line=grid.header_line,
        )
    wanted = list(range(1, len(grid.names)))
    refuse_unusable(grid, content, wanted)
    x = grid.matrix(wanted)
    place = {name: i for i, name in enumerate(names)}
    order = [place[n] for n in listed]
    return assemble(x, listed, [str(v) for v in grid.columns[0]], obs=obs.iloc[order])


def platform_symbols(columns: list[str]) -> str | None:
    """Return the column of a platform table that holds gene symbols."""
    lower = {c.lower().replace("_", " "): c for c in columns}
    return next((lower[s.replace("_", " ")] for s in _SYMBOLS if s.replace("_", " ") in lower), None)


def annotation(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a GEO platform annotation or platform SOFT file: one variable per probe, no observations.

    ``var["symbol"]`` repeats the column of gene symbols, which may hold ``A///B``.
    """
    content = file_bytes.load(path)
    lines = content.lines(2000)
    begin = next((i for i, line in enumerate(lines) if line.startswith("!platform_table_begin")), None)
    if begin is None:
        raise FormatError("no !platform_table_begin: the platform has no table, or the file is cut off.", path=path)
    facts = _facts(lines[:begin], "!Annotation_") or _facts(lines[:begin], "!Platform_")
    accession = facts.get("platform", facts.get("geo_accession", [""]))[0]
    if content.data.find(b"\n!platform_table_end") < 0:
        raise FormatError("the platform table is not closed; the file is cut off.", path=path)
    grid = parse(content, delimiter="\t", skip=begin + 1, until="!platform_table_end", comment="", text=True)
    return platform_table(grid), {"accession": accession, "table": "genes", "repairs": grid.repairs}


def platform_table(grid: Grid) -> AnnData:
    """Return a platform: one variable per probe, no observations."""
    frame = grid.frame()
    ids = [str(v) for v in grid.columns[0]]
    symbol = platform_symbols(list(frame.columns))
    if symbol is not None and symbol != "symbol":
        frame["symbol"] = frame[symbol]
    return described(frame, unique(ids), genes=True, ids=ids)


def _facts(lines: list[str], prefix: str) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(prefix):
            key, _, value = line[len(prefix) :].partition(" = ")
            facts.setdefault(key.strip(), []).append(value.strip())
    return facts


def dataset(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a GEO DataSet (GDS): ``IDENTIFIER`` beside the probes, the curated subsets as columns of `obs`."""
    content = file_bytes.load(path)
    lines = content.lines(20_000)
    begin = next((i for i, line in enumerate(lines) if line.startswith("!dataset_table_begin")), None)
    if begin is None:
        raise FormatError("no !dataset_table_begin: the file is cut off; download it again.", path=path)
    grid = parse(content, delimiter="\t", skip=begin + 1, until="!dataset_table_end", comment="")
    facts = _facts(lines[:begin], "!dataset_")
    first = 2 if len(grid.names) > 1 and grid.names[1].upper() == "IDENTIFIER" else 1
    names = grid.names[first:]
    wanted = list(range(first, len(grid.names)))
    refuse_unusable(grid, content, wanted)
    x = grid.matrix(wanted)
    obs = pd.DataFrame(_subsets(lines[:begin], names), index=range(len(names)))
    var = pd.DataFrame({"symbol": [str(v) for v in grid.columns[1]]}) if first == 2 else None
    adata = assemble(x, names, [str(v) for v in grid.columns[0]], obs=obs, var=var)
    accession = next((line.partition("=")[2].strip() for line in lines if line.startswith("^DATASET")), "")
    units = "log" if facts.get("value_type", [""])[0].lower().startswith("log") else ""
    return adata, {"accession": accession, "platform": facts.get("platform", []), "units": units, "table": "matrix",
                   "repairs": grid.repairs, "value_type": facts.get("value_type", [""])[0]}  # fmt: skip


def _subsets(lines: list[str], names: list[str]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    current: dict[str, str] = {}
    for line in [*lines, "^END"]:
        if line.startswith("^"):
            if {"description", "sample_id", "type"} <= set(current):
                members = {s.strip() for s in current["sample_id"].split(",")}
                column = columns.setdefault(current["type"], [""] * len(names))
                for i, name in enumerate(names):
                    if name in members:
                        column[i] = current["description"]
            current = {}
        elif line.startswith("!subset_"):
            key, _, value = line[8:].partition(" = ")
            current[key] = value.strip()
    return columns


def _is_series_matrix(seen: FirstLines) -> Found | None:
    known = seen.first.startswith("!Series_") or (seen.first.startswith("!Sample_") and "\t" in seen.first)
    return Found("geo-series-matrix", "starts with !Series_ lines") if known else None


def soft_entities(seen: FirstLines) -> set[str]:
    """Return the entities (SERIES, SAMPLE, ...) that the beginning of a SOFT file names; none of any other file."""
    return {m[1].upper() for line in seen.lines if (m := _SOFT.match(line))} if _SOFT.match(seen.first) else set()


def _is_annotation(seen: FirstLines) -> Found | None:
    known = "ANNOTATION" in soft_entities(seen)
    return Found("geo-annotation", "a GEO platform annotation (^Annotation)") if known else None


def _is_dataset(seen: FirstLines) -> Found | None:
    return Found("geo-dataset", "a GEO DataSet (^DATASET)") if "DATASET" in soft_entities(seen) else None


READERS = (
    Reader(
        kinds=("geo-series-matrix",),
        read=series_matrix,
        detect={FirstLines: _is_series_matrix},
        origin=ORIGIN,
        title="series matrix",
    ),
    Reader(
        kinds=("geo-annotation",),
        read=annotation,
        detect={FirstLines: _is_annotation},
        origin=ORIGIN,
        title="platform annotation",
    ),
    Reader(
        kinds=("geo-dataset",),
        read=dataset,
        detect={FirstLines: _is_dataset},
        origin=ORIGIN,
        title="DataSet (GDS)",
    ),
)
