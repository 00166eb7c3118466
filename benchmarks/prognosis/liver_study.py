"""Every branch against OS, PFI and DSS with the three negative controls, and frozen models of one cohort on another.

Run as ``python benchmarks/prognosis/liver_study.py DATA [OUT.md] [TABLE.tsv]`` where DATA is the folder of raw cohorts
(``tcga-lihc``, ``tcga-chol``, ``tcga-cdr``, ``hcc-os-150-panel``); OUT is ``docs/evidence/liver_study.md`` by
default. One signature per branch is declared before looking, by a rule (`declared`).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore import library, read, tl
from mtorscore.collection import CONFOUNDER
from mtorscore.collection.grades import OPPOSED
from mtorscore.collection.library_files import library_meta
from mtorscore.errors import MtorscoreWarning
from mtorscore.pp import prepare_cohort
from mtorscore.prognosis import Endpoint, associate, fit_model, meta_analyse, tcga_advice, validate
from mtorscore.tl.engine.readability import grade_in, graded_words

ROOT = Path(__file__).parents[2]
METHOD = "singscore"
ENDPOINTS = ("OS", "PFI", "DSS")
COHORTS = {"tcga-lihc": "LIHC", "tcga-chol": "CHOL"}
TISSUES = {"LIHC": "HCC", "CHOL": "CCA"}
CONTROLS = ("proliferation", "stroma", "immune", "hepatocyte", "stage")
LEAST_COVERAGE = 0.5
NO_SCORE = ("context", CONFOUNDER)


def declared() -> tuple[dict[str, str], list[str]]:
    """Return branch -> signature by rule, and the branches that have no gene list.

    The library's standing lead of the branch; where it has none, the first signature of the branch by name.
    """
    lib = library()
    chosen: dict[str, str] = {}
    for branch, names in library_meta()["leads"].items():
        if branch not in NO_SCORE:
            chosen[branch] = names[0]
    branches = dict.fromkeys(str(e.branch) for e in lib)
    for branch in branches:
        own = sorted(s.id for s in lib.signatures if s.branch == branch)
        if branch not in chosen and branch not in NO_SCORE and own:
            chosen[branch] = own[0]
    return chosen, [b for b in branches if b not in chosen and b not in NO_SCORE]


def tcga(data: Path, cohort: str) -> Any:
    """Return tumours with outcome, scored; expression is the layer ``log``."""
    adata = prepare_cohort(cohort, data)
    keep = (adata.obs["sample_type"] == "tumour").to_numpy() & adata.obs["in_outcome"].to_numpy(dtype=bool)
    adata = adata[keep].copy()
    tl.score(adata, library(), method=METHOD, layer="log")
    return adata


def endpoint(name: str) -> Endpoint:
    """Return a TCGA endpoint in days."""
    return Endpoint.survival(f"{name}.time", name, unit="days", name=name)


def relate(adata: Any, names: list[str], tissue: str) -> pd.DataFrame:
    """Associate with all negative controls; what is opposed in the tissue is not valid."""
    expression = pd.DataFrame(np.asarray(adata.layers["log"], dtype=float), adata.obs_names, adata.var_names)
    return associate(
        adata.obsm[f"score_{METHOD}"][names], adata.obs, [endpoint(e) for e in ENDPOINTS], ["stage"],
        expression=expression, signatures=library(), method=METHOD, tissue=tissue,
    )  # fmt: skip


def small(p: float) -> str:
    """Return a p-value as text that never claims to be 0."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def cell(row: Any) -> str:
    """Return ratio, p and percentile among random signatures of an adjusted model."""
    if np.isnan(row["hr"]):
        return "-"
    place = "" if np.isnan(row["null_percentile"]) else f"; {row['null_percentile']:.0f}"
    return f"{row['hr']:.2f} ({small(row['p'])}{place})" + ("" if row["valid"] else " !")


