"""Runs to be reported on, written by the package's own functions: one tame, one hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore import report
from mtorscore.collection import SignatureCollection, library
from mtorscore.datasets import simulate_cohort
from mtorscore.prognosis import Endpoint, associate, kaplan_meier

NAMES = [
    "HALLMARK_MTORC1_SIGNALING", "RIBI_CORE", "SREBP1_LIPOGENIC_CORE", "SREBP2_CHOLESTEROL_CORE",
    "FOXO_TARGETS_AKT_OFF", "CLEAR_TFEB", "META_PCNA", "HEPATOCYTE_IDENTITY",
]  # fmt: skip
HOSTILE = [
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "'; window.hacked=1; //",
    "</script><script>window.hacked=1</script>",
    "L" * 300,
    "🧬 tumour ♥",
    "مريض ٣",
    "$x^2_{a}$ \\frac & <b>",
    "{{ 7 * 7 }} {% raw %}",
]


def write_cohort(folder: Path, rename: Mapping[str, str] | None = None, **simulation: Any) -> None:
    """Write one cohort's results with the package's own functions; `rename` maps signatures to other names."""
    names = SignatureCollection([library()[n] for n in NAMES])
    few: dict[str, Any] = {"n_tumours": 60, "n_normals": 10, "n_genes": 600, "signatures": names}
    cohort = simulate_cohort(**(few | simulation))
    counts = cohort.to_df()
    logged = np.log2(counts.div(counts.sum(axis=1), axis=0) * 1e6 + 1)
    z = (logged - logged.mean()) / logged.std().replace(0, 1)
    scores = pd.DataFrame({n: z[list(library()[n].genes)].mean(axis=1) for n in NAMES}).rename(columns=rename or {})
    clinical = cohort.obs[cohort.obs["sample_type"] == "tumour"]
    endpoints = [Endpoint.survival(time=f"{e}.time", event=e, unit="days", name=e) for e in ("OS", "PFI")]
    associations = associate(scores, clinical, endpoints, adjust=("stage",), n_boot=10, mirrors=())
    curves = kaplan_meier(scores.loc[clinical.index], clinical, endpoints)
    steps = {"step": ["read", "histology"], "samples": [72, 70], "tumours": [62, 60], "normals": [10, 10]}
    cohort.uns["flow"] = pd.DataFrame(steps)
    for part in ("scores", "relate", "export"):
        (folder / part).mkdir(parents=True)
    table = {"sep": "\t", "na_rep": "NA"}
    for method in ("singscore", "zscore"):
        scores.rename_axis("observation").to_csv(folder / f"scores/{method}.tsv", **table)
    genes = {(rename or {}).get(n, n): len(library()[n].genes) for n in NAMES}
    coverage = pd.DataFrame(
        {"signature": list(genes), "n_up": list(genes.values()), "matched_up": list(genes.values())}
    )
    coverage = coverage.assign(n_down=0, matched_down=0, coverage=1.0, missing="")
    coverage.to_csv(folder / "scores/coverage.tsv", index=False, **table)
    both = [associations.assign(method=m) for m in ("singscore", "zscore")]
    pd.concat(both).to_csv(folder / "relate/associations.tsv", index=False, **table)
    curves.assign(method="singscore").to_csv(folder / "relate/km.tsv", index=False, **table)
    classifiers = pd.DataFrame(
        {"method": "singscore", "endpoint": "recurrence_24m", "model": ["dummy", "score"], "metric": "roc_auc",
         "value": [0.5, 0.61], "low": [0.5, 0.52], "high": [0.5, 0.7], "n": 52, "valid": True, "reason": ""}
    )  # fmt: skip
    classifiers.to_csv(folder / "relate/classifiers.tsv", index=False, **table)
    exclusions = pd.DataFrame(
        {"sample": ["S1", "S2"], "patient": ["P1", "P2"], "rule": ["recurrent", "mixed"], "reason": ["a", "b"]}
    )
    exclusions.to_csv(folder / "exclusions.tsv", index=False, **table)
    (folder / "export" / "signatures.gmt").write_text("A\tB\tC\n", encoding="utf-8")
    cohort.write_h5ad(folder / "cohort.h5ad")


def write_record(folder: Path, cohorts: list[str], signatures: str = "library") -> None:
    config = {"run": folder.name, "methods": ["singscore", "zscore"], "signatures": signatures, "null_sets": 100}
    record = {
        "name": folder.name, "cohorts": cohorts, "config": config, "signatures_hash": "0123456789abcdef",
        "versions": {"mtorscore": "0.1.0"}, "written": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


@cache
def two_cohorts(base: Path) -> Path:
    """Write a run of two simulated cohorts and its report, once per session; tests must not change it."""
    folder = base / "report-runs" / "two-cohorts"
    write_cohort(folder / "sim-hcc")
    write_cohort(folder / "sim-cca", disease="cca", n_tumours=40, n_normals=5, seed=2)
    write_record(folder, ["sim-hcc", "sim-cca"])
    report.write(folder)
    return folder


@cache
def hostile_run(base: Path) -> Path:
    """Write a run whose samples, clinical values, signatures and reasons try to break out of the page."""
    import anndata

    folder = base / "report-runs" / "hostile-run"
    rename = dict(zip(NAMES, HOSTILE, strict=False))
    cohort = folder / "evil-cohort"
    write_cohort(cohort, rename)
    adata = anndata.read_h5ad(cohort / "cohort.h5ad")
    names = [f"{HOSTILE[i % len(HOSTILE)]} {i}" for i in range(adata.n_obs)]
    old = list(adata.obs_names)
    adata.obs_names = names
    adata.obs["stage"] = [HOSTILE[i % len(HOSTILE)] for i in range(adata.n_obs)]
    adata.obs["sex"] = [HOSTILE[i % 2] for i in range(adata.n_obs)]
    adata.uns["source"]["description"] = HOSTILE[0]
    adata.uns["source"]["file"] = HOSTILE[3]
    del adata.uns["truth"]
    adata.write_h5ad(cohort / "cohort.h5ad")
    lookup = dict(zip(old, names, strict=True))
    for path in (cohort / "scores").glob("*score.tsv"):
        table = pd.read_csv(path, sep="\t", dtype={0: str})
        table.iloc[:, 0] = table.iloc[:, 0].map(lookup)
        table.to_csv(path, sep="\t", index=False)
    exclusions = pd.DataFrame({"sample": HOSTILE, "patient": HOSTILE, "rule": HOSTILE, "reason": HOSTILE})
    exclusions.to_csv(cohort / "exclusions.tsv", sep="\t", index=False)
    write_record(folder, ["evil-cohort"], signatures="own.gmt")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["name"] = HOSTILE[3]
    record["config"]["comment"] = HOSTILE[0]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    report.write(folder)
    return folder
