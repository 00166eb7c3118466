"""Tables of columns of a run's results, included by ``reference/results.md``."""

from __future__ import annotations

from markdown import cell, code, table

from mtorscore.results import TABLES, Table

__all__ = ["pages"]


def pages() -> dict[str, str]:
    """Return one table of columns per result table; they are parts of a page, not pages."""
    return {f"results/{t.name}.txt": _columns(t) for t in TABLES.values()}


def _columns(declared: Table) -> str:
    rows = [[code(c.name), c.kind, cell(c.meaning)] for c in declared.columns]
    if declared.per_signature:
        rows.append(["...", "number", "one column per signature and composite"])
    return table(["column", "type", "meaning"], rows)
