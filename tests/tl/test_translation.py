"""Translation efficiency: known truth, library sizes, low counts, coverage of the intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse, stats

import mtorscore as mt
from benchmarks.translation.run import PAGE, at_equal_error, committed, measure, page
from benchmarks.translation.simulate import SETTINGS
from mtorscore._multiple_testing import adjust_p
from mtorscore.errors import DataError, StatisticsWarning
from mtorscore.tl import contrast, translation_efficiency
from mtorscore.tl.analysis.linear.moderation import moderate
from mtorscore.tl.analysis.linear.two_assays import difference_variance, shift_of_the_unchanged, weighted_q

TOP = mt.library()["TOP_RIBOSOMAL_PROTEINS"].genes


def simulate(
    seed: int = 0, n: int = 4, fall: float = -2.0, depth: float = 1.0, n_genes: int = 2000, spread: float = 0.15
) -> tuple[AnnData, AnnData, np.ndarray]:
    """Return footprints, mRNA and true change under an active-site inhibitor: 5'TOP mRNAs lose `fall` log2 units."""
    rng = np.random.default_rng(seed)
    genes = [*TOP, *(f"G{i}" for i in range(n_genes - len(TOP)))]
    mean = np.exp(rng.normal(5, 1.2, n_genes))
    mean[: len(TOP)] *= 8  # 5'TOP mRNAs are abundant
    change = np.zeros(n_genes)
    change[: len(TOP)] = fall
    treated = np.repeat([0, 1], n)
    base = rng.normal(0, 0.7, n_genes)
    level = rng.normal(0, spread, (2 * n, n_genes)) + np.log2(mean)
    f_level = level + base + treated[:, None] * change + rng.normal(0, spread, (2 * n, n_genes))
    libraries = rng.uniform(0.5, 2, (2, 2 * n, 1)) * depth
    counts = [rng.poisson(2.0**x * s) for x, s in zip((f_level, level), libraries, strict=True)]
    obs = pd.DataFrame({"drug": np.where(treated == 1, "torin", "vehicle")}, index=[f"s{i}" for i in range(2 * n)])
    assays = [AnnData(c.astype(np.float64), obs=obs.copy(), var=pd.DataFrame(index=genes)) for c in counts]
    return assays[0], assays[1], change


def test_the_change_is_found_and_intervals_cover_it() -> None:
    f, m, change = simulate()
    te = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    truth = pd.Series(change, index=m.var_names)[te.var_names]
    top = te.var_names.isin(TOP)
    assert abs(te.var["log2fc"][top].mean() + 2) < 0.1
    assert abs(te.var["log2fc"][~top].mean()) < 0.05
    assert abs(te.var["mrna_log2fc"][top].mean()) < 0.1
    covered = (te.var["low"] <= truth) & (truth <= te.var["high"])
    assert 0.93 < covered.mean() < 0.98
    assert (te.var["q"][top] < 0.05).mean() > 0.95
    assert ((te.var["p"][~top] < 0.05).mean()) < 0.07
    assert set(te.var["interval"]) == {"replicates"}


def test_the_branch_is_scored_on_what_it_controls() -> None:
    f, m, _ = simulate()
    eif4e = mt.library().select(["TOP_RIBOSOMAL_PROTEINS"])
    te = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    on_te = mt.tl.score(te, eif4e, method="wmean", copy=True)
    log_m = m.copy()
    log_m.X = np.log2(np.asarray(m.X) + 1)
    on_rna = mt.tl.score(log_m, eif4e, method="singscore", copy=True)
    first = contrast(on_te, "drug", treated="torin", control="vehicle").iloc[0]
    second = contrast(on_rna, "drug", treated="torin", control="vehicle").iloc[0]
    assert first["difference"] == pytest.approx(-2, abs=0.15)
    assert first["auroc"] == 0
    assert first["p"] < 0.05 < second["p"]


def test_depth_and_order_do_not_matter() -> None:
    f, m, _ = simulate(seed=1)
    base = translation_efficiency(f, m)
    deeper = f.copy()
    deeper.X = np.asarray(f.X) * 3
    # Three times the footprints: the size factors take it up, but for the constant and the pseudo-count.
    scaled = translation_efficiency(deeper, m)
    difference = np.asarray(scaled[:, base.var_names].X) - np.asarray(base.X)
    many = (base.var["mean_footprint"] > 200).to_numpy()
    np.testing.assert_allclose(difference[:, many], np.log2(3), atol=0.02)
    shuffled = translation_efficiency(f[::-1].copy(), m[:, ::-1].copy())
    again = shuffled[base.obs_names][:, base.var_names]
    np.testing.assert_allclose(np.asarray(again.X), np.asarray(base.X), atol=1e-12)
    packed_f, packed_m = f.copy(), m.copy()
    packed_f.X, packed_m.X = sparse.csr_matrix(f.X), sparse.csr_matrix(m.X)
    np.testing.assert_array_equal(translation_efficiency(packed_f, packed_m).X, base.X)


