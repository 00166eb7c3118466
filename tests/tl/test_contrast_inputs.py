"""What stands beside scores in a contrast: matched by name, written alike, numbers as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning

N = 12
NAMES = [f"S{i:02d}" for i in range(N)]


@pytest.fixture
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.normal(size=(N, 3)), NAMES, ["A", "B", "C"])


@pytest.fixture
def groups() -> pd.Series:
    return pd.Series(["vehicle"] * 6 + ["drug"] * 6, NAMES)


def contrast(scores: pd.DataFrame, groups: Any, **said: Any) -> pd.DataFrame:
    return mt.tl.contrast(scores, groups, **({"treated": "drug", "control": "vehicle"} | said))


def test_values_are_matched_by_name(scores: pd.DataFrame, groups: pd.Series) -> None:
    pair = pd.Series([f"d{i % 6}" for i in range(N)], NAMES)
    right = contrast(scores, groups, pair=pair)
    order = np.random.default_rng(2).permutation(N)
    more = pd.concat([groups.iloc[order], pd.Series(["drug"], ["elsewhere"])])
    pd.testing.assert_frame_equal(contrast(scores, more, pair=pair.iloc[order]), right)
    pd.testing.assert_frame_equal(contrast(scores, list(groups), pair=pair.to_numpy()), right)
    pd.testing.assert_frame_equal(contrast(scores, groups.reset_index(drop=True), pair=pair), right)


def test_values_of_other_names_are_refused(scores: pd.DataFrame, groups: pd.Series) -> None:
    with pytest.raises(DataError, match=r"`groups` lacks 1 of 12 observations \(S03\); it names S00"):
        contrast(scores, groups.rename({"S03": "s03"}))
    with pytest.raises(DataError, match=r"`pair` names 1 observation\(s\) twice \(S00\)"):
        contrast(scores, groups, pair=groups.rename({"S03": "S00"}))
    with pytest.raises(DataError, match="`groups` has 11 values for 12 observations"):
        contrast(scores, list(groups)[1:])
    with pytest.raises(DataError, match="`continuous` has 1 values"):
        mt.tl.contrast(scores, continuous=True)


def test_a_mask_is_matched_by_name() -> None:
    rng = np.random.default_rng(3)
    genes = [f"G{i}" for i in range(30)]
    adata = AnnData(rng.normal(8, 2, (N, 30)), pd.DataFrame(index=NAMES), pd.DataFrame(index=genes))
    sets = mt.SignatureCollection([mt.Signature(id="SET", up=tuple(genes[:10]))])
    mask = pd.Series([i < 4 for i in range(N)], NAMES)
    mt.tl.score(adata, sets, method="singscore", mask_obs=mask.iloc[::-1])
    assert adata.obsm["score_singscore"]["SET"].notna().tolist() == mask.tolist()


@pytest.mark.parametrize("treated", ["1", 1, 1.0])
def test_a_number_and_its_text_are_one_group(scores: pd.DataFrame, groups: pd.Series, treated: Any) -> None:
    right = contrast(scores, groups)
    coded = (groups == "drug").astype(int)
    found = contrast(scores, coded, treated=treated, control="0")
    np.testing.assert_array_equal(found["difference"], right["difference"])
    trend = mt.tl.contrast(scores, coded, order=["0", "1"])
    np.testing.assert_allclose(trend["difference"], right["difference"])


def test_blanks_make_no_group_and_capitals_are_named(scores: pd.DataFrame, groups: pd.Series) -> None:
    blanks = groups.where(np.arange(N) % 2 == 0, groups + " ")
    np.testing.assert_array_equal(contrast(scores, blanks)["difference"], contrast(scores, groups)["difference"])
    with pytest.raises(DataError, match="Groups 'vehicle' and 'Vehicle' differ in capitals"):
        contrast(scores, groups.where(np.arange(N) % 2 == 0, groups.str.capitalize()))


def test_an_order_says_what_it_leaves_out(scores: pd.DataFrame) -> None:
    stage = pd.Series(["normal", "cirrhosis", "HCC"] * 4, NAMES)
    with pytest.warns(DataWarning, match=r"4 observation\(s\) are in groups that `order` does not name \(HCC\)"):
        mt.tl.contrast(scores, stage, order=["normal", "cirrhosis"])
    with pytest.raises(DataError, match="each named once"):
        mt.tl.contrast(scores, stage, order=["normal", "cirrhosis", "cirrhosis"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([f"{50 + i},5" for i in range(N)], "numbers written as text"),
        ([f"{i} %" for i in range(N)], "numbers written as text"),
        (["male", "Male"] * 6, "differ in capitals"),
        ([np.inf] + [1.0] * 11, r"1 infinite value\(s\) \(S00\)"),
    ],
)
def test_covariates_are_numbers_or_levels(
    scores: pd.DataFrame, groups: pd.Series, values: list[Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        contrast(scores, groups, covariates=pd.DataFrame({"x": values}, NAMES))


def test_scores_are_finite_numbers(scores: pd.DataFrame, groups: pd.Series) -> None:
    with pytest.raises(DataError, match=r"not numeric \(A\)"):
        contrast(scores.assign(A="high"), groups)
    with pytest.raises(DataError, match=r"infinite values \(B\)"):
        contrast(scores.assign(B=np.inf), groups)
    with pytest.raises(DataError, match=r"duplicated in the scores \(S00\)"):
        contrast(scores.rename(index={"S01": "S00"}), list(groups))
