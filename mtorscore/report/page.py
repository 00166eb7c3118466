"""Assemble the report and write it atomically."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from mtorscore._atomic import write_whole
from mtorscore._outcome_terms import ENDPOINTS
from mtorscore.collection import SignatureCollection
from mtorscore.errors import DataError
from mtorscore.pl.branch_board import branches_of
from mtorscore.report import text
from mtorscore.report.board import board_rows, sentence
from mtorscore.report.board_view import board_view, map_view, overview_view
from mtorscore.report.citations import bibtex, references, ris
from mtorscore.report.combined import checklist, combined
from mtorscore.report.comparisons import comparison_words
from mtorscore.report.data.described import Described, branch_titles, describe, level_meanings, without_readout
from mtorscore.report.data.described import leads as leads_of
from mtorscore.report.data.run_files import Cohort, Run, read_run
from mtorscore.report.exchange import write_exchange
from mtorscore.report.figures.drug_templates import template_values, templates
from mtorscore.report.figures.prediction import predicted_words
from mtorscore.report.findings import findings, groups, opposed_rows, told
from mtorscore.report.genomics_section import has_genomics
from mtorscore.report.genomics_section import section as genomics
from mtorscore.report.payload import columns, payload
from mtorscore.report.quotes import folded, of_cohort, quotes
from mtorscore.report.tables import meanings, printed
from mtorscore.results import BOARD

_STYLES = ("report.css",)
_SCRIPTS = (
    "core.js", "charts.js", "outcome.js", "groups.js", "cells.js", "tables.js", "save.js", "sample.js", "app.js",
)  # fmt: skip


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
        The page: one file, no network, all text from the data escaped. Beside it stand ``mtorscore_mqc.json`` for
        MultiQC and ``ro-crate-metadata.json``, which describes the folder.

    Raises
    ------
    DataError
        If the folder does not exist or holds no cohort.
    FormatError
        If a file is not what its name promises.
    """
    run = read_run(Path(results_dir))
    page, views = _rendered(run)
    written = write_whole(run.folder / "report.html", page)
    write_exchange(run, [v["table"] for v in views], {v["cohort"].name: v["sentence"] for v in views})
    return written


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
    rows = [table for table, _ in boards(results_dir)]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(BOARD.names))


def boards(results_dir: str | Path) -> list[tuple[pd.DataFrame, list[str]]]:
    """Return the board of each cohort of a run, with its sentence and what its other comparisons say.

    Parameters
    ----------
    results_dir
        As for `write`.

    Returns
    -------
    list of tuple
        The table (see `board`) and sentences, of each cohort but those of single cells.

    Raises
    ------
    DataError
        If the folder does not exist or holds no cohort.
    """
    run = read_run(Path(results_dir))
    described = describe(_scored(run), _collection(run), [c.context for c in run.cohorts if c.context])
    out = []
    for cohort in (c for c in run.cohorts if not c.cells):
        shown = leads_of(described, [cohort.context])
        table = board_rows(run.methods, described, shown, cohort)
        others = comparison_words(run.methods, described, shown, cohort)
        out.append((table, [sentence(branches_of(table)), *others]))
    return out


def write_figures(results_dir: str | Path, formats: Sequence[str] = ("svg", "pdf")) -> list[Path]:
    """Write the figures of a run for papers, as vectors, into ``figures/`` of its results folder.

    Parameters
    ----------
    results_dir
        As for `write`.
    formats
        Suffixes: svg, pdf or png.

    Returns
    -------
    list of pathlib.Path
        One file per figure and format, by cohort, and ``captions.tsv``.

    Raises
    ------
    DataError
        If the folder does not exist or holds no cohort, or a format is unknown.
    """
    from mtorscore.report.figures import vectors

    wrong = [f for f in formats if f not in ("svg", "pdf", "png")]
    if wrong:
        raise DataError(f"Figures are written as svg, pdf or png, not as {wrong[0]!r}.")
    run = read_run(Path(results_dir))
    contexts = [c.context for c in run.cohorts]
    described = describe(_scored(run), _collection(run), [c for c in contexts if c])
    return vectors.write_figures(
        run, described, leads_of(described, contexts), board(results_dir), combined(run)[0], formats
    )  # fmt: skip


def render(run: Run) -> str:
    """Return the page of a run as text."""
    return _rendered(run)[0]


def _rendered(run: Run) -> tuple[str, list[dict[str, Any]]]:
    """Return the page, and what it shows of each cohort."""
    import jinja2

    contexts = [c.context for c in run.cohorts]
    collection = _collection(run)
    described = describe(_scored(run), collection, [c for c in contexts if c])
    works = references(run, described, collection)
    leads, levels = leads_of(described, contexts), level_meanings()
    across, note = combined(run)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mtorscore", "report/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=text.plain,
    )
    environment.filters |= {
        "safe_json": safe_json, "cell": cell, "moment": moment, "breakable": breakable,
        "meanings": lambda table, key: meanings(key, table),
        "printed": lambda table, key: printed(key, table, leads, run.methods[0] if run.methods else None),
    }  # fmt: skip
    template = environment.get_template("report.html.j2")
    views = [_view(c, i, run, described) for i, c in enumerate(run.cohorts)]
    boards = [v for v in views if v["branches"]]
    several = len(boards) > 1
    page = template.render(
        run=run,
        record=run.record,
        caveats=text.caveats(run),
        reading_note=text.reading_note(run),
        methods_text=text.methods_text(run, described),
        cohorts=views,
        overview=overview_view([(v["cohort"].name, v["branches"]) for v in boards], across, run.methods)
        if several
        else None,
        overview_anchors=[v["number"] for v in boards],
        sections=_sections(run, combined=len(across) > 0),
        any_cells=any(c.cells for c in run.cohorts),
        meta=across,
        meta_note=note,
        levels=levels,
        described=described,
        data=payload(run, described, leads)
        | {
            "branches": branch_titles(),
            "noReadout": without_readout(),
            "levels": levels,
            "meta": columns(across) if len(across) else None,
            "citations": {"bibtex": bibtex(works), "ris": ris(works)},
            "endpointNames": {e: known.title for e, known in ENDPOINTS.items()},
            "boards": [columns(v["table"]) for v in views],
        },
        css="\n".join(_static(name) for name in _STYLES),
        js="\n".join(_static(name) for name in _SCRIPTS),
    )
    return page, views


