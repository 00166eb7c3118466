"""The Hoshida callers on another platform: the labelled tumours of TCGA-LIHC as counts and as an array would show them.

    python benchmarks/classes/other_platform.py EXPRESSION CALLS LENGTHS

EXPRESSION and CALLS as of hoshida.py; LENGTHS is a STAR table of the GDC, whose counts and FPKM give lengths of genes.
As counts, every gene is multiplied by its length; as an array, by a random affinity of its probe (SD 1.5 or 2.5 on log2
scale, seeds 0 and one that is printed) over a background.
Writes other_platform.tsv; docs/evidence/classes.md quotes it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hoshida import NAMES, labels, tumours

import mtorscore as mt
from mtorscore.prognosis.statistics.metrics import kappa

HERE = Path(__file__).parent
GROUP = 12
BACKGROUND, GAIN = 32.0, 8.0


def main() -> None:
    """Write the table."""
    adata = tumours(sys.argv[1])
    known = labels(sys.argv[2], adata)
    linear = np.asarray(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, dtype=np.float64)
    seeds = (0, int(np.random.default_rng().integers(10**6)))
    rows = []
    for name, values in _platforms(linear, adata.var_names, sys.argv[3], seeds).items():
        other = adata.copy()
        other.layers["log"] = values
        for way, call in WAYS.items():
            rows.append({"platform": name, "called": way} | _agreement(call(other), known))
            print(rows[-1])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    head = f"# python benchmarks/classes/other_platform.py; commit {commit.strip()}; {datetime.now(UTC):%Y-%m-%d}; "
    head += f"mtorscore {mt.__version__}; seeds {seeds}; rejected calls agree with nothing\n"
    (HERE / "other_platform.tsv").write_text(head + pd.DataFrame(rows).round(3).to_csv(sep="\t", index=False))


def _platforms(x: Any, genes: pd.Index, star: str, seeds: tuple[int, int]) -> dict[str, Any]:
    found = {"as published (FPKM)": np.log2(x + 1)}
    found["counts"] = np.log2(x * _lengths(star, genes) * 20 + 1)
    for spread in (1.5, 2.5):
        for seed in seeds:
            affinity = 2 ** np.random.default_rng(seed).normal(0, spread, len(genes))
            found[f"array, SD {spread}, seed {seed}"] = np.log2(affinity * x * GAIN + BACKGROUND)
    return found


def _lengths(path: str, genes: pd.Index) -> Any:
    """Return the lengths of genes, relative to the median; genes that are not there have 1."""
    table = pd.read_csv(path, sep="\t", comment="#")
    table = table[table["gene_name"].notna() & (table["fpkm_unstranded"] > 0)]
    ratio = (table["unstranded"] / table["fpkm_unstranded"]).to_numpy()
    length = pd.Series(ratio / np.median(ratio), table["gene_name"]).groupby(level=0).median()
    return length.reindex(genes).fillna(1.0).to_numpy()


def _in_groups(size: int, caller: str) -> Callable[[Any], pd.DataFrame]:
    def call(adata: Any) -> pd.DataFrame:
        order = np.random.default_rng(0).permutation(adata.n_obs)
        parts = [order[i : i + size] for i in range(0, adata.n_obs, size)]
        return pd.concat([mt.tl.classify(adata[p].copy(), "hoshida", caller=caller, layer="log") for p in parts])

    return call


WAYS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "template, frozen reference": lambda a: mt.tl.classify(a, "hoshida", reference="frozen", layer="log"),
    "template, whole cohort": lambda a: mt.tl.classify(a, "hoshida", layer="log"),
    f"template, groups of {GROUP}": _in_groups(GROUP, "template"),
    "template, one by one": _in_groups(1, "template"),
    "rank": lambda a: mt.tl.classify(a, "hoshida", caller="rank", layer="log"),
}


def _agreement(table: pd.DataFrame, known: pd.Series) -> dict[str, Any]:
    y = np.array([NAMES.index(v) for v in known])
    called = np.array([NAMES.index(v) if isinstance(v, str) else -1 for v in table.loc[known.index, "class"]])
    taken, one = called >= 0, np.ones((1, len(y)))
    accepted = kappa(y[taken], called[taken], one[:, taken])[0] if taken.sum() > 5 else np.nan
    shares = {f"called_{c}": int((called == k).sum()) for k, c in enumerate(NAMES)}
    return {"kappa_all": kappa(y, called, one)[0], "kappa_accepted": accepted, "accepted": taken.mean()} | shares


if __name__ == "__main__":
    main()
