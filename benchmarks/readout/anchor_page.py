"""docs/evidence/tissue_anchor.md from the tables of the tissue anchor."""

from __future__ import annotations

import pandas as pd

import mtorscore as mt
from benchmarks.readout.anchor_plan import PLAN

__all__ = ["page"]

SHOWN = ("LIHC", "CHOL", "other tumours", "all")
TITLES = {"LIHC": "HCC (71)", "CHOL": "CCA (30)", "other tumours": "other (56)", "all": "all (157)"}
SEEN_AXES = ("pAKT", "pS6", "FASN")


def page(anchor: pd.DataFrame, pairs: pd.DataFrame, header: str) -> str:
    """Return the page.

    Parameters
    ----------
    anchor, pairs
        As `benchmarks.readout.anchor` writes them.
    header
        Comment lines of the tables.

    Returns
    -------
    str
        Markdown.
    """
    lines = ["# Tissue anchor: what the scores read in tumours", ""]
    lines += [
        (
            "Every score of the library against signalling that was measured in the same tumours, by reverse-phase "
            "protein arrays: 71 hepatocellular carcinomas (LIHC), 30 cholangiocarcinomas (CHOL) and 56 other tumours "
            "(STAD, UVM, DLBC) of The Cancer Genome Atlas. Nothing is typed by hand; all pairs of scores and "
            "antibodies with partial correlations are in `benchmarks/readout/tables/tissue_anchor.tsv`. The grades "
            "that follow are in `signatures/evidence.tsv`."
        ),
        "",
        *[f"- {line.removeprefix('# ')}" for line in header.strip().split("\n")],
        "",
        "## Declared before looking",
        "",
        *[f"- {line}" for line in PLAN],
        "",
    ]
    lines += _seen(anchor) + _ceilings(anchor) + _pairs(pairs) + _claims(anchor) + _whole(anchor)
    return "\n".join(lines) + "\n"


def _seen(anchor: pd.DataFrame) -> list[str]:
    """Show the rows that were known before the plan was written."""
    rows = anchor[anchor["seen"] == 1]
    lines = [
        "## Seen before",
        "",
        "These had been looked at before the plan was written (marked `seen` in the table).",
        "",
    ]
    lines += ["| score, 71 HCC | " + " | ".join(SEEN_AXES) + " |", "| --- |" + " ---: |" * len(SEEN_AXES)]
    for name, part in rows.groupby("signature", sort=False):
        found = part.set_index("antibody")
        lines.append(f"| `{name}` | " + " | ".join(_estimate(found.loc[a]) for a in SEEN_AXES) + " |")
    return [*lines, ""]


def _ceilings(anchor: pd.DataFrame) -> list[str]:
    """Show how well the antibodies of one axis agree."""
    found = anchor[anchor["ceiling"].notna()].drop_duplicates(["cohort", "antibody"])
    table = found.pivot(index="antibody", columns="cohort", values="ceiling")
    cohorts = [c for c in ("LIHC", "CHOL", "STAD", "UVM", "DLBC") if c in table]
    lines = ["## Ceiling", "", "Mean Spearman correlation of the antibodies of one axis with each other.", ""]
    lines += ["| axis | " + " | ".join(cohorts) + " |", "| --- |" + " ---: |" * len(cohorts)]
    lines += [f"| {a} | " + " | ".join(f"{table.loc[a, c]:+.2f}" for c in cohorts) + " |" for a in table.index]
    return [*lines, ""]


def _pairs(pairs: pd.DataFrame) -> list[str]:
    """Show mRNA against its own protein."""
    cohorts = list(dict.fromkeys(pairs["cohort"]))
    lines = ["## mRNA against its own protein", "", "A check that both layers are of one tumour.", ""]
    lines += ["| gene, antibody | " + " | ".join(cohorts) + " |", "| --- |" + " ---: |" * len(cohorts)]
    for (gene, antibody), part in pairs.groupby(["gene", "antibody"], sort=False):
        found = part.set_index("cohort")["rho"]
        cells = [f"{found[c]:+.2f}" if c in found else "" for c in cohorts]
        lines.append(f"| {gene}, {antibody} | " + " | ".join(cells) + " |")
    medians = pairs.groupby("cohort")[["rho", "wrong_pairs_95"]].median()
    cells = [f"{medians.loc[c, 'rho']:+.2f} ({medians.loc[c, 'wrong_pairs_95']:.2f})" for c in cohorts]
    return [*lines, "| median (95th percentile of wrong pairs) | " + " | ".join(cells) + " |", ""]


def _claims(anchor: pd.DataFrame) -> list[str]:
    """Show every claim with interval, q, percentile and partial correlations in HCC, and the other cohorts."""
    claims = anchor[anchor["claim"] != 0]
    lines = ["## Claims", ""]
    lines += [
        (
            "Each score against the axis of its branch. **Bold**: the interval lies on the claimed side of 0; "
            "~~struck~~: on the other. For HCC also q, the percentile among random signatures, and the correlation "
            "given proliferation, hepatocyte identity, stroma with immune content, and site."
        ),
        "",
    ]
    head = ["score", "claim", TITLES["LIHC"], "q", "percentile", "prolif.", "hepatoc.", "stroma", "site"]
    head += [TITLES[c] for c in SHOWN[1:]]
    lines += ["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * (len(head) - 2)]
    branches = {e.id: e.branch for e in mt.library(experimental=True)}
    for name, part in claims.groupby("signature", sort=False):
        found = part.drop_duplicates("cohort").set_index("cohort")
        first = found.iloc[0]
        cells = [
            f"`{name}` ({branches.get(str(name), '')})",
            f"{first['antibody']} {'+' if first['claim'] > 0 else '-'}",
        ]
        hcc = found.loc["LIHC"] if "LIHC" in found.index else None
        cells.append(_graded(hcc))
        keys = ("given_proliferation", "given_hepatocyte", "given_stroma_immune", "given_site")
        cells += ["", "", "", "", "", ""] if hcc is None else [
            f"{hcc['q']:.2g}", _number(hcc["percentile"], ".0f"), *[_number(hcc[k], "+.2f") for k in keys]
        ]  # fmt: skip
        cells += [_graded(found.loc[c]) if c in found.index else "" for c in SHOWN[1:]]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _whole(anchor: pd.DataFrame) -> list[str]:
    """Show all scores against the main axes in every cohort, without intervals."""
    shown = ("pS6", "pAKT", "p4E-BP1", "lipogenic enzymes")
    cohorts = ("LIHC", "CHOL", "STAD", "UVM", "DLBC", "all")
    lines = ["## All scores against the main axes", ""]
    lines += ["Spearman's correlation: " + ", ".join(cohorts) + ". Intervals are in the table.", ""]
    lines += ["| score | " + " | ".join(shown) + " |", "| --- |" + " --- |" * len(shown)]
    wide = anchor.pivot_table(index="signature", columns=["antibody", "cohort"], values="rho", sort=False)
    for name, row in wide.iterrows():
        cells = [" ".join(_number(row.get((a, c), float("nan")), "+.2f") or "." for c in cohorts) for a in shown]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _number(value: float, form: str) -> str:
    return "" if pd.isna(value) else format(value, form)


def _estimate(row: pd.Series) -> str:
    return f"{row['rho']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"


def _graded(row: pd.Series | None) -> str:
    if row is None or pd.isna(row["rho"]):
        return ""
    text = _estimate(row)
    if row["low"] * row["claim"] > 0 and row["high"] * row["claim"] > 0:
        return f"**{text}**"
    return f"~~{text}~~" if row["low"] * row["claim"] < 0 and row["high"] * row["claim"] < 0 else text
