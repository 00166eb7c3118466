"""Synthetic data of stated size, the same bytes wherever they are made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import sparse

DETECTED = 2530
N_GENES = 20_000


def rates(n_genes: int, detected: int) -> np.ndarray:
    """Return Poisson rates whose detected genes per cell are `detected` on average."""
    base = np.random.default_rng(0).gamma(0.5, 1.0, n_genes)
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if (1 - np.exp(-base * middle)).sum() > detected else (middle, high)
    return base * middle


def cells(n_obs: int, n_genes: int = N_GENES, detected: int = DETECTED) -> sparse.csr_matrix:
    """Return log1p counts, float32 CSR."""
    rate = rates(n_genes, min(detected, n_genes // 2))
    parts = []
    for start in range(0, n_obs, 1000):
        rng = np.random.default_rng([1, start])
        counts = rng.poisson(rate, (min(1000, n_obs - start), n_genes)).astype(np.float32)
        parts.append(sparse.csr_matrix(np.log1p(counts)))
    return sparse.vstack(parts, format="csr")


def bulk(n_obs: int, n_genes: int = N_GENES) -> np.ndarray:
    """Return log2 expression without ties, dense."""
    rng = np.random.default_rng(2)
    return rng.normal(rng.normal(6, 2, n_genes), rng.gamma(2, 0.4, n_genes), (n_obs, n_genes))


def sets(n_sets: int, n_genes: int = N_GENES) -> dict[str, list[str]]:
    """Return gene sets of 20 to 200 genes."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(20, 201, n_sets)
    return {f"set{i}": [f"G{j}" for j in rng.choice(n_genes, n, replace=False)] for i, n in enumerate(sizes)}


def write(folder: Path, name: str, n_obs: int, n_sets: int, kind: str, n_genes: int = N_GENES) -> Path:
    """Write a data set that a worker can load without mtorscore, and return its folder."""
    here = folder / name
    if (here / "sets.json").exists():
        return here
    here.mkdir(parents=True, exist_ok=True)
    if kind == "cells":
        x = cells(n_obs, n_genes)
        for part in ("data", "indices", "indptr"):
            np.save(here / f"{part}.npy", getattr(x, part))
    else:
        np.save(here / "x.npy", bulk(n_obs, n_genes))
    (here / "shape.json").write_text(json.dumps([n_obs, n_genes]))
    (here / "sets.json").write_text(json.dumps(sets(n_sets, n_genes)))
    return here
