from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtorscore import pl, tl
from mtorscore.collection import Signature
from mtorscore.errors import DataError
from mtorscore.pl import theme
from tests.pl import figures as f


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def test_importing_pl_does_not_import_matplotlib() -> None:
    code = "import sys, mtorscore.pl; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_figure_is_left_in_a_registry_and_settings_stay() -> None:
    import matplotlib as mpl
    from matplotlib import pyplot

    before = dict(mpl.rcParams)
    pl.landscape(*f.scores())
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before


def test_axes_of_a_part_of_a_figure_are_drawn_into_and_the_whole_figure_comes_back() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    halves: Any = figure.subfigures(1, 2)
    axes = halves[0].subplots()
    assert pl.km(f.curves(), ax=axes) is figure
    assert axes.lines
    axes.remove()
    with pytest.raises(DataError, match="belong to no figure"):
        pl.km(f.curves(), ax=axes)


def test_sizes_are_millimetres() -> None:
    figure = pl.km(f.curves(), width=89, height=60)
    assert np.allclose(figure.get_size_inches() * 25.4, [89, 60])


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_saves_vector_with_text_as_text(tmp_path: Path, ending: str) -> None:
    path = pl.save(pl.km(f.curves()), tmp_path / f"km.{ending}")
    assert path.stat().st_size > 1000
    assert [p.name for p in tmp_path.iterdir()] == [f"km.{ending}"]
    if ending == "svg":
        svg = path.read_text(encoding="utf-8")
        assert ">at risk</text>" in svg
        assert "<image" not in svg


