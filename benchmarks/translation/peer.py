"""PyDESeq2's interaction of assay and group on experiments in a folder; run by the interpreter that has it.

Usage: PYTHON peer.py FOLDER    (reads experiment_*.npz, writes found_*.npz with p and q per gene)
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pydeseq2.dds import DeseqDataSet
from pydeseq2.default_inference import DefaultInference
from pydeseq2.ds import DeseqStats

warnings.filterwarnings("ignore")


def run(path: Path) -> None:
    """Fit one experiment."""
    data = np.load(path)
    treated = data["treated"]
    names = [f"s{i}" for i in range(2 * len(treated))]
    counts = pd.DataFrame(np.vstack([data["footprints"], data["mrna"]]), index=names)
    counts.columns = counts.columns.astype(str)
    group = np.where(np.tile(treated, 2), "t", "c")
    about = pd.DataFrame({"assay": np.repeat(["f", "a"], len(treated)), "group": group}, index=names)
    inference = DefaultInference(n_cpus=1)
    with contextlib.redirect_stdout(io.StringIO()):
        kept = counts.loc[:, counts.sum() > 0]
        fitted = DeseqDataSet(counts=kept, metadata=about, design="~assay*group", quiet=True, inference=inference)
        fitted.deseq2()
        contrast = np.array([float(":" in c) for c in fitted.obsm["design_matrix"].columns])
        tested = DeseqStats(fitted, contrast=contrast, quiet=True, inference=inference)
        tested.summary()
    table = tested.results_df.reindex(counts.columns)
    np.savez(path.with_name(path.name.replace("experiment", "found")), p=table["pvalue"], q=table["padj"])


if __name__ == "__main__":
    for each in sorted(Path(sys.argv[1]).glob("experiment_*.npz")):
        if not each.with_name(each.name.replace("experiment", "found")).exists():
            run(each)
