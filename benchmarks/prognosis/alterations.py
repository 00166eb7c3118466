"""Alterations of TP53, CTNNB1 and TERT against branch scores in TCGA-LIHC, and published claims beside what is found.

Run as ``python benchmarks/prognosis/alterations.py DATA`` where DATA is the folder of raw cohorts (``tcga-lihc`` with
the table of the core tumours, ``tcga-rppa``). Writes ``docs/evidence/alterations.md``, ``docs/evidence/claims.md`` and
the tables beside this file.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import mtorscore as mt
from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import MtorscoreWarning
from mtorscore.pp import prepare_cohort
from mtorscore.prognosis.genomics.exact_test import rank_sum_p
from mtorscore.prognosis.genomics.shares import share_row

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
METHOD, N_RANDOM, MODERATE = "singscore", 1000, 0.5
CORE = "tcga-lihc/TCGA_coreClinicalMolecular.xlsx"
COLUMNS = {
    "TP53": "TP53 mutation (validated, nonslient)", "CTNNB1": "CTNNB1 mutation", "TERT": "TERT promoter mutation",
}  # fmt: skip
PHOSPHO = {"pS6": ("S6_pS235_S236", "S6_pS240_S244"), "pAKT": ("Akt_pS473", "Akt_pT308")}


def main() -> None:
    """Write tables and pages."""
    data = Path(sys.argv[1])
    warnings.simplefilter("ignore", MtorscoreWarning)
    cohort = prepare_cohort("tcga-lihc", data)
    tumour = (cohort.obs["sample_type"] == "tumour").to_numpy() & cohort.obs["in_outcome"].to_numpy(dtype=bool)
    mt.tl.score(cohort, mt.library(), method=METHOD, layer="log")
    adata = cohort[tumour].copy()
    adata.obs_names = adata.obs["patient"].astype(str)
    core = pd.read_excel(data / CORE, header=3)
    core.index = pd.Index(core["Barcode"].astype(str).str[:12])
    altered = mt.io.read_alterations(data / CORE, genes=COLUMNS)
    altered.obs_names = altered.obs_names.str[:12]
    # The aetiology of the core table, which also has serology, instead of the recipe's.
    recorded = _labels(core)
    obs = adata.obs.drop(columns=recorded.columns, errors="ignore").join(recorded)
    adjust = ["Hoshida", "HBV", "HCV"]
    pairs = mt.prognosis.alterations(adata, altered, obs, adjust=adjust, n_random=N_RANDOM)
    shares = mt.prognosis.alteration_shares(altered)
    here = mt.prognosis.alteration_shares(altered, adata.obs_names)
    _table(pairs, HERE / "alterations.tsv")
    claims = _claims(cohort, adata, altered, core, pairs, data)
    _table(claims, HERE / "claims.tsv")
    _alterations_page(pairs, shares, here, adata)
    _claims_page(claims)


def _labels(core: pd.DataFrame) -> pd.DataFrame:
    """Return the recorded subclass and aetiology of the core tumours."""
    subclass = core["Hoshida"].map(lambda v: f"S{int(v)}" if isinstance(v, int | float) and v == v else None)
    table = {"Hoshida": subclass.where(subclass.isin(["S1", "S2", "S3"]), None)}
    for name in ("HBV", "HCV"):
        table[name] = core[f"{name}_consensus"].astype(str).str.lower().map({"pos": "pos", "neg": "neg"})
    return pd.DataFrame(table)


def _difference(values: pd.Series, first: pd.Series) -> dict[str, Any]:
    """Return the difference in SD with Welch's interval and the permutation p of one group against the others."""
    both = pd.DataFrame({"x": values, "g": first}).dropna()
    x, g = both["x"].to_numpy(dtype=np.float64), both["g"].to_numpy(dtype=bool)
    if min(g.sum(), (~g).sum()) < 5:
        return {"n": f"{int(g.sum())} of {len(g)}", "effect": np.nan, "low": np.nan, "high": np.nan, "p": np.nan}
    sd = x.std(ddof=1)
    interval = stats.ttest_ind(x[g], x[~g], equal_var=False).confidence_interval(0.95)
    return {
        "n": f"{int(g.sum())} of {len(g)}", "effect": float(x[g].mean() - x[~g].mean()) / sd,
        "low": float(interval.low) / sd, "high": float(interval.high) / sd, "p": rank_sum_p(x, g)[0],
    }  # fmt: skip


