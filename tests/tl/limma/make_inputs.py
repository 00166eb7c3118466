"""Write the inputs of `reference.R`: invented scores and genes with known effects, pairs, batches and correlation.

Usage: python tests/tl/limma/make_inputs.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def scores(seed: int, n: int, n_scores: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and their design: three groups in order, a pair, a batch, a dose and an age per observation."""
    rng = np.random.default_rng(seed)
    group = np.array(["normal", "cirrhosis", "tumour"])[np.arange(n) % 3]
    design = pd.DataFrame(
        {
            "group": group,
            "pair": [f"p{i // 3}" for i in range(n)],
            "batch": [f"b{i % 4}" for i in range(n)],
            "dose": np.round(rng.gamma(2.0, 1.0, n), 3),
            "age": np.round(rng.normal(60, 8, n), 1),
        },
        index=[f"s{i:02d}" for i in range(n)],
    )
    step = np.array([0.0, 0.5, 1.0])[np.arange(n) % 3]
    donor = rng.normal(size=(n // 3 + 1, n_scores))[np.arange(n) // 3]
    effect = rng.normal(scale=0.6, size=n_scores)
    sd = rng.gamma(4.0, 0.25, n_scores)
    values = step[:, None] * effect + 0.7 * donor + sd * rng.normal(size=(n, n_scores))
    values += 0.1 * design["dose"].to_numpy()[:, None]
    return pd.DataFrame(values, index=design.index, columns=[f"S{i:02d}" for i in range(n_scores)]).round(6), design


def genes(seed: int, n: int, n_genes: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return genes, their design, and sets of them: correlated or not, shifted or not, signed and weighted."""
    rng = np.random.default_rng(seed)
    design = pd.DataFrame(
        {"group": ["drug" if i % 2 else "vehicle" for i in range(n)], "batch": [f"b{i // 4}" for i in range(n)]},
        index=[f"s{i:02d}" for i in range(n)],
    )
    values = rng.normal(size=(n, n_genes)) * np.sqrt(1 / rng.gamma(3.0, 0.5, n_genes))
    rows, treated = [], (design["group"] == "drug").to_numpy(float)
    for k in range(12):
        members = rng.choice(n_genes, int(rng.integers(8, 30)), replace=False)
        values[:, members] += 0.8 * (k % 3) * rng.normal(size=n)[:, None] * 0.5
        sign = np.where(rng.random(len(members)) < 0.3, -1.0, 1.0) if k % 2 else np.ones(len(members))
        values[:, members] += np.outer(treated, sign) * (0.8 if k % 4 == 0 else 0.0)
        weight = sign * (np.round(rng.gamma(2.0, 0.5, len(members)) + 0.1, 3) if k % 4 == 3 else 1.0)
        rows += [(f"set{k:02d}", f"G{m:03d}", w) for m, w in zip(sorted(members), weight, strict=True)]
    frame = pd.DataFrame(values, index=design.index, columns=[f"G{i:03d}" for i in range(n_genes)])
    return frame.round(6), design, pd.DataFrame(rows, columns=["set", "gene", "weight"])


if __name__ == "__main__":
    for name, seed, n, k in (("a", 1, 24, 40), ("b", 2, 12, 15)):
        table, design = scores(seed, n, k)
        table.to_csv(HERE / f"scores_{name}.tsv", sep="\t", index_label="sample")
        design.to_csv(HERE / f"design_{name}.tsv", sep="\t", index_label="sample")
    for name, seed, n, k in (("a", 3, 12, 240), ("b", 4, 8, 120)):
        table, design, sets = genes(seed, n, k)
        table.to_csv(HERE / f"genes_{name}.tsv", sep="\t", index_label="sample")
        design.to_csv(HERE / f"gene_design_{name}.tsv", sep="\t", index_label="sample")
        sets.to_csv(HERE / f"sets_{name}.tsv", sep="\t", index=False)
