"""Classes by published lists: calls, rejection, single samples, platforms, other tissues, scales, small panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from mtorscore import tl
from mtorscore.cli.app import app
from mtorscore.collection import SignatureCollection, library
from mtorscore.collection.library_files import library_folder
from mtorscore.datasets import simulate_cohort
from mtorscore.errors import DataError, FormatError, MethodError, SignatureError
from mtorscore.prognosis import Endpoint, fit_model, load_model
from mtorscore.tl import SignatureScorer, scheme, schemes

IDS = {"boyault", "cca_prognosis", "cca_stem_cell", "chiang", "hb_16gene", "hb_c1c2", "hcc_proliferation", "hoshida"}
CLASSES = {
    "hoshida": ("S1", "S2", "S3"), "boyault": ("G1", "G2", "G3", "G5", "G6"), "hb_c1c2": ("C1", "C2"),
    "cca_prognosis": ("good", "poor"), "cca_stem_cell": ("stem-cell-like", "other"),
    "hcc_proliferation": ("proliferation", "non-proliferation"),
}  # fmt: skip


def simulated(name: str, n: int = 30, *, seed: int = 0, effect: float = 1.5, others: int = 300) -> ad.AnnData:
    """Return samples of known class, on log scale: its up genes raised, its down genes lowered."""
    chosen, rng = scheme(name), np.random.default_rng(seed)
    genes = [*chosen.genes, *(f"SPARE{i}" for i in range(others))]
    level = rng.normal(6, 2, len(genes))
    # The frozen reference says where markers lie within a sample; a simulated sample follows it.
    for gene, (mean, _) in chosen.reference.get("genes", {}).items():
        level[genes.index(gene)] = 2 + 8 * mean
    x = level + rng.normal(0, 1, (n, len(genes)))
    truth = [list(chosen.classes)[i % len(chosen.classes)] for i in range(n)]
    at = {g: j for j, g in enumerate(genes)}
    for i, c in enumerate(truth):
        t = chosen.classes[c]
        x[i, [at[g] for g in t.up]] += effect
        x[i, [at[g] for g in t.down]] -= effect
    adata = ad.AnnData(np.maximum(x, 0.01), pd.DataFrame({"truth": truth}, [f"s{i}" for i in range(n)]))
    adata.var_names = genes
    return adata


def test_the_schemes_are_those_that_are_promised() -> None:
    assert set(schemes()) == IDS
    for name, classes in CLASSES.items():
        assert tuple(scheme(name).classes) == classes
    assert not scheme("boyault").classes["G5"].up
    assert set(scheme("hoshida").classes["S2"].up) <= set(library()["HOSHIDA_S2"].genes)
    for name in IDS:
        found = scheme(name)
        assert all((found.sources, found.licence, found.caveat, found.cancers))
        assert bool(found.reference) == (found.cancers != ("HB",))
    assert not any("classes" in n.lower() and n in IDS for n in library().names)
    assert len(SignatureCollection.read(library_folder())) == len(library(experimental=True))


@pytest.mark.parametrize("name", sorted(IDS))
def test_simulated_classes_are_found(name: str) -> None:
    # Sixteen genes tell less than lists of hundreds.
    adata = simulated(name, effect=3.0 if name == "hb_16gene" else 1.5)
    table = tl.classify(adata, name, n_permutations=200)
    taken = ~table["rejected"]
    assert taken.mean() > 0.8, table["reason"].value_counts()
    assert (table["class"][taken] == adata.obs["truth"][taken]).mean() > 0.9
    assert list(table.index) == list(adata.obs_names)
    assert table["class"].isna().equals(table["rejected"])
    distances = table[[f"distance_{c}" for c in scheme(name).classes]].to_numpy()
    assert_allclose(np.sort(distances, axis=1)[:, 1] - distances.min(axis=1), table["margin"])
    assert (table["q"] >= table["p"] - 1e-12).all()


@pytest.mark.parametrize("seed", [0, None], ids=["fixed", "random"])
def test_samples_without_a_class_are_rejected_at_the_level(seed: int | None) -> None:
    seed = int(np.random.default_rng().integers(1_000_000)) if seed is None else seed
    print("seed", seed)
    table = tl.classify(
        simulated("hoshida", 100, seed=seed, effect=0.0), "hoshida", n_permutations=200, reference="cohort"
    )
    assert (table["p"] < 0.05).mean() < 0.13
    assert table["rejected"].mean() > 0.8
    assert table["class"].notna().sum() == (~table["rejected"]).sum()


def test_one_sample_alone_is_called_as_among_others() -> None:
    adata = simulated("hoshida", 24)
    for caller in ("template", "rank"):
        whole = tl.classify(adata, "hoshida", caller=caller, n_permutations=100)
        alone = tl.classify(adata[[5]].copy(), "hoshida", caller=caller, n_permutations=100)
        assert alone["nearest"].iloc[0] == whole["nearest"].iloc[5]
        assert_allclose(alone["margin"].iloc[0], whole["margin"].iloc[5])
        assert "frozen" in alone["reference"].iloc[0]
        turned = adata[::-1, ::-1].copy()
        again = tl.classify(turned, "hoshida", caller=caller, n_permutations=100).loc[whole.index]
        assert_allclose(again["margin"], whole["margin"], atol=1e-9)


def test_another_platform_is_seen_and_the_cohort_takes_over() -> None:
    adata = simulated("hoshida", 40, effect=0.4)
    shift = np.random.default_rng(1).normal(0, 4, adata.n_vars)
    other = ad.AnnData(adata.X + shift - (adata.X + shift).min(), adata.obs, adata.var)
    table = tl.classify(other, "hoshida", n_permutations=100)
    assert table["reference"].iloc[0].startswith("this cohort: 40")
    assert (table["nearest"] == other.obs["truth"]).mean() > 0.9
    frozen = tl.classify(other, "hoshida", n_permutations=100, reference="frozen")
    assert (frozen["nearest"] == other.obs["truth"]).mean() < (table["nearest"] == other.obs["truth"]).mean()
    with pytest.raises(MethodError, match="too few to be their own"):
        tl.classify(adata[:8].copy(), "hoshida", reference="cohort")
    with pytest.raises(MethodError, match="no frozen reference"):
        tl.classify(simulated("hb_c1c2", 5), "hb_c1c2")
    with pytest.raises(MethodError, match="no frozen reference"):
        tl.classify(simulated("hb_c1c2", 30), "hb_c1c2", caller="rank")


def test_few_tumours_of_another_platform_are_their_own_reference_or_rejected() -> None:
    """Ten or more tell their classes without the frozen numbers; of fewer, frozen numbers say nothing."""
    adata = simulated("hoshida", 36, effect=1.5)
    shift = np.random.default_rng(int(np.random.default_rng().integers(10**6))).normal(0, 4, adata.n_vars)
    other = ad.AnnData(adata.X + shift - (adata.X + shift).min(), adata.obs, adata.var)
    dozen = other[:12].copy()
    table = tl.classify(dozen, "hoshida", n_permutations=100)
    assert table["reference"].iloc[0].startswith("this cohort: 12 observations, which is few")
    assert (table["nearest"] == dozen.obs["truth"]).mean() > 0.7
    few = tl.classify(other[:3].copy(), "hoshida", n_permutations=100)
    assert few["rejected"].all()
    assert few["reason"].str.contains("as on another platform; call 10 or more").all()
    ranks = tl.classify(other, "hoshida", caller="rank", n_permutations=100)
    assert ranks["rejected"].all()
    asked = tl.classify(other[:3].copy(), "hoshida", n_permutations=100, reference="frozen")
    assert not asked["reason"].str.contains("another platform").any()


def test_scale_does_not_matter_and_a_wrong_one_is_refused() -> None:
    adata = simulated("hoshida", 24)
    doubled = ad.AnnData(np.log2(1 + 2 ** (adata.X * 0.9)), adata.obs, adata.var)
    one, other = (tl.classify(a, "hoshida", n_permutations=10)["margin"] for a in (adata, doubled))
    assert_allclose(one, other, atol=1e-9)
    counts = ad.AnnData(np.round(2**adata.X), adata.obs, adata.var)
    with pytest.raises(DataError, match="looks like counts"):
        tl.classify(counts, "hoshida")
    counts.layers["log"] = adata.X
    assert len(tl.classify(counts, "hoshida", layer="log", n_permutations=10)) == 24
    z = ad.AnnData((adata.X - adata.X.mean(axis=0)) / adata.X.std(axis=0), adata.obs, adata.var)
    with pytest.raises(DataError, match="zscore"):
        tl.classify(z, "hoshida")


def test_panels_with_enough_genes_are_called_with_coverage_and_others_refused() -> None:
    adata = simulated("hoshida", 30)
    some = [g for t in scheme("hoshida").classes.values() for g in t.up[:40]]
    part = tl.classify(adata[:, [*some, *(f"SPARE{i}" for i in range(50))]].copy(), "hoshida", n_permutations=100)
    assert part["genes"].eq(len(set(some))).all()
    assert_allclose(part["coverage"], len(set(some)) / len(scheme("hoshida").genes))
    assert (part["nearest"] == adata.obs["truth"]).mean() > 0.8
    few = [g for t in scheme("hoshida").classes.values() for g in t.up[:4]]
    with pytest.raises(DataError, match=r"needs 10 genes .* S1 \(4 of"):
        tl.classify(adata[:, few].copy(), "hoshida")


def test_a_call_that_hangs_on_few_genes_names_them() -> None:
    adata = simulated("hb_16gene", 40, effect=0.7)
    table = tl.classify(adata, "hb_16gene", n_permutations=50)
    fragile = table[table["changes_without"] != ""]
    assert len(fragile)
    name = fragile.index[0]
    lost = fragile.loc[name, "changes_without"].split(", ")
    again = adata.copy()
    # Without these markers' say (their mean, for everybody) another class is nearer.
    at = again.var_names.get_indexer(lost)
    assert (at >= 0).all()
    assert len(lost) <= 10


def test_another_cancer_is_refused_by_name_and_by_what_is_expressed() -> None:
    adata = simulated("hb_c1c2")
    with pytest.raises(DataError, match="cancer='HB'"):
        tl.classify(adata, "hb_c1c2", cancer="HCC")
    adata.uns["recipe"] = {"cancer": "hcc"}
    with pytest.raises(DataError, match="are hcc"):
        tl.classify(adata, "hb_c1c2")
    assert tl.classify(adata, "hb_c1c2", cancer="HB", n_permutations=20)["class"].notna().any()
    cohort = simulate_cohort(n_tumours=12, n_normals=0, n_genes=2000, disease="cca")
    cohort.layers["log"] = np.log2(np.asarray(cohort.X.toarray() if hasattr(cohort.X, "toarray") else cohort.X) + 1.0)
    with pytest.raises(DataError, match=r"are (cca|CCA)"):
        tl.classify(cohort, "hoshida", layer="log")


def test_a_users_own_scheme_and_its_mistakes(tmp_path: Path) -> None:
    up = {"A": [f"G{i}" for i in range(12)], "B": [f"G{i}" for i in range(12, 24)]}
    raw: dict[str, Any] = {"id": "own", "cancers": ["HCC"], "classes": {c: {"up": genes} for c, genes in up.items()}}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(raw))
    rng = np.random.default_rng(0)
    x = rng.normal(6, 1, (20, 60))
    x[:10, :12] += 2
    x[10:, 12:24] += 2
    adata = ad.AnnData(x)
    adata.var_names = [f"G{i}" for i in range(60)]
    table = tl.classify(adata, path, n_permutations=100)
    assert table["class"].tolist() == ["A"] * 10 + ["B"] * 10
    raw["classes"]["A"] = {"up": ["G1"], "down": ["G1"]}
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(SignatureError, match="both directions"):
        tl.classify(adata, path)
    path.write_text("- a list")
    with pytest.raises(FormatError, match="A scheme has the keys"):
        tl.classify(adata, path)
    with pytest.raises(SignatureError, match="Near: hoshida"):
        tl.classify(adata, "hoshidas")
    with pytest.raises(MethodError, match="Trained callers are models"):
        tl.classify(adata, "hoshida", caller="trained")


def test_a_trained_model_calls_by_the_same_door(tmp_path: Path) -> None:
    adata = simulated("hoshida", 60)
    chosen = scheme("hoshida")
    endpoint = Endpoint.label("truth", classes=("S3", "S2", "S1"))
    tl.score(adata, chosen.signatures(), method="singscore")
    scores = adata.obsm["score_singscore"]
    model = fit_model(scores, adata.obs, endpoint, signatures=chosen.signatures(), name="trained")
    again = load_model(model.save(tmp_path / "model.zip"))
    # Other genes beside the markers, and some of these lost: a model of a single-sample method scores what there is.
    new = simulated("hoshida", 30, seed=5, others=150)[:, 10:].copy()
    table = tl.classify(new, again)
    held = fit_model(adata, adata.obs, endpoint, scorer=SignatureScorer(chosen.signatures(), method="singscore"))
    assert (tl.classify(simulated("hoshida", 30, seed=5), held)["nearest"] == new.obs["truth"]).mean() > 0.9
    assert (table["nearest"] == new.obs["truth"]).mean() > 0.9
    assert_allclose(table[[f"probability_{c}" for c in again.classes]].sum(axis=1), 1)
    weak = simulated("hoshida", 30, seed=6, effect=0.15)
    strict = again.classify(weak, reject=0.9)
    assert strict["rejected"].sum() > again.classify(weak, reject=0.0)["rejected"].sum()
    assert strict.loc[strict["rejected"], "class"].isna().all()
    frame = pd.DataFrame(new.X.T, index=new.var_names, columns=new.obs_names)
    frame.to_csv(tmp_path / "x.tsv", sep="\t", index_label="gene")
    for scheme_, column in (("hoshida", "distance_S1"), (str(tmp_path / "model.zip"), "probability_S1")):
        out = tmp_path / "classes.tsv"
        done = CliRunner().invoke(app, ["classify", str(tmp_path / "x.tsv"), "--scheme", scheme_, "--out", str(out)])
        assert done.exit_code == 0, done.output
        written = pd.read_csv(out, sep="\t")
        assert column in written
        assert len(written) == 30


@pytest.mark.slow
def test_real_tumours_of_another_cancer_are_not_called(shared: Path) -> None:
    from mtorscore import io, pp

    adata = io.read(shared / "data" / "tcga-chol" / "CHOL.rnaseqv2_rsem_normalized.tsv.gz")
    pp.harmonise_genes(adata)
    pp.add_log_layer(adata, scale="rsem")
    table = tl.classify(adata, "hoshida", layer="log", n_permutations=20)
    assert table["class"].notna().mean() < 0.25