def _view(cohort: Cohort, number: int, run: Run, described: dict[str, Described]) -> dict[str, Any]:
    method = next((m for m in run.methods if m in cohort.scores), None)
    values, why = template_values(cohort, method or "")
    screen = _first_screen(cohort, number, run, described)
    return screen | {
        "number": number,
        "cohort": cohort,
        "method": method,
        "facts": text.facts(cohort),
        "flow": text.flow(cohort),
        "findings": _told(cohort, screen["sentence"], run, described),
        "marked": marked(screen["sentence"], [b.title for b in screen["branches"]]),
        "related": len(cohort.table("associations")) > 0,
        "opposed": opposed_rows(cohort, described),
        "groups": groups(cohort, described),
        "genomics": genomics(cohort, method, described, leads_of(described, [cohort.context])),
        "checklists": {name: checklist(cohort, method, run, name) for name in ("remark", "tripod+ai", "probast")},
        "predicted": predicted_words(cohort),
        "templates": templates(cohort, values),
        "no_templates": why,
    }


def _told(cohort: Cohort, sentence: str, run: Run, described: dict[str, Described]) -> tuple[list[str], list[str]]:
    """Return the findings that are shown and those that are folded, without what the board's sentence has said."""
    lines = findings(cohort, run.methods, described, leads_of(described, [cohort.context]))
    more = [line for line in lines if line != sentence]
    return told(sentence, more or ["Nothing beside what stands above."])


def _first_screen(cohort: Cohort, number: int, run: Run, described: dict[str, Described]) -> dict[str, Any]:
    """Return the board, the map and the sentence of a cohort."""
    nothing: dict[str, Any] = dict.fromkeys(("board", "map"))
    nothing |= {"beside_this": [], "quotes": [], "folded": [], "branches": []}
    if cohort.cells:
        return nothing | {"table": pd.DataFrame(), "sentence": text.cells_sentence(cohort)}
    shown = leads_of(described, [cohort.context])
    table = board_rows(run.methods, described, shown, cohort)
    branches = branches_of(table)
    if not branches:
        return nothing | {"table": table, "sentence": sentence(branches)}
    return {
        "board": board_view(branches, [m for m in run.methods if m in cohort.scores]),
        "map": map_view(branches, number, cohort.table("alteration_shares")),
        "sentence": sentence(branches),
        "beside_this": [
            *filter(None, [cohort.guess_note]),
            *comparison_words(run.methods, described, shown, cohort),
            *([text.power_note(cohort)] if cohort.endpoints else []),
        ],
        "quotes": quotes(branches, *of_cohort(cohort)),
        "folded": folded(branches, cohort.context),
        "branches": branches,
        "table": table,
    }


def _sections(run: Run, *, combined: bool) -> list[tuple[str, str]]:
    """Return the sections of the menu: those that hold something in this run."""
    cells = [("cells", "Single cells")] if any(c.cells for c in run.cohorts) else []
    altered = [("alterations", "Classes and alterations")] if any(has_genomics(c) for c in run.cohorts) else []
    related = any(c.endpoints or len(c.table("associations")) for c in run.cohorts)
    models = ("survival_models", "classifiers", "class_effects")
    outcome = [("outcome", "Outcome")] if related else []
    if any(len(c.table(m)) for c in run.cohorts for m in models):
        outcome.append(("prediction", "Prediction"))
    if combined:
        outcome.append(("meta", "Across cohorts"))
    enriched = [("enrichment", "Enrichment")] if any(len(c.table("gsea")) for c in run.cohorts) else []
    return [
        ("summary", "Board and map"), ("findings", "Findings"), ("signature", "One signature"),
        *cells, ("groups", "Groups"), *outcome, *altered, ("scores", "Scores"),
        *enriched, ("drugs", "Drug classes"), ("notes", "How to read"), ("data", "Data"),
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

    return Markup(str(escape(text.plain(str(value)))).replace("_", "_<wbr>"))  # noqa: S704


def marked(sentence: str, titles: Sequence[str]) -> Any:
    """Return an escaped sentence in which the titles of branches stand out.

    Parameters
    ----------
    sentence
        Plain text.
    titles
        What stands out where it occurs; the longest first where one is within another.
    """
    from markupsafe import Markup, escape

    names = sorted({str(escape(text.plain(t))) for t in titles if t}, key=len, reverse=True)
    words = str(escape(text.plain(sentence)))
    if names:
        words = re.sub("|".join(map(re.escape, names)), lambda found: f"<b>{found[0]}</b>", words)
    return Markup(words)  # noqa: S704


def _static(name: str) -> str:
    return resources.files("mtorscore").joinpath("report", "static", name).read_text(encoding="utf-8")