def _claims(cohort: Any, adata: Any, altered: Any, core: pd.DataFrame, pairs: pd.DataFrame, data: Path) -> pd.DataFrame:
    scores = adata.obsm[f"score_{METHOD}"]
    lead = str(pairs.loc[(pairs["branch"] == "mtorc1"), "signature"].iloc[0])
    subclass = _labels(core)["Hoshida"]
    rppa = pd.read_csv(data / "tcga-rppa" / "LIHC.rppa.tsv.gz", sep="\t", index_col=0)
    rppa = rppa[rppa.index.str[13:15] == "01"]
    rppa.index = rppa.index.str[:12]
    protein = {name: rppa[list(ids)].mean(axis=1).groupby(level=0).mean() for name, ids in PHOSPHO.items()}
    boyault = mt.tl.classify(adata, "boyault", layer="log")["class"]
    divide = subclass.map({"S1": True, "S2": True, "S3": False})
    s2 = subclass.map({"S1": False, "S2": True, "S3": False})
    g12 = boyault.map(lambda c: c in ("G1", "G2") if isinstance(c, str) else np.nan)
    villanueva = "Villanueva et al., Gastroenterology 2008;135:1972"
    chiang = "Chiang et al., Cancer Res 2008;68:6779"
    landscape = f"Zucman-Rossi et al., Gastroenterology 2015;149:1226{UNREAD}"
    hoshida = "Hoshida et al., Cancer Res 2009;69:7385"
    rows = [
        _tested("mTORC1 is higher in the proliferation class (here Hoshida S1 and S2), by transcripts", chiang,
                f"TCGA-LIHC, {lead}", 1, _difference(scores[lead], divide)),
        _tested("S6 is more phosphorylated in the proliferation class (here Hoshida S1 and S2)", chiang,
                "TCGA-LIHC, RPPA pS6", 1, _difference(protein["pS6"], divide)),
        _tested("AKT is more active in S2", hoshida, "TCGA-LIHC, RPPA pAKT", 1, _difference(protein["pAKT"], s2)),
        _tested("AKT is more active in G1 and G2", f"Boyault et al., Hepatology 2007;45:42{UNREAD}",
                "TCGA-LIHC, RPPA pAKT over called classes", 1, _difference(protein["pAKT"], g12)),
        _tested("Ribosome biogenesis (MYC) is higher in S2", hoshida, "TCGA-LIHC, RIBI_CORE", 1,
                _difference(scores["RIBI_CORE"], s2)),
    ]  # fmt: skip
    first = pairs[(pairs["model"] == "unadjusted") & pairs["declared"].astype(bool)]
    for row in first[first["signature"] != ""].to_dict(orient="records"):
        found = {"n": f"{row['altered']} of {row['n']}", "effect": row["difference"], "low": row["difference_low"]}
        found |= {"high": row["difference_high"], "p": row["permutation_p"]}
        what = "is higher" if row["expected"] else "differs"
        claim = f"mTORC1 {what} with {row['gene']} altered"
        rows.append(_tested(claim, row["source"], f"TCGA-LIHC, {row['signature']}", int(row["expected"]), found))
    calls = altered.to_df()
    for gene, label, members in (("CTNNB1", "S3", ["S3"]), ("TP53", "S1 and S2", ["S1", "S2"])):
        both = pd.DataFrame({"class": subclass, "altered": calls[gene]}).dropna()
        inside = both["class"].isin(members)
        table = pd.crosstab(inside, both["altered"]).to_numpy()
        ratio, p = stats.fisher_exact(table)
        shares = [share_row(both.loc[inside == k, "altered"], 0.95)["share"] for k in (True, False)]
        found = f"{100 * shares[0]:.0f}% against {100 * shares[1]:.0f}%, odds ratio {ratio:.2f}"
        about = {"n": str(len(both)), "found": found, "p": p, "agrees": ratio > 1, "excluded": False}
        rows.append(_row(f"{gene} is mutated more often in {label}", landscape, "TCGA-LIHC, core tumours", about))
    rows.append(_share_active(cohort, lead, villanueva))
    rows += [_row(c, s, w, {"found": "", "n": "", "p": np.nan}, why) for c, s, w, why in UNTESTED]
    table = pd.DataFrame(rows)
    tested = table["p"].notna()
    table["q"] = np.nan
    table.loc[tested, "q"] = adjust_p(table.loc[tested, "p"].to_numpy(dtype=np.float64))
    table["verdict"] = [_verdict(r) for r in table.to_dict(orient="records")]
    return table.drop(columns=["agrees", "excluded"])


