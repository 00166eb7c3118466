"""Technical SD by splitting counts and from replicates; what is below it is marked; samples needed."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mtorscore as mt
from mtorscore.errors import DataError
from mtorscore.tl import contrast, samples_needed, technical_sd

SETS = [mt.Signature(id="A", up=tuple(f"G{i}" for i in range(25))),
        mt.Signature(id="B", up=tuple(f"G{i}" for i in range(40, 60)), down=("G70", "G71", "G72"))]  # fmt: skip


def counted(rates: np.ndarray, seed: int) -> ad.AnnData:
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(
        {"sample": [f"p{i}" for i in range(len(rates))]}, index=[f"s{seed}_{i}" for i in range(len(rates))]
    )
    return ad.AnnData(rng.poisson(rates).astype(float), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(400)]))


@pytest.fixture(scope="module")
def rates() -> np.ndarray:
    rng = np.random.default_rng(0)
    out: np.ndarray = np.exp(rng.normal(3.5, 1.2, 400) + rng.normal(scale=0.4, size=(6, 400)))
    return out


@pytest.mark.parametrize("method", ["singscore", "ucell", "mean"])
def test_thinning_tells_the_noise_of_counting_again(rates: np.ndarray, method: str) -> None:
    table = technical_sd(counted(rates, 1), SETS, method=method, n_splits=20).set_index("signature")
    again = []
    for seed in range(40):
        adata = counted(rates, 100 + seed)
        if method == "mean":
            mt.pp.add_log_layer(adata, scale="counts")
        mt.tl.score(adata, SETS, method=method, layer="log" if method == "mean" else None)
        again.append(adata.obsm[f"score_{method}"].to_numpy())
    truth = np.sqrt(np.var(again, axis=0, ddof=1).mean(axis=0))
    # Ranks of half the counts are a little noisier than half the variance says.
    np.testing.assert_allclose(table["technical_sd"], truth, rtol=0.2)
    assert set(table["source"]) == {"thinning"}


def test_several_methods_share_the_halves(rates: np.ndarray) -> None:
    both = technical_sd(counted(rates, 1), SETS, method=["singscore", "mean"], n_splits=2, mean={})
    for method, part in both.groupby("method"):
        alone = technical_sd(counted(rates, 1), SETS, method=str(method), n_splits=2)
        np.testing.assert_allclose(part["technical_sd"], alone["technical_sd"], rtol=1e-9)


def test_replicates_hold_more_than_counting(rates: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    noisy = [counted(rates * np.exp(rng.normal(scale=0.5, size=rates.shape)), s) for s in (1, 2, 3)]
    table = technical_sd(ad.concat(noisy), SETS, replicates="sample", n_splits=5)
    assert set(table["source"]) == {"replicates"}
    assert set(table["n_replicates"]) == {12}
    assert (table["sd_replicates"] > 1.3 * table["sd_thinning"]).all()
    with pytest.raises(DataError, match="there are no technical replicates"):
        technical_sd(noisy[0], SETS, replicates="sample")
    with pytest.raises(DataError, match="raw counts"):
        technical_sd(ad.AnnData(np.log1p(noisy[0].X), obs=noisy[0].obs, var=noisy[0].var), SETS)


def test_a_difference_within_technical_noise_is_marked() -> None:
    rng = np.random.default_rng(1)
    x = np.repeat([1, 0], 8)
    scores = pd.DataFrame({"real": 2.0 * x + rng.normal(scale=0.5, size=16), "tiny": rng.normal(scale=0.01, size=16)})
    sd = pd.Series({"real": 0.2, "tiny": 0.5})
    table = contrast(scores, x, treated=1, control=0, technical=sd).set_index("signature")
    assert table["below_smallest"].to_dict() == {"real": False, "tiny": True}
    assert table.loc["real", "smallest_difference"] == pytest.approx(1.959964 * 0.2 * np.sqrt(2 / 8))
    with pytest.raises(DataError, match=r"the table of tl\.technical_sd"):
        contrast(scores, x, treated=1, control=0, technical=pd.DataFrame({"sd": [1.0]}))


def test_samples_needed_are_those_of_the_noncentral_t() -> None:
    rng = np.random.default_rng(2)
    x = np.repeat([1, 0], 6)
    scores = pd.DataFrame({"s": rng.normal(size=12)})
    table = contrast(scores, x, treated=1, control=0)
    row = samples_needed(table, 1.2, n_simulations=20_000).iloc[0]

    def exact(n: int, pairs: bool = False) -> float:
        degrees, step = (n / 2 - 1 if pairs else n - 2), float(table["residual_sd"][0]) * np.sqrt(4 / n)
        crit = stats.t.isf(0.025, degrees)
        return float(stats.nct.sf(crit, degrees, 1.2 / step) + stats.nct.cdf(-crit, degrees, 1.2 / step))

    assert row["power_now"] == pytest.approx(exact(12), abs=0.02)
    assert exact(row["n_needed"] - 4) < 0.8 < exact(row["n_needed"] + 2)
    assert row["n_needed"] % 2 == 0
    deep = samples_needed(table.assign(technical_sd=table["residual_sd"] * 0.9), 1.2, depth=10).iloc[0]
    assert deep["n_needed"] < 0.5 * row["n_needed"]
    none = samples_needed(table, 0.0).iloc[0]
    assert np.isnan(none["n_needed"])
    assert "difference of 0" in none["reason"]
    tiny = samples_needed(table, pd.Series({"s": 1e-6})).iloc[0]
    assert "more than" in tiny["reason"]
    with pytest.raises(DataError, match="hand over that of"):
        samples_needed(pd.DataFrame({"signature": ["s"]}), 1.0)


def test_pairs_stay_pairs() -> None:
    rng = np.random.default_rng(3)
    patient = np.repeat(range(6), 2)
    scores = pd.DataFrame({"s": rng.normal(size=12) + 3 * rng.normal(size=6)[patient]})
    table = contrast(scores, [1, 0] * 6, treated=1, control=0, pair=patient)
    row = samples_needed(table, 1.0, n_simulations=20_000).iloc[0]
    sd, n = float(table["residual_sd"][0]), int(row["n_now"])
    crit, step = stats.t.isf(0.025, n / 2 - 1), sd * np.sqrt(4 / n)
    exact = stats.nct.sf(crit, n / 2 - 1, 1 / step) + stats.nct.cdf(-crit, n / 2 - 1, 1 / step)
    assert row["power_now"] == pytest.approx(float(exact), abs=0.02)
