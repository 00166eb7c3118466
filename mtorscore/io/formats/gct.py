"""GCT (1.2 and 1.3) and CLS, as GSEA and the Connectivity Map write them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtorscore.errors import FormatError
from mtorscore.io.formats.gsea_labels import class_of_label
from mtorscore.io.formats.reader import FirstLines, Found, Reader
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble, described
from mtorscore.io.tables.cell_text import split, typed
from mtorscore.io.tables.checks import not_number_error
from mtorscore.io.tables.delimited import Grid, parse

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READERS"]

_SIZES = re.compile(r"^\d+\s+\d+\s+1\s*$")
_IDENTIFIER = re.compile(r"0\d+|\d{16,}")


def gct(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a GCT file; row and column metadata of version 1.3 become `var` and `obs`."""
    content = file_bytes.load(path)
    first = content.lines(3)
    if len(first) < 3:
        raise FormatError("a GCT has at least its version, its dimensions and a header.", path=path, line=len(first))
    version = first[0].strip()
    try:
        sizes = [int(v) for v in first[1].split()]
    except ValueError as error:
        raise FormatError("the second line of a GCT gives its dimensions in numbers.", path=path, line=2) from error
    if (version, len(sizes)) not in (("#1.2", 2), ("#1.3", 4)):
        raise FormatError(f"{version} with {len(sizes)} dimensions is no GCT 1.2 or 1.3.", path=path, line=2)
    n_rows, n_columns = sizes[:2]
    row_meta, column_meta = (sizes[2], sizes[3]) if version == "#1.3" else (1, 0)
    lead = 1 + row_meta
    header = split(content.lines(4)[2], "\t") if len(content.lines(4)) > 2 else []
    while header and not header[-1]:
        header.pop()
    # GTEx numbers the rows in a further first column.
    counted = int(len(header) == lead + n_columns + 1 and [h.lower() for h in header[:2]] == ["id", "name"])
    if len(header) != lead + counted + n_columns:
        raise FormatError(
            f"{len(header)} columns where the dimensions promise {lead + n_columns}; the file is cut or edited.",
            path=path,
            line=3,
        )
    text = parse(content, delimiter="\t", skip=2, comment="", text=True)
    header, columns = header[counted:], text.columns[counted : counted + len(header)]
    empty = _empty_rows_below(text)
    if empty and text.n_rows - empty == n_rows + column_meta:
        text.columns = [c[:-empty] for c in text.columns]
        columns = [c[:-empty] for c in columns]
        text.repairs.append(f"{empty} row(s) without any cell below the table left out")
    if text.n_rows != n_rows + column_meta:
        raise FormatError(
            f"{text.n_rows} rows where the dimensions promise {n_rows + column_meta}; the file is cut off or has rows "
            "appended.",
            path=path,
            line=2,
        )
    text.columns = [c[column_meta:] for c in columns]
    text.first_line += column_meta
    x = np.empty((n_columns, n_rows))
    for row, i in enumerate(range(lead, lead + n_columns)):
        values = typed(text.columns[i])
        if values.dtype == object:
            raise not_number_error(text, content, i, header[i])
        x[row] = values
    described_by = range(lead, len(header))
    facts = {str(columns[0][k]): [columns[i][k] for i in described_by] for k in range(column_meta)}
    typed_facts = {name: _annotation(np.array(values, dtype=object)) for name, values in facts.items()}
    obs = pd.DataFrame(typed_facts, index=range(n_columns))
    var = pd.DataFrame({header[i]: _annotation(text.columns[i]) for i in range(1, lead)}, index=range(n_rows))
    adata = assemble(x, header[lead:], [str(v) for v in text.columns[0]], obs=obs, var=var)
    return adata, {"table": "matrix", "version": version[1:], "repairs": text.repairs, "orientation": "genes in rows"}


def _empty_rows_below(grid: Grid) -> int:
    """Count the last rows whose every cell is blank."""
    count = 0
    while count < grid.n_rows and not any(c[grid.n_rows - 1 - count] for c in grid.columns):
        count += 1
    return count


def _annotation(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers where that loses nothing: identifiers such as 007, or of 16 digits and more, stay text."""
    return values if any(_IDENTIFIER.fullmatch(str(v)) for v in values) else typed(values)


def cls(path: Path) -> tuple[AnnData, dict[str, Any]]:
    """Read a categorical CLS file: one observation per sample, in the order of the matrix that it belongs to.

    What the values of line 3 mean is said by `mtorscore.io.formats.gsea_labels.class_of_label`.
    """
    content = file_bytes.load(path)
    lines = [line for line in content.data.decode().split("\n") if line.strip()]
    if len(lines) != 3 or not lines[1].startswith("#"):
        raise FormatError("a CLS file has three lines: sizes, `# names`, and one value per sample.", path=path)
    sizes = lines[0].split()
    names, values = lines[1][1:].split(), lines[2].split()
    if not all(s.isdigit() for s in sizes) or len(sizes) != 3:
        raise FormatError("the first line of a CLS file holds three numbers.", path=path, line=1)
    if len(values) != int(sizes[0]) or len(names) != int(sizes[1]):
        raise FormatError(
            f"{len(values)} values and {len(names)} names where line 1 promises {sizes[0]} and {sizes[1]}.",
            path=path,
            line=3,
        )
    distinct = list(dict.fromkeys(values))
    if len(distinct) > len(names):
        raise FormatError(f"{len(distinct)} different values for {len(names)} names.", path=path, line=3)
    meaning = class_of_label(values, names)
    frame = pd.DataFrame({"value": values, "class": [meaning[v] for v in values]})
    return described(frame, [f"sample_{i + 1}" for i in range(len(values))], genes=False), {"table": "labels"}


def _is_gct(seen: FirstLines) -> Found | None:
    return Found("gct", f"GCT {seen.first[1:4]}") if seen.first.startswith(("#1.2", "#1.3")) else None


def _is_cls(seen: FirstLines) -> Found | None:
    known = _SIZES.match(seen.first) is not None and len(seen.lines) > 1 and seen.lines[1].startswith("#")
    return Found("cls", "three numbers, then # and class names") if known else None


READERS = (
    Reader(
        kinds=("gct",),
        read=gct,
        detect={FirstLines: _is_gct},
        origin="GSEA (gene set enrichment analysis)",
        title="GCT 1.2 and 1.3",
    ),
    Reader(
        kinds=("cls",),
        read=cls,
        detect={FirstLines: _is_cls},
        origin="GSEA (gene set enrichment analysis)",
        title="CLS, categorical phenotypes",
    ),
)
