"""Values whose squares are beyond double precision, and the table of GSVA's Gaussian kernel."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import ndtr

from mtorscore import tl
from mtorscore.errors import DataError

# Values of 1e150 are no logarithms, which is warned of elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore:.*made for logarithms:mtorscore.errors.DataWarning")
SETS = {"a": [f"g{i}" for i in range(8)], "b": [f"g{i}" for i in range(5, 20)]}
X = np.random.default_rng(0).normal(size=(12, 60))


def scores(x: Any, method: str, sets: Any = SETS, **options: Any) -> Any:
    made = ad.AnnData(x, var=pd.DataFrame(index=[f"g{i}" for i in range(x.shape[1])]))
    tl.score(made, sets, method=method, **options)
    return made.obsm[f"score_{method}"].to_numpy()


@pytest.mark.parametrize("method", ["zscore", "ulm", "mlm", "gsva", "plage"])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("factor", [1e-161, 1e-155, 1e-148, 1e-100, 1e100, 1e150, 1e155, 1e200])
def test_a_factor_changes_nothing_or_is_refused(method: str, layout: Any, factor: float) -> None:
    if 1e-150 < factor < 1e154:
        np.testing.assert_allclose(scores(layout(X * factor), method), scores(X, method), atol=1e-12)
        return
    with pytest.raises(DataError, match="so large, or so small"):
        scores(layout(X * factor), method)


@pytest.mark.parametrize("method", ["ulm", "mlm"])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
def test_an_observation_that_does_not_vary_is_still_nan(method: str, layout: Any) -> None:
    x = X.copy()
    x[3], x[4] = 0.0, 2.0
    found = scores(layout(x), method)
    assert np.isnan(found[3:5]).all()
    assert not np.isnan(np.delete(found, [3, 4], axis=0)).any()


def exact_gsva(x: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores with the exact kernel, and the smallest difference of two genes' distribution functions per row."""
    width = x.std(axis=0, ddof=1) / 4
    share = ndtr((x[:, None, :] - x[None, :, :]) / width).mean(axis=1)
    n_genes = x.shape[1]
    above = (share[:, None, :] > share[:, :, None]).sum(axis=2)
    weight = np.abs(n_genes / 2 - above)
    out = np.empty(len(x))
    for i in range(len(x)):
        order = np.argsort(above[i])
        inside = np.isin(order, members)
        steps = np.where(inside, weight[i][order] / weight[i][members].sum(), -1 / (n_genes - members.size))
        walk = np.append(0.0, np.cumsum(steps))
        out[i] = walk.max() + walk.min()
    gaps = np.diff(np.sort(share, axis=1), axis=1).min(axis=1)
    return out, gaps


def test_gsva_is_exact_where_no_two_genes_are_within_the_table() -> None:
    checked = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, n_genes = int(rng.integers(3, 12)), int(rng.integers(6, 16))
        x = rng.normal(size=(n, n_genes)) * 10.0 ** rng.integers(-6, 7, (n, n_genes) if seed % 2 else n_genes)
        members = np.sort(rng.choice(n_genes, 3, replace=False))
        found = scores(x, "gsva", {"s": [f"g{i}" for i in members]})[:, 0]
        exact, gaps = exact_gsva(x, members)
        apart = gaps > 8e-4
        np.testing.assert_allclose(found[apart], exact[apart], atol=1e-12)
        checked += int(apart.sum())
    assert checked > 150


def test_a_nan_outside_of_the_signature_does_what_na_says() -> None:
    x, none = X.copy(), np.delete(X, 50, axis=1)
    x[3, 50] = np.nan
    sets = {"a": [f"g{i}" for i in range(8)]}
    omitted = scores(x, "ssgsea", sets, na="omit")[3]
    np.testing.assert_allclose(omitted, scores(none, "ssgsea", sets)[3], atol=1e-12)
    last = scores(x, "ssgsea", sets, na="everything")
    assert not np.isnan(last).any()
    assert abs(last[3] - omitted) > 1e-3
    everywhere = X.copy()
    everywhere[:, 50] = np.nan
    spoiled = scores(x, "gsva", sets, na="everything")
    np.testing.assert_array_equal(spoiled, scores(everywhere, "gsva", sets, na="everything"))
    assert not np.isnan(spoiled).any()