def test_low_counts_are_listed_with_a_reason_and_shut_off_genes_stay() -> None:
    f, m, _ = simulate(seed=2, depth=0.2)
    f.X = np.asarray(f.X)
    f.X[4:, 0] = 0  # shut off by the drug
    f.X[:, 100] = 0
    m.X[:, 100] = 1000
    m.X[:, 101] = 1
    te = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    left = te.uns["translation"]["left_out"].set_index("gene")["reason"]
    assert TOP[0] in te.var_names
    assert te.var.loc[TOP[0], "log2fc"] < -4
    assert left[m.var_names[100]] == "few footprints"
    assert left[m.var_names[101]] == "little mRNA"
    assert len(left) + te.n_vars == m.n_vars


def test_without_replicates_the_interval_is_counting_noise_and_says_so() -> None:
    f, m, _ = simulate(seed=3, n=1, spread=0.0)
    with pytest.warns(StatisticsWarning, match="no replicates"):
        te = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    assert set(te.var["interval"]) == {"counting"}
    top = te.var_names.isin(TOP)
    covered = (te.var["low"][~top] <= 0) & (te.var["high"][~top] >= 0)
    assert 0.92 < covered.mean() < 0.99


def test_moderation_is_that_of_smyth() -> None:
    """With equal variances everywhere the prior takes over; the moderated t keeps its level with three replicates."""
    f, m, _ = simulate(seed=4, n=3, fall=0.0, depth=10)
    te = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    assert 0.03 < (te.var["p"] < 0.05).mean() < 0.07
    assert stats.kstest(te.var["p"], "uniform").pvalue > 1e-4


def test_the_trended_prior_is_limmas() -> None:
    """Numbers of squeezeVar(v, 2, covariate = a), limma 3.54.1; the script is limma/trend.R."""
    table = pd.read_csv(Path(__file__).parent / "limma" / "trend.tsv", sep="\t")
    found = moderate(table["v"].to_numpy(), 2.0, table["a"].to_numpy())
    np.testing.assert_allclose(found.variance, table["post"], rtol=1e-11)
    np.testing.assert_allclose(found.prior_variance, table["prior"], rtol=1e-11)
    assert found.prior_degrees == pytest.approx(table["df"].iloc[0], rel=1e-11)


@pytest.mark.parametrize("fixed", [True, False])
def test_changes_are_found_at_the_level_that_is_said(fixed: bool) -> None:
    """Small version of benchmarks/translation, whose page has the numbers beside PyDESeq2."""
    seed = 1 if fixed else int(np.random.default_rng().integers(2**31))
    print("seed", seed)
    rows = measure(next(s for s in SETTINGS if s.name == "three replicates"), 8, seed)
    error = rows["fdp"].std(ddof=1) / np.sqrt(len(rows))
    assert rows["fdp"].mean() <= 0.05 + 4 * error
    assert rows["power"].mean() > 0.42


def test_the_page_is_that_of_the_table_and_of_these_settings() -> None:
    table, header = committed()
    assert page(table, header) == PAGE.read_text(encoding="utf-8")
    assert header["mtorscore"] == mt.__version__
    stated = {(s.name, s.n, s.dispersion, s.shared) for s in SETTINGS}
    assert set(table[["setting", "n", "dispersion", "shared"]].itertuples(index=False, name=None)) == stated


def test_power_at_equal_error_is_that_of_the_ranking() -> None:
    """A test whose q are all ten times too small finds more as it comes, and the same at equal error."""
    rng = np.random.default_rng(0)
    null, changed = rng.uniform(size=(20, 1000)), 10.0 ** -rng.uniform(1, 6, (20, 100))
    honest = pd.DataFrame({"q_of_unchanged": list(null), "q_of_changed": list(changed)})
    boastful = honest.map(lambda q: q / 10)
    power, cut = at_equal_error(honest)
    again, lower = at_equal_error(boastful)
    assert 0.1 < power < 0.9
    assert again == pytest.approx(power, abs=0.02)
    assert lower == pytest.approx(cut / 10, rel=0.1)


def test_noisy_genes_burden_the_others_less() -> None:
    rng = np.random.default_rng(0)
    n, noise = 1000, np.linspace(0.1, 1.5, 1000)
    p = 2 * stats.norm.sf(np.abs(rng.normal(np.where(np.arange(n) % 7 == 0, 1.0, 0.0), noise)) / noise)
    q = weighted_q(p, noise, np.log(noise))
    assert np.isfinite(q).all()
    assert (q <= 0.05).sum() > (adjust_p(p) <= 0.05).sum()
    even = weighted_q(p, np.full(n, 0.3), np.zeros(n))
    np.testing.assert_allclose(even, adjust_p(p), rtol=1e-9)
    assert np.isnan(weighted_q(np.where(np.arange(n) == 3, np.nan, p), noise, np.log(noise))[3])
    assert np.isnan(weighted_q(np.full(4, np.nan), np.ones(4), np.ones(4))).all()


@pytest.mark.parametrize("error", [1e-4, 0.3, 100.0])
def test_weights_exist_whatever_the_errors(error: float) -> None:
    rng = np.random.default_rng(1)
    q = weighted_q(rng.uniform(size=200), error * rng.uniform(0.5, 2, 200), rng.normal(size=200))
    assert ((q >= 0) & (q <= 1)).all()


