"""The files for GSEA of a prepared cohort."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd

from mtorscore.collection import Signature, SignatureCollection
from mtorscore.io import gsea
from mtorscore.pipeline import export


def test_tumours_stand_first_in_every_file(tmp_path: Path) -> None:
    kinds = ["normal", "tumour", "recurrent", "normal", "tumour", "tumour"]
    obs = pd.DataFrame({"sample_type": kinds}, index=[f"s{i}" for i in range(6)])
    values = np.random.default_rng(0).gamma(2.0, size=(6, 5))
    values[[1, 4, 5], 0] += 9
    adata = ad.AnnData(values, obs=obs, var=pd.DataFrame(index=["ALB", "FASN", "SCD", "TP53", "MYC"]))
    adata.layers["log"] = values
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    export(tmp_path, SignatureCollection([Signature(id="A", up=("FASN", "SCD"), down=("MYC",))]))
    out = tmp_path / "export"
    wanted = ["s1", "s4", "s5", "s0", "s3"]
    assert list(gsea.read_gct(out / "expression.gct").obs_names) == wanted
    assert (out / "expression.txt").read_text().split("\n")[0].split("\t")[2:] == wanted
    assert (out / "phenotype.cls").read_text().splitlines() == [
        "5 2 1",
        "# tumour normal",
        "tumour tumour tumour normal normal",
    ]
    assert gsea.read_rnk(out / "tumour_vs_normal.rnk").index[0] == "ALB"