UNREAD = " (statement not checked against the paper)"
NO_DNA = "no mutations or copy number of this gene are at hand"
UNTESTED = (
    ("PTEN protein is reduced or absent in 41% of hepatocellular carcinomas (43 of 105)",
     "Hu et al., Cancer 2003;97:1929", "none", "neither its mutations or copy number nor its staining are at hand"),
    ("TSC1 or TSC2 is mutated in 16% of HBV-related tumours (18 of 111), with mTORC1 up",
     "Ho et al., Gut 2017;66:1496", "none", NO_DNA),
    ("Amplified VEGFA acts through VEGF receptors of the stroma", "Horwitz et al., Cancer Discov 2014;4:730", "none",
     NO_DNA),
    ("FGF19 is amplified at 11q13 and drives growth", "Sawey et al., Cancer Cell 2011;19:347", "none", NO_DNA),
    ("NRF2 (NFE2L2) drives anabolic metabolism where PI3K and AKT are active",
     "Mitsuishi et al., Cancer Cell 2012;22:66", "none", NO_DNA),
    ("Copy gains of MTOR and its receptors occur in cholangiocarcinoma", "the seed review (S41)", "none", NO_DNA),
    ("Aggressive hepatoblastoma (C2) has mTOR signalling up", "the seed review (S48)", "none",
     "no expression of hepatoblastoma is at hand"),
)  # fmt: skip
"""Claims that the data at hand cannot speak of: claim, source, cohort, why."""


def _share_active(cohort: Any, lead: str, source: str) -> dict[str, Any]:
    found = mt.prognosis.activation(cohort, method=METHOD, disease="hcc").set_index("signature").loc[lead]
    text = f"{100 * found['active']:.0f}% ({100 * found['active_low']:.0f} to {100 * found['active_high']:.0f}%)"
    outside = not found["active_low"] <= 0.5 <= found["active_high"]
    about = {"n": str(found["n_tumour"]), "found": text, "p": np.nan, "agrees": not outside, "excluded": outside}
    where = f"TCGA-LIHC, {lead} against {found['n_reference']} adjacent livers"
    row = _row("The pathway is active in about half of the tumours", source, where, about)
    row["because"] = (
        "by transcripts alone; the claim joins DNA, mRNA and staining, and adjacent liver is no healthy tissue"
        if outside else "the interval holds one half and much else"
    )  # fmt: skip
    return row


