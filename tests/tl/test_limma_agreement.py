"""Contrasts and set tests against limma's and nlme's numbers (tests/tl/limma/reference.R made them)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mtorscore.collection import Signature, SignatureCollection
from mtorscore.tl import contrast, set_test
from mtorscore.tl.analysis.linear.set_statistics import camera_preranked

LIMMA = Path(__file__).parent / "limma"
ORDER = ["normal", "cirrhosis", "tumour"]
DATA = pytest.mark.parametrize("data", ["a", "b"])


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(LIMMA / f"{name}.tsv", sep="\t")


def scores(data: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table(f"scores_{data}").set_index("sample"), table(f"design_{data}").set_index("sample")


def asked(design: str, about: pd.DataFrame) -> dict[str, Any]:
    two = {"groups": about["group"], "treated": "tumour", "control": "normal"}
    three = two | {"treated": ["cirrhosis", "tumour"]}
    first = about["batch"].isin(["b0", "b1"]).astype(int)
    return {
        "two groups": two,
        "three groups, tumour": three,
        "three groups, cirrhosis": three,
        "covariates, tumour": three | {"covariates": about[["age", "batch"]]},
        "pairs": two | {"pair": about["pair"]},
        "incomplete blocks": three | {"block": about["pair"], "block_effect": "consensus"},
        "consensus correlation": two | {"block": about["pair"], "block_effect": "consensus"},
        "continuous": {"continuous": about["dose"]},
        "trend": {"groups": about["group"], "order": ORDER},
        "interaction": two | {"interaction": first},
        "interaction of three": three | {"interaction": first},
        "within 0": three | {"within": first},
        "within 1": three | {"within": first},
        "within 1, pairs": three | {"within": first, "pair": about["pair"]},
    }[design]


def _label(design: str) -> str:
    """Return what the contrast is called that limma's row is of."""
    if design.startswith("within"):
        return f"tumour - normal in {design.split()[1].strip(',')}"
    if design == "interaction of three":
        return "(tumour - normal): per unit of it"
    return f"{design.partition(', ')[2] or 'tumour'} - normal"


@DATA
@pytest.mark.parametrize("design", sorted(table("contrasts")["design"].unique()))
def test_contrasts_are_those_of_limma(data: str, design: str) -> None:
    values, about = scores(data)
    if design == "incomplete blocks":
        some = ~about.index.isin(["s00", "s04", "s05"])
        values, about = values[some].copy(), about[some]
        values.iloc[2, 0] = np.nan
    found = contrast(values, n_permutations=50, **asked(design, about))
    if found["contrast"].nunique() > 1:
        found = found[found["contrast"] == _label(design)]
    reference = table("contrasts").query("data == @data and design == @design").set_index("signature")
    found = found.set_index("signature").loc[reference.index]
    if design == "incomplete blocks":
        # Here limma's iteration decides the correlation; what follows from it is compared at its value.
        np.testing.assert_allclose(found["correlation"], reference["correlation"], atol=1e-4)
        given = float(reference["correlation"].iloc[0])
        found = contrast(values, correlation=given, **asked(design, about)).query("contrast == 'tumour - normal'")
        found = found.set_index("signature").loc[reference.index]
    for ours, theirs in {
        "difference": "effect", "error": "se", "df": "df", "t": "t", "t_moderated": "t_moderated",
        "p_moderated": "p_moderated", "prior_df": "prior_df",
    }.items():  # fmt: skip
        np.testing.assert_allclose(found[ours], reference[theirs], rtol=1e-6, atol=1e-9, err_msg=ours)
    if design == "consensus correlation":
        np.testing.assert_allclose(found["correlation"], reference["correlation"], atol=1e-4)


