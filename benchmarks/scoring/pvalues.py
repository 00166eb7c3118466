"""How often closed-form p-values fall below 0.05 where they should do so in 5% of cases, and where they cannot.

Run as ``python -m benchmarks.scoring.pvalues DATA OUT.tsv`` where DATA is the folder with the raw files of cohorts.

Random sets, drawn from all genes alike, are what the null describes: 5% is right. Coherent sets, on values that are
standardised gene by gene over the cohort, differ in nothing but their correlation: no set is higher than another on
average, so every excess over 5% is due to correlation alone. With k genes whose mean correlation exceeds that of all
pairs of genes, r0, by r = (r1 - r0) / (1 - r0), the standard deviation of their mean is sqrt(1 + (k - 1) r) times that
of random genes; `expected` is the share that this alone gives. What all genes of a sample have in common cancels, since
the null is drawn from the same sample.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy import stats

from mtorscore import library, tl
from mtorscore.datasets import simulate_cohort
from mtorscore.errors import MtorscoreWarning
from mtorscore.pipeline import load_cohort, prepare

CLOSED = ("singscore", "ucell", "aucell", "mean", "wmean", "ulm", "mlm")
COHERENT = ("HALLMARK_MTORC1_SIGNALING", "SREBP2_CHOLESTEROL_CORE", "TOP_RIBOSOMAL_PROTEINS", "META_PCNA")
SIZES = (20, 50, 200)
N_SETS = 100
LEVEL = 0.05
COLUMNS = ("data", "values", "sets", "n_genes", "method", "n_p", "share", "correlation", "expected")


def rows(data: Path, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield one row per data set, kind of sets and method."""
    rng = np.random.default_rng(seed)
    for name, values, names in _data(data, rng):
        for k in SIZES:
            drawn = {f"r{i}": list(rng.choice(names, k, replace=False)) for i in range(N_SETS)}
            yield from _shares(name, "as they are", "random", k, values, names, drawn)
        z = (values - values.mean(axis=0)) / values.std(axis=0)
        if name.startswith("independent"):
            continue
        for k in SIZES[1:2]:
            drawn = {f"r{i}": list(rng.choice(names, k, replace=False)) for i in range(N_SETS)}
            yield from _shares(name, "standardised", "random", k, z, names, drawn)
        place = {g: i for i, g in enumerate(names)}
        for signature in COHERENT:
            genes = [g for g in library()[signature].genes if g in place]
            yield from _shares(name, "standardised", signature, len(genes), z, names, {signature: genes})


def _data(data: Path, rng: np.random.Generator) -> Iterator[tuple[str, Any, list[str]]]:
    x = rng.normal(6, 2, (150, 5000))
    yield "independent genes", x, [f"g{i}" for i in range(x.shape[1])]
    yield "simulated cohort", *_log(simulate_cohort(n_tumours=150, seed=1))
    with tempfile.TemporaryDirectory() as folder:
        prepare("tcga-lihc", folder, data=data)
        adata = load_cohort(folder)
        adata.X = adata.layers["log"]
        yield "tcga-lihc", *_varying(adata)


def _log(adata: Any) -> tuple[Any, list[str]]:
    x = np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, dtype=float)
    adata.X = np.log2(x / x.sum(axis=1, keepdims=True) * 1e6 + 1)
    return _varying(adata)


def _varying(adata: Any) -> tuple[Any, list[str]]:
    adata = adata[(adata.obs["sample_type"] == "tumour").to_numpy()]
    x = np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, dtype=float)
    expressed = (x > 0).mean(axis=0) > 0.2
    return x[:, expressed], [str(g) for g in adata.var_names[expressed]]


def _shares(
    name: str, kind: str, sets: str, k: int, values: Any, names: list[str], signatures: dict[str, list[str]]
) -> Iterator[dict[str, Any]]:
    place = {g: i for i, g in enumerate(names)}
    correlation = float(np.mean([_mean_correlation(values[:, [place[g] for g in s]]) for s in signatures.values()]))
    common = _mean_correlation(values)
    excess = 0.0 if sets == "random" else (correlation - common) / (1 - common)
    expected = 2 * stats.norm.sf(stats.norm.isf(LEVEL / 2) / np.sqrt(1 + (k - 1) * excess))
    adata = ad.AnnData(values, var=pd.DataFrame(index=names))
    for method in CLOSED:
        options: dict[str, Any] = {"max_rank": len(names)} if method == "ucell" else {}
        scored = tl.score(adata, signatures, method=method, pvalues=True, copy=True, **options)
        p = scored.obsm[f"pval_{method}"].to_numpy()
        yield {
            "data": name, "values": kind, "sets": sets, "n_genes": k, "method": method,
            "n_p": int(np.isfinite(p).sum()), "share": float((p < LEVEL).mean()),
            "correlation": correlation, "expected": expected,
        }  # fmt: skip


def _mean_correlation(x: Any) -> float:
    z = (x - x.mean(axis=0)) / np.linalg.norm(x - x.mean(axis=0), axis=0)
    total = z.sum(axis=1)
    k = x.shape[1]
    return float((total @ total - k) / (k * (k - 1)))


def main(data: str, out: str) -> None:
    """Measure and write the table."""
    warnings.simplefilter("ignore", MtorscoreWarning)
    table = pd.DataFrame(list(rows(Path(data))))[list(COLUMNS)]
    table.to_csv(out, sep="\t", index=False, float_format="%.3g")
    keys = ["data", "values", "sets", "n_genes", "correlation", "expected"]
    print(table.pivot_table(index=keys, columns="method", values="share", sort=False).round(3).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:3])