def table_rows(table: pd.DataFrame, name: str, branch_of: dict[str, str]) -> list[str]:
    """Return Markdown rows of one endpoint."""
    out = []
    for signature, of in table[table["endpoint"] == name].groupby("signature", sort=False):
        plain = of[of["model"] == "unadjusted"].iloc[0]
        bent = " *" if plain.ph_p < 0.01 else ""
        cells = [branch_of[str(signature)], f"{signature}{bent}"]
        cells += [f"{plain.hr:.2f} ({plain.hr_low:.2f} to {plain.hr_high:.2f})", small(plain.p), small(plain.q)]
        cells += [f"{plain.null_percentile:.0f}"]
        for confounder in CONTROLS:
            found = of[of["adjusted_for"] == confounder]
            cells.append(cell(found.iloc[0]) if len(found) else "-")
        out.append("| " + " | ".join(cells) + " |")
    return out


def verdicts(code: str, table: pd.DataFrame) -> list[str]:
    """Return a sentence per endpoint on what is found and what is not, and one per signature that is found."""
    out = []
    for name in ENDPOINTS:
        part = table[table["endpoint"] == name]
        plain = part[(part["model"] == "unadjusted") & part["valid"]]
        found = plain[plain["q"] < 0.05]
        events = int(plain["events"].max())
        detectable = float(np.exp((1.959964 + 0.841621) / np.sqrt(events)))
        out.append(
            f"- **{code}, {name}** ({int(plain['n'].max())} patients, {events} events): {len(found)} of {len(plain)} "
            f"signatures have q below 0.05; {int((plain['p'] < 0.05).sum())} have p below 0.05 where "
            f"{0.05 * len(plain):.1f} are expected by chance alone. One pre-stated test finds a ratio of "
            f"{detectable:.2f} per SD with 80% power; the correction for {len(plain)} tests costs more."
        )
        for row in found.itertuples():
            of = part[part["signature"] == row.signature]
            beside = [
                f"{m.adjusted_for} {m.hr:.2f} (p {small(m.p)})" for m in of[of["model"] == "adjusted"].itertuples()
            ]
            random = "beyond" if row.null_p < 0.05 else "within"
            out.append(
                f"  - {row.signature}: {row.hr:.2f} per SD ({row.hr_low:.2f} to {row.hr_high:.2f}), q {row.q:.3f}; "
                f"{random} its random signatures (percentile {row.null_percentile:.1f}, p {small(row.null_p)}); beside "
                f"{', '.join(beside)}."
            )
    lib, tissue = library(), TISSUES[code]
    opposed = [n for n in dict.fromkeys(table["signature"]) if grade_in(lib[str(n)], tissue) == OPPOSED]
    if opposed:
        told = "; ".join(f"{n} ({' '.join(graded_words(lib[str(n)], tissue))})" for n in opposed)
        out.append(f"- Not counted for {code}, since they move against what they are named after there: {told}.")
    return out


def cohort_section(code: str, table: pd.DataFrame, branch_of: dict[str, str]) -> list[str]:
    """Return the Markdown tables of one cohort."""
    out = [f"## TCGA-{code}", ""]
    for name in ENDPOINTS:
        plain = table[(table["endpoint"] == name) & (table["model"] == "unadjusted")]
        advice = tcga_advice(code, name)
        note = f"TCGA-CDR: {advice[0]}; {advice[1]}." if advice else ""
        head = ["branch", "signature", "ratio per SD", "p", "q", "percentile among random"]
        head += [f"beside {m}" for m in CONTROLS]
        out += [
            f"### {name}: {int(plain['n'].max())} patients, {int(plain['events'].max())} events", "", note, "",
            "| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |",
            *table_rows(table, name, branch_of), "",
        ]  # fmt: skip
    return out


