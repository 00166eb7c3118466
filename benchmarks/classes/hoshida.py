"""Agreement of the callers with the published Hoshida calls of TCGA-LIHC, by nested cross-validation where they learn.

    python benchmarks/classes/hoshida.py EXPRESSION CALLS [REPEATS]

EXPRESSION is the matrix of the cohort, CALLS the table of the core tumours (sheet 1, header in row 4: Barcode,
Hoshida). Writes hoshida.tsv and hoshida_rejection.tsv beside this file; docs/evidence/classes.md quotes them.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mtorscore as mt
from mtorscore.collection import SignatureCollection
from mtorscore.prognosis.statistics.metrics import kappa, recall
from mtorscore.tl import scheme

HERE = Path(__file__).parent
NAMES = ("S1", "S2", "S3")
HCC = ("hoshida", "boyault", "chiang", "hcc_proliferation")
N_BOOT = 2000
LEVELS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8)


def main() -> None:
    """Write the tables."""
    expression, calls, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 10
    adata = tumours(expression)
    label = labels(calls, adata)
    lists = SignatureCollection([*mt.library(), *(s for name in HCC for s in scheme(name).signatures())])
    mt.tl.score(adata, lists, method="singscore", layer="log")
    scores = adata.obsm["score_singscore"].dropna(axis=1)
    known, y = label.index, np.array([NAMES.index(v) for v in label])
    rows, curve = [], []
    for caller in ("template", "rank"):
        table = mt.tl.classify(adata, "hoshida", caller=caller, layer="log").loc[known]
        called = np.array([NAMES.index(c) if isinstance(c, str) else -1 for c in table["class"]])
        rows.append(_row(f"{caller}: published lists, frozen reference", y, called))
    own = scores.loc[known, [f"hoshida_{c}" for c in NAMES]]
    rows.append(_row("arg-max of the three scores", y, own.to_numpy().argmax(axis=1)))
    standard = (own - scores[own.columns].mean()) / scores[own.columns].std()
    rows.append(_row("arg-max of the three scores, standardised by the cohort", y, standard.to_numpy().argmax(axis=1)))
    clinical = label.to_frame("Hoshida")
    for name, balanced in (("trained (ridge multinomial)", False), ("trained, classes weighted", True)):
        endpoint = mt.prognosis.Endpoint.label("Hoshida", classes=("S3", "S2", "S1"), balanced=balanced)
        found = mt.prognosis.evaluate(None, scores.loc[known], clinical, endpoint, n_repeats=repeats, n_boot=0)
        out = found.predictions[found.predictions["model"] == "score"]
        p = out.groupby("observation")[[f"p_{c}" for c in NAMES]].mean().loc[known.astype(str)].to_numpy()
        for level in LEVELS:
            called = np.where(p.max(axis=1) >= level, p.argmax(axis=1), -1)
            row = _row(f"{name}, probability from {level:g}", y, called)
            curve.append(row | {"expected_accuracy": float(p.max(axis=1)[called >= 0].mean())})
            if level == 0.5:
                rows.append(row | {"caller": f"{name}, nested cross-validation"})
    _write(pd.DataFrame(rows), HERE / "hoshida.tsv", repeats)
    _write(pd.DataFrame(curve), HERE / "hoshida_rejection.tsv", repeats)


def tumours(path: str) -> Any:
    """Return the tumours of the matrix by patient, with a log layer."""
    adata = mt.read(path)
    resolved = mt.pp.resolve_patients(adata)
    adata = adata if resolved is None else resolved
    mt.pp.harmonise_genes(adata)
    adata = adata[(adata.obs["sample_type"] == "tumour").to_numpy()].copy()
    adata.obs_names = adata.obs["patient"].astype(str)
    mt.pp.add_log_layer(adata)
    return adata


def labels(path: str, adata: Any) -> pd.Series:
    """Return the recorded class of each of these tumours that has one."""
    table = pd.read_excel(path, header=3)
    table.index = table["Barcode"].astype(str).str[:12]
    calls = table["Hoshida"].dropna().astype(float).astype(int).map(lambda v: f"S{v}")
    return calls[calls.index.isin(adata.obs_names) & calls.isin(NAMES)].rename("Hoshida")


def _row(name: str, y: np.ndarray[Any, Any], called: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Kappa over all (a rejected tumour agrees with nothing) and over the accepted, share, recall, with intervals."""
    rng = np.random.default_rng(0)
    n = len(y)
    w = np.concatenate([np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), size=N_BOOT).astype(float)])
    taken = called >= 0
    found = {"kappa_all": kappa(y, called, w), "kappa_accepted": kappa(y[taken], called[taken], w[:, taken])}
    found["accepted"] = (w * taken).sum(axis=1) / w.sum(axis=1)
    found |= {f"recall_{c}": recall(y, called, w, k) for k, c in enumerate(NAMES)}
    row: dict[str, Any] = {"caller": name, "n": n}
    for key, values in found.items():
        low, high = np.nanquantile(values[1:], [0.025, 0.975])
        row |= {key: values[0], f"{key}_low": low, f"{key}_high": high}
    row["accuracy_accepted"] = float((y[taken] == called[taken]).mean()) if taken.any() else np.nan
    return row


def _write(table: pd.DataFrame, path: Path, repeats: int) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    head = f"# python benchmarks/classes/hoshida.py EXPRESSION CALLS {repeats}; commit {commit.strip()}; "
    head += f"{datetime.now(UTC):%Y-%m-%d}; mtorscore {mt.__version__}; rejected calls agree with nothing; "
    head += f"95% intervals by {N_BOOT} resamples\n"
    path.write_text(head + table.round(3).to_csv(sep="\t", index=False), encoding="utf-8")


if __name__ == "__main__":
    main()
