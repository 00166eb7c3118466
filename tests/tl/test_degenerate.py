"""What has no answer is NaN or refused by name: degenerate nulls, exact fits, values beyond double precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from mtorscore import SignatureScorer, tl
from mtorscore.errors import DataError, FormatError, MethodError
from tests.containers import ArrayType, dense_and_sparse
from tests.tl.specs import CLOSED, COHORT, METHODS, REGRESSIONS, SPECS
from tests.tl.test_invariance import SETS, cohort
from tests.tl.test_pvalues import OPTIONS

pytestmark = pytest.mark.filterwarnings("ignore::mtorscore.errors.MtorscoreWarning")


def scored(x: Any, genes: Any, method: str, **options: Any) -> tuple[np.ndarray, np.ndarray | None]:
    adata = ad.AnnData(x, var=pd.DataFrame(index=[f"g{i}" for i in range(x.shape[1])]))
    tl.score(adata, {"s": genes}, method=method, **options)
    p = adata.obsm.get(f"pval_{method}")
    return np.asarray(adata.obsm[f"score_{method}"]["s"]), None if p is None else np.asarray(p["s"])


@dense_and_sparse
@pytest.mark.parametrize("method", CLOSED)
def test_there_is_no_p_value_where_every_draw_is_the_same(method: str, array_type: ArrayType) -> None:
    x = np.random.default_rng(0).poisson(2.0, (6, 40)).astype(float)
    x[2] = 0
    x[3] = 1.5
    matrix = array_type(x)
    _, p = scored(matrix, [f"g{i}" for i in range(9)], method, pvalues=True, **OPTIONS.get(method, {}))
    assert p is not None
    assert np.isnan(p[[2, 3]]).all()
    assert np.isfinite(p[[0, 1, 4, 5]]).all()
    _, p = scored(matrix, [f"g{i}" for i in range(40)], method, pvalues=True)  # every gene: one possible draw
    assert p is not None
    assert np.isnan(p).all()


@pytest.mark.parametrize("method", REGRESSIONS)
def test_a_fit_without_remainder_has_no_t_value(method: str) -> None:
    x = np.zeros((2, 30))
    x[0, 4] = 3.0  # the signature's only gene and no other
    x[1, 4:6] = 3.0
    values, _ = scored(x, ["g4"], method)
    assert np.isnan(values[0])
    assert np.isfinite(values[1])
    assert scored(x, ["g4"], method, statistic="slope")[0][0] == pytest.approx(3.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_values_beyond_double_precision_are_never_a_number_that_is_wrong(method: str, factor: float) -> None:
    x = np.random.default_rng(1).poisson(2.0, (8, 40)).astype(float)
    genes = [f"g{i}" for i in range(9)]
    plain, _ = scored(x, genes, method)
    basis = SPECS[method].basis
    if basis in ("deviates", "regression"):
        with pytest.raises(DataError, match="beyond double precision"):
            scored(x * factor, genes, method)
        return
    values, _ = scored(x * factor, genes, method)
    scale = factor if basis == "values" else 1.0
    np.testing.assert_allclose(values / scale, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_matrix_or_a_gene_without_a_number(method: str) -> None:
    x = np.random.default_rng(2).poisson(2.0, (8, 40)).astype(float)
    x[:, 3] = np.nan
    assert np.isnan(scored(x, ["g3", "g4", "g5"], method)[0]).all()
    with pytest.raises(DataError, match="Every value of the matrix is missing"):
        scored(np.full((8, 40), np.nan), ["g3", "g4"], method)


@dense_and_sparse
def test_random_p_values_do_not_hang_on_the_last_bit(array_type: ArrayType) -> None:
    x = np.random.default_rng(3).poisson(2.0, (9, 25)).astype(float)
    genes = [f"g{i}" for i in range(25)]  # every random set is the set itself
    _, p = scored(array_type(x), genes, "zscore", pvalues=True, n_random=20)
    np.testing.assert_array_equal(p, 1.0)


def test_normalised_ssgsea_without_a_range_is_nan() -> None:
    x = np.tile(np.arange(12.0), (4, 1))
    assert np.isnan(scored(x, ["g3"], "ssgsea", normalise=True)[0]).all()


def test_wrong_containers_and_parameters_are_refused_by_name() -> None:
    adata = cohort()
    for what in (adata.to_df(), np.asarray(adata.X), None):
        with pytest.raises(DataError, match=f"{type(what).__qualname__} cannot be scored in place.*SignatureScorer"):
            tl.score(what, SETS)
    with pytest.raises(DataError, match=r"MaskedArray cannot be scored; give X.filled"):
        SignatureScorer({"s": ["x0"]}).fit(np.ma.masked_array(np.eye(3), np.eye(3) > 0))
    with pytest.raises(MethodError, match="not a name"):
        tl.score(adata, SETS, method=3)
    with pytest.raises(MethodError, match="share above 1"):
        tl.score(adata, SETS, method="aucell", top=50.0)
    with pytest.raises(MethodError, match="must be a number"):
        tl.score(adata, SETS, method="gsva", tau=float("inf"))
    tl.score(adata, SETS, method="aucell", top=np.float32(0.2))


@pytest.mark.parametrize("method", COHORT)
def test_a_test_set_without_a_reference_is_refused_with_what_to_do(method: str) -> None:
    adata = cohort()
    with pytest.raises(NotFittedError, match=r"fit on the training cohort first.*from_reference"):
        SignatureScorer(SETS, method).transform(adata)
    with pytest.raises(MethodError, match="Hand over a saved reference, or use a single-sample method"):
        tl.score(adata[:1].copy(), SETS, method=method)


def test_a_damaged_or_hostile_reference_is_refused(tmp_path: Path) -> None:
    good = SignatureScorer(SETS, "zscore").fit(cohort()).reference_.save(tmp_path / "good.npz")
    tl.Reference.load(good)
    content = dict(np.load(good))
    header = json.loads(content["header"].tobytes())

    def write(name: str, arrays: dict[str, Any], head: Any) -> Path:
        text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        np.savez(tmp_path / name, **(arrays | {"header": text}))
        return tmp_path / name

    moved = content | {"state/mean": content["state/mean"] + 1}
    lacking = {k: v for k, v in content.items() if k != "state/mean"}
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, header=np.array([object()], dtype=object))
    empty, array = tmp_path / "empty.npz", tmp_path / "array.npy"
    empty.touch()
    np.save(array, np.eye(2))
    truncated = tmp_path / "truncated.npz"
    truncated.write_bytes(good.read_bytes()[:-400])
    for path, said in (
        (write("moved.npz", moved, header), "damaged or was edited"),
        (write("lacking.npz", lacking, header), "damaged or was edited"),
        (write("genes.npz", content, header | {"genes": []}), "damaged or was edited"),
        (write("list.npz", content, [1]), "not a saved reference"),
        (pickled, "not a saved reference"),
        (empty, "not a saved reference"),
        (array, "not a saved reference"),
        (truncated, "not a saved reference"),
        (tmp_path, "no such file"),
    ):
        with pytest.raises(FormatError, match=said):
            tl.Reference.load(path)
