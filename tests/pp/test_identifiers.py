# ruff: noqa: E501
"""Gene identifiers: every kind, the history of symbols, spreadsheets, duplicates, mouse; every row accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning
from mtorscore.genes.tables import human, mouse


def make(names: list[str], values: list[list[float]] | None = None, **var: list[str]) -> AnnData:
    x = np.arange(2 * len(names), dtype=float).reshape(2, -1) if values is None else np.array(values)
    index = pd.Index([f"{n}~{i}" for i, n in enumerate(names)])
    return AnnData(x, obs=pd.DataFrame(index=["s1", "s2"]), var=pd.DataFrame({"id": names, **var}, index=index))


@pytest.mark.parametrize(
    ("name", "symbol", "how"),
    [
        ("CASTOR1", "CASTOR1", "current"),
        ("GATSL3", "CASTOR1", "previous"),
        ("C7orf60", "BMT2", "previous"),
        ("C12orf66", "KICS2", "previous"),
        ("LARS", "LARS1", "previous"),
        ("SEPT2", "SEPTIN2", "previous"),
        ("2-Sep", "SEPTIN2", "excel"),
        ("Sep-02", "SEPTIN2", "excel"),
        ("2-Sept", "SEPTIN2", "excel"),
        ("2023-09-02 00:00:00", "SEPTIN2", "excel"),
        ("1-Mar", "1-Mar", "ambiguous"),
        ("3-Mar", "MARCHF3", "excel"),
        ("ENSG00000163631.15", "ALB", "ensembl"),
        ("ENSG00000163631", "ALB", "ensembl"),
        ("ENSG00000182378.15_PAR_Y", "PLCXD1", "ensembl"),
        ("ENSGR0000182378.12", "PLCXD1", "ensembl"),
        ("ENSG00000112096.18", "SOD2", "ensembl"),
        ("ALB|213", "ALB", "entrez"),
        ("?|213", "ALB", "entrez"),
        ("GATSL3|652968", "CASTOR1", "entrez"),
        ("SLC35E2|9906", "SLC35E2A", "entrez"),
        ("SLC35E2|728661", "SLC35E2B", "entrez"),
        ("LOC213", "ALB", "entrez"),
        ("C1ORF112", "FIRRM", "previous"),
        ("c12orf66", "KICS2", "previous"),
        ("alb", "ALB", "case"),
        ("HLA.A", "HLA-A", "case"),
        ("NM_000477.7", "NM_000477.7", "unmapped"),
        ("ILMN_1651254", "ILMN_1651254", "unmapped"),
        ("ENSG00000999999.1", "ENSG00000999999", "unmapped"),
        ("TP53 /// TP53", "TP53", "current"),
        ("TP53 /// ALB", "TP53 /// ALB", "ambiguous"),
        ("213", "213", "unmapped"),
    ],
)
def test_one_name(name: str, symbol: str, how: str) -> None:
    row = mt.pp.map_identifiers([name, "TP53", "MYC"]).iloc[0]
    assert (row["symbol"], row["match"]) == (symbol, how)


def test_bare_numbers_are_entrez_where_they_are_the_rule() -> None:
    assert list(mt.pp.map_identifiers(["213", "7157", "999999999"])["symbol"]) == ["ALB", "TP53", "999999999"]


def test_an_ambiguous_alias_is_left_alone() -> None:
    table = human()
    name = next(
        n for n, g in sorted(table.alias.items()) if len(g) > 1 and n not in table.by_symbol and n not in table.previous
    )
    row = mt.pp.map_identifiers([name]).iloc[0]
    assert (row["symbol"], row["match"]) == (name, "ambiguous")
    assert all(g.symbol in row["note"] for g in table.alias[name][:2])


def test_changed_in_place_and_returned() -> None:
    adata = make(["GATSL3", "ALB"])
    assert mt.pp.harmonise_genes(adata) is adata
    assert list(adata.var_names) == ["CASTOR1", "ALB"]
    other = make(["GATSL3", "ALB"])
    assert list(mt.pp.harmonise_genes(other, copy=True).var_names) == ["CASTOR1", "ALB"]
    assert list(other.var["id"]) == ["GATSL3", "ALB"]


def test_an_old_name_yields_to_the_gene_itself() -> None:
    adata = mt.pp.harmonise_genes(make(["CASTOR1", "GATSL3", "ALB"]))
    assert list(adata.var_names) == ["CASTOR1", "GATSL3", "ALB"]
    genes = adata.uns["genes"].set_index("id")
    assert genes.loc["GATSL3", "match"] == "unmapped"
    assert "has a row of its own" in genes.loc["GATSL3", "note"]


VALUES = [[1.0, 5.0, 2.0, np.nan], [3.0, 4.0, 6.0, 8.0]]
NAMES = ["ENSG00000163631.1", "ENSG00000163631.2", "ENSG00000141510.1", "ENSG00000141510.2"]


@pytest.mark.parametrize(
    ("rule", "alb", "tp53"),
    [
        ("max_mean", [5.0, 4.0], [np.nan, 8.0]),
        ("sum", [6.0, 7.0], [2.0, 14.0]),
        ("mean", [3.0, 3.5], [2.0, 7.0]),
        ("median", [3.0, 3.5], [2.0, 7.0]),
    ],
)
def test_duplicates(rule: str, alb: list[float], tp53: list[float]) -> None:
    adata = make(NAMES, VALUES)
    adata.layers["twice"] = np.array(VALUES) * 2
    mt.pp.harmonise_genes(adata, duplicates=rule)
    assert list(adata.var_names) == ["ALB", "TP53"]
    np.testing.assert_array_equal(adata[:, "ALB"].X.ravel(), alb)
    np.testing.assert_array_equal(adata[:, "TP53"].X.ravel(), tp53)
    np.testing.assert_array_equal(adata[:, "ALB"].layers["twice"].ravel(), np.array(alb) * 2)
    assert adata.var["n_rows"].tolist() == [2, 2]
    assert (adata.uns["genes"]["fate"] != "kept").sum() == 2
    assert len(adata.uns["genes"]) == 4


def test_duplicates_in_sparse_matrices_and_refused() -> None:
    values = np.nan_to_num(np.array(VALUES))
    for rule in ("max_mean", "sum"):
        dense = mt.pp.harmonise_genes(make(NAMES, values.tolist()), duplicates=rule)
        adata = make(NAMES, values.tolist())
        adata.X = sparse.csr_matrix(adata.X)
        mt.pp.harmonise_genes(adata, duplicates=rule)
        assert sparse.issparse(adata.X)
        np.testing.assert_array_equal(adata.X.toarray(), dense.X)
    with pytest.raises(DataError, match="2 gene"):
        mt.pp.harmonise_genes(make(NAMES, VALUES), duplicates="error")


def test_the_order_of_rows_does_not_matter() -> None:
    names = ["ENSG00000163631.1", "ENSG00000163631.2", "TP53"]
    values = [[4.0, 2.0, 1.0], [2.0, 4.0, 1.0]]  # equal means: the first name in sorted order is kept
    forward = mt.pp.harmonise_genes(make(names, values))
    backward = mt.pp.harmonise_genes(make(names[::-1], [v[::-1] for v in values]))
    np.testing.assert_array_equal(forward[:, "ALB"].X, backward[:, "ALB"].X)
    np.testing.assert_array_equal(forward[:, "ALB"].X.ravel(), [4.0, 2.0])


def test_unmapped_rows_are_kept_or_dropped() -> None:
    assert mt.pp.harmonise_genes(make(["ALB", "TP53", "nonsense_gene"])).n_vars == 3
    adata = mt.pp.harmonise_genes(make(["ALB", "TP53", "nonsense_gene"]), unmapped="drop")
    assert list(adata.var_names) == ["ALB", "TP53"]
    assert adata.uns["genes"]["fate"].tolist() == ["kept", "kept", "dropped"]


def test_further_columns_give_a_second_chance() -> None:
    adata = make(["ENSG00000999999.1", "ENSG00000163631.1"], gene_name=["GATSL3", "ALB"])
    mt.pp.harmonise_genes(adata)
    assert list(adata.var_names) == ["CASTOR1", "ALB"]
    assert "gene_name" in adata.uns["genes"]["note"].iloc[0]


def test_probes_through_a_platform(tmp_path: Path) -> None:
    path = tmp_path / "GPL1.annot"
    path.write_text(
        "^Annotation\n!Annotation_platform = GPL1\n!platform_table_begin\nID\tGene title\tGene symbol\tGene ID\n"
        "a_at\tx\tALB\t213\nb_at\tx\tGATSL3\t1\nc_at\tx\tTP53///ALB\t2\nd_at\t\t\t\ne_at\tx\tALB\t213\n!platform_table_end\n"
    )
    adata = make(["a_at", "b_at", "c_at", "d_at", "e_at"])
    mt.pp.harmonise_genes(adata, platform=path)
    assert list(adata.var_names) == ["CASTOR1", "TP53", "d_at", "ALB"]
    assert adata.uns["genes_rule"]["only_shared"] == ["TP53"]
    assert adata.uns["genes"].set_index("id").loc["a_at", "fate"] == "collapsed"
    with pytest.raises(DataError, match="another one"):
        mt.pp.harmonise_genes(make(["x1", "x2"]), platform=path)


@pytest.mark.parametrize(
    "name",
    ["ENSG00000141510|TP53", "ENSG00000141510.18_TP53", "TP53_ENSG00000141510", "ENSG00000141510:P53", "TP53 (7157)",
     "gene:ENSG00000141510", "gene-TP53", "TP53|ENSG00000141510.5|7157", "HGNC:11998", "LOC7157"],
)  # fmt: skip
def test_several_names_in_one(name: str) -> None:
    row = mt.pp.map_identifiers([name]).iloc[0]
    assert row["symbol"] == "TP53"
    assert name in row["note"]


def test_names_in_one_that_disagree_are_left_alone() -> None:
    found = mt.pp.map_identifiers(["TP53 (213)", "ENSG00000141510_ENSG00000163631", "gene-nothing"])
    assert (found["hgnc"] == "").all()


def test_numbered_repeats_belong_to_the_gene_beside_them() -> None:
    found = mt.pp.map_identifiers(["TP53", "TP53.1", "ALB.1", "RP11-34P13.7"])
    assert found["symbol"].tolist() == ["TP53", "TP53", "ALB.1", "RP11-34P13.7"]


REFSEQ = ["NM_000546.6", "NR_176326.1", "NM_000477.7", "XM_011545467.1"]


def test_refseq_needs_a_mapping_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"RefSeq.*mapping="):
        mt.pp.harmonise_genes(make(REFSEQ))
    pairs = {"NM_000546": "TP53", "NR_176326.1": "ENSG00000141510", "NM_000477.7": "ALB"}
    table = pd.DataFrame({"transcript": list(pairs), "gene": list(pairs.values())})
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    table.to_csv(tmp_path / "headless.csv", header=False, index=False)
    for mapping in (pairs, pd.Series(pairs), table, tmp_path / "t.tsv", tmp_path / "headless.csv"):
        adata = mt.pp.harmonise_genes(make(REFSEQ), mapping=mapping, duplicates="sum")
        assert list(adata.var_names) == ["TP53", "ALB", "XM_011545467.1"]
        assert adata.var["n_rows"].tolist() == [2, 1, 1]
        np.testing.assert_allclose(adata.X[:, 0], make(REFSEQ).X[:, :2].sum(axis=1))
        assert adata.uns["genes"]["id"].tolist() == REFSEQ
    with pytest.raises(DataError, match="is in the mapping"):
        mt.pp.harmonise_genes(make(REFSEQ), mapping={"NM_1": "TP53"})
    with pytest.raises(DataError, match="no pair"):
        mt.pp.harmonise_genes(make(REFSEQ), mapping={})


def test_a_key_of_several_genes_names_each_none_or_the_first() -> None:
    table = pd.DataFrame({"probe": ["p1", "p1", "p2", "p3"], "gene": ["LOC999999999", "TP53", "ALB", "MYC"]})
    more = pd.concat([table, pd.DataFrame({"probe": ["p3"], "gene": ["FASN"]})])
    adata = mt.pp.harmonise_genes(make(["p1", "p2", "p3"]), mapping=more, several="none")
    assert list(adata.var_names) == ["TP53", "ALB", "p3"]
    adata = mt.pp.harmonise_genes(make(["p1", "p2", "p3"]), mapping=more, several="first")
    assert list(adata.var_names) == ["TP53", "ALB", "MYC"]
    raw = make(["p1", "p2", "p3"])
    adata = mt.pp.harmonise_genes(raw.copy(), mapping=more, several="each")
    assert list(adata.var_names) == ["TP53", "ALB", "MYC", "FASN"]
    np.testing.assert_array_equal(adata.X, raw.X[:, [0, 1, 2, 2]])
    assert adata.uns["genes_rule"]["only_shared"] == ["FASN", "MYC"]
    assert list(mt.pp.harmonise_genes(raw, mapping=more).var_names) == ["TP53", "ALB", "MYC", "FASN"]


def test_a_column_of_symbols_shares_probes_as_a_platform_does() -> None:
    adata = make(["1_at", "2_at", "3_at", "4_at"])
    adata.var["symbol"] = ["TP53", "ALB///FASN", "AK3L1", ""]
    adata.var["Gene ID"] = ["7157", "213///2194", "205", ""]
    raw = adata.copy()
    mt.pp.harmonise_genes(adata)
    assert list(adata.var_names) == ["TP53", "ALB", "AK4", "4_at", "FASN"]
    np.testing.assert_array_equal(adata.X, raw.X[:, [0, 1, 2, 3, 1]])
    assert adata.uns["genes_rule"]["only_shared"] == ["ALB", "FASN"]
    assert adata.uns["genes"].set_index("symbol").loc["FASN", "note"] == "one of several: ALB, FASN"


PLATFORMS = {
    "geo-table": "#ID = probe\n#Gene Symbol = \nID\tGB_ACC\tGene Symbol\tENTREZ_GENE_ID\n1_at\tNM_1\tTP53\t7157\n"
    "2_at\tNM_2\tALB /// FASN\t213 /// 2194\n3_at\tNM_3\tnot a gene\t4609\n",
    "affymetrix-gene-array": "ID\tseqname\tgene_assignment\n1_at\tchr17\tNM_1 // TP53 // tumor protein p53 // 17p13 // 7157 /// "
    "NM_2 // TP53 // tumor\n2_at\tchr4\tNM_3 // ALB // a // 4 // 213 /// NM_4 // FASN // b // 17 // 2194\n3_at\tchr8\tNM_5 // MYC"
    " // c // 8 // 4609\n",
    "illumina": "ID\tSpecies\tILMN_Gene\tSymbol\tProbe_Sequence\n1_at\tHomo sapiens\tTP53\tTP53\tACGT\n2_at\tHomo sapiens\tx\t"
    "ALB /// FASN\tACGT\n3_at\tHomo sapiens\tMYC\tMYC\tACGT\n",
}  # fmt: skip


@pytest.mark.parametrize("name", PLATFORMS)
def test_platform_tables_of_every_maker(tmp_path: Path, name: str) -> None:
    (tmp_path / "GPL1.txt").write_text(PLATFORMS[name])
    probes = ["1_at", "2_at", "3_at"]
    adata = mt.pp.harmonise_genes(make(probes), platform=tmp_path / "GPL1.txt")
    assert list(adata.var_names) == ["TP53", "ALB", "MYC", "FASN"]
    for several, second in (("none", "2_at"), ("first", "ALB")):
        adata = mt.pp.harmonise_genes(make(probes), platform=tmp_path / "GPL1.txt", several=several)
        assert list(adata.var_names) == ["TP53", second, "MYC"]


def test_mouse() -> None:
    adata = make(["Alb", "Trp53", "ENSMUSG00000029580.10", "Gm12345"])
    with pytest.raises(DataError, match="organism"):
        mt.pp.map_identifiers(["ENSMUSG00000029580", "ENSMUSG00000029368"])
    mt.pp.harmonise_genes(adata, "mouse")
    assert list(adata.var_names) == ["ALB", "TP53", "ACTB", "Gm12345"]
    same = mt.pp.harmonise_genes(make(["Alb", "ENSMUSG00000029580.10"]), "mouse", target="mouse")
    assert list(same.var_names) == ["Alb", "Actb"]


def test_nothing_known_is_an_error_and_little_a_warning() -> None:
    with pytest.raises(DataError, match="none of the 3 identifiers"):
        mt.pp.harmonise_genes(make(["x1", "x2", "x3"]))
    with pytest.warns(DataWarning, match="only 1 of 4"):
        mt.pp.harmonise_genes(make(["ALB", "x2", "x3", "x4"]))
    for wrong in ({"duplicates": "first"}, {"unmapped": "hide"}, {"ids": "nothing"}, {"organism": "rat"}):
        with pytest.raises(DataError):
            mt.pp.harmonise_genes(make(["ALB"]), **wrong)  # type: ignore[arg-type]


def held(raw: set[str]) -> set[str]:
    """Library genes that a file holds under any current, previous or unambiguous alias name, told from HGNC alone."""
    table = human()
    everything = {g for entry in mt.library() for g in entry.genes}
    names: dict[str, set[str]] = {}
    for history in (table.previous, table.alias):
        for name, genes in history.items():
            if len(genes) == 1 and name not in table.by_symbol:
                names.setdefault(genes[0].symbol, set()).add(name)
    return {g for g in everything if g in raw or names.get(g, set()) & raw}


@pytest.mark.parametrize(
    "name",
    ["tcga-chol", *(pytest.param(n, marks=pytest.mark.slow) for n in ("star", "gpl97", "gse184733"))],
)
def test_library_genes_are_found(shared: Path, name: str) -> None:
    data = shared / "data"
    options: dict[str, Any] = {}
    if name == "tcga-chol":
        adata = mt.read(data / "tcga-chol" / "CHOL.rnaseqv2_rsem_normalized.tsv.gz")
        raw = {str(i).split("|")[0] for i in adata.var["id"]}
    elif name == "star":
        adata = mt.read(data / "native-formats" / "gdc" / "star_counts")
        raw = set(adata.var["gene_name"])
    elif name == "gpl97":
        annotation = mt.read(data / "native-formats" / "geo" / "GPL97.annot.gz")
        options = {"platform": annotation}
        adata = AnnData(np.zeros((1, annotation.n_vars)), var=annotation.var[["id"]])
        raw = set(annotation.var["symbol"])
    else:
        adata = mt.read(data / "hcc-gse184733" / "GSE184733_counts.tsv.gz")
        raw = {str(i) for i in adata.var["id"]}
    expected = held(raw)
    mt.pp.harmonise_genes(adata, **options)
    found = set(adata.var_names[adata.var["hgnc"] != ""])
    missing = sorted(expected - found)
    print(f"{name}: {len(expected) - len(missing)} of {len(expected)} library genes found; missing: {missing}")
    assert len(expected) > 2000
    assert len(missing) <= 0.02 * len(expected)
    if name == "gpl97":
        # Genes that only probes of several genes name are found too, and listed.
        split = held({part for names in raw for part in names.split("///")})
        assert len(split - found) <= 0.02 * len(split)
        direct = mt.pp.harmonise_genes(annotation.copy())
        assert len(split - set(direct.var_names)) <= 0.02 * len(split)
        again = AnnData(np.zeros((1, annotation.n_vars)), var=annotation.var[["id"]])
        mt.pp.harmonise_genes(again, platform=annotation, several="none")
        only_shared = set(again.uns["genes_rule"]["only_shared"])
        assert only_shared <= found
        assert not only_shared & set(again.var_names)


@pytest.mark.slow
def test_library_genes_are_found_in_mouse_muscle(shared: Path) -> None:
    adata = mt.read(shared / "data" / "perturb-tsc1-ko-muscle" / "htseq-counts")
    raw = {str(i) for i in adata.var["id"]}
    library = {gene for entry in mt.library() for gene in entry.genes}
    expected = {g.human for g in mouse().by_ensembl.values() if g.ensembl in raw and g.human in library}
    mt.pp.harmonise_genes(adata, "mouse")
    assert len(expected) > 5000
    assert expected <= set(adata.var_names)


def test_old_mtor_names_in_tcga_chol(shared: Path) -> None:
    adata = mt.read(shared / "data" / "tcga-chol" / "CHOL.rnaseqv2_rsem_normalized.tsv.gz")
    published = {str(i).split("|")[0] for i in adata.var["id"]}
    mt.pp.harmonise_genes(adata)
    for old, new in (("GATSL3", "CASTOR1"), ("C7orf60", "BMT2"), ("C12orf66", "KICS2"), ("LARS", "LARS1")):
        assert old in published
        assert new not in published
        assert new in adata.var_names
    assert str(adata.var_names[np.asarray(adata.X).mean(axis=0).argmax()]) == "ALB"
    assert len(adata.uns["genes"]) == 20531


def test_a_table_without_genes_says_why_it_has_none() -> None:
    adata = AnnData(np.zeros((2, 0)), uns={"source": {"evidence": "0% of the row names look like genes"}})
    with pytest.raises(DataError, match="no expression matrix \\(0% of the row names look like genes\\)"):
        mt.pp.harmonise_genes(adata)
