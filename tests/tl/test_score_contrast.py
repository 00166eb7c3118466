"""Tables of differential expression of every tool: recognised, the statistic chosen and said, and scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mtorscore as mt
from mtorscore.errors import DataError, StatisticsWarning
from mtorscore.io.gene_statistics import gene_statistics, is_gene_table
from mtorscore.tl import score_contrast

UP, DOWN, STILL = (sorted(genes) for genes in (
    mt.library()["SREBP1_LIPOGENIC_CORE"].genes, mt.library()["TOP_RIBOSOMAL_PROTEINS"].genes,
    mt.library()["HALLMARK_GLYCOLYSIS"].genes,
))  # fmt: skip
SIGNED = mt.Signature(id="SIGNED", up=tuple(UP), down=tuple(DOWN))
PLAIN = mt.Signature(id="STILL", up=tuple(set(STILL) - set(UP) - set(DOWN)))


def results(seed: int = 0) -> pd.DataFrame:
    """Return a transcriptome with a z, a change and p values: UP rises, DOWN falls."""
    rng = np.random.default_rng(seed)
    others = sorted({g for s in mt.library().signatures for g in s.genes} - {*UP, *DOWN})[:1900]
    genes = [*UP, *DOWN, *others]
    z = rng.normal(size=len(genes))
    z[: len(UP)] += 4
    z[len(UP) : len(UP) + len(DOWN)] -= 3
    p = 2 * stats.norm.sf(np.abs(z))
    frame = pd.DataFrame({"gene": genes, "z": z, "lfc": z * rng.gamma(4, 0.1, len(genes)), "p": p})
    frame["q"] = stats.false_discovery_control(p)
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


def as_written(tool: str, r: pd.DataFrame) -> pd.DataFrame:
    other = np.linspace(0.01, 5, len(r))
    probes = [f"{i}_at" for i in range(len(r))]
    columns = {
        "limma": {"": r.gene, "logFC": r.lfc, "AveExpr": other, "t": r.z, "P.Value": r.p, "adj.P.Val": r.q, "B": other},
        "GEO2R": {"ID": probes, "adj.P.Val": r.q, "P.Value": r.p, "t": r.z, "B": other, "logFC": r.lfc,
                  "Gene.symbol": r.gene},
        "DESeq2": {"": r.gene, "baseMean": other, "log2FoldChange": r.lfc, "lfcSE": other, "stat": r.z, "pvalue": r.p,
                   "padj": r.q},
        "edgeR": {"": r.gene, "logFC": r.lfc, "logCPM": other, "LR": r.z**2, "PValue": r.p, "FDR": r.q},
        "Seurat": {"": r.gene, "p_val": r.p, "avg_log2FC": r.lfc, "pct.1": 0.4, "pct.2": 0.3, "p_val_adj": r.q},
        "scanpy": {"names": r.gene, "scores": r.z, "logfoldchanges": r.lfc, "pvals": r.p, "pvals_adj": r.q},
        "sleuth": {"target_id": r.gene, "pval": r.p, "qval": r.q, "b": r.lfc, "se_b": other, "mean_obs": other},
        "Cuffdiff": {"gene": r.gene, "value_1": other, "value_2": other, "log2(fold_change)": r.lfc, "test_stat": r.z,
                     "p_value": r.p, "q_value": r.q},
        "by hand": {"Gene": r.gene, "Fold Change": np.exp2(r.lfc), "P value": r.p, "FDR": r.q},
    }  # fmt: skip
    return pd.DataFrame(columns[tool])


SIGNED_P, T = "signed -log10 p", "t"
EXPECTED = {
    "limma": ("limma", T), "GEO2R": ("GEO2R (limma)", T), "DESeq2": ("DESeq2", T), "edgeR": ("edgeR", SIGNED_P),
    "Seurat": ("Seurat", SIGNED_P), "scanpy": ("scanpy", T), "sleuth": ("sleuth", SIGNED_P),
    "Cuffdiff": ("Cuffdiff", T), "by hand": ("unnamed", SIGNED_P),
}  # fmt: skip


@pytest.mark.parametrize("sep", ["\t", ",", " "])
@pytest.mark.parametrize("tool", EXPECTED)
def test_every_tool_is_recognised_from_its_file(tmp_path: Path, tool: str, sep: str) -> None:
    frame = as_written(tool, results())
    if sep == " ":
        frame = frame.rename(columns=lambda c: c.replace(" ", "_") or "gene")
    path = tmp_path / ("de.csv" if sep == "," else "de.txt")
    frame.to_csv(path, sep=sep, index=False)
    table = score_contrast(path, [SIGNED, PLAIN])
    name, statistic = EXPECTED[tool]
    assert set(table["tool"]) == {name}
    assert table["statistic"].str.startswith(f"{statistic} (").all()
    rows = table.set_index(["signature", "part"])
    assert rows.loc[("SIGNED", "whole"), "p"] < 1e-6
    assert list(rows.loc["SIGNED", "direction"]) == ["up", "up", "down"]
    assert rows.loc[("STILL", "whole"), "p"] > 0.01
    assert rows.loc[("SIGNED", "whole"), "coverage"] == 1
    assert rows.loc[("SIGNED", "up"), "n_agree"] >= 0.9 * len(UP)


def test_scores_are_those_of_the_methods() -> None:
    r = results()
    table = score_contrast(as_written("limma", r), [SIGNED, PLAIN], harmonise=False)
    rows = table.set_index(["signature", "part"])
    values = r.set_index("gene")["z"]
    weights = pd.Series(0.0, index=values.index)
    weights[UP], weights[DOWN] = 1.0, -1.0
    r2 = np.corrcoef(values, weights)[0, 1] ** 2
    assert rows.loc[("SIGNED", "whole"), "ulm"] == pytest.approx(np.sqrt(r2 * (len(values) - 2) / (1 - r2)))
    assert rows.loc[("SIGNED", "up"), "wmean"] == pytest.approx(values[UP].mean())
    assert rows.loc[("SIGNED", "down"), "wmean"] == pytest.approx(values[DOWN].mean())
    assert np.isnan(rows.loc[("SIGNED", "up"), "mlm"])
    assert np.isfinite(rows.loc[("SIGNED", "whole"), "mlm"])


def test_only_significant_genes_are_recognised_and_their_limits_said() -> None:
    r = results()
    with pytest.warns(StatisticsWarning, match=r"chosen genes only: no adjusted p is above 0\.0"):
        table = score_contrast(as_written("DESeq2", r[r["q"] < 0.05]), [SIGNED])
    assert table[["ulm", "mlm", "t", "p", "q"]].isna().all(axis=None)
    assert table["reason"].str.contains("there is nothing to compare these genes with").all()
    assert table["n_agree"].iloc[0] > 0.9 * table["n_genes"].iloc[0]
    with pytest.warns(StatisticsWarning, match=r"no change is below 0\.\d+"):
        score_contrast(as_written("Seurat", r[r["lfc"].abs() > 0.25]), [SIGNED])


def test_several_comparisons_in_one_table() -> None:
    one, two = results(1), results(2)
    two[["z", "lfc"]] *= -1
    markers = pd.concat([as_written("Seurat", r).assign(cluster=c, gene=r.gene) for r, c in ((one, "A"), (two, "B"))])
    table = score_contrast(markers.rename(columns={"": "row"}), [SIGNED]).set_index(["comparison", "part"])
    assert table.loc[("A", "whole"), "direction"] == "up"
    assert table.loc[("B", "whole"), "direction"] == "down"


def test_clusters_that_are_numbers_keep_their_names() -> None:
    r = as_written("Seurat", results()).rename(columns={"": "gene"})
    both = pd.concat([r.assign(cluster=0.0), r.assign(cluster=1.0, avg_log2FC=-r["avg_log2FC"])])
    table = score_contrast(both, [SIGNED])
    assert table["comparison"].unique().tolist() == ["0", "1"]


def test_a_change_that_names_what_was_compared() -> None:
    r = as_written("limma", results()).rename(columns={"": "gene"}).drop(columns="t")
    named = gene_statistics(r.rename(columns={"logFC": "log2FC (drug vs vehicle)"}))
    assert named.columns == ("P.Value", "log2FC (drug vs vehicle)")
    with pytest.raises(DataError, match="no fold change among"):
        gene_statistics(r.rename(columns={"logFC": "logFC.a"}).assign(**{"logFC.b": r["logFC"]}))
    with pytest.raises(DataError, match="no fold change among"):
        gene_statistics(r.rename(columns={"logFC": "lfc_SE"}))


def test_the_statistic_is_chosen_and_said() -> None:
    r = results()
    changes = gene_statistics(pd.DataFrame({"gene": r.gene, "log2FC": r.lfc}))
    assert changes.statistic == "log fold change"
    assert "noisy genes first" in changes.notes[0]
    zero = as_written("edgeR", r.assign(p=r.p.where(r.p > 1e-5, 0.0)))
    found = gene_statistics(zero)
    assert any("p of exactly 0 count as the least other one" in n for n in found.notes)
    assert np.isfinite(found.values[""]).all()
    turned = gene_statistics(pd.DataFrame({"gene": r.gene, "FC": np.sign(r.lfc) * (1 + r.lfc.abs()), "pvalue": r.p}))
    assert turned.statistic == SIGNED_P
    assert "minus signs for decreases" in turned.notes[0]
    untested = as_written("DESeq2", r)
    untested.loc[:9, ["stat", "pvalue"]] = np.nan
    assert "10 of 1995 rows have no value" in " ".join(gene_statistics(untested).notes)
    chosen = score_contrast(as_written("limma", r), [SIGNED], statistic="logFC")
    assert chosen["statistic"][0] == "logFC, as asked (logFC)"
    only_padj = gene_statistics(pd.DataFrame({"gene": r.gene, "logFC": r.lfc, "FDR": r.q}))
    assert only_padj.statistic == "signed -log10 adjusted p"


def test_is_gene_table() -> None:
    r = results()
    assert all(is_gene_table(as_written(tool, r)) for tool in EXPECTED)
    assert not is_gene_table(pd.DataFrame({"sample": ["a"], "SREBP1": [0.1], "TOP": [2.0]}))


def test_refusals() -> None:
    r = results()
    with pytest.raises(DataError, match="Nothing in the table ranks genes"):
        gene_statistics(pd.DataFrame({"gene": r.gene, "pvalue": r.p}))
    with pytest.raises(DataError, match="`statistic` names 'wald'"):
        score_contrast(as_written("limma", r), [SIGNED], statistic="wald")
    with pytest.raises(DataError, match="outside 0 to 1"):
        gene_statistics(pd.DataFrame({"gene": r.gene, "logFC": r.lfc, "pvalue": r.p * 30}))
    with pytest.raises(DataError, match="None of the genes of 1 signature"):
        score_contrast(as_written("limma", r), [mt.Signature(id="X", up=("Z1", "Z2"))])
    with pytest.raises(DataError, match="no table of differential expression but 10 observations"):
        score_contrast(mt.datasets.simulate_cohort(n_tumours=60, seed=0)[:10].copy())


def test_a_column_that_ranks_genes_is_named_of_a_file_too(tmp_path: Path) -> None:
    genes = [f"G{i}" for i in range(40)]
    table = pd.DataFrame({"gene": genes, "zscore": np.linspace(-2, 2, 40)})
    table.to_csv(tmp_path / "z.tsv", sep="\t", index=False)
    sets = mt.SignatureCollection([mt.Signature(id="SET", up=tuple(genes[30:]))])
    with pytest.warns(StatisticsWarning, match="chosen genes only"):
        right = mt.tl.score_contrast(table, sets, statistic="zscore", harmonise=False)
    with pytest.warns(StatisticsWarning, match="chosen genes only"):
        found = mt.tl.score_contrast(str(tmp_path / "z.tsv"), sets, statistic="zscore", harmonise=False)
    assert found["n_agree"].tolist() == right["n_agree"].tolist()
