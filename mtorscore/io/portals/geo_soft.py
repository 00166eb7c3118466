"""SOFT families of GEO: platform tables, sample tables and sample characteristics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtorscore.errors import FormatError, examples
from mtorscore.io.formats.reader import FirstLines, Found, Reader
from mtorscore.io.portals.geo import ORIGIN, platform_table, sample_table, soft_entities
from mtorscore.io.tables import file_bytes
from mtorscore.io.tables.assembly import assemble, described
from mtorscore.io.tables.cell_text import is_missing, is_number
from mtorscore.io.tables.delimited import Grid

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["READER"]


def family(path: Path, *, platform: str | None = None) -> tuple[AnnData, dict[str, Any]]:
    """Read a SOFT family file: platform tables, sample tables and sample characteristics.

    Parameters
    ----------
    path
        The file.
    platform
        Accession of the platform wanted, where the family has samples of several.

    Returns
    -------
    anndata.AnnData, dict
        ``X`` holds the VALUE column of each sample; a family without tables has no variables.
    """
    content = file_bytes.load(path)
    parts = _parts(content.data.decode(), path)
    series = next((p for p in parts if p["kind"] == "SERIES"), None)
    platforms = {p["name"]: p for p in parts if p["kind"] == "PLATFORM"}
    samples = [p for p in parts if p["kind"] == "SAMPLE"]
    accession = series["facts"].get("Series_geo_accession", [series["name"]])[0] if series else ""
    made: dict[str, Any] = {"accession": accession, "platform": sorted(platforms), "table": "matrix"}
    if not samples and len(platforms) == 1 and not series:
        return _soft_platform(next(iter(platforms.values())), path), made | {"table": "genes"}
    used = sorted({s["facts"].get("Sample_platform_id", [""])[0] for s in samples})
    if platform is not None:
        samples = [s for s in samples if s["facts"].get("Sample_platform_id", [""])[0] == platform]
        if not samples:
            raise FormatError(f"no sample is of platform {platform!r}; there are {examples(used)}.", path=path)
    elif len(used) > 1 and any(s["rows"] for s in samples):
        raise FormatError(
            f"samples of {len(used)} platforms ({examples(used)}); choose one with platform=, since their probes "
            "differ.",
            path=path,
        )
    if not samples:
        listed = series["facts"].get("Series_sample_id", []) if series else []
        if not listed:
            raise FormatError("the family names no sample.", path=path)
        return described(pd.DataFrame(index=range(len(listed))), listed, genes=False), made | {"table": "clinical"}
    obs = _soft_obs(samples)
    names = [s["facts"].get("Sample_geo_accession", [s["name"]])[0] for s in samples]
    if not any(s["rows"] for s in samples):
        return described(obs, names, genes=False), made | {"table": "clinical"}
    adata, repairs = _soft_matrix(samples, names, obs, platforms, path)
    return adata, made | {"repairs": repairs}


def _parts(text: str, path: Path) -> list[dict[str, Any]]:
    """Split a SOFT file into its entities: kind, name, facts, and the rows of the table."""
    parts: list[dict[str, Any]] = []
    inside = False
    for number, line in enumerate([*text.split("\n"), "^"], 1):
        if line.startswith("^") and inside:
            raise FormatError(
                f"the table of {parts[-1]['name']} is not closed by !{parts[-1]['kind'].lower()}_table_end; the file "
                "is cut off. Download it again.",
                path=path,
                line=number - 1,
            )
        if line == "^":
            break
        if line.startswith("^"):
            kind, _, name = line[1:].partition("=")
            parts.append({"kind": kind.strip().upper(), "name": name.strip(), "facts": {}, "rows": [], "line": number})
        elif not parts or line.startswith("#"):
            continue
        elif re.match(r"!\w+_table_begin", line, re.IGNORECASE):
            inside = True
            parts[-1]["line"] = number
        elif re.match(r"!\w+_table_end", line, re.IGNORECASE):
            inside = False
        elif inside:
            parts[-1]["rows"].append([f.strip() for f in line.split("\t")])
        elif line.startswith("!"):
            key, _, value = line[1:].partition("=")
            parts[-1]["facts"].setdefault(key.strip(), []).append(value.strip())
    return parts


def _soft_platform(part: dict[str, Any], path: Path) -> AnnData:
    rows = part["rows"]
    if len(rows) < 2:
        raise FormatError("the platform has no table; it describes sequencing or the file is cut off.", path=path)
    width = len(rows[0])
    body = [[*r[:width], *[""] * (width - len(r))] for r in rows[1:]]
    columns = [np.array([r[i] for r in body], dtype=object) for i in range(width)]
    return platform_table(Grid(rows[0], columns, path, part["line"], part["line"] + 1, "\t"))


def _soft_obs(samples: list[dict[str, Any]]) -> pd.DataFrame:
    table: dict[str, list[list[str]]] = {}
    n = len(samples)
    for i, sample in enumerate(samples):
        for key, values in sample["facts"].items():
            rows = table.setdefault(key.removeprefix("Sample_"), [])
            for j, value in enumerate(values):
                if len(rows) <= j:
                    rows.append([""] * n)
                rows[j][i] = value
    return sample_table(table, n)


def _soft_matrix(
    samples: list[dict[str, Any]], names: list[str], obs: pd.DataFrame, platforms: dict[str, dict[str, Any]], path: Path
) -> tuple[AnnData, list[str]]:
    order: dict[str, int] = {}
    columns: list[dict[str, float]] = []
    for sample in samples:
        rows = sample["rows"]
        if not rows:
            columns.append({})
            continue
        header = [h.upper() for h in rows[0]]
        if "ID_REF" not in header or "VALUE" not in header:
            raise FormatError(
                f"the table of {sample['name']} has no ID_REF and VALUE columns (it has {examples(rows[0], 8)}).",
                path=path,
                line=sample["line"] + 1,
            )
        column = _soft_values(sample, header.index("ID_REF"), header.index("VALUE"), path)
        for probe in column:
            order.setdefault(probe, len(order))
        columns.append(column)
    x = np.full((len(samples), len(order)), np.nan)
    for i, column in enumerate(columns):
        for probe, number in column.items():
            x[i, order[probe]] = number
    used = samples[0]["facts"].get("Sample_platform_id", [""])[0]
    part = platforms.get(used) or (next(iter(platforms.values())) if len(platforms) == 1 else None)
    var = None
    if part is not None and len(part["rows"]) > 1:
        frame = _soft_platform(part, path).var.drop(columns="id")
        var = frame.reindex(list(order)).fillna("")
    repairs = []
    if empty := [n for n, c in zip(names, columns, strict=True) if not c]:
        repairs.append(f"{len(empty)} samples have no table ({examples(empty)}); their values are missing")
    if short := [n for n, c in zip(names, columns, strict=True) if 0 < len(c) < len(order)]:
        repairs.append(f"{len(short)} samples lack some of the probes ({examples(short)}); those values are missing")
    return assemble(x, names, list(order), obs=obs, var=var), repairs


def _soft_values(sample: dict[str, Any], at: int, value: int, path: Path) -> dict[str, float]:
    """Return probe -> value of the table of one sample."""
    out: dict[str, float] = {}
    for line, row in enumerate(sample["rows"][1:], sample["line"] + 2):
        if not any(row):
            continue
        text = row[value] if len(row) > value else ""
        number = float("nan") if is_missing(text) else (float(text) if is_number(text) else None)
        if number is None or number in (float("inf"), float("-inf")) or len(row) <= at:
            raise FormatError(
                f"{text!r} is no number in the VALUE column of {sample['name']}.",
                path=path,
                line=line,
                column=value + 1,
            )
        if row[at] in out and repr(out[row[at]]) != repr(number):
            raise FormatError(
                f"probe {row[at]!r} is duplicated in the table of {sample['name']}, with different values; nothing "
                "says which is meant.",
                path=path,
                line=line,
                column=at + 1,
            )
        out[row[at]] = number
    return out


def _is_soft(seen: FirstLines) -> Found | None:
    kinds = soft_entities(seen)
    return Found("geo-soft", f"SOFT with {', '.join(sorted(kinds))}") if kinds else None


READER = Reader(
    kinds=("geo-soft",),
    read=family,
    # Annotations and DataSets are SOFT too; their readers are asked before.
    detect={FirstLines: _is_soft},
    origin=ORIGIN,
    title="SOFT family, or the SOFT file of a platform",
    options={"platform": "accession of the platform, where the samples have several"},
)
