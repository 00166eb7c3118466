"""Tables of a row or two, tables of genes, folders and layouts of old: what little they say is not stretched."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

import mtorscore as mt
from mtorscore.errors import DataError, FormatError
from mtorscore.genes.numbers import entrez_evidence

SYMBOLS = ["MTOR", "RHEB", "AKT1", "PTEN", "TSC1", "TSC2", "RPTOR", "RICTOR"]
OTHERS = ["FRAP1", "RHEB2", "AKT", "MMAC1", "LAM", "TSC4", "KOG1", "AVO3"]
ENSEMBL = [f"ENSG{i:011d}" for i in range(198_793, 198_801)]


def write(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("rows", ["1,x\n", "2,x\n", "42,x\n", "1,x\n2,y\n", "0,x\n"])
def test_a_row_named_by_a_number_is_no_gene(tmp_path: Path, rows: str) -> None:
    adata = mt.read(write(tmp_path, "a,b\n" + rows))
    assert adata.n_vars == 0
    with pytest.raises(DataError, match="no expression matrix"):
        mt.pp.harmonise_genes(adata)


def test_a_number_or_two_prove_nothing_by_themselves(tmp_path: Path) -> None:
    assert entrez_evidence(["1"]) == entrez_evidence(["1", "2"]) == float("-inf")
    assert entrez_evidence(["2475"]) < 0
    assert entrez_evidence(["2475", "207", "5728", "57521", "253260"]) > 3
    alone = mt.read(write(tmp_path, "id,HCC1,HCC2\n1,3.5,4.5\n"))
    with pytest.raises(DataError, match="none of the 1 identifiers"):
        mt.pp.harmonise_genes(alone)
    named = mt.read(write(tmp_path, "gene_id,HCC1,HCC2\n7157,3.5,4.5\n"))
    mt.pp.harmonise_genes(named)
    assert list(named.var_names) == ["TP53"]


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        ("gene_id,symbol", ENSEMBL, SYMBOLS),
        ("symbol,alias", SYMBOLS, OTHERS),
        ("human,mouse", SYMBOLS, [s.capitalize() for s in SYMBOLS]),
        ("a,b", SYMBOLS, ENSEMBL),
        ("ID,Gene Symbol", [f"{200_001 + i}_at" for i in range(8)], SYMBOLS),
    ],
)
def test_a_table_of_two_gene_columns_is_not_clinical(
    tmp_path: Path, header: str, first: list[str], second: list[str]
) -> None:
    path = write(tmp_path, header + "\n" + "".join(f"{a},{b}\n" for a, b in zip(first, second, strict=True)))
    assert mt.read(path).uns["source"]["table"] == "genes"
    with pytest.raises(FormatError, match="name genes, so this is no clinical table") as caught:
        mt.io.read_clinical(path)
    assert caught.value.line == 1


def test_patients_beside_a_gene_are_clinical(tmp_path: Path) -> None:
    table = mt.io.read_clinical(write(tmp_path, "patient,mutated\nP1,TP53\nP2,CTNNB1\nP3,TERT\n"))
    assert list(table.index) == ["P1", "P2", "P3"]
    keyed = write(tmp_path, "driver,hotspot\nTP53,MTOR\nCTNNB1,AKT1\nTERT,PTEN\n")
    assert len(mt.io.read_clinical(keyed, key="driver")) == 3


@pytest.mark.parametrize("large", [False, True])
def test_describe_says_of_a_folder_what_it_says_of_a_file(
    tmp_path: Path, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
    body = "".join(f"{gene}\t1000\t900\t{i}.5\t{10 * i}\n" for i, gene in enumerate(ENSEMBL))
    for sample in ("HCC1", "HCC2", "HCC3"):
        (tmp_path / "salmon" / sample).mkdir(parents=True)
        (tmp_path / "salmon" / sample / "quant.genes.sf").write_text(header + body)
    if large:
        monkeypatch.setattr("mtorscore.io.reading._SMALL", len(header + body))
    told = mt.io.describe(tmp_path / "salmon").details
    assert told["sizes"].startswith("3 samples x 8 genes")
    assert ("of the first file" in told["sizes"]) is large
    assert told["orientation"].startswith("one file per sample")
    assert told["identifiers"].startswith("ensembl, sure")
    assert told["units"].startswith("tpm")


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_tables_of_an_old_h5ad_are_read_or_refused_in_one_sentence(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "old.h5ad"
    values = np.arange(12.0).reshape(3, 4)
    kinds = [("index", "S5"), ("n", float)]
    with h5py.File(path, "w") as file:
        if layout == "dense":
            file["X"] = values
        else:
            stored = sparse.csr_matrix(values)
            group = file.create_group("X")
            group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csr", values.shape
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(stored, name)
        file["obs"] = np.array([(b"c1", 1.0), (b"c2", 2.0), (b"c3", 3.0)], dtype=kinds)
        file["var"] = np.array([(g.encode(), 0.5) for g in SYMBOLS[:4]], dtype=kinds)
    adata = mt.read(path)
    assert list(adata.obs_names) == ["c1", "c2", "c3"]
    assert list(adata.var_names) == SYMBOLS[:4]
    np.testing.assert_array_equal(adata.X.toarray() if layout == "sparse" else adata.X, values)
    assert mt.io.describe(path).details["sizes"] == "3 samples x 4 genes"
    with pytest.raises(FormatError, match="old format; write the file again"):
        mt.tl.score(path, {"S": ["MTOR", "RHEB"]}, method="mean")