@DATA
@pytest.mark.parametrize("design", ["pairs", "unequal blocks"])
def test_the_mixed_model_is_that_of_nlme(data: str, design: str) -> None:
    values, about = scores(data)
    if design == "pairs":
        found = contrast(values, block_effect="mixed", block=about["pair"], **asked("two groups", about))
    else:
        values, about = values.drop(index=["s00", "s04"]), about.drop(index=["s00", "s04"])
        found = contrast(values, block_effect="mixed", block=about["pair"], continuous=about["dose"])
    reference = table("mixed").query("data == @data and design == @design").set_index("signature")
    found = found.set_index("signature").loc[reference.index]
    np.testing.assert_allclose(found["difference"], reference["effect"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["error"], reference["se"], rtol=1e-5)
    total = reference["var_pair"] + reference["var_residual"]
    np.testing.assert_allclose(found["residual_sd"] ** 2, total, rtol=1e-5, atol=1e-5)
    assert found["t_moderated"].isna().all()
    assert found["reason"].str.contains("mixed models are not moderated").all()


def genes(data: str) -> tuple[ad.AnnData, dict[str, Any], SignatureCollection, SignatureCollection]:
    values, about, sets = (table(f"{n}_{data}") for n in ("genes", "gene_design", "sets"))
    adata = ad.AnnData(values.set_index("sample"), obs=about.set_index("sample"))
    signed = []
    for name, rows in sets.groupby("set"):
        up, down = (rows.loc[keep, "gene"].tolist() for keep in (rows["weight"] > 0, rows["weight"] < 0))
        weights = {g: abs(w) for g, w in zip(rows["gene"], rows["weight"], strict=True) if abs(w) != 1}
        signed.append(Signature(id=str(name), up=tuple(up), down=tuple(down), weights=weights))
    plain = [Signature(id=s.id, up=s.genes) for s in signed]
    how = {"groups": "group", "treated": "drug", "control": "vehicle", "block": "batch"}
    return adata, how, SignatureCollection(signed), SignatureCollection(plain)


@DATA
@pytest.mark.parametrize("kind", ["preset", "estimated"])
@pytest.mark.parametrize("ranks", [False, True])
def test_camera_is_that_of_limma(data: str, kind: str, ranks: bool) -> None:
    adata, how, _, plain = genes(data)
    reference = table("set_tests").query("data == @data").set_index("set")
    found = set_test(adata, plain, how, correlation="estimated" if kind == "estimated" else 0.01, ranks=ranks)
    found = found.set_index("signature").loc[reference.index]
    np.testing.assert_allclose(found["p"], reference[f"camera_{kind}_{'ranks' if ranks else 't'}_p"], rtol=1e-6)
    np.testing.assert_allclose(found["correlation"], reference[f"camera_{kind}_correlation"], rtol=1e-6)
    if not ranks:
        assert list(found["direction"]) == list(reference["direction"].str.lower())


@DATA
def test_rotation_is_that_of_limma_signed_and_weighted(data: str) -> None:
    adata, how, signed, _ = genes(data)
    reference = table("set_tests").query("data == @data").set_index("set")
    found = set_test(adata, signed, how, method="rotation", n=9999).set_index("signature").loc[reference.index]
    for ours, theirs in (("p", "roast_p"), ("p_mixed", "roast_mixed_p")):
        p = reference[theirs]
        error = np.sqrt(p * (1 - p) * (1 / 1e4 + 1 / 1e5))
        assert (np.abs(found[ours] - p) < 4 * error + 1e-4).all()
    np.testing.assert_allclose(found["p_fry"], reference["fry_p"], rtol=1e-6)
    assert list(found["direction"]) == list(reference["roast_direction"].str.lower())


@DATA
def test_camera_of_ranked_genes_is_that_of_limma(data: str) -> None:
    _, _, _, plain = genes(data)
    ranked, reference = table(f"gene_t_{data}"), table(f"camera_preranked_{data}").set_index("set")
    sets = np.column_stack([ranked["gene"].isin(s.genes) for s in plain.signatures]).astype(float)
    found = camera_preranked(ranked["t"].to_numpy(), sets)
    np.testing.assert_allclose(found.p, reference.loc[plain.names, "p"], rtol=1e-6)
