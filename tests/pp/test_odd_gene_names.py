"""Gene names that spreadsheets of other languages changed, and genes of another species."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, MtorscoreWarning

HUMAN = ["MTOR", "AKT1", "PTEN", "TSC1", "TSC2", "RHEB", "FASN", "SCD", "TP53", "MYC", "VEGFA", "ALB", "RPS6", "EIF4E"]


def named(genes: list[str]) -> AnnData:
    x = np.random.default_rng(0).normal(8, 1, (3, len(genes)))
    return AnnData(x, pd.DataFrame(index=["a", "b", "c"]), pd.DataFrame(index=genes))


def note(adata: AnnData, name: str) -> str:
    genes = adata.uns["genes"].set_index("id")
    return str(genes.loc[name, "note"])


@pytest.mark.parametrize("date", ["1-Sep", "Sep-01", "2023-09-01", "1. Sep", "01.Sep", "1-sept", "01. Sept.", "1 Set"])
def test_dates_of_other_languages_are_genes_again(date: str) -> None:
    adata = mt.pp.harmonise_genes(named([*HUMAN, date]))
    assert "SEPTIN1" in adata.var_names
    assert note(adata, date) == f"{date} is what a spreadsheet made of its former name"


@pytest.mark.parametrize("date", ["2. März", "2-Mrz", "02. mars", "9/1/2023", "01.09.2023", "2-Mar"])
def test_dates_that_may_be_several_genes_stay(date: str) -> None:
    adata = mt.pp.harmonise_genes(named([*HUMAN, date]))
    assert date in adata.var_names
    assert note(adata, date).startswith("a spreadsheet date")


def test_german_months_of_which_one_gene_is_meant() -> None:
    adata = mt.pp.harmonise_genes(named([*HUMAN, "3. Mrz", "1. Dez"]))
    assert {"MARCHF3", "DELEC1"} <= set(adata.var_names)


@pytest.mark.parametrize(
    "mouse",
    [
        ["ENSMUSG00000028991", "ENSMUSG00000001729", "ENSMUSG00000013663"],
        ["mm10_Mtor", "mm10_Akt1", "mm10_Pten"],
        ["GRCm39_Actb", "GRCm39_Gapdh", "GRCm39_Fasn"],
        ["Trp53", "Actb", "Gapdh", "Cdkn1a"],
    ],
)
def test_a_mixture_of_species_is_said(mouse: list[str]) -> None:
    with pytest.warns(DataWarning, match=f"[34] of {14 + len(mouse)} names are of mouse genes.*xenograft"):
        mt.pp.harmonise_genes(named([*HUMAN, *mouse]))


def test_symbols_in_small_letters_are_doubted() -> None:
    with pytest.warns(DataWarning, match="14 of 14 symbols are written in small letters"):
        mt.pp.harmonise_genes(named([g.lower() for g in HUMAN]))


@pytest.mark.parametrize(
    ("ids", "whose"),
    [
        (["ENSRNOG00000009615", "ENSRNOG00000028629"], "rat"),
        (["ENSDARG00000000001", "ENSDARG00000000002"], "zebrafish"),
    ],
)
def test_ensembl_ids_of_another_species_are_named(ids: list[str], whose: str) -> None:
    with pytest.raises(DataError, match=f"they are Ensembl ids of {whose}.*mapping="):
        mt.pp.harmonise_genes(named(ids))


def test_human_genes_are_not_doubted() -> None:
    with warnings.catch_warnings():
        # Ours alone: anndata asks pandas 3 for an option that warns of its end.
        warnings.simplefilter("error", MtorscoreWarning)
        mt.pp.harmonise_genes(named([*HUMAN, "C1orf112", "C12orf66"]))
