"""Assemble the report and write it atomically."""

from __future__ import annotations

import json
import math
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtorscore._atomic import write_whole
from mtorscore.collection import SignatureCollection
from mtorscore.pl.branch_board import branches_of
from mtorscore.report import text
from mtorscore.report.board import board_rows, sentence
from mtorscore.report.board_view import board_view, map_view
from mtorscore.report.combined import checklist, combined
from mtorscore.report.data.described import Described, branch_titles, describe, level_meanings, without_readout
from mtorscore.report.data.described import leads as leads_of
from mtorscore.report.data.run_files import Cohort, Run, read_run
from mtorscore.report.figures import overview
from mtorscore.report.figures.drug_templates import template_values, templates
from mtorscore.report.figures.prediction import endpoints_predicted
from mtorscore.report.payload import columns, payload
from mtorscore.report.tables import meanings, printed
from mtorscore.results import BOARD

if TYPE_CHECKING:
    import pandas as pd

_STYLES = ("report.css",)
_SCRIPTS = ("core.js", "charts.js", "outcome.js", "cells.js", "tables.js", "app.js")


def write(results_dir: str | Path) -> Path:
    """Write ``report.html`` into a run's results folder.

    Parameters
    ----------
    results_dir
        ``results/<run>``: one folder per cohort with ``cohort.h5ad``, ``exclusions.tsv``, ``scores/*.tsv``,
        ``relate/*.tsv``, and ``run.json``. A part whose file is missing is replaced by a sentence that says so.

    Returns
    -------
    pathlib.Path
        The page: one file, no network, all text from the data escaped.

    Raises
    ------
    DataError
        If the folder does not exist or holds no cohort.
    FormatError
        If a file is not what its name promises.
    """
    run = read_run(Path(results_dir))
    page = render(run)
    return write_whole(run.folder / "report.html", page)


def board(results_dir: str | Path) -> pd.DataFrame:
    """Return the board of a run: whether each branch is up, how sure that is, and whether it matters.

    Parameters
    ----------
    results_dir
        As for `write`.

    Returns
    -------
    pandas.DataFrame
        One row per cohort, leading signature and scoring method; the manual lists the columns of the table ``board``.
        `mtorscore.pl.board` and `mtorscore.pl.pathway` draw it.

    Raises
    ------
    DataError
        If the folder does not exist or holds no cohort.
    """
    import pandas as pd

    run = read_run(Path(results_dir))
    described = describe(_scored(run), _collection(run), [c.context for c in run.cohorts if c.context])
    rows = [board_rows(run, described, leads_of(described, [c.context]), c) for c in run.cohorts if not c.cells]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(BOARD.names))


def render(run: Run) -> str:
    """Return the page of a run as text."""
    import jinja2

    contexts = [c.context for c in run.cohorts]
    described = describe(_scored(run), _collection(run), [c for c in contexts if c])
    leads, levels = leads_of(described, contexts), level_meanings()
    across, note = combined(run)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mtorscore", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "safe_json": safe_json, "cell": cell, "moment": moment, "breakable": breakable,
        "meanings": lambda table, key: meanings(key, table),
        "printed": lambda table, key: printed(key, table, leads, run.methods[0] if run.methods else None),
    }  # fmt: skip
    template = environment.get_template("report.html.j2")
    return template.render(
        run=run,
        record=run.record,
        caveats=text.caveats(run),
        reading_note=text.reading_note(run),
        methods_text=text.methods_text(run, described),
        cohorts=[_view(c, i, run, described) for i, c in enumerate(run.cohorts)],
        sections=_sections(run),
        any_cells=any(c.cells for c in run.cohorts),
        meta=across,
        meta_note=note,
        meta_picture=overview.combined_picture(across, run.methods, leads),
        levels=levels,
        described=described,
        data=payload(run, described, leads)
        | {
            "branches": branch_titles(),
            "noReadout": without_readout(),
            "levels": levels,
            "meta": columns(across) if len(across) else None,
        },
        css="\n".join(_static(name) for name in _STYLES),
        js="\n".join(_static(name) for name in _SCRIPTS),
    )


