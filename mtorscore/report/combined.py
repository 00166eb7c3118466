"""Cross-cohort summaries: meta-analysis, and the checklists of prognostic reporting."""

from __future__ import annotations

import pandas as pd

from mtorscore.report.data.run_files import Cohort, Run

_NEEDED = {"method", "signature", "endpoint", "model", "hr", "hr_low", "hr_high", "n", "events"}


def combined(run: Run) -> tuple[pd.DataFrame, str]:
    """Combine unadjusted hazard ratios over cohorts by random effects, per method.

    Parameters
    ----------
    run
        The run.

    Returns
    -------
    table, note
        As `mtorscore.prognosis.meta_analyse` returns it, with ``method`` first, rows of two cohorts or more; and a
        sentence on what was combined, or why nothing was. Simulated cohorts are never combined with real ones.
    """
    related = [c for c in run.cohorts if set(c.table("associations").columns) >= _NEEDED]
    real = [c for c in related if not c.simulated]
    chosen = real if len(real) >= 2 else [c for c in related if c.simulated]
    if len(chosen) < 2:
        have = "One cohort of this run has" if len(related) == 1 else f"{len(related) or 'No'} cohorts of this run have"
        kinds = ", and a simulated cohort is never combined with a real one" if len(related) > 1 else ""
        return pd.DataFrame(), f"{have} hazard ratios; combining needs at least two{kinds}."
    from mtorscore.prognosis import meta_analyse

    parts = []
    for method in run.methods:
        tables = {c.name: _unadjusted(c.table("associations"), method) for c in chosen}
        tables = {name: table for name, table in tables.items() if len(table)}
        if len(tables) >= 2:
            table = meta_analyse(tables)
            parts.append(table[table["cohorts"] >= 2].assign(method=method))
    if not any(len(p) for p in parts):
        return pd.DataFrame(), "No signature and endpoint is shared by two cohorts, so nothing was combined."
    whole = pd.concat(parts, ignore_index=True)
    whole = whole[["method", *(c for c in whole.columns if c != "method")]]
    names = ", ".join(c.name for c in chosen)
    note = (
        f"Random effects (restricted maximum likelihood, Hartung and Knapp's interval) over {names}. With two or three "
        "cohorts of different diseases the combined ratio is a description, and its interval is honest when wide."
    )
    return whole, note


def _unadjusted(table: pd.DataFrame, method: str) -> pd.DataFrame:
    rows = table[(table["method"] == method) & (table["model"] == "unadjusted")].copy()
    if "effect" in rows:
        rows = rows[rows["effect"].astype(object).fillna("hazard ratio") == "hazard ratio"]
    return rows.assign(adjusted_for="")


def checklist(cohort: Cohort, method: str | None, run: Run, name: str) -> pd.DataFrame:
    """Return a reporting checklist, filled in from this cohort's results.

    Parameters
    ----------
    cohort
        Results.
    method
        The first method.
    run
        The run.
    name
        ``"remark"``, ``"tripod+ai"`` or ``"probast"``.

    Returns
    -------
    pandas.DataFrame
        item, topic, answer, filled; empty for a cohort without outcome.
    """
    from mtorscore.prognosis import reporting_table

    table = cohort.table("associations")
    if not set(table.columns) >= _NEEDED:
        return pd.DataFrame()
    rows = table[table["method"] == method].copy()
    known: dict[str, object] = {
        "associations": rows,
        "patients": _patients(cohort),
        "assay": f"Transcripts: {cohort.n_vars} genes, {cohort.source.get('units') or 'units not stated'}"
        f"{', a guess' if cohort.guesses else ''}.",
        "variables": f"{rows['signature'].nunique()} signatures scored by {method}.",
        "preparation": "Identifiers to current HGNC symbols; one tumour sample per patient; exclusions are listed.",
    }
    if len(cohort.table("km")):
        known["kaplan_meier"] = cohort.table("km")
    models = [cohort.table(name) for name in ("survival_models", "classifiers")]
    models = [t for t in models if {"model", "metric", "value", "low", "high", "folds", "horizon"} <= set(t.columns)]
    if any(len(t) for t in models):
        known["cross_validated"] = pd.concat([t for t in models if len(t)], ignore_index=True)
    config = run.record.get("config") or {}
    if config.get("adjust"):
        known["confounders"] = f"Adjusted one at a time for {', '.join(map(str, config['adjust']))}."
    return reporting_table(name, known)


def _patients(cohort: Cohort) -> str:
    if cohort.simulated:
        return f"{cohort.name}: simulated; there are no patients."
    source = cohort.source.get("accession") or cohort.source.get("file") or cohort.name
    return f"{cohort.name} ({source}): {len(cohort.tumours)} tumours; exclusions by rule are listed above."
