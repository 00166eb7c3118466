"""A run for other programmes: a MultiQC custom-content file, and the folder described as an RO-Crate."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd

from mtorscore._atomic import write_whole
from mtorscore._version import __version__
from mtorscore.report.data.run_files import Run
from mtorscore.results import TABLES

__all__ = ["CRATE", "MULTIQC", "write_exchange"]

MULTIQC, CRATE = "mtorscore_mqc.json", "ro-crate-metadata.json"
_TYPES = {
    ".html": "text/html", ".tsv": "text/tab-separated-values", ".json": "application/json",
    ".h5ad": "application/x-hdf5",
    ".gmt": "text/tab-separated-values", ".svg": "image/svg+xml", ".pdf": "application/pdf", ".txt": "text/plain",
}  # fmt: skip


def write_exchange(run: Run, boards: Sequence[pd.DataFrame], sentences: Mapping[str, str]) -> list[Path]:
    """Write ``mtorscore_mqc.json`` and ``ro-crate-metadata.json`` into a run's folder.

    Parameters
    ----------
    run
        The run.
    boards
        The board of each cohort.
    sentences
        Cohort -> the sentence above its board.

    Returns
    -------
    list of pathlib.Path
        The two files.
    """
    multiqc = write_whole(run.folder / MULTIQC, _json(multiqc_content(run, boards)))
    return [multiqc, write_whole(run.folder / CRATE, _json(crate(run, sentences)))]


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def multiqc_content(run: Run, boards: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return MultiQC's custom content: one row per cohort, one column per branch and what is known of it.

    Parameters
    ----------
    run
        The run.
    boards
        The board of each cohort.

    Returns
    -------
    dict
        A table of shifts by the first method; of cohorts without a comparison, of hazard ratios.
    """
    data: dict[str, dict[str, float]] = {}
    headers: dict[str, dict[str, Any]] = {}
    for cohort, board in zip(run.cohorts, boards, strict=True):
        row: dict[str, float] = {"observations": float(cohort.total or len(cohort.obs))}
        first = board[board["method"] == board["method"].iloc[0]] if len(board) else board
        for found in first.to_dict(orient="records"):
            for column, unit in (("shift", "SD"), ("hr", "hazard ratio per SD")):
                value = float(found[column]) if found[column] is not None else math.nan
                if not found["readable"] or not math.isfinite(value):
                    continue
                key = f"{found['branch']}_{column}"
                row[key] = round(value, 4)
                headers.setdefault(key, {"title": escape(f"{found['title']} ({unit})"), "format": "{:,.2f}"})
        # MultiQC puts names and titles into its page as they are.
        data[escape(cohort.name)] = row
    return {
        "id": "mtorscore",
        "section_name": "mTOR branches",
        "description": f"Branch scores of the run {escape(run.name)} by mtorscore {__version__}: shifts and hazard "
        "ratios by the first method, of rows that may be read.",
        "plot_type": "table",
        "pconfig": {"id": "mtorscore_board", "title": "mtorscore: board"},
        "headers": {"observations": {"title": "observations", "format": "{:,.0f}"}} | headers,
        "data": data,
    }


def crate(run: Run, sentences: Mapping[str, str]) -> dict[str, Any]:
    """Return the run's folder as an RO-Crate (1.1).

    Parameters
    ----------
    run
        The run.
    sentences
        Cohort -> the sentence above its board.

    Returns
    -------
    dict
        JSON-LD: the folder, its files with what they hold, the software and the run of it.
    """
    files = sorted(p for p in run.folder.rglob("*") if p.is_file() and not _hidden(p, run.folder) and p.name != CRATE)
    # Names are addresses in the crate: spaces, hashes and the like are escaped.
    names = [quote(p.relative_to(run.folder).as_posix()) for p in files]
    written = str(run.record.get("written") or "")
    config = json.dumps(run.record.get("config") or {}, sort_keys=True, default=str)
    root: dict[str, Any] = {
        "@id": "./", "@type": "Dataset", "name": run.name,
        "description": " ".join(f"{cohort}: {said}" for cohort, said in sentences.items()) or "mTOR branch scores.",
        "hasPart": [{"@id": n} for n in names], "mentions": {"@id": "#run"},
        "license": {"@id": "#licence"}, "datePublished": written or _newest(files),
    }  # fmt: skip
    action: dict[str, Any] = {
        "@id": "#run", "@type": "CreateAction", "name": str(run.record.get("command") or "mtorscore"),
        "instrument": {"@id": "#mtorscore"}, "result": [{"@id": n} for n in names],
        "description": f"Configuration: {config}",
    }  # fmt: skip
    if written:
        action["endTime"] = written
    version = str((run.record.get("versions") or {}).get("mtorscore", __version__))
    software = {"@id": "#mtorscore", "@type": "SoftwareApplication", "name": "mtorscore", "version": version}
    licence = {"@id": "#licence", "@type": "CreativeWork", "name": "Licences of the data that were read",
               "description": "Numbers that were made from data may be used as those data may."}  # fmt: skip
    described = {"@id": CRATE, "@type": "CreativeWork", "about": {"@id": "./"}}
    described["conformsTo"] = {"@id": "https://w3id.org/ro/crate/1.1"}
    parts = [_file(p, n) for p, n in zip(files, names, strict=True)]
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [described, root, licence, action, software, *parts],
    }


def _newest(files: Sequence[Path]) -> str:
    """Return when the newest file was written, for a run that does not say."""
    at = max((p.stat().st_mtime for p in files), default=0.0)
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _file(path: Path, name: str) -> dict[str, Any]:
    out: dict[str, Any] = {"@id": name, "@type": "File", "name": path.name, "contentSize": str(path.stat().st_size)}
    if path.suffix in _TYPES:
        out["encodingFormat"] = _TYPES[path.suffix]
    inside = unquote(name).partition("/")[2]
    for table in TABLES.values():
        if table.path and inside and _matches(inside, table.path):
            columns = "; ".join(f"{c.name}: {c.meaning}" for c in table.columns)
            out["description"] = f"Result table {table.name}. Columns: {columns}."
    return out


def _matches(name: str, declared: str) -> bool:
    if "{method}" not in declared:
        return name == declared
    head, _, tail = declared.partition("{method}")
    between = name[len(head) : len(name) - len(tail)]
    return name.startswith(head) and name.endswith(tail) and "/" not in between and between != "coverage"