def test_a_figure_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = pl.km(f.curves())

    def failing(path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", failing)
    with pytest.raises(OSError, match="disk full"):
        pl.save(figure, tmp_path / "km.png")
    assert not list(tmp_path.iterdir())


def many_curves(n: int) -> pd.DataFrame:
    one = f.curves()[f.curves()["group"] == "low"]
    return pd.concat([one.assign(group=f"group {k}") for k in range(n)])


def test_eight_curves_have_all_their_numbers_at_risk() -> None:
    figure = pl.km(many_curves(8))
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert min(b.y0 for b in boxes) >= -1


def test_forty_groups_and_a_single_sample_are_drawn() -> None:
    scores, obs = f.scores()
    groups = obs.assign(kind=[f"cell type number {k % 40}" for k in range(len(obs))])
    figure = pl.violin(scores.iloc[:, :2], groups, groupby="kind")
    figure.draw_without_rendering()
    ticks = [t.get_window_extent() for t in figure.axes[-1].get_xticklabels()]
    assert all(a.x1 <= b.x0 + 2 for a, b in pairwise(ticks)), "names do not overlap"
    assert pl.heatmap(scores.iloc[:1], obs) is not None
    assert "1 observation" in texts(pl.heatmap(scores.iloc[:1], obs))


def test_a_table_put_together_from_several_keeps_its_rows() -> None:
    table = pd.concat([f.enriched(), f.enriched().assign(signature="OTHER")])
    assert len(pl.gsea(table).axes[0].get_yticks()) == 8


def test_missing_ends_of_an_interval_are_said() -> None:
    assert theme.ratio_text(1.284, 0.97, 1.69) == "1.28 (0.97–1.69)"
    assert theme.ratio_text(1.3, np.nan, 2) == "1.30 (no interval)"
    assert theme.ratio_text(150.2, 1e-9, np.inf) == "150 (< 0.01–> 1000)"


def test_hostile_labels_are_drawn_as_they_are(tmp_path: Path) -> None:
    scores, obs = f.scores()
    names = ["<script>alert(1)</script>", "$\\frac{", "a&b", "🧬" * 5, "مريض", "x" * 300, "line\nbreak"]
    scores.columns = names
    path = pl.save(pl.heatmap(scores, obs), tmp_path / "h.svg")
    svg = path.read_text(encoding="utf-8")
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert "$\\frac{" in svg


def test_km_prints_the_numbers_at_risk() -> None:
    curves = f.curves()
    figure = pl.km(curves)
    ax = figure.axes[0]
    years = [t for t in ax.get_xticks() if t <= ax.get_xlim()[1]]
    low = curves[curves["group"] == "low"]
    expected = [str(int(low.loc[low["time"] >= y * 365.25, "n_risk"].max())) for y in years]
    shown = [t.get_text() for t in ax.texts]
    start = shown.index("at risk") + 1
    assert shown[start : start + len(years)] == expected
    assert "log-rank p = 0.012" in shown


def test_km_draws_the_steps_given() -> None:
    curves = f.curves()
    line = pl.km(curves).axes[0].lines[0]
    low = curves[curves["group"] == "low"]
    assert np.allclose(line.get_xdata(), low["time"] / 365.25)
    assert np.allclose(line.get_ydata(), low["survival"])


def test_forest_marks_what_cannot_be_trusted() -> None:
    table = f.associations()
    table = table[table["model"] == "unadjusted"]
    figure = pl.forest(table)
    ax = figure.axes[0]
    points = [np.asarray(c.get_offsets()) for c in ax.collections if type(c).__name__ == "PathCollection"]
    assert [len(p) for p in points] == [6, 1], "solid, then hollow"
    assert np.isclose(points[1][0, 0], table["hr"].iloc[4])
    assert f"{table['hr'].iloc[0]:.2f}" in " ".join(texts(figure))


def test_forest_is_not_squeezed_by_one_wild_interval() -> None:
    table = f.associations()
    table = table[table["model"] == "unadjusted"].copy()
    table.loc[table.index[0], ["hr_low", "hr_high"]] = [1e-6, 1e6]
    assert pl.forest(table).axes[0].get_xlim()[1] < 20


def test_roc_area_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    y, models = f.predictions()
    models["tied"] = np.round(models["clinical"])
    figure = pl.roc(y, models)
    labels = [t for t in texts(figure) if "AUC" in t]
    assert labels == [f"{n}: AUC {roc_auc_score(y, v):.2f}" for n, v in models.items()]


def test_null_distribution_counts_itself() -> None:
    values = np.linspace(-1, 1, 99)
    text = " ".join(texts(pl.null_distribution(values, 2.0)))
    assert "p = 0.01" in text
    assert "100th percentile" in text


def test_enrichment_is_the_running_sum_of_ssgsea() -> None:
    data = f.one_sample()
    genes = tuple(f"G{i}" for i in range(10))
    curve = pl.enrichment(data, "S1", Signature(id="A", up=genes)).axes[0].lines[0].get_ydata()
    order = data.loc["S1"].sort_values(ascending=False)
    inside = order.index.isin(genes)
    weight = np.where(inside, np.arange(len(order), 0, -1) ** 0.25, 0)
    expected = np.cumsum(weight) / weight.sum() - np.cumsum(~inside) / (~inside).sum()
    assert np.allclose(curve, expected)
    assert abs(float(np.asarray(curve)[-1])) < 1e-12


def test_landscape_is_in_units_of_the_reference() -> None:
    scores, obs = f.scores()
    normal = (obs["sample_type"] == "normal").to_numpy()
    shifted = scores.copy()
    shifted["MTORC1"] = np.where(
        normal, scores["MTORC1"], scores["MTORC1"][normal].mean() + 3 * scores["MTORC1"][normal].std()
    )
    ax = pl.landscape(shifted, obs, signatures=["MTORC1"]).axes[0]
    assert np.isclose(np.asarray(ax.lines[-1].get_xdata())[0], 3.0)


def test_diagnosis_shows_its_three_tables() -> None:
    result = f.diagnosed()
    figure = pl.diagnosis(result)
    left, middle, right = figure.axes[:3]
    assert np.array_equal(np.asarray(left.images[0].get_array()), result.technical.to_numpy(), equal_nan=True)
    shares = np.asarray(right.images[0].get_array())
    assert shares[2, 3] == shares[3, 2] == 0.4
    solid, hollow = (np.asarray(line.get_xdata()).tolist() for line in middle.lines[1:])
    assert sorted([*solid, *hollow]) == sorted(result.coherence["coherence"].dropna())
    assert hollow == [0.02]


def test_comparison_names_the_pair_that_agrees_least() -> None:
    table = f.compared().correlations.dropna()
    worst = table.loc[table[table["signature"] == "MTORC1"]["spearman"].idxmin()]
    shown = texts(pl.comparison(f.compared()))
    assert f"{worst['spearman']:.2f} {worst['method_a']}, {worst['method_b']}" in shown
    pair = table[(table["method_a"] == "ssgsea") & (table["method_b"] == "ucell")]["spearman"].median()
    assert shown.count(f"{pair:.2f}") >= 2


def test_heatmap_groups_by_branch_and_sample_type() -> None:
    scores, obs = f.scores()
    shuffled = scores.sample(frac=1, random_state=0)[list(scores.columns)[::-1]]
    figure = pl.heatmap(shuffled, obs, branches=f.BRANCHES, tracks=["sample_type"])
    image = np.asarray(figure.axes[1].images[0].get_array())
    assert image.shape == (7, 64)
    labels = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert labels[:2] == ["A_SIGNATURE_WITH_A_VERY_LONG_NAME", "PROLIFERATION"]
    track = np.asarray(figure.axes[0].images[0].get_array())[0]
    assert (np.diff(track) != 0).sum() == 1


def test_scores_come_from_an_anndata() -> None:
    adata = f.cells()
    assert pl.violin(adata, groupby="cell_type") is not None
    with pytest.raises(DataError, match="no scores of 'gsva'"):
        pl.heatmap(adata, method="gsva")
    adata.obsm["score_gsva"] = adata.obsm["score_ucell"]
    with pytest.raises(DataError, match="say which"):
        pl.heatmap(adata)
    del adata.obsm["score_gsva"], adata.obsm["score_ucell"]
    with pytest.raises(DataError, match=r"run mt\.tl\.score"):
        pl.heatmap(adata)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: pl.violin(f.scores()[0], f.scores()[1], groupby="colour"), "lacks column"),
        (lambda: pl.violin(f.scores()[0], f.scores()[1].iloc[:5]), "not in the clinical table"),
        (lambda: pl.heatmap(f.scores()[0].iloc[:, :0]), "no scores to draw"),
        (lambda: pl.heatmap(*f.scores(), signatures=["NOPE"]), "no score here"),
        (lambda: pl.heatmap([1, 2]), "must be a scored AnnData"),
        (lambda: pl.landscape(*f.scores(), reference="liver"), "needs at least 3"),
        (lambda: pl.correlation(f.scores()[0].iloc[:2]), "two signatures and three"),
        (lambda: pl.coverage(pd.DataFrame({"signature": []})), "lacks column"),
        (lambda: pl.coverage(f.coverage_table(), signatures=["NOPE"]), "no row for NOPE"),
        (lambda: pl.km(f.curves().drop(columns="n_risk")), "lacks column"),
        (lambda: pl.km(pd.concat([f.curves(), f.curves().assign(signature="B")])), "choose one"),
        (lambda: pl.km(f.curves(), unit="hours"), "Unknown unit"),
        (lambda: pl.forest(f.associations().assign(hr=np.nan)), "nothing to draw"),
        (lambda: pl.null_distribution([1, 2, 3], 1), "at least 20"),
        (lambda: pl.roc([1, 1, 1], [0.1, 0.2, 0.3]), "labels 0 and 1"),
        (lambda: pl.roc([0, 1], [0.1, np.nan]), "none missing"),
        (lambda: pl.calibration(pd.DataFrame({"predicted": [2.0], "observed": [0.1]})), "between 0 and 1"),
        (lambda: pl.decision_curve(pd.DataFrame({"strategy": ["a"]})), "lacks column"),
        (lambda: pl.meta_forest({"A": f.associations()}, None, "NOPE"), "No cohort relates NOPE"),
        (lambda: pl.umap(f.cells(), "STEROL", basis="X_tsne"), "no embedding"),
        (lambda: pl.enrichment(f.one_sample(), "S9", Signature(id="A", up=("G1",))), "no observation 'S9'"),
        (
            lambda: pl.enrichment(f.one_sample(), "S1", Signature(id="A", up=("X",))),
            "None of the 1 genes of A has a value",
        ),
        (lambda: pl.diagnosis(f.diagnosed(), signatures=["NOPE"]), "not diagnosed"),
        (lambda: pl.comparison(f.compared(), signatures=["FLAT"]), "not compared"),
        (lambda: pl.comparison(f.compared(), statistic="kendall"), "choose one of spearman"),
        (lambda: pl.landscape(f.scores()[0] * 0, f.scores()[1]), "No score varies"),
        (lambda: pl.km(many_curves(9)), "draw at most 8"),
        (lambda: pl.calibration(pd.DataFrame({"predicted": [np.nan], "observed": [0.1]})), "both a predicted and"),
        (lambda: pl.decision_curve(f.decision_table().assign(net_benefit=np.nan)), "has a net benefit"),
        (lambda: pl.null_distribution(np.arange(30), np.nan), "Our own statistic is missing"),
        (lambda: pl.enrichment(f.one_sample() * np.nan, "S1", Signature(id="A", up=("G1",))), "has a value in 'S1'"),
        (lambda: pl.ridge(f.cells()[:0], "STEROL", "cell_type"), "no scores|no value"),
        (lambda: pl.flow(pd.DataFrame({"step": ["read"]})), "lacks column"),
    ],
)
def test_says_what_is_wrong(make: Callable[[], Any], word: str) -> None:
    with pytest.raises(DataError, match=word):
        make()