def _tested(claim: str, source: str, where: str, expected: int, found: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a difference; `expected` is its sign, 0 where none is claimed."""
    if not np.isfinite(found["p"]):
        return _row(
            claim, source, where, {"n": found["n"], "found": "", "p": np.nan}, "fewer than five tumours in a group"
        )
    sign = expected or int(np.sign(found["effect"]))
    low, high = sorted((sign * found["low"], sign * found["high"]))
    text = f"{found['effect']:+.2f} SD ({found['low']:+.2f} to {found['high']:+.2f})"
    excluded = high < MODERATE if expected else max(abs(low), abs(high)) < MODERATE
    agrees = sign * found["effect"] > 0
    return _row(claim, source, where, found | {"found": text, "agrees": agrees, "excluded": excluded})


def _row(claim: str, source: str, where: str, found: dict[str, Any], why: str = "") -> dict[str, Any]:
    row = {"claim": claim, "source": source, "where": where, "n": found["n"], "found": found["found"], "p": found["p"]}
    return row | {"agrees": found.get("agrees"), "excluded": found.get("excluded"), "because": why}


def _verdict(row: dict[str, Any]) -> str:
    if np.isfinite(row["q"]) and row["q"] < 0.05:
        return "replicated" if row["agrees"] else "not replicated (opposite)"
    return "not replicated" if row["excluded"] else "cannot be said"


def _table(table: pd.DataFrame, path: Path) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    head = f"# python benchmarks/prognosis/alterations.py DATA; commit {commit.strip()}; {datetime.now(UTC):%Y-%m-%d}; "
    head += f"mtorscore {mt.__version__}; library {mt.library().version}; {METHOD}; {N_RANDOM} random signatures\n"
    path.write_text(head + table.round(4).to_csv(sep="\t", index=False), encoding="utf-8")


def _number(value: float) -> str:
    return "" if not np.isfinite(value) else f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"


def _alterations_page(pairs: pd.DataFrame, shares: pd.DataFrame, here: pd.DataFrame, adata: Any) -> None:
    first = pairs[pairs["model"] == "unadjusted"]
    declared = first[first["declared"].astype(bool)]
    others = first[~first["declared"].astype(bool)]
    seen = declared[declared["signature"] != ""]
    hits = seen[~seen["finding"].isin(["nothing found", "cannot be said"])]
    said = "Nothing was found." if not len(hits) else f"{len(hits)} of {len(seen)} declared pairs show a difference."
    about = (
        f"{adata.n_obs} tumours with expression; TP53, CTNNB1 and the TERT promoter as the table of the core tumours "
        "records them (Ally et al., Cell 2017;169:1327). The pairs were declared in `signatures/alterations.yaml` "
        f"before they were looked at. {said} A difference that these numbers would show in four of five studies is "
        f"{seen['detectable'].min():.2f} to {seen['detectable'].max():.2f} SD: smaller ones cannot be excluded."
    )
    lines = [
        "# Alterations against branch scores in TCGA-LIHC",
        "",
        "Written by `python benchmarks/prognosis/alterations.py DATA` (tables beside it); no number is typed by hand.",
        "",
        about,
        "",
        "## Declared pairs",
        "",
        "| branch | signature | gene | altered | difference in SD | permutation p | q | would be seen from | finding |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in declared.to_dict(orient="records"):
        if not r["signature"]:
            lines.append(f"| {r['branch']} | none | {r['gene']} | | | | | | {r['finding']}: {r['reason']} |")
            continue
        size = f"{r['difference']:+.2f} ({r['difference_low']:+.2f} to {r['difference_high']:+.2f})"
        lines.append(
            f"| {r['branch']} | {r['signature']} | {r['gene']} | {r['altered']} of {r['n']} | {size} | "
            f"{_number(r['permutation_p'])} | {_number(r['q'])} | {r['detectable']:.2f} | {r['finding']} |"
        )
    lines += ["", "Odds ratio of being altered per SD of the score, alone and beside one control at a time (p):", ""]
    names = list(dict.fromkeys(pairs.loc[pairs["model"] == "adjusted", "adjusted_for"]))
    lines += [f"| gene | alone | among random signatures | {' | '.join(names)} |", "| --- " * (len(names) + 3) + "|"]
    for r in seen.to_dict(orient="records"):
        beside = pairs[
            (pairs["signature"] == r["signature"]) & (pairs["gene"] == r["gene"]) & (pairs["model"] == "adjusted")
        ]
        cells = [f"{b['odds_ratio']:.2f} ({_number(b['p'])})" for b in beside.to_dict(orient="records")]
        alone = f"{r['odds_ratio']:.2f} ({r['or_low']:.2f} to {r['or_high']:.2f})"
        lines.append(f"| {r['gene']} | {alone} | p {_number(r['null_p'])} | {' | '.join(cells)} |")
    lines += [
        "", "## Shares of altered tumours", "",
        "| gene | of the core tumours | of those with expression | kinds |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for r, h in zip(shares.to_dict(orient="records"), here.to_dict(orient="records"), strict=False):
        texts = [f"{100 * s['share']:.0f}% ({100 * s['low']:.0f} to {100 * s['high']:.0f}%; {s['altered']} of {s['n']})"
                 for s in (r, h)]  # fmt: skip
        lines.append(f"| {r['name']} | {texts[0]} | {texts[1]} | {r['kinds']} |")
    best = others.nsmallest(3, "permutation_p").to_dict(orient="records")
    listed = "; ".join(
        f"{b['signature']} with {b['gene']} {b['difference']:+.2f} SD (p {_number(b['permutation_p'])}, "
        f"q {_number(b['q'])}, among random signatures p {_number(b['null_p'])})"
        for b in best
    )
    further = (
        f"{len(others)} further pairs of a leading signature and a gene were looked at; "
        f"{int((others['q'] < 0.05).sum())} have a q below 0.05 among themselves. The smallest p-values: {listed}. "
        "They are no findings."
    )
    unsaid = (
        "No mutation of PTEN, PIK3CA, TSC1, TSC2, MTOR and the other genes of the pathway, and no copy number, is at "
        "hand for these tumours. CTNNB1 counts mutations at the known residues of exon 3 and the armadillo repeats; a "
        "tumour with another mutation is neither altered nor not. "
        f"{adata.n_obs - int(here['n'].max())} of {adata.n_obs} tumours with expression are not among the core tumours."
    )
    lines += ["", "## Exploratory", "", further, "", "## What cannot be said", "", unsaid]
    _write("alterations.md", lines)


def _claims_page(claims: pd.DataFrame) -> None:
    counts = claims["verdict"].value_counts()
    about = (
        "Written by `python benchmarks/prognosis/alterations.py DATA`; no number is typed by hand. One row per "
        "published relation between a branch of the pathway and a class or an alteration of liver cancer."
    )
    rule = (
        "**Replicated**: the direction agrees and q is below 0.05 (Benjamini-Hochberg over the claims that were "
        "tested). **Not replicated**: the opposite, or the interval excludes a moderate effect "
        f"({MODERATE} SD) in the claimed direction. **Cannot be said**: all else. Classes of tumours are the recorded "
        "Hoshida calls where nothing else is said; the published class may be another one. Phospho-proteins are of "
        "bulk tissue, whose purity differs by class. Of each source the abstract was read, and the claim is what "
        "it says, but where the statement is marked as not checked."
    )
    lines = [
        "# Published claims on mTOR, classes and alterations, and what is found here",
        "",
        about,
        "",
        rule,
        "",
        ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + ".",
        "",
        "| claim | source | where | tumours | found | p | q | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in claims.to_dict(orient="records"):
        because = f": {r['because']}" if r["because"] else ""
        lines.append(
            f"| {r['claim']} | {r['source']} | {r['where']} | {r['n']} | {r['found']} | {_number(r['p'])} | "
            f"{_number(r['q'])} | {r['verdict']}{because} |"
        )
    _write("claims.md", lines)


def _write(name: str, lines: list[str]) -> None:
    (ROOT / "docs" / "evidence" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
