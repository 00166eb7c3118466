"""Files of GSEA: round trips, counts, refusals, and gseapy as the second reader."""

from __future__ import annotations

from pathlib import Path

import gseapy
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

import mtorscore as mt
from mtorscore.errors import DataError, FormatError, IgnoredWarning
from mtorscore.io import gsea


@pytest.fixture
def adata() -> AnnData:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 40)) * 10.0 ** rng.integers(-8, 8, size=(6, 40))
    values[0, 0] = np.nan
    obs = pd.DataFrame({"stage": ["I", "II", "I", "III", "II", "I"]}, index=[f"sample {i}" for i in range(6)])
    var = pd.DataFrame({"entrez": [str(100 + i) for i in range(40)]}, index=[f"GENE{i}" for i in range(40)])
    return AnnData(values, obs=obs, var=var)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("suffix", [".gct", ".gct.gz"])
def test_gct_round_trip_keeps_every_bit(adata: AnnData, tmp_path: Path, version: str, suffix: str) -> None:
    path = gsea.write_gct(adata, tmp_path / f"x{suffix}", version=version)
    back = gsea.read_gct(path)
    np.testing.assert_array_equal(back.X, adata.X)
    assert list(back.var_names) == list(adata.var_names)
    assert list(back.obs_names) == list(adata.obs_names)
    if version == "1.3":
        assert list(back.var["entrez"]) == list(adata.var["entrez"])
        assert list(back.obs["stage"]) == list(adata.obs["stage"])


def test_identifiers_in_a_gct_keep_their_zeros(tmp_path: Path) -> None:
    obs = pd.DataFrame({"patient": ["001", "010"], "age": ["61", "70"]}, index=["a", "b"])
    adata = AnnData(np.ones((2, 1)), obs=obs, var=pd.DataFrame(index=["TP53"]))
    back = mt.read(gsea.write_gct(adata, tmp_path / "x.gct", version="1.3"))
    assert back.obs["patient"].tolist() == ["001", "010"]
    assert back.obs["age"].tolist() == [61.0, 70.0]


def test_gct_header_states_the_counts(adata: AnnData, tmp_path: Path) -> None:
    lines = gsea.write_gct(adata, tmp_path / "x.gct").read_text().split("\n")
    assert lines[:2] == ["#1.2", "40\t6"]
    assert lines[2].split("\t")[:2] == ["NAME", "Description"]
    assert {line.count("\t") for line in lines[2:-1]} == {7}
    assert lines[-1] == ""


def test_gct_of_sparse_layer_and_frame(adata: AnnData, tmp_path: Path) -> None:
    dense = np.abs(np.nan_to_num(np.asarray(adata.X)))
    adata.layers["counts"] = sparse.csr_matrix(dense)
    frame = pd.DataFrame(dense, index=adata.obs_names, columns=adata.var_names)
    for i, path in enumerate(
        [
            gsea.write_gct(adata, tmp_path / "a.gct", layer="counts"),
            gsea.write_gct(frame, tmp_path / "b.gct"),
        ]
    ):
        np.testing.assert_array_equal(gsea.read_gct(path).X, dense, err_msg=str(i))


def test_gct_refuses_what_gsea_cannot_read(adata: AnnData, tmp_path: Path) -> None:
    path = tmp_path / "x.gct"
    twice = pd.DataFrame(np.ones((2, 2)), index=["a", "b"], columns=["G", "G"])
    with pytest.raises(DataError, match="1 gene name\\(s\\) are duplicated \\(G\\)"):
        gsea.write_gct(twice, path)
    with pytest.raises(DataError, match="tab or line break"):
        gsea.write_gct(pd.DataFrame(np.ones((1, 2)), index=["a\tb"], columns=["G", "H"]), path)
    with pytest.raises(DataError, match="no layer 'tpm'"):
        gsea.write_gct(adata, path, layer="tpm")
    assert not path.exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with #1.2"),
        ("#1.2\nx\t2\n", "holds 2 counts"),
        ("#1.2\n1\t2\nNAME\tDescription\ta\n", "promises 2 observations"),
        ("#1.2\n2\t1\nNAME\tDescription\ta\nG\tna\t1\n", "promises 2 genes"),
        ("#1.2\n1\t1\nNAME\tDescription\ta\nG\tna\tx\n", "line 4: 'x' is no number"),
        ("#1.2\n1\t1\nNAME\tDescription\ta\nG\tna\n", "0 values where 1"),
        ("#1.2\n2\t1\nNAME\tDescription\ta\nG\tna\t1\nG\tna\t2\n", "are duplicated"),
        ("#1.3\n1\t1\t1\t1\nid\tx\ta\nstage\tna\nG\tna\t1\n", "line 4: 0 values of 'stage'"),
    ],
)
def test_gct_reader_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.gct"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        gsea.read_gct(path)