@pytest.mark.parametrize(
    ("p", "text"), [(0.5, "p = 0.50"), (0.0123, "p = 0.012"), (1e-9, "p < 0.0001"), (float("nan"), "p not available")]
)
def test_p_values_as_printed(p: float, text: str) -> None:
    assert theme.p_text(p) == text


def test_labels_fit() -> None:
    assert theme.shorten("x" * 50, 11) == "xxxxxx…xxxx"
    assert len(theme.shorten("x" * 500)) == 34
    assert theme.shorten("a\nb\x00c") == "a b c"
    assert theme.wrap("HALLMARK_MTORC1_SIGNALING", 20) == "HALLMARK_MTORC1_\nSIGNALING"
    assert max(map(len, theme.wrap("y" * 300, 20).split("\n"))) <= 20


def test_groups_with_a_meaning_keep_their_colours() -> None:
    colours = theme.palette(["normal", "x", "tumour", "y"])
    assert colours["tumour"] == theme.VERMILLION
    assert colours["normal"] == theme.BLUE
    assert len(set(colours.values())) == 4


# Machado, Oliveira and Fernandes, IEEE Trans Vis Comput Graph 2009;15:1291: what is seen without one kind of cone.
MISSING_CONE = {
    "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def nearest(colours: Sequence[Any], cone: str) -> float:
    """Return the smallest CIELAB distance between two colours, as seen without a kind of cone."""
    from matplotlib.colors import to_rgb

    rgb = np.array([to_rgb(c) for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(MISSING_CONE[cone]).T, 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.column_stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2))


@pytest.mark.parametrize("cone", MISSING_CONE)
def test_colours_are_told_apart_without_one_kind_of_cone(cone: str) -> None:
    steps = np.linspace(0, 1, 5)
    for colours in (theme.CYCLE, theme.diverging()(steps), theme.sequential()(steps)):
        assert nearest([c if isinstance(c, str) else tuple(c[:3]) for c in colours], cone) > 10
    # Matplotlib's own red and green would not do.
    assert nearest(["tab:red", "tab:green"], "green") < 10


def test_contributions_shows_the_first_genes_and_adds_up_the_others() -> None:
    from matplotlib.patches import Rectangle

    table = f.explained()
    axes = pl.contributions(table, n=10).axes[0]
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels[:2] == ["GENE0", "GENE1"]
    assert labels[2] == "GENE2 ↓"
    assert labels[-1] == "12 other genes"
    widths = [p.get_width() for p in axes.patches if isinstance(p, Rectangle)]
    assert np.isclose(sum(widths), table["contribution"].sum())
    assert any("not in the matrix: THRSP, ACACB" in t for t in texts(axes.figure))
    # Contributions that do not add up are not added up.
    apart = pl.contributions(table.assign(total=np.nan, adds_up_to="nothing"), n=10).axes[0]
    assert len(apart.patches) == 10
    assert apart.get_xlabel().startswith("score minus the score without the gene")
    with pytest.raises(DataError, match="nothing to draw"):
        pl.contributions(table[~table["present"].astype(bool)])


def test_calibration_draws_a_band_only_with_a_smooth_curve() -> None:
    from tests.pl.figures import _calibration, _smooth

    plain, banded = pl.calibration(_calibration()), pl.calibration(_calibration(), smooth=_smooth())
    fills = [len([c for c in f.axes[0].collections if type(c).__name__ != "LineCollection"]) for f in (plain, banded)]
    assert fills == [0, 1]
    assert plain.axes[0].lines[1].get_linestyle() == "-"
    assert banded.axes[0].lines[-1].get_linestyle() == "None"


def test_groups_say_difference_interval_and_p_of_the_contrast() -> None:
    scores, obs = f.staged()
    trend = tl.contrast(scores, obs["stage"], order=f.STAGES)
    figure = pl.groups(scores, trend, obs, groupby="stage")
    row = trend.set_index("signature").loc["LIPOGENESIS"]
    said = f"+{row['difference']:.2f} (+{row['low']:.2f} to +{row['high']:.2f}) per step, {theme.p_text(row['p_t'])}"
    assert f"LIPOGENESIS\n{said}" in texts(figure)
    assert [t.get_text().split("\n")[0] for t in figure.axes[0].get_xticklabels()] == list(f.STAGES)
    against = tl.contrast(scores, obs["stage"], control="normal")
    figure = pl.groups(scores, against, obs, groupby="stage", order=f.STAGES)
    assert sum(t.startswith("p ") for t in texts(figure)) == 8
    named = against.assign(contrast=against["contrast"].str.replace(" - ", " against "))
    assert texts(pl.groups(scores, named, obs, groupby="stage", order=f.STAGES)) == texts(figure)


def test_arms_are_drawn_beside_the_difference_within_their_factor() -> None:
    scores, obs = f.staged()
    kept = obs["stage"].isin(["normal", "early"])
    scores, obs = scores[kept], obs[kept].assign(sex=np.resize(["f", "f", "m", "m"], int(kept.sum())))
    table = tl.contrast(scores, obs["stage"], control="normal", within=obs["sex"])
    obs = obs.assign(arm=[f"{a} in {b}" for a, b in zip(obs["stage"], obs["sex"], strict=True)])
    figure = pl.groups(scores, table, obs, groupby="arm", signatures=["LYSOSOME"])
    labels = [t.get_text().split("\n")[0].partition(" (")[0] for t in figure.axes[0].get_xticklabels()]
    assert labels[0] == "normal in f"
    assert set(labels) == {"normal in f", "early in f", "normal in m", "early in m"}
    assert sum(t.startswith("p ") for t in texts(figure)) == 2


def test_pairs_are_joined_and_an_incomplete_one_is_not() -> None:
    scores, obs = f.staged()
    kept = obs["stage"].isin(["normal", "early"])
    scores, obs = scores[kept], obs[kept]
    table = tl.contrast(scores, obs["stage"], treated="early", control="normal", pair=obs["patient"])
    figure = pl.groups(scores, table, obs, groupby="stage", pair="patient", signatures=["LYSOSOME"])
    grey = [line for line in figure.axes[0].lines if line.get_color() == theme.GREY]
    assert len(grey) == 8
    figure = pl.groups(scores.iloc[1:], table, obs.iloc[1:], groupby="stage", pair="patient", signatures=["LYSOSOME"])
    assert len([line for line in figure.axes[0].lines if line.get_color() == theme.GREY]) == 7


def test_groups_refuse_what_they_cannot_tell() -> None:
    scores, obs = f.staged()
    table = tl.contrast(scores, obs["stage"], control="normal")
    with pytest.raises(DataError, match="No contrast is about groups of patient"):
        pl.groups(scores, table, obs, groupby="patient")
    with pytest.raises(DataError, match="hand over those of one"):
        pl.groups(scores, pd.concat([table.assign(method=m) for m in "ab"]), obs, groupby="stage")
    with pytest.raises(DataError, match="No observation is in group 'late'"):
        pl.groups(scores, table, obs, groupby="stage", order=["normal", "late"])
    missing = table.assign(low=np.nan, high=np.nan, p_t=np.nan, p_moderated=np.nan)
    assert any("p not available" in t for t in texts(pl.groups(scores, missing, obs, groupby="stage")))
