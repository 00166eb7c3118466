"""The report's section on classes and alterations: scores, classes, DNA alterations and outcome side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtorscore.report.data.described import Described, branch_titles
from mtorscore.report.data.run_files import Cohort
from mtorscore.report.figures.oncoprint import as_image, oncoprint_picture
from mtorscore.report.figures.picture import Drawer
from mtorscore.results import TABLES

__all__ = ["has_genomics", "section"]

SHOWN = ("alterations", "alteration_shares", "class_contrasts", "class_labels", "beyond_class", "layer_shares")
TITLES = {
    "alterations": "Declared pairs of branch and gene",
    "alteration_shares": "Shares of altered tumours",
    "class_contrasts": "Branches over classes",
    "class_labels": "Alterations, aetiology and outcome over classes",
    "beyond_class": "Branches and outcome beside the class",
    "layer_shares": "What is active, by each layer of evidence",
}
ALPHA = 0.05
_MOST = 60


def section(cohort: Cohort, method: str | None, described: dict[str, Described], shown: Sequence[str]) -> Any:
    """Return what the section shows of one cohort; None where the run was given nothing of the kind.

    Parameters
    ----------
    cohort
        Its results.
    method
        The method whose scores are drawn.
    described
        Signature -> description.
    shown
        The leading signatures.

    Returns
    -------
    dict or None
        ``sentences``, ``picture``, ``image`` (an address that needs no file) and ``tables``: title, key, rows, note.
    """
    if not has_genomics(cohort):
        return None
    scores = cohort.scores.get(method or "", pd.DataFrame(index=cohort.obs.index))
    names = [n for n in shown if n in scores and n in described and described[n].branch not in ("confounder", "drug")]
    picture = oncoprint_picture(Drawer(cohort, method or "", scores, names, {}))
    return {
        "sentences": [*_altered(cohort), *_pairs(cohort, method), *_classes(cohort, method), *_layers(cohort)],
        "picture": picture,
        "image": as_image(picture),
        "tables": [(TITLES[k], k, *_rows(cohort, k, method)) for k in SHOWN if len(cohort.table(k))],
    }


def has_genomics(cohort: Cohort) -> bool:
    """Whether a cohort has anything that the section shows."""
    return any(len(cohort.table(k)) for k in (*SHOWN, "classes"))


def _rows(cohort: Cohort, key: str, method: str | None) -> tuple[pd.DataFrame, str]:
    """Return the printed rows of a table, and a note on what was left out."""
    table = cohort.table(key)
    rows = _of(table, method)
    if key == "alterations":
        rows = rows[rows["model"].eq("unadjusted") & _flag(rows["declared"])].drop(columns="declared")
    rows = rows[[c for c in TABLES[key].printed.split() if c in rows]].head(_MOST)
    left = len(table) - len(rows)
    note = f"{left} more row(s), of other methods, models and exploratory pairs, are in the file." if left else ""
    return rows.loc[:, rows.notna().any()], note


def _of(table: pd.DataFrame, method: str | None) -> pd.DataFrame:
    return table[table["method"] == method] if "method" in table and method in set(table["method"]) else table


def _flag(values: pd.Series) -> pd.Series:
    return values.astype(str).str.lower().isin(["true", "1", "1.0"])


def _percent(row: pd.Series) -> str:
    return f"{100 * row['share']:.0f}% ({100 * row['low']:.0f} to {100 * row['high']:.0f}%, n {row['n']:.0f})"


def _altered(cohort: Cohort) -> list[str]:
    table = cohort.table("alteration_shares")
    if not len(table):
        return []
    genes = table[(table["what"] == "gene") & (table["altered"] > 0)].sort_values("share", ascending=False)
    if not len(genes):
        return ["None of the declared genes that were profiled is altered in these tumours."]
    listed = "; ".join(f"{r['name']} {_percent(r)}" for _, r in genes.head(8).iterrows())
    return [f"Altered tumours: {listed}."]


def _pairs(cohort: Cohort, method: str | None) -> list[str]:
    table = cohort.table("alterations")
    if not len(table):
        return []
    rows = _of(table, method)
    rows = rows[rows["model"] == "unadjusted"]
    declared = rows[_flag(rows["declared"])]
    counts = declared["finding"].value_counts()
    out = [
        f"Of {len(declared)} declared pairs of branch and gene: "
        + ", ".join(f"{n} {word}" for word, n in counts.items())
        + f" (q below 0.05 over the declared pairs, scored by {method})."
    ]
    for row in declared[~declared["finding"].isin(["nothing found", "cannot be said"])].to_dict(orient="records"):
        out.append(
            f"{row['signature']} with {row['gene']} altered: {row['finding']}, {row['difference']:+.2f} SD "
            f"({row['difference_low']:+.2f} to {row['difference_high']:+.2f}), q {row['q']:.2g}. Holds beside: "
            f"{row['beside']}."
        )
    for row in declared[declared["finding"] == "cannot be said"].head(6).to_dict(orient="records"):
        what = (
            row["signature"] if isinstance(row["signature"], str) else branch_titles().get(row["branch"], row["branch"])
        )
        out.append(f"{what} with {row['gene']} altered: cannot be said ({row['reason']}).")
    seen = declared[declared["finding"] == "nothing found"]
    if len(seen):
        low, high = seen["detectable"].min(), seen["detectable"].max()
        size = f"{low:.2f}" if np.isclose(low, high) else f"{low:.2f} to {high:.2f}"
        out.append(f"Nothing found is no proof of absence: these numbers show differences from {size} SD on.")
    others = rows[~_flag(rows["declared"])]
    if len(others):
        n = int((others["q"] < 0.05).sum())
        out.append(f"Of {len(others)} further pairs, which are exploratory, {n} have a q below 0.05 among themselves.")
    return out


def _classes(cohort: Cohort, method: str | None) -> list[str]:
    classes = cohort.table("classes")
    out = []
    for scheme, part in classes.groupby("scheme") if len(classes) else ():
        counts = part["class"].dropna().value_counts().sort_index()
        rejected = int(_flag(part["rejected"]).sum())
        listed = ", ".join(f"{c} {n}" for c, n in counts.items()) or "no tumour"
        out.append(f"Classes by {scheme}: {listed}; {rejected} of {len(part)} rejected.")
    contrasts = _of(cohort.table("class_contrasts"), method)
    if len(contrasts):
        n = int((contrasts["q"] < 0.05).sum())
        out.append(f"Branches over classes: {n} of {len(contrasts)} differences have a q below 0.05.")
    beyond = _of(cohort.table("beyond_class"), method)
    if len(beyond):
        beside = beyond[beyond["model"] == "adjusted"]
        tried = beside[_flag(beside["valid"])]
        kept = int((tried["p"] < ALPHA).sum())
        by = f" by {method}" if method else ""
        out.append(
            f"Outcome beside the class: {kept} of {len(tried)} associations{by} have a p below {ALPHA}; about "
            f"{ALPHA * len(tried):.0f} would by chance."
        )
    return out


def _grade(row: pd.Series) -> str:
    """Return what a transcript score was shown to read in this tissue, in a word."""
    text = str(row["grade"]) if isinstance(row["grade"], str) else ""
    return f", evidence: {text.partition(' in ')[0]}" if text else ""


def _layers(cohort: Cohort) -> list[str]:
    table = cohort.table("layer_shares")
    out = []
    for branch, part in table.groupby("branch", sort=False) if len(table) else ():
        said = part[part["share"].notna()]
        if not len(said):
            continue
        listed = "; ".join(f"{r['layer']} {_percent(r)}{_grade(r)}" for _, r in said.iterrows())
        apart = int(part["disagree"].max())
        note = f"; layers disagree in {apart} tumour(s)" if apart else ""
        out.append(f"{branch_titles().get(str(branch), str(branch))} active: {listed}{note}.")
    return out
