"""Measured signalling beside transcripts: reverse-phase protein arrays (RPPA) and RNA-seq of the same tumours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import mtorscore as mt
from mtorscore.errors import MtorscoreWarning

__all__ = ["AXES", "COHORTS", "Measured", "axes", "measured"]

# Cohort -> context of the library's grades; a cohort that is no liver tumour counts as "other tumours".
COHORTS: dict[str, str] = {
    "LIHC": "HCC",
    "CHOL": "CCA",
    "STAD": "other tumours",
    "UVM": "other tumours",
    "DLBC": "other tumours",
}
_FOLDERS = {"LIHC": ("tcga-rppa", "tcga-lihc"), "CHOL": ("tcga-rppa", "tcga-chol")}
_RNA = {"LIHC": "TCGA-LIHC.htseq_fpkm.179samples.parquet", "CHOL": "CHOL.rnaseqv2_rsem_normalized.tsv.gz"}
_OTHER = "tcga-rppa-other"
# One name per antibody over the files.
_RENAMED = {"SCD1": "SCD", "Gab2": "GAB2", "p38": "p38_MAPK", "Annexin_1": "Annexin-1"}

AXES: dict[str, tuple[str, ...]] = {
    "pS6": ("S6_pS235_S236", "S6_pS240_S244"),
    "pAKT": ("Akt_pS473", "Akt_pT308"),
    "p4E-BP1": ("4E-BP1_pS65", "4E-BP1_pT37_T46", "4E-BP1_pT70"),
}
"""Measured axes: the mean log2 level of these antibodies."""


@dataclass(frozen=True)
class Measured:
    """One cohort with both layers.

    Parameters
    ----------
    name, context
        Such as ``"LIHC"`` and ``"HCC"``.
    rna
        log2(value + 1), tumours x current human symbols; ``obs["site"]`` is the tissue source site.
    protein
        log2 relative levels, the same tumours x antibodies: to be compared within a cohort and an antibody only.
    """

    name: str
    context: str
    rna: AnnData
    protein: pd.DataFrame


def measured(shared: Path, cohorts: Mapping[str, str] = COHORTS) -> Iterator[Measured]:
    """Yield each cohort's primary tumours that have both layers, one per patient, by barcode.

    Parameters
    ----------
    shared
        Folder that holds ``data/tcga-rppa`` and so on.
    cohorts
        Cohort -> context.

    Yields
    ------
    Measured
        In the order of `cohorts`.
    """
    for name, context in cohorts.items():
        protein_folder, rna_folder = _FOLDERS.get(name, (_OTHER, _OTHER))
        protein = pd.read_csv(shared / "data" / protein_folder / f"{name}.rppa.tsv.gz", sep="\t", index_col=0)
        protein = _by_patient(protein.rename(columns=_RENAMED))
        file = _RNA.get(name, f"{name}.rnaseqv2_rsem_normalized.matched.tsv.gz")
        rna = _expression(shared / "data" / rna_folder / file)
        both = [p for p in protein.index if p in set(rna.obs_names)]
        yield Measured(name, context, rna[both].copy(), protein.loc[both])


def axes(protein: pd.DataFrame) -> pd.DataFrame:
    """Return the measured axes, tumours x `AXES`: means of log2 levels, to be compared within a cohort only."""
    return pd.DataFrame({name: protein[list(sites)].mean(axis=1) for name, sites in AXES.items()})


def _by_patient(table: pd.DataFrame) -> pd.DataFrame:
    """Keep primary tumours (sample type 01; 03 is a primary blood cancer), the first aliquot of a patient."""
    barcodes = pd.Series(table.index.astype(str), index=table.index)
    primary = barcodes.str.slice(13, 15).isin(["01", "03"]).to_numpy()
    table = table[primary].sort_index()
    table.index = pd.Index(table.index.astype(str).str.slice(0, 12), name="patient")
    return table[~table.index.duplicated()]


def _expression(path: Path) -> AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MtorscoreWarning)  # rows without a current symbol, units that are not stated
        adata = mt.read(path)
        names = adata.obs_names.astype(str)
        chosen = np.asarray(names.str.slice(13, 15).isin(["01", "03"]))
        adata = adata[chosen].copy()
        order = np.argsort(adata.obs_names.to_numpy(), kind="stable")
        adata = adata[order].copy()
        adata.obs_names = adata.obs_names.astype(str).str.slice(0, 12)
        adata = adata[~adata.obs_names.duplicated()].copy()
        mt.pp.harmonise_genes(adata, organism="human", duplicates="sum", unmapped="drop")
    x = adata.X.toarray() if hasattr(adata.X, "toarray") else np.asarray(adata.X)
    obs = pd.DataFrame({"site": adata.obs_names.str.slice(5, 7)}, index=adata.obs_names)
    return AnnData(np.log2(x.astype(np.float64) + 1), obs=obs, var=pd.DataFrame(index=adata.var_names))