def _view(cohort: Cohort, number: int, run: Run, described: dict[str, Described]) -> dict[str, Any]:
    method = next((m for m in run.methods if m in cohort.scores), None)
    shown = leads_of(described, [cohort.context])
    pictures = overview.cohort_pictures(cohort, method, described, shown)
    return _first_screen(cohort, number, run, described, shown) | {
        "cohort": cohort,
        "method": method,
        "facts": text.facts(cohort),
        "findings": text.findings(cohort, method, described),
        "groups": text.groups(cohort, method, described),
        "checklists": {name: checklist(cohort, method, run, name) for name in ("remark", "tripod+ai", "probast")},
        "predicted": [e for e in endpoints_predicted(cohort) if f"calibration:{e}" in pictures],
        "templates": templates(cohort, template_values(cohort, method)[0]),
        "pictures": pictures,
    }


def _first_screen(
    cohort: Cohort, number: int, run: Run, described: dict[str, Described], shown: list[str]
) -> dict[str, Any]:
    """Return the board, the map and the sentence of a cohort."""
    if cohort.cells:
        return {"board": None, "map": None, "sentence": text.cells_sentence(cohort), "beside_this": []}
    branches = branches_of(board_rows(run, described, shown, cohort))
    said = sentence(branches)
    if not branches:
        return {"board": None, "map": None, "sentence": said, "beside_this": []}
    return {
        "board": board_view(branches, [m for m in run.methods if m in cohort.scores]),
        "map": map_view(branches, f"branch-{number}"),
        "sentence": said,
        "beside_this": [text.power_sentence(cohort)] if cohort.endpoints else [],
    }


def _sections(run: Run) -> list[tuple[str, str]]:
    cells = [("cells", "Single cells")] if any(c.cells for c in run.cohorts) else []
    return [
        ("summary", "Board and map"), ("findings", "Findings"), ("signature", "One signature"),
        ("groups", "Groups"), ("outcome", "Outcome"), ("prediction", "Prediction"), ("meta", "Across cohorts"),
        ("scores", "Scores"), *cells,
        ("enrichment", "Enrichment"), ("drugs", "Drug classes"), ("notes", "How to read"), ("data", "Data"),
        ("coverage", "Coverage"), ("methods", "Methods"), ("provenance", "Provenance"),
    ]  # fmt: skip


def _scored(run: Run) -> list[str]:
    return list(dict.fromkeys(str(n) for c in run.cohorts for t in c.scores.values() for n in t.columns))


def _collection(run: Run) -> SignatureCollection | None:
    """Return the shipped library if the run used it, else None."""
    from mtorscore.collection import library

    named = (run.record.get("config") or {}).get("signatures", "library")
    return library(experimental=True) if named == "library" else None


def cell(value: object) -> str:
    """Return a table cell's text: three significant decimals, nothing for missing values."""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.3g}"
    shown = str(value)
    return shown if len(shown) <= 120 else f"{shown[:117]}..."


def safe_json(content: object) -> Any:
    """Return JSON that is safe inside a script element.

    Parameters
    ----------
    content
        Plain types.

    Returns
    -------
    markupsafe.Markup
        With ``<``, ``>``, ``&`` and the two line separators of JavaScript as escapes.
    """
    from markupsafe import Markup

    encoded = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in ("<", ">", "&", "\u2028", "\u2029"):
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return Markup(encoded)  # noqa: S704


def moment(stamp: object) -> str:
    """Return a time stamp in words; anything else as it is."""
    try:
        at = datetime.fromisoformat(str(stamp))
    except ValueError:
        return str(stamp)
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname() or ''}".strip()


def breakable(value: object) -> Any:
    """Return escaped text that may break after an underscore."""
    from markupsafe import Markup, escape

    return Markup(str(escape(str(value))).replace("_", "_<wbr>"))  # noqa: S704


def _static(name: str) -> str:
    return resources.files("mtorscore").joinpath("report", "static", name).read_text(encoding="utf-8")
