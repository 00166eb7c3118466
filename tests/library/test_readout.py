"""The readout benchmark: its tests keep their level, its verdicts follow the library, and its tables are current."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mtorscore as mt
from benchmarks.readout.alternatives import PROCEDURES
from benchmarks.readout.composites import add_composites, flattened
from benchmarks.readout.rotation import camera_from_z, gene_effects, rotation_test
from benchmarks.readout.run import expected, learned_here, set_matrix, verdict
from mtorscore.collection import Composite

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "readout" / "tables"


def test_effects_are_those_of_the_linear_model() -> None:
    rng = np.random.default_rng(0)
    block = np.repeat([0, 1, 2, 3], 2)
    treated = np.tile([True, False], 4)
    y = rng.normal(size=(8, 30)) + block[:, None]
    effects = gene_effects(y, treated, block)
    assert effects.shape == (4, 30)
    paired = stats.ttest_rel(y[treated], y[~treated])
    t = effects[0] / np.sqrt((effects[1:] ** 2).sum(axis=0) / 3)
    np.testing.assert_allclose(t, paired.statistic, rtol=1e-10)


def test_rotation_and_camera_keep_their_level_with_correlated_genes() -> None:
    rng = np.random.default_rng(1)
    genes, n_sets = 600, 20
    sets = np.zeros((genes, n_sets))
    for j in range(n_sets):
        sets[j * 30 : (j + 1) * 30, j] = 1 / 30
    block, treated = np.zeros(12, int), np.arange(12) < 6
    rotation, competitive, naive = [], [], []
    for _ in range(30):
        shared = rng.normal(size=(12, n_sets))
        y = rng.normal(size=(12, genes)) + 0.8 * np.repeat(shared, 30, axis=1)[:, :genes]
        tested = rotation_test(gene_effects(y, treated, block), sets, n=199)
        rotation.append(tested["p"])
        competitive.append(tested["p_competitive"])
        effects = gene_effects(y, treated, block)
        naive.append(camera_from_z(effects[0], sets, 0.0)[1])
    levels = [float((np.concatenate(p) < 0.05).mean()) for p in (rotation, competitive, naive)]
    assert 0.02 < levels[0] < 0.09
    assert 0.01 < levels[1] < 0.12
    assert levels[2] > 0.25  # a test that ignores the correlation of genes


def test_a_moved_set_is_found() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=(8, 500))
    treated = np.arange(8) < 4
    y[:4, :25] += 2
    sets = np.zeros((500, 2))
    sets[:25, 0], sets[25:50, 1] = 1 / 25, 1 / 25
    tested = rotation_test(gene_effects(y, treated, np.zeros(8, int)), sets, n=499)
    assert tested["p"][0] < 0.01
    assert tested["statistic"][0] > 1
    assert tested["p"][1] > 0.05


def test_expected_directions_come_from_the_library() -> None:
    library = mt.library()
    assert expected(library["RIBI_CORE"], {"mtorc1": -1}, "") == -1
    assert expected(library["CLEAR_TFEB"], {"mtorc1": -1}, "") == 1
    assert expected(library["FOXO_TARGETS_AKT_OFF"], {"akt": -1}, "") == 1
    assert expected(library["SREBP1_LIPOGENIC_CORE"], {"mtorc1": 1}, "tsc_loss") == 0
    assert expected(library["TOP_RIBOSOMAL_PROTEINS"], {"mtorc1": -1}, "rapalog") == 0
    assert expected(library["TOP_RIBOSOMAL_PROTEINS"], {"mtorc1": -1}, "rapalog", "protein") == -1
    assert expected(library["META_PCNA"], {"mtorc1": -1}, "") == 0
    row = pd.Series({"hedges_g": -2.0, "p": 0.001, "expected": -1})
    assert verdict(row) == "as expected"
    assert verdict(pd.Series({"hedges_g": -2.0, "p": 0.001, "expected": 1})) == "opposed"
    assert verdict(pd.Series({"hedges_g": -2.0, "p": 0.2, "expected": 1})) == "unclear"


def test_set_matrix_is_signed_and_normed() -> None:
    signature = mt.Signature(id="A", up=("G1", "G2"), down=("G3",), weights={"G1": 2.0})
    matrix = set_matrix([signature, mt.Signature(id="B", up=("X",))], ["G3", "G2", "G1"])
    np.testing.assert_allclose(matrix[:, 0], [-0.25, 0.25, 0.5])
    np.testing.assert_array_equal(matrix[:, 1], 0)


def test_published_tables_fit_the_library() -> None:
    results = pd.read_csv(RESULTS / "results.tsv", sep="\t")
    library = mt.library(experimental=True)
    scored = {e.id for e in library if e.kind in {"signature", "composite"} and not learned_here(e)}
    assert "MTORC1_FOOTPRINT_LEARNED" not in scored
    assert set(results["signature"]) == scored
    assert results.groupby("study").ngroups == 7


def test_pages_are_current() -> None:
    from benchmarks.readout.run import page

    tables = [pd.read_csv(RESULTS / f"{n}.tsv", sep="\t") for n in ("results", "overexpression", "genes")]
    assert (ROOT / "docs" / "evidence" / "readout.md").read_text() == page(*tables)
    held_out = pd.read_csv(RESULTS / "footprint.tsv", sep="\t", index_col="study")
    text = (ROOT / "docs" / "evidence" / "footprint.md").read_text()
    assert all(f"| {study} | {row.iloc[0]:+.2f} |" in text for study, row in held_out.iterrows())


def test_the_arms_disagree_as_the_data_say() -> None:
    """Against the numbers in the data's own description, and said on the page."""
    table = pd.read_csv(RESULTS / "genes.tsv", sep="\t").set_index(["contrast", "gene"])["log2fc"]
    described = {
        "RPTOR loss, fed": {"FASN": -2.5, "SREBF1": -1.0, "ASNS": 0.7, "PSAT1": 0.7, "MTHFD2": 1.9, "SQLE": 0.0},
        "RPTOR loss, starved": {"FASN": -2.0, "SREBF1": -0.4, "ASNS": 0.6, "PSAT1": 0.3, "MTHFD2": 1.4},
        "RICTOR loss, fed": {"FASN": -1.5, "PSAT1": 2.0, "MTHFD2": 2.2},
    }
    for contrast, genes in described.items():
        for gene, change in genes.items():
            assert table[contrast, gene] == pytest.approx(change, abs=0.12), (contrast, gene)
    text = (ROOT / "docs" / "evidence" / "readout.md").read_text()
    assert "RPTOR loss lowers SREBF1 and FASN and raises ASNS, PSAT1 and MTHFD2" in text


