"""Every branch against OS, PFI and DSS with the three mirrors, and the frozen model of one cohort on another.

Run as ``python benchmarks/prognosis/liver_study.py RESULTS OUT.md`` where RESULTS is the folder that the workflow wrote
for ``workflows/config/liver.yaml``. One representative signature per branch is declared before looking: that of
`mtorscore.collection.leads`.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore import library
from mtorscore.collection import leads
from mtorscore.errors import MtorscoreWarning
from mtorscore.pipeline import load_cohort, read_table
from mtorscore.prognosis import Endpoint, associate, fit_model, minimum_sample_size, tcga_advice, validate

METHOD = "singscore"
ENDPOINTS = ("OS", "PFI", "DSS")
PREFACE = (
    f"Method {METHOD}; one lead signature per branch, declared beforehand; Cox models on the continuous score, per SD; "
    "Benjamini-Hochberg over the signatures of one endpoint; 1,000 random signatures matched on size, direction and "
    "expression; one confounder at a time, scored without the genes shared with the signature. What stays beside "
    "proliferation is information beyond proliferation; what does not may still be mTOR's doing, since proliferation "
    "is partly downstream of it. The endpoints are of the same patients: they are not separate studies, and the family "
    "of one endpoint does not pay for having looked at three."
)
COHORTS = {"tcga-lihc": "LIHC", "tcga-chol": "CHOL"}


def load(results: Path, cohort: str) -> tuple[Any, pd.DataFrame]:
    """Return tumours with outcome, and their scores."""
    adata = load_cohort(results / cohort)
    keep = (adata.obs["sample_type"] == "tumour").to_numpy()
    if "in_outcome" in adata.obs:
        keep &= adata.obs["in_outcome"].to_numpy(dtype=bool)
    adata = adata[keep].copy()
    scores = read_table(results / cohort / "scores" / f"{METHOD}.tsv", index="observation")
    return adata, scores.loc[adata.obs_names]


def endpoint(name: str) -> Endpoint:
    """Return a TCGA endpoint in days."""
    return Endpoint.survival(f"{name}.time", name, unit="days", name=name)


def relate(adata: Any, scores: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Associate with all mirrors."""
    values = np.log2(np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, dtype=float) + 1)
    expression = pd.DataFrame(values, adata.obs_names, adata.var_names)
    return associate(
        scores[names], adata.obs, [endpoint(e) for e in ENDPOINTS], expression=expression, signatures=library(),
        method=METHOD, mirrors=("random", "proliferation", "purity"),
    )  # fmt: skip


def rows(table: pd.DataFrame, name: str) -> list[str]:
    """Return Markdown rows of one endpoint."""
    part = table[table["endpoint"] == name]
    out = []
    for signature, of in part.groupby("signature", sort=False):
        plain = of[of["model"] == "unadjusted"].iloc[0]
        cells = [
            str(signature),
            f"{plain.hr:.2f} ({plain.hr_low:.2f} to {plain.hr_high:.2f})",
            f"{plain.p:.3f}",
            f"{plain.q:.2f}",
            "" if np.isnan(plain.null_percentile) else f"{plain.null_percentile:.0f}",
        ]
        for confounder in ("proliferation", "stroma", "immune", "hepatocyte"):
            found = of[of["adjusted_for"] == confounder]
            hr = found["hr"].iloc[0] if len(found) else np.nan
            cells.append("" if np.isnan(hr) else f"{hr:.2f} ({found['p'].iloc[0]:.2f})")
        out.append("| " + " | ".join(cells) + " |")
    return out


def cohort_section(code: str, table: pd.DataFrame) -> list[str]:
    """Return the Markdown of one cohort."""
    out = [f"## TCGA-{code}", ""]
    for name in ENDPOINTS:
        plain = table[(table["endpoint"] == name) & (table["model"] == "unadjusted")]
        events, n = int(plain["events"].max()), int(plain["n"].max())
        detectable = np.exp((1.959964 + 0.841621) / np.sqrt(events))
        advice = tcga_advice(code, name)
        note = advice[1] if advice else ""
        significant, nominal = (int((plain[c] < 0.05).sum()) for c in ("q", "p"))
        out += [
            f"### {name}: {n} patients, {events} events",
            "",
            (
                f"{note[:1].upper()}{note[1:]}. With {events} events one pre-stated test finds a hazard ratio of "
                f"{detectable:.2f} per SD with 80% power; over {len(plain)} tests much less. "
                f"{significant} of {len(plain)} signatures have q below 0.05; "
                f"{nominal} have p below 0.05 where {0.05 * len(plain):.1f} are expected by chance; "
                f"{int((plain['null_p'] < 0.05).sum())} are beyond 95% of random signatures."
            ),
            "",
            (
                "| signature | hazard ratio per SD | p | q | percentile among random | beside proliferation (p) | "
                "beside stroma (p) | beside immune (p) | beside hepatocyte (p) |"
            ),
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows(table, name),
            "",
        ]
    return out


def transfer(results: Path, names: list[str]) -> list[str]:
    """Fit on LIHC, apply to CHOL as it is."""
    train, train_scores = load(results, "tcga-lihc")
    test, test_scores = load(results, "tcga-chol")
    use = [n for n in names if train_scores[n].notna().all() and test_scores[n].notna().all()]
    model = fit_model(train_scores[use], train.obs, endpoint("PFI"), signatures=library(), name="LIHC PFI")
    result = validate(model, test_scores[use], test.obs, n_boot=500)
    rate = float(train.obs["PFI"].sum() / train.obs["PFI.time"].sum())
    need = minimum_sample_size(len(use), rate=rate, mean_follow_up=float(train.obs["PFI.time"].mean()), horizon=730.0)[
        "n_needed"
    ].max()
    lines = [
        "## The frozen LIHC model of PFI on CHOL",
        "",
        (
            f"Ridge Cox on {len(use)} branch scores of {train.n_obs} tumours; Riley's criteria ask for {need}. Another "
            "cancer of another lineage: a test of transport, not a recommendation."
        ),
        "",
        "| metric | value | 95% interval |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {r.metric} | {r.value:.2f} | {r.low:.2f} to {r.high:.2f} |" for r in result.summary.itertuples()]
    return [*lines, "", "Notes: " + "; ".join(result.notes) + "."]


def main() -> None:
    """Write the study."""
    results, out = Path(sys.argv[1]), Path(sys.argv[2])
    names = leads(library().names, confounders=False)
    text = [
        "# Branch scores and outcome in two TCGA liver cohorts",
        "",
        PREFACE,
        "",
    ]
    kept: list[str] = []
    for cohort, code in COHORTS.items():
        adata, scores = load(results, cohort)
        present = [n for n in names if n in scores]
        kept = [n for n in (kept or present) if n in present]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MtorscoreWarning)
            text += cohort_section(code, relate(adata, scores, present))
    text += transfer(results, kept)
    out.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
