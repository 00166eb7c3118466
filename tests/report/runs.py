"""Runs to be reported on, written by the package's own functions: one tame, one hostile."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtorscore import report
from mtorscore.collection import SignatureCollection, library
from mtorscore.datasets import simulate_cohort
from mtorscore.prognosis import Endpoint, associate, calibration_curve, decision_curve, kaplan_meier
from mtorscore.results import FORMAT

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
    associations = associate(scores, clinical, endpoints, adjust=("stage",), n_boot=10, negative_controls=())
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
    write_predictions(folder / "relate", clinical, endpoints[0])
    exclusions = pd.DataFrame(
        {"sample": ["S1", "S2"], "patient": ["P1", "P2"], "rule": ["recurrent", "mixed"], "reason": ["a", "b"]}
    )
    exclusions.to_csv(folder / "exclusions.tsv", index=False, **table)
    (folder / "export" / "signatures.gmt").write_text("A\tB\tC\n", encoding="utf-8")
    cohort.write_h5ad(folder / "cohort.h5ad")


def write_predictions(folder: Path, clinical: pd.DataFrame, endpoint: Endpoint) -> None:
    """Write what the relate step keeps of predictions, for risks drawn at random."""
    rng = np.random.default_rng(0)
    data = endpoint.resolve(clinical, clinical.index)
    horizon, rows, curves = 730.5, [], []
    for model in ("clinical", "score"):
        risk = pd.Series(rng.uniform(0.2, 0.7, data.n), index=data.index)
        rows.append(calibration_curve(risk.to_numpy(), data, horizon).assign(model=model))
        curve = decision_curve(risk, clinical, endpoint, horizon=horizon)
        curve["model"] = curve["strategy"].where(curve["strategy"] != "model", model)
        kept = curve if model == "clinical" else curve[curve["strategy"] == "model"]
        curves.append(kept.drop(columns="strategy"))
    same = {"method": "singscore", "endpoint": endpoint.name, "horizon": horizon}
    pd.concat(rows).assign(**same).to_csv(folder / "calibration.tsv", sep="\t", index=False)
    pd.concat(curves).assign(**same).to_csv(folder / "decision.tsv", sep="\t", index=False)
    models = {"model": ["clinical", "score"], "metric": "harrell_c", "value": [0.55, 0.58], "low": 0.5, "high": 0.63}
    table = pd.DataFrame(models | {"n": data.n, "events": data.n_events, "valid": True, "reason": ""})
    table.assign(method="singscore", endpoint=endpoint.name).to_csv(
        folder / "survival_models.tsv", sep="\t", index=False
    )
    quantiles = " ".join(f"{v:.4g}" for v in np.quantile(np.abs(rng.normal(size=500)), np.linspace(0, 1, 41)))
    null = pd.DataFrame({"method": "singscore", "signature": NAMES, "endpoint": endpoint.name, "model": "unadjusted"})
    null.assign(adjusted_for="", statistic=1.3, n_null=500, quantiles=quantiles).to_csv(
        folder / "null.tsv", sep="\t", index=False
    )


def write_record(folder: Path, cohorts: list[str], signatures: str = "library") -> None:
    config = {"run": folder.name, "methods": ["singscore", "zscore"], "signatures": signatures, "null_sets": 100}
    record = {
        "format": FORMAT, "name": folder.name, "cohorts": cohorts, "config": config,
        "signatures_hash": "0123456789abcdef", "versions": {"mtorscore": "0.1.0"},
        "written": "2026-01-02T03:04:05+00:00",
        "command": "mtorscore run --config own.yaml",
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
def compared_run(base: Path) -> Path:
    """Write the run of two cohorts with what compares tumours and normal tissue, and its report."""
    import anndata

    folder = base / "report-runs" / "compared"
    shutil.copytree(two_cohorts(base), folder)
    for cohort, context in (("sim-hcc", "HCC"), ("sim-cca", "CCA")):
        path = folder / cohort / "cohort.h5ad"
        adata = anndata.read_h5ad(path)
        adata.uns["context"] = context
        adata.layers["log"] = np.log2(np.asarray(adata.X, dtype=np.float64) + 1)
        adata.write_h5ad(path)
        rows = [
            {"method": m, "signature": s, "difference": 1.5, "difference_low": 0.9, "difference_high": 2.1, "q": 0.001,
             "active": 0.4, "active_low": 0.3, "active_high": 0.5, "called": True}
            for m in ("singscore", "zscore") for s in NAMES
        ]  # fmt: skip
        pd.DataFrame(rows).to_csv(folder / cohort / "relate/activation.tsv", sep="\t", index=False)
    write_record(folder, ["sim-hcc", "sim-cca"])
    report.write(folder)
    return folder


@cache
def cells_run(base: Path) -> Path:
    """Write a run of single cells as the pipeline makes it, and its report; tests must not change it."""
    from scipy import sparse

    from mtorscore.pipeline import export, prepare, relate, score

    data = base / "report-runs" / "cells-data"
    data.mkdir(parents=True)
    names = SignatureCollection([library()[n] for n in NAMES])
    cells = simulate_cohort(n_tumours=150, n_normals=0, n_genes=600, signatures=names, seed=1)
    cells.obs = pd.DataFrame(
        {"donor": [f"P{i % 3}" for i in range(150)], "type": [f"type {i % 2}" for i in range(150)]},
        index=cells.obs_names,
    )
    cells.X, cells.uns = sparse.csr_matrix(cells.X), {}
    cells.obsm["X_umap"] = np.random.default_rng(0).normal(size=(150, 2))
    cells.write_h5ad(data / "cells.h5ad")
    recipe = data / "cells.yaml"
    recipe.write_text(
        "id: cells\nstatus: verified\nexpression: {file: cells.h5ad, units: counts}\n"
        "cells: {sample: donor, cell_type: type, min_genes: 50}\n",
        encoding="utf-8",
    )
    folder = base / "report-runs" / "cells-run"
    prepare(str(recipe), folder / "cells", data=data)
    score(folder / "cells", names, ["singscore", "zscore"])
    relate(folder / "cells", names, methods=["singscore", "zscore"], null_sets=0)
    export(folder / "cells", names)
    write_record(folder, ["cells"])
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