def test_a_composite_is_the_sum_of_its_parts() -> None:
    parts = [mt.Signature(id="A", up=("G1", "G2")), mt.Signature(id="B", up=("G2", "G3"), down=("G4",))]
    composite = Composite(id="C", level="composite", sign=1, parts={"A": 1.0, "B": -1.0})
    flat = flattened(composite, mt.SignatureCollection(parts))
    expected_weights = {"G1": 1 / 2, "G2": 1 / 2 - 1 / 3, "G3": -1 / 3, "G4": 1 / 3}
    assert flat.signed_weights() == pytest.approx(expected_weights)
    block, treated = np.repeat([0, 1, 2], 2), np.tile([True, False], 3)
    scores = pd.DataFrame({"A": [1.0, 0.0, 2.0, 1.5, 3.0, 1.0], "B": [0.0, 1.0, 0.5, 0.0, 2.0, 2.5]})
    summed = add_composites(scores, [composite], treated, block)["C"]
    # Within pairs the residual SD is that of the differences over the square root of two.
    spread = [(scores[c][treated].to_numpy() - scores[c][~treated].to_numpy()).std(ddof=1) / np.sqrt(2) for c in "AB"]
    np.testing.assert_allclose(summed, scores["A"] / spread[0] - scores["B"] / spread[1])


def test_no_other_procedure_would_have_passed() -> None:
    others = pd.read_csv(RESULTS / "footprint_alternatives.tsv", sep="\t")
    assert set(others["procedure"]) == set(PROCEDURES)
    assert (others.groupby("procedure")["low"].min() < 0).all()
    assert "0 of 6 pass" in (ROOT / "docs" / "evidence" / "footprint.md").read_text()


def test_over_expressed_factors_move_their_own_branch() -> None:
    table = pd.read_csv(RESULTS / "overexpression.tsv", sep="\t").set_index(["over_expressed", "signature"])
    row = table.loc[("TFEB", "CLEAR_TFEB")]
    assert row["genes"] >= 20
    assert row["as_expected"] == row["genes"]


def test_the_learned_footprint_is_a_default_only_if_it_earned_it() -> None:
    differences = pd.read_csv(RESULTS / "footprint_differences.tsv", sep="\t")
    entry = mt.library(experimental=True)["MTORC1_FOOTPRINT_LEARNED"]
    assert entry.experimental != bool((differences["low"] > 0).all())
    assert not {"PCNA", "MKI67", "MCM2", "TOP2A"} & set(entry.genes)


@pytest.mark.slow
def test_measuring_again_gives_the_published_numbers(shared: Path) -> None:
    from benchmarks.readout.run import measure

    published = pd.read_csv(RESULTS / "results.tsv", sep="\t")
    chosen = [mt.library()[n] for n in ("SREBP1_LIPOGENIC_CORE", "MTORC1_ATF4", "TOP_RIBOSOMAL_PROTEINS")]
    again = measure(shared, [s for s in chosen if isinstance(s, mt.Signature)], rotations=9)
    merged = again.merge(published, on=["contrast", "signature"], suffixes=("", "_published"))
    assert len(merged) == len(again)
    np.testing.assert_allclose(merged["hedges_g"], merged["hedges_g_published"], rtol=2e-3, atol=1e-3)
    # What the data's own descriptions say: RPTOR loss lowers the SREBP arm, Tsc1 loss raises the ATF4 arm.
    table = merged.set_index(["contrast", "signature"])["hedges_g"]
    assert table["RPTOR loss, fed", "SREBP1_LIPOGENIC_CORE"] < 0
    assert table["Tsc1 loss, mouse muscle", "MTORC1_ATF4"] > 0
    assert table["rapamycin, SU-DHL-4 proteome", "TOP_RIBOSOMAL_PROTEINS"] < 0
    assert table["rapamycin, mouse liver RNA", "TOP_RIBOSOMAL_PROTEINS"] > 0