def test_cls_categorical(tmp_path: Path) -> None:
    labels = pd.Series(["tumour", "normal", "tumour", "tumour"])
    path = gsea.write_cls(labels, tmp_path / "x.cls")
    assert path.read_text() == "4 2 1\n# tumour normal\ntumour normal tumour tumour\n"
    assert list(gsea.read_cls(path)) == list(labels)
    numbered = tmp_path / "n.cls"
    numbered.write_text("3 2 1\n# tumour normal\n0 1 0\n")
    assert list(gsea.read_cls(numbered)) == ["tumour", "normal", "tumour"]
    for text in ("1 0 1", "2 1 2"):  # numbers count the classes, and both readers say so
        numbered.write_text(f"3 2 1\n# tumour normal\n{text}\n")
        assert list(gsea.read_cls(numbered)) == ["normal", "tumour", "normal"]
        assert list(mt.read(numbered).obs["class"]) == ["normal", "tumour", "normal"]
    numbered.write_text("3 2 1\n# tumour normal\nB A B\n")
    assert list(gsea.read_cls(numbered)) == ["tumour", "normal", "tumour"]


def test_cls_continuous(tmp_path: Path) -> None:
    profiles = pd.DataFrame({"mtorc1": [0.1, -1e-9, 3.0], "s6k": [1 / 3, 2.0, 1e300]})
    path = gsea.write_cls(profiles, tmp_path / "x.cls")
    assert path.read_text().startswith("#numeric\n#mtorc1\n0.1 ")
    pd.testing.assert_frame_equal(gsea.read_cls(path), profiles)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", None], "1 label\\(s\\) are missing"),
        (["a b", "c"], "separates by blanks"),
        (["a", "a"], "two classes or more"),
    ],
)
def test_cls_refusals(tmp_path: Path, labels: list[str | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        gsea.write_cls(labels, tmp_path / "x.cls")


@pytest.mark.parametrize(
    "text",
    ["", "3 2 1\n# a b\na b\n", "2 3 1\n# a b\na b\n", "a\nb\nc\n", "#numeric\n#x\n1 2\n#y\n1\n", "#numeric\n#x\n"],
)
def test_cls_reader_refuses(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.cls"
    path.write_text(text)
    with pytest.raises(FormatError):
        gsea.read_cls(path)


def test_rnk_round_trip_and_refusals(tmp_path: Path) -> None:
    ranking = pd.Series({"A": 2.5, "B": 1 / 3, "C": -1e-12})
    path = gsea.write_rnk(ranking, tmp_path / "x.rnk")
    assert path.read_text() == f"A\t2.5\nB\t{1 / 3!r}\nC\t-1e-12\n"
    pd.testing.assert_series_equal(gsea.read_rnk(path), ranking.rename("score"))
    with pytest.raises(DataError, match="not finite \\(B\\)"):
        gsea.write_rnk(pd.Series({"A": 1.0, "B": np.nan}), path)
    for text, message in [
        ("A 1\n", "gene and score"),
        ("A\tx\n", "'x' is no number"),
        ("A\t1\nA\t2\n", "is duplicated"),
        ("", "no gene"),
    ]:
        path.write_text(text)
        with pytest.raises(FormatError, match=message):
            gsea.read_rnk(path)


def test_gmt_splits_and_joins_directions(tmp_path: Path) -> None:
    signatures = mt.SignatureCollection(
        [mt.Signature(id="X", title="an x", up=("A", "B"), down=("C",)), mt.Signature(id="Y", up=("D",))]
    )
    path = gsea.write_gmt(signatures, tmp_path / "no_ending")
    assert path.read_text() == "X_UP\tan x\tA\tB\nX_DN\tan x\tC\nY\tna\tD\n"
    joined = gsea.read_gmt(path, join_up_down=True)
    assert [(s.id, s.up, s.down) for s in joined.signatures] == [("X", ("A", "B"), ("C",)), ("Y", ("D",), ())]
    assert gsea.read_gmt(path).names == ["X_UP", "X_DN", "Y"]


def test_gseapy_reads_what_we_write(tmp_path: Path) -> None:
    """Gseapy 1.3: prerank on RNK and GMT, ssgsea on TXT and on the GCT's table, gsea on TXT and CLS.

    gseapy's own GCT reader takes the line of counts for the header, so the table below the counts is handed over.
    """
    rng = np.random.default_rng(1)
    genes = [f"G{i}" for i in range(200)]
    values = rng.normal(size=(8, 200))
    values[:4, :20] += 2
    frame = pd.DataFrame(values, index=[f"s{i}" for i in range(8)], columns=genes)
    sets = mt.SignatureCollection(
        [mt.Signature(id="HIGH", up=tuple(genes[:20])), mt.Signature(id="REST", up=tuple(genes[100:130]))]
    )
    gmt = str(gsea.write_gmt(sets, tmp_path / "x.gmt"))
    txt = str(gsea.write_txt(frame, tmp_path / "x.txt"))
    table = pd.read_csv(gsea.write_gct(frame, tmp_path / "x.gct"), sep="\t", skiprows=2, index_col=0)
    cls = str(gsea.write_cls(["t"] * 4 + ["n"] * 4, tmp_path / "x.cls"))
    score = pd.Series(values[:4].mean(axis=0) - values[4:].mean(axis=0), index=genes)
    rnk = str(gsea.write_rnk(score.sort_values(ascending=False), tmp_path / "x.rnk"))
    assert gseapy.parser.read_gmt(gmt) == {s.id: list(s.up) for s in sets.signatures}
    assert gseapy.parser.gsea_cls_parser(cls) == ("t", "n", ["t"] * 4 + ["n"] * 4)
    prerank = gseapy.prerank(rnk=rnk, gene_sets=gmt, permutation_num=20, outdir=None, seed=1, threads=1)
    assert dict(zip(prerank.res2d["Term"], prerank.res2d["NES"] > 1, strict=True))["HIGH"]
    from_txt = gseapy.ssgsea(data=txt, gene_sets=gmt, outdir=None, threads=1).res2d
    from_gct = gseapy.ssgsea(data=table.drop(columns="Description"), gene_sets=gmt, outdir=None, threads=1).res2d
    pd.testing.assert_frame_equal(from_txt, from_gct)
    assert set(from_txt["Name"]) == set(frame.index)
    full = gseapy.gsea(
        data=txt, gene_sets=gmt, cls=cls, permutation_num=10, outdir=None, threads=1, permutation_type="gene_set"
    )
    assert full.res2d.set_index("Term").loc["HIGH", "NES"] > 1


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("ending", [".gct", ".gct.gz"])
def test_gseapy_still_cannot_read_a_gct_by_itself(tmp_path: Path, version: str, ending: str) -> None:
    r"""The day this fails, gseapy has learned it, and ``expression.txt`` need not be exported beside the GCT.

    gseapy 1.3.1, ``base.py``: ``pd.read_csv(path, skiprows=1, comment="#", index_col=0, sep="\t")``. That skips the
    version and leaves the counts, which the format wants in line 2, to be the header, for any endings, blank lines or
    padding that the format allows.
    """
    frame = pd.DataFrame(np.eye(6), index=[f"s{i}" for i in range(6)], columns=[f"G{i}" for i in range(6)])
    path = gsea.write_gct(frame, tmp_path / f"x{ending}", version=version)
    with pytest.raises(pd.errors.ParserError, match="Could not construct index"):
        gseapy.ssgsea(data=str(path), gene_sets={"A": ["G0", "G1"]}, min_size=1, outdir=None, threads=1)


def test_library_as_gmt_says_what_is_lost_and_keeps_every_list(tmp_path: Path) -> None:
    library = mt.library(experimental=True)
    with pytest.warns(IgnoredWarning, match=r"GMT cannot hold \d+ entries that are not gene lists .* and the weights"):
        path = gsea.write_gmt(library, tmp_path / "library.gmt")
    back = gsea.read_gmt(path, join_up_down=True)
    assert {s.id: (s.up, s.down) for s in back.signatures} == {s.id: (s.up, s.down) for s in library.signatures}
    assert len(gseapy.parser.read_gmt(str(path))) == sum(1 + s.is_signed for s in library.signatures)