def test_the_change_is_measured_from_genes_without_one() -> None:
    rng = np.random.default_rng(2)
    error = rng.uniform(0.1, 0.4, 1000)
    change = rng.normal(0.05, error)
    change[:250] -= 1.5
    assert np.median(change) < -0.03
    assert shift_of_the_unchanged(change, error) == pytest.approx(0.05, abs=0.03)
    assert shift_of_the_unchanged(change[:20], error[:20]) == 0
    assert shift_of_the_unchanged(np.full(50, np.nan), np.ones(50)) == 0
    f, m, _ = simulate(n_genes=600)
    te = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    other = ~te.var_names.isin(TOP)
    assert abs(te.var["log2fc"][other].mean()) < 0.02
    np.testing.assert_allclose(te.var["footprint_log2fc"] - te.var["mrna_log2fc"], te.var["log2fc"], atol=1e-12)


def test_what_both_assays_share_follows_the_counts() -> None:
    """Abundant genes share most of their scatter; scarce ones have counting noise of each assay alone."""
    rng = np.random.default_rng(3)
    genes, samples = 2000, 8
    own = np.repeat([0.2, 1.0], genes // 2)
    common = rng.normal(0, 0.2, (samples, genes))
    first, second = (common + rng.normal(0, own, (samples, genes)) for _ in range(2))
    centred = [x - x.mean(axis=0) for x in (first, second)]
    level = np.log(own) + rng.normal(0, 0.01, genes)
    variance, degrees = difference_variance(centred[0], centred[1], samples - 1, (level, level), level)
    for part in (slice(0, 1000), slice(1000, None)):
        assert variance[part].mean() == pytest.approx(2 * own[part].mean() ** 2, rel=0.1)
    assert (degrees > samples - 1).all()


def test_protein_on_log_scale_is_scored_the_same_way() -> None:
    f, m, _ = simulate(seed=5)
    log_f, log_m = f.copy(), m.copy()
    log_f.X, log_m.X = np.log2(np.asarray(f.X) + 1) + 7, np.log2(np.asarray(m.X) + 1)
    te = translation_efficiency(log_f, log_m, groups="drug", treated="torin", control="vehicle", scale="log2")
    assert te.var.loc[te.var_names.isin(TOP), "log2fc"].mean() == pytest.approx(-2, abs=0.2)
    assert np.all(te.layers["se"] == 0)


def test_pairing_by_a_column() -> None:
    f, m, _ = simulate(seed=6)
    f.obs["patient"] = m.obs["patient"] = [f"p{i}" for i in range(8)]
    f.obs_names = [f"rpf{i}" for i in range(8)]
    with pytest.raises(DataError, match="No sample has both assays"):
        translation_efficiency(f, m)
    assert translation_efficiency(f[2:].copy(), m, pair="patient").n_obs == 6


def test_tables_and_listed_groups_are_taken() -> None:
    f, m, _ = simulate(seed=7, n_genes=300)
    tables = [pd.DataFrame(np.asarray(a.X), index=a.obs_names, columns=a.var_names) for a in (f, m)]
    labels = m.obs["drug"].astype(str)
    expected = translation_efficiency(f, m, groups="drug", treated="torin", control="vehicle")
    for groups in (labels.tolist(), labels[::-1]):
        te = translation_efficiency(*tables, groups=groups, treated="torin", control="vehicle")
        np.testing.assert_array_equal(te.var["log2fc"], expected.var["log2fc"])
    with pytest.raises(DataError, match="3 values for 8"):
        translation_efficiency(*tables, groups=[1, 2, 3])
    with pytest.raises(DataError, match="not ndarray"):
        translation_efficiency(np.ones((2, 2)), tables[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "tpm"}, "`scale` is"),
        ({"treated": "torin"}, "need `groups`"),
        ({"groups": "arm"}, "does not have"),
        ({"groups": "drug", "treated": "x", "control": "vehicle"}, "`treated` is 'x'"),
        ({"min_count": 1e9}, "No gene passes"),
        ({"layer": "raw"}, "no layer 'raw'"),
    ],
)
def test_refusals(change: dict[str, object], message: str) -> None:
    f, m, _ = simulate(n_genes=200)
    with pytest.raises(DataError, match=message):
        translation_efficiency(f, m, **change)  # type: ignore[arg-type]


def test_wrong_values_are_refused() -> None:
    f, m, _ = simulate(n_genes=200)
    logged = m.copy()
    logged.X = np.log2(np.asarray(m.X) + 1)
    with pytest.raises(DataError, match="fractions"):
        translation_efficiency(f, logged)
    with pytest.raises(DataError, match="negative"):
        translation_efficiency(f, AnnData(-np.asarray(m.X), obs=m.obs, var=m.var))
    other = m.copy()
    other.var_names = [f"X{i}" for i in range(200)]
    with pytest.raises(DataError, match="share no gene"):
        translation_efficiency(f, other)
