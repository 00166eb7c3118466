"""SignatureScorer as a scikit-learn estimator, and its frozen reference."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from mtorscore import SignatureCollection, SignatureScorer, tl
from mtorscore.collection import Composite, Signature
from mtorscore.errors import FormatError, MethodError, ReferenceMismatchError, SignatureError
from tests.tl.specs import COHORT, METHODS
from tests.tl.test_invariance import SETS, cohort

pytestmark = [
    pytest.mark.filterwarnings("ignore::mtorscore.errors.IgnoredWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


@parametrize_with_checks(
    [SignatureScorer(signatures={"s": ["x0", "x1"]}, method=m) for m in ("singscore", "ssgsea", "zscore", "plage")]
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def composites() -> SignatureCollection:
    return SignatureCollection(
        [
            Signature(id="a", up=tuple(f"g{i}" for i in range(10))),
            Signature(id="b", up=("g20", "g21"), down=("g22",)),
            Composite(id="c", parts={"a": 1.0, "b": -0.5}),
        ]
    )


@pytest.mark.parametrize("method", METHODS)
def test_fit_transform_is_tl_score(method: str) -> None:
    adata = cohort()
    direct = tl.score(adata, SETS, method=method, copy=True).obsm[f"score_{method}"]
    scorer = SignatureScorer(SETS, method)
    pd.testing.assert_frame_equal(scorer.fit_transform(adata), direct)
    frame = adata.to_df()
    pd.testing.assert_frame_equal(scorer.fit_transform(frame), direct)
    assert list(scorer.get_feature_names_out()) == list(SETS)
    assert scorer.coverage_.loc["half", "coverage"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("method", METHODS)
def test_transform_never_looks_beyond_the_reference(method: str) -> None:
    adata = cohort()
    scorer = SignatureScorer(SETS, method).fit(adata[:15].copy())
    together = scorer.transform(adata[15:].copy())
    alone = pd.concat([scorer.transform(adata[[i]].copy()) for i in range(15, adata.n_obs)])
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)
    mixed = scorer.transform(adata[15:][:, ::-1].copy())
    np.testing.assert_allclose(mixed, together, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_reference_scores_the_same(method: str, tmp_path: Path) -> None:
    adata = cohort()
    scorer = SignatureScorer(composites(), method).fit(adata)
    file = scorer.reference_.save(tmp_path / "cohort.ref.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["cohort.ref.npz"]
    reference = tl.Reference.load(file)
    again = SignatureScorer.from_reference(reference, composites()).transform(adata[:5].copy())
    np.testing.assert_array_equal(again, scorer.transform(adata)[:5])
    by_path = tl.score(adata[:5].copy(), composites(), method=method, reference=file)
    np.testing.assert_array_equal(by_path.obsm[f"score_{method}"], again)
    without = SignatureScorer.from_reference(reference).transform(adata[:5].copy())
    np.testing.assert_array_equal(without, again[["a", "b"]])
    if method not in COHORT:
        assert not reference.state


def test_composites_are_standardised_by_the_reference_only() -> None:
    adata = cohort()
    scorer = SignatureScorer(composites(), "singscore").fit(adata)
    table = scorer.transform(adata)
    z = (table[["a", "b"]] - table[["a", "b"]].mean()) / table[["a", "b"]].std()
    np.testing.assert_allclose(table["c"], z["a"] - 0.5 * z["b"], rtol=1e-10)
    np.testing.assert_array_equal(scorer.transform(adata[:3].copy()), table[:3])
    tl.score(adata, composites(), method="singscore")
    assert adata.obsm["score_singscore"]["c"].isna().all()
    assert "frozen reference" in adata.uns["mtorscore"]["singscore"]["coverage"].loc["c", "reason"]
    lonely = SignatureCollection([Signature(id="a", up=("g1",)), Composite(id="c", parts={"z": 1.0})])
    with pytest.raises(SignatureError, match="its part z"):
        tl.score(adata, lonely, method="singscore")


def test_another_universe_is_refused(tmp_path: Path) -> None:
    adata = cohort()
    scorer = SignatureScorer(SETS, "zscore").fit(adata[:, :100].copy())
    with pytest.raises(ReferenceMismatchError, match="universe='align'"):
        scorer.transform(adata)
    aligned = SignatureScorer.from_reference(scorer.reference_).set_params(universe="align")
    np.testing.assert_allclose(aligned.transform(adata), scorer.transform(adata[:, :100].copy()), rtol=1e-12)
    with pytest.raises(ReferenceMismatchError, match="lacks 20 of them"):
        aligned.transform(adata[:, 20:].copy())
    with pytest.raises(ReferenceMismatchError, match="other signatures"):
        tl.score(adata[:, :100].copy(), {"x": ["g1"]}, method="zscore", reference=scorer)
    with pytest.raises(MethodError, match="for zscore, not for plage"):
        tl.score(adata, SETS, method="plage", reference=scorer)
    with pytest.raises(MethodError, match="other parameters"):
        tl.score(adata[:, :100].copy(), SETS, method="zscore", reference=scorer, zeros="ignored")
    junk = tmp_path / "junk.npz"
    junk.write_bytes(b"no archive")
    with pytest.raises(FormatError, match="not a saved reference"):
        tl.Reference.load(junk)


def test_a_reference_larger_than_it_says_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    file = SignatureScorer(SETS, method="zscore").fit(cohort()).reference_.save(tmp_path / "whole.npz")
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    claims = io.BytesIO()
    np.lib.format.write_array_header_1_0(claims, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    for name, content in (("state/mean.npy", claims.getvalue()), ("more.npy", parts["score_sd.npy"])):
        hostile = tmp_path / "hostile.npz"
        with zipfile.ZipFile(hostile, "w") as archive:
            for key, value in (parts | {name: content}).items():
                archive.writestr(key, value)
        with pytest.raises(FormatError, match="not a saved reference"):
            tl.Reference.load(hostile)


def test_pipeline_grid_and_output() -> None:
    adata = cohort(n_obs=60)
    frame = adata.to_df()
    y = (frame["g5"] > frame["g5"].median()).astype(int)
    pipeline = make_pipeline(SignatureScorer(SETS), LogisticRegression())
    search = GridSearchCV(pipeline, {"signaturescorer__method": ["singscore", "zscore", "gsva"]}, cv=3)
    search.fit(frame, y)
    assert search.best_params_["signaturescorer__method"] in ("singscore", "zscore", "gsva")
    plain = SignatureScorer({"s": ["x0", "x2"]}, "mean")
    assert isinstance(plain.fit_transform(np.eye(3)), np.ndarray)
    assert list(clone(plain).set_output(transform="pandas").fit_transform(np.eye(3)).columns) == ["s"]


def test_scoring_survives_h5ad(tmp_path: Path) -> None:
    adata = cohort()
    tl.score(adata, composites(), method=METHODS, pvalues=True, n_random=9, singscore={"dispersion": True})
    adata.write_h5ad(tmp_path / "scored.h5ad")
    back = ad.read_h5ad(tmp_path / "scored.h5ad")
    for method in METHODS:
        pd.testing.assert_frame_equal(back.obsm[f"score_{method}"], adata.obsm[f"score_{method}"])
        record = back.uns["mtorscore"][method]
        assert record["method"] == method
        assert record["versions"]["mtorscore"]
        assert list(record["coverage"].columns) == [
            "n_up", "matched_up", "n_down", "matched_down", "coverage", "one_direction", "missing", "reason",
        ]  # fmt: skip