def transfer(cohorts: dict[str, Any], names: list[str]) -> list[str]:
    """Fit in one cohort, freeze, apply to the other as it is."""
    out = [
        "## Frozen models on another cohort", "",
        (
            f"Ridge Cox on the {len(names)} scores, penalty tuned inside the training cohort, nothing refitted or "
            "rescaled in the other. HCC and cholangiocarcinoma differ in lineage: this tests transport, it recommends "
            "nothing."
        ), "",
        "| trained on | applied to | endpoint | Riley's n (at hand) | C | slope | observed / expected |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    notes = []
    for source, target in (("LIHC", "CHOL"), ("CHOL", "LIHC")):
        for name in ("OS", "PFI"):
            train, test = cohorts[source], cohorts[target]
            key = f"score_{METHOD}"
            model = fit_model(
                train.obsm[key][names], train.obs, endpoint(name), signatures=library(), name=f"{source} {name}"
            )
            result = validate(model, test.obsm[key][names], test.obs, n_boot=500)
            got = {
                r.metric: f"{r.value:.2f} ({r.low:.2f} to {r.high:.2f})" if np.isfinite(r.value) else "not defined"
                for r in result.summary.itertuples()
            }
            out.append(
                f"| {source} | {target} | {name} | {model.training['n_needed']} ({model.training['n']}) | "
                f"{got['harrell_c']} | {got['calibration_slope']} | {got['observed_expected']} |"
            )
            notes += [f"{source} {name} on {target}: {n}" for n in result.notes]
    return [*out, "", "What `validate` notes:", "", *(f"- {n}" for n in notes), ""]


def combined(tables: dict[str, pd.DataFrame], branch_of: dict[str, str]) -> list[str]:
    """Combine the cohorts per signature."""
    meta = meta_analyse(tables)
    meta = meta[(meta["model"] == "unadjusted") & meta["valid"]]
    out = [
        "## Both cohorts together", "",
        (
            "Random-effects meta-analysis of the log ratio per SD (restricted maximum likelihood, interval of Hartung "
            "and Knapp). With two cohorts the interval has one degree of freedom and is as wide as it should be; a "
            "prediction interval needs three and is not given."
            if len(tables) < 3
            else "Random-effects meta-analysis of the log ratio per SD (restricted maximum likelihood, interval of "
            "Hartung and Knapp). The prediction interval (where three cohorts have the signature) is where the ratio "
            "of a further cohort is expected."
        ), "",
        "| endpoint | branch | signature | cohorts | ratio | interval | prediction interval | q | I2 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for r in meta.itertuples():
        wide = "-" if np.isnan(r.prediction_low) else f"{r.prediction_low:.2f} to {r.prediction_high:.2f}"
        out.append(
            f"| {r.endpoint} | {branch_of[r.signature]} | {r.signature} | {r.cohorts} | {r.hr:.2f} | "
            f"{r.hr_low:.2f} to {r.hr_high:.2f} | {wide} | {r.q:.2f} | {100 * r.i2:.0f}% |"
        )
    return [*out, ""]


def panel(data: Path, names: list[str]) -> tuple[list[str], pd.DataFrame]:
    """Say what can be scored on the 1,000-gene panel at all, and relate that."""
    adata = read(data / "hcc-os-150-panel" / "testdata.tsv.gz")
    tl.score(adata, library(), method=METHOD)
    coverage = adata.uns["mtorscore"][METHOD]["coverage"]
    coverage = (coverage.set_index("signature") if "signature" in coverage else coverage)["coverage"]
    enough = [n for n in library().names if n in coverage.index and coverage[n] >= LEAST_COVERAGE]
    shares = ", ".join(f"{n} {100 * coverage[n]:.0f}%" for n in names)
    usable = [n for n in names if n in enough]
    out = [
        "## 150 patients on a 1,000-gene panel", "",
        (
            f"The panel holds the alphabetically first 1,000 genes. Share of each declared signature that it holds: "
            f"{shares}. {len(usable)} of {len(names)} reach half. A score of the rest would be another signature under "
            "the same name, so it is not related to outcome here."
        ), "",
    ]  # fmt: skip
    others = [n for n in enough if n not in names]
    if others:
        out += [f"Other entries of the library with half of their genes there: {', '.join(others)}.", ""]
    if not usable:
        return out, pd.DataFrame()
    one = Endpoint.survival("OStime", "OS", unit="days", name="OS")
    table = associate(adata.obsm[f"score_{METHOD}"][usable], adata.obs, one, expression=adata, method=METHOD)
    return out, table


PREFACE = f"""# Do branch scores say anything about outcome in public liver cohorts?

This page is written by `python benchmarks/prognosis/liver_study.py DATA`; no figure in it is typed by hand.

Method {METHOD}, Cox models (Efron) on the continuous score, ratios per SD among the patients of the endpoint. One
signature per branch was declared before looking, by rule: the library's standing lead of the branch, else the
branch's first signature by name. What was since shown to move against its pathway in tumours of the kind is marked
`!`, and no finding is made from it ([tissue anchor](tissue_anchor.md)). Each ratio comes with three negative
controls: 1,000 *random signatures* matched on size, direction and expression, scored and tested the same way;
*proliferation*; *purity and lineage* (stroma, immune, hepatocyte), one confounder at a time and without the genes
that it shares with the signature; and stage. q is Benjamini-Hochberg over the signatures of one endpoint and model.
The three endpoints are of the same patients: they are not separate studies, and the family of one endpoint does not
pay for having looked at three. Proliferation is partly downstream of mTOR: what stays beside it is *information
beyond proliferation*; what does not may still be mTOR's doing.

LIHC are the hepatocellular carcinomas of The Cancer Genome Atlas (TCGA), CHOL its cholangiocarcinomas. OS is overall
survival, PFI the progression-free interval and DSS disease-specific survival as its clinical data resource (TCGA-CDR;
Liu et al., Cell 2018) defines them, whose advice is quoted at each.
"""


def main() -> None:
    """Write the study."""
    data = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "evidence" / "liver_study.md"
    chosen, silent = declared()
    names, branch_of = list(chosen.values()), {v: k for k, v in chosen.items()}
    cohorts, tables = {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)
        for cohort, code in COHORTS.items():
            cohorts[code] = tcga(data, cohort)
            tables[code] = relate(cohorts[code], names, TISSUES[code])
        moved = transfer(cohorts, names)
        low, third = panel(data, names)
    kept = {code: t[t["valid"]] for code, t in tables.items()} | ({"panel": third} if len(third) else {})
    power = {c: int(t.loc[t["endpoint"] == "OS", "events"].max()) for c, t in tables.items()}
    text = [
        PREFACE,
        f"Branches without a gene list of their own (panels, composites), not related here: {', '.join(silent)}.", "",
        "## What is found, and what is not", "",
        *[v for code, t in tables.items() for v in verdicts(code, t)], "",
        (
            f"Overall survival is under-powered: {power['LIHC']} deaths among the LIHC tumours that are public here "
            f"(132 among all 377 patients of the project), {power['CHOL']} in CHOL. An absent association with OS is "
            "no evidence of absence, and no further signature, method, cut-point or subgroup was tried in search of "
            "one. What is found for one endpoint and not for the others is a hypothesis for another cohort, not a "
            "result."
        ), "",
        (
            "`-` not defined, `!` not to be trusted (`valid=False`), `*` hazards not proportional (p below 0.01). "
            "Negative controls show ratio (p; percentile among random signatures in the same adjusted model)."
        ), "",
        *[line for code, t in tables.items() for line in cohort_section(code, t, branch_of)],
        *combined(kept, branch_of), *moved, *low,
    ]  # fmt: skip
    out.write_text("\n".join(text).rstrip("\n") + "\n")
    if len(sys.argv) > 3:
        both = pd.concat([t.assign(cohort=c) for c, t in tables.items()])
        both.to_csv(sys.argv[3], sep="\t", index=False)


if __name__ == "__main__":
    main()
