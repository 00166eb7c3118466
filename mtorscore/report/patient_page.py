"""The page of one patient: a record of `mtorscore.tl.passport` as HTML and JSON."""

from __future__ import annotations

import json
import math
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtorscore._atomic import write_whole
from mtorscore._version import __version__
from mtorscore.collection import CONFOUNDER
from mtorscore.errors import DataError
from mtorscore.report.data.described import branch_titles, level_meanings
from mtorscore.report.text import plain

if TYPE_CHECKING:
    from mtorscore.tl import Passport

__all__ = ["passport"]

MOST_GENES = 25
MOST_ABSENT = 12


def passport(record: Passport, path: str | Path) -> Path:
    """Write the page of one patient, and the record beside it as JSON.

    Parameters
    ----------
    record
        As `mtorscore.tl.passport` returns it.
    path
        File that ends in ``.html``; the JSON has the same name with ``.json``.

    Returns
    -------
    pathlib.Path
        The page: one file, no network and no script, all text escaped. It says on its face that it is for research.

    Raises
    ------
    DataError
        If the name does not end in ``.html``.
    """
    target = Path(path)
    if target.suffix.lower() != ".html":
        raise DataError(f"The page of a passport ends in .html, and {target.name!r} does not.")
    write_whole(target.with_suffix(".json"), json.dumps(record.to_dict(), indent=1, allow_nan=False) + "\n")
    return write_whole(target, render(record))


def render(record: Passport) -> str:
    """Return the page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mtorscore", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=plain,
    )
    css = resources.files("mtorscore.report").joinpath("static/report.css").read_text(encoding="utf-8")
    return environment.get_template("passport.html.j2").render(
        record=record,
        rows=[_row(r) for r in record.branches.to_dict(orient="records")],
        genes=_genes(record),
        headline=_headline(record),
        finding=_finding(record),
        level=f"{record.level:.0%}",
        version=__version__,
        css=css,
    )


def _headline(record: Passport) -> str:
    return f"{int(record.branches['can_be_said'].sum())} of {len(record.branches)} signatures can be read"


def _finding(record: Passport) -> str:
    """Name the branches whose whole interval lies in the upper or the lower quarter of the cohort."""
    titles, table = branch_titles(), record.branches
    said = table[table["can_be_said"].astype(bool) & (table["branch"] != CONFOUNDER)]
    if not len(said):
        return "No branch can be read in this library."
    sides = {
        "upper": said.loc[said["percentile_low"] > 75, "branch"],
        "lower": said.loc[said["percentile_high"] < 25, "branch"],
    }
    parts = [f"in its {side} quarter: {', '.join(titles.get(b, b) for b in v)}" for side, v in sides.items() if len(v)]
    level = f"{record.level:.0%}"
    if not parts:
        return f"No branch lies in the upper or lower quarter of the cohort with its whole {level} interval."
    return f"Whole {level} interval " + "; ".join(parts) + "."


def _row(row: dict[str, Any]) -> dict[str, Any]:
    titles, meanings = branch_titles(), level_meanings()
    low, high, place = (row[k] for k in ("percentile_low", "percentile_high", "percentile"))
    known = all(map(math.isfinite, (low, high, place)))
    score = row["score_full_depth"] if math.isfinite(row["score_full_depth"]) else row["score"]
    text = _number(score)
    if math.isfinite(row["low"]):
        text += f" ({_number(row['low'])} to {_number(row['high'])})"
    # Confounders are many, and each has a title of its own.
    own = row["title"] if row["branch"] == CONFOUNDER else ""
    return row | {
        "branch_title": own or titles.get(row["branch"], row["branch"]),
        "level_meaning": meanings.get(row["level"], row["level"]),
        "x_low": 2 * low if known else 0,
        "x_width": max(2 * (high - low), 1) if known else 0,
        "x": 2 * place if known else 0,
        "percentile_text": f"{place:.0f} ({low:.0f} to {high:.0f})" if known else "",
        "score_text": text,
        "coverage_text": f"{row['coverage']:.0%}" if math.isfinite(row["coverage"]) else "",
    }


def _genes(record: Passport) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return signature, note and genes of each table of contributions."""
    if not len(record.genes):
        return []
    return [(str(name), _sum(rows), _bars(rows)) for name, rows in record.genes.groupby("signature", sort=False)]


def _bars(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the first genes with the geometry of their bars: 100 wide, 0 in the middle, the largest at an end."""
    present = rows[rows["present"].astype(bool)].head(MOST_GENES)
    numbers = present[["contribution", "cohort_mean"]].to_numpy(dtype=float)
    most = max((abs(v) for v in numbers.ravel() if math.isfinite(v)), default=0.0) or 1.0
    shown = []
    for r in present.to_dict(orient="records"):
        here, mean = (50 * float(r[c]) / most if math.isfinite(r[c]) else 0.0 for c in ("contribution", "cohort_mean"))
        shown.append(
            {
                "gene": str(r["gene"]),
                "direction": str(r["direction"]),
                "contribution": _number(r["contribution"]),
                "cohort_mean": _number(r["cohort_mean"]),
                "x": round(50 + min(here, 0.0), 1),
                "width": round(abs(here), 1),
                "mean": round(50 + mean, 1),
                "raises": here > 0,
            }
        )
    return shown


def _sum(rows: pd.DataFrame) -> str:
    """Say what the contributions add up to, and which genes are not there."""
    first = rows.iloc[0]
    total, baseline = (float(first.get(c, math.nan)) for c in ("total", "baseline"))
    notes = []
    if math.isfinite(total):
        known = int(rows["present"].astype(bool).sum())
        genes = f"{known} gene{'s' * (known != 1)}"
        what = f"{_number(total)}, the {first['adds_up_to']}"
        notes.append(f"The contributions of {genes} and a baseline of {_number(baseline)} add up to {what}.")
    elif "total" in rows:
        notes.append("A contribution is the score less the score without the gene; these do not add up.")
    absent = [str(g) for g in rows.loc[~rows["present"].astype(bool), "gene"]]
    if absent:
        more = f" and {len(absent) - MOST_ABSENT} more" if len(absent) > MOST_ABSENT else ""
        notes.append(f"Not in the matrix: {', '.join(absent[:MOST_ABSENT])}{more}.")
    return " ".join(notes)


def _number(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.3g}"
