"""Gene sets as other tools and people write them: read rightly, or refused with the line."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from unittest.mock import ANY

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mtorscore as mt
from benchmarks.reading.random_gene_sets import judge, make
from mtorscore._doors import COMMAND_LINE, at_door
from mtorscore.cli.app import app
from mtorscore.collection import SignatureCollection
from mtorscore.errors import CoverageWarning, DataWarning, FormatError
from mtorscore.pipeline.config import current

YAML = "id: MINE\ntitle: Mine\ncancers: [HCC]\nup:\n  MTOR: 2.5\n  RHEB: Table 2\n  AKT1:\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 12)
)


def read(folder: Path, name: str, text: str) -> SignatureCollection:
    path = folder / name
    path.write_text(text)
    return SignatureCollection.read(path)


def lists(found: SignatureCollection) -> dict[str, tuple[str, ...]]:
    return {s.id: s.up for s in found.signatures}


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("f8a_no_description.gmt", "descriptions of 2 of 2 set.* are genes .MTOR, PTEN",
         {"SET_A": ("MTOR", "RHEB", "AKT1", "RPTOR"), "SET_B": ("PTEN", "TSC1", "TSC2", "DEPTOR")}),
        ("f8b_spaces_between_genes.gmt", "in one field, separated",
         {"SET_A": ("MTOR", "RHEB", "AKT1"), "SET_B": ("PTEN", "TSC1", "TSC2")}),
        ("f8c_semicolons.gmt", "in one field, separated", {"SET_A": ("MTOR", "RHEB", "AKT1")}),
        ("f15a_msigdbr.csv", "", {"SET_A": ("MTOR", "RHEB", "AKT1"), "SET_B": ("PTEN", "TSC1")}),
        ("f15b_term2gene.tsv", "", {"SET_A": ("MTOR", "RHEB", "AKT1")}),
    ],
)  # fmt: skip
def test_cases(shared: Path, name: str, said: str, expected: dict[str, tuple[str, ...]]) -> None:
    path = shared / "cases" / "reading" / name
    if said:
        with pytest.warns(DataWarning, match=said) as caught:
            found = SignatureCollection.read(path)
        assert len(caught) == 1
    else:
        found = SignatureCollection.read(path)
    assert lists(found) == expected


@pytest.mark.parametrize("which", ["fixed", "fresh"])
def test_random_files_are_read_as_they_are_meant(tmp_path: Path, which: str) -> None:
    seed = 15 if which == "fixed" else int(os.environ.get("MTORSCORE_SEED", time.time_ns() % 10**9))
    print(f"seed {seed}")
    judged = [(make(seed, i).kind, *judge(make(seed, i), tmp_path)) for i in range(240)]
    bad = [f"seed {seed}, file {i}, {k}: {o}: {why}" for i, (k, o, why) in enumerate(judged) if o != "right"]
    assert not bad, "\n".join(bad[:5])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (YAML + "wieght: 2\n", 8, "`wieght` is not a key"),
        ("id: MINE\nupp: [MTOR, RHEB]\n", 2, "`upp` is not a key of a signature. Did you mean up"),
        (YAML + "up: [PTEN]\n", 8, "`up` is in line 4 already"),
        ("id: MINE\nup: MTOR\n", 2, "`up` must hold lists of genes"),
        ("id: MINE\nup:\n  read: MTOR\n", 3, "`read` must be a list or a mapping of genes"),
        (YAML.replace("[HCC]", "HCC"), 3, "`cancers` must be a list"),
        (YAML.replace("2.5", "010"), 5, "is written 010"),
        (YAML.replace("2.5", "0o10"), 5, "is written 0o10"),
        (YAML.replace("2.5", "0x1F"), 5, "is written 0x1F"),
        (YAML.replace("2.5", "1_000"), 5, "is written 1_000"),
        (YAML.replace("2.5", ".inf"), 5, "give a finite positive number"),
        (YAML.replace("2.5", "-.Infinity"), 5, "give a finite positive number"),
        (YAML.replace("2.5", "{wieght: 2}"), 5, "not `wieght`. Did you mean weight"),
        (YAML.replace("2.5", "{weight: [2]}"), 5, "The weight of MTOR is a list"),
        (YAML + "sources:\n- name: A table\n  pubmed: 1\n", 10, "`pubmed` is not a key of a source"),
        (YAML + "sources: [a table]\n", 8, "A source is a mapping"),
        (YAML + "---\n" + YAML, 9, "The id MINE is in line 1 already"),
        ("id: C\nkind: composite\nparts: {A: 010, B: 1}\n", 3, "must be a number other than 0, not '010'"),
        (YAML + f"remark: {'[' * 60_000}\n", 8, "nests deeper than 50 levels"),
        (YAML + f"remark: {'{a: ' * 60}1{'}' * 60}\n", 8, "nests deeper than 50 levels"),
        (YAML + "remark: &a [*a]\n", 8, r"alias \*a holds itself"),
        (YAML + BOMB, 14, "more than 1,000,000 values"),
    ],
)  # fmt: skip
def test_a_yaml_file_is_read_as_strictly_as_it_is_validated(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(FormatError, match=what) as caught:
        SignatureCollection.read(path)
    assert caught.value.line == line
    assert str(path) in str(caught.value)


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    genes = ["MTOR", "RHEB", "AKT1", "PTEN", "TSC1", "TSC2", "RPTOR", "TP53", "FASN", "SCD", "LDLR", "MYC"]
    values = np.random.default_rng(0).normal(7, 1, (len(genes), 4)).round(3)
    path = tmp_path / "expression.tsv"
    pd.DataFrame(values, index=genes, columns=["HCC1", "HCC2", "HCC3", "HCC4"]).to_csv(path, sep="\t")
    return path


def run(*arguments: object) -> tuple[int, str]:
    """Return the exit code and all that is said."""
    with at_door(COMMAND_LINE):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.output + str(result.exception or "")


@pytest.mark.parametrize("change", [("2.5", "010"), ("title", "titel"), ("[HCC]", "HCC")])
def test_score_refuses_what_the_validator_refuses(tmp_path: Path, matrix: Path, change: tuple[str, str]) -> None:
    sets = tmp_path / "mine.yaml"
    sets.write_text(YAML)
    out = tmp_path / "scores.tsv"
    assert run("score", matrix, "--signatures", sets, "--method", "wmean", "--out", out) == (0, ANY)
    sets.write_text(YAML.replace(*change))
    out.unlink()
    code, said = run("score", matrix, "--signatures", sets, "--method", "wmean", "--out", out)
    assert code != 0
    assert "mine.yaml, line" in said
    assert not out.exists()


def test_members_of_other_kinds_are_reached_by_harmonise(tmp_path: Path, matrix: Path) -> None:
    text = (
        "ENSEMBL\tna\tENSG00000198793.14\tENSG00000142208\nENTREZ\tna\t2475\t207\nMOUSE\tna\tMtor\tAkt1\tTrp53\n"
        "MOUSE_IDS\tna\tENSMUSG00000028991\tENSMUSG00000001729\nPAIRS\tna\tMTOR|2475\tAKT1|207\n"
    )
    sets, found = tmp_path / "sets.gmt", tmp_path / "coverage.tsv"
    sets.write_text(text)
    code, said = run("score", matrix, "-s", sets, "-o", tmp_path / "s.tsv")
    assert code != 0
    assert "--harmonise" in said
    with pytest.warns(DataWarning, match="are not current and were renamed"):
        code, said = run("score", matrix, "-s", sets, "-o", tmp_path / "s.tsv", "--coverage", found, "--harmonise")
    assert code == 0, said
    assert pd.read_csv(found, sep="\t")["coverage"].tolist() == [1.0] * 5
    with pytest.warns(DataWarning, match="ENSG00000198793.14 -> MTOR"):
        renamed = current(SignatureCollection.read(sets), "sets.gmt")
    assert lists(renamed)["MOUSE"] == ("MTOR", "AKT1", "TP53")


def test_symbols_beside_mouse_symbols_keep_their_meaning(tmp_path: Path) -> None:
    """C7orf60 is an old human name, though not in capitals; a mouse gene without an orthologue stays as it is."""
    found = read(tmp_path, "x.gmt", "A\tna\tC7orf60\tMTOR\tTrp53\tGm12345\n")
    renamed, report = found.rename_genes()
    assert lists(renamed) == {"A": ("BMT2", "MTOR", "TP53", "Gm12345")}
    assert report.set_index("symbol")["status"].to_dict() == {
        "C7orf60": "renamed", "Trp53": "renamed", "Gm12345": "unknown",
    }  # fmt: skip


def test_descriptions_that_are_genes_are_told_from_names_of_sets(tmp_path: Path) -> None:
    plain = "SREBF1_TARGETS\tSREBF1\tFASN\tSCD\nA\tHCC\tMTOR\nB\tna\tAKT1\nC\thttp://x.org/MTOR\tRHEB\nD\tHCC\tSCD\n"
    assert lists(read(tmp_path, "x.gmt", plain))["SREBF1_TARGETS"] == ("FASN", "SCD")
    with pytest.warns(DataWarning, match="1 of 3 set.* are genes .RPTOR., and are not scored"):
        found = read(tmp_path, "y.gmt", "A\tliver\tMTOR\nB\tRPTOR\tRHEB\nC\tkidney\tAKT1\n")
    assert lists(found)["B"] == ("RHEB",)
    with pytest.warns(DataWarning, match="descriptions of 2 of 2"):
        assert lists(read(tmp_path, "w.gmt", "A\tLDHA\tMTOR\nB\tLDHA\tAKT1\n")) == {
            "A": ("LDHA", "MTOR"), "B": ("LDHA", "AKT1"),
        }  # fmt: skip
    with pytest.warns(DataWarning, match="descriptions of 2 of 2"):
        found = read(tmp_path, "z.gmx", "A\tB\nMTOR\tPTEN\nAKT1\tTSC1\n")
    assert lists(found) == {"A": ("MTOR", "AKT1"), "B": ("PTEN", "TSC1")}


@pytest.mark.parametrize("field", ["foo bar", "NKX2-1/TTF1", "ABC;DEF1"])
def test_what_may_be_one_name_is_not_split(tmp_path: Path, field: str) -> None:
    with pytest.warns(DataWarning, match="count as one name each"):
        assert lists(read(tmp_path, "x.gmt", f"A\tna\t{field}\n")) == {"A": (field,)}


@pytest.mark.parametrize(
    ("name", "text", "line", "what"),
    [
        ("x.gmt", "A\tna\tMTOR\nB\tna\t\nC\tna\tAKT1\n", 2, "The set B holds no gene; list its genes, or delete"),
        ("x.gmt", "A\tna\tMTOR,1\tRHEB\n", 1, "1 of 2 genes have no weight .RHEB"),
        ("x.gmt", "A\tna\tMTOR,0\tRHEB,1\n", 1, "are 0 or not finite"),
        ("x.gmt", "A\tna\tMTOR,1\tMTOR,2\n", 1, "are duplicated .MTOR"),
        ("x.gmt", "A,na,MTOR,RHEB\n", 1, "a table of set and gene is read as .tsv"),
        ("x.csv", "A,MTOR\nA,RHEB\n", 1, "must hold source, target and weight"),
        ("x.csv", "gene,logFC,padj\nMTOR,1,1\n", 1, "must hold source, target and weight"),
        ("x.csv", "term,gene\nA,\n", 2, "needs a set and a gene"),
        ("x.csv", 'term,gene\nA,"MTOR\nA,AKT1\n', 3, "close every quote"),
        ("x.csv", "set,gene,direction\nA,MTOR,sideways\n", 2, "a direction of up or down"),
        ("x.csv", "set,gene,direction,weight\nA,MTOR,up,-1\n", 2, "a direction of up or down"),
    ],
)
def test_what_cannot_be_read_says_line_and_fix(tmp_path: Path, name: str, text: str, line: int, what: str) -> None:
    with pytest.raises(FormatError, match=what) as caught:
        read(tmp_path, name, text)
    assert caught.value.line == line


def test_tables_of_one_set_and_of_directions(tmp_path: Path) -> None:
    one = read(tmp_path, "mine.csv", "gene,weight\nMTOR,1.5\nPTEN,-1\n")
    assert one["mine"].signed_weights() == {"MTOR": 1.5, "PTEN": -1.0}  # type: ignore[attr-defined]
    both = read(tmp_path, "x.tsv", "pathway\tgene\tdirection\nA\tMTOR\tup\nA\tPTEN\tdown\n")
    assert (both["A"].up, both["A"].down) == (("MTOR",), ("PTEN",))  # type: ignore[attr-defined]
    assert lists(read(tmp_path, "y.csv", "foo,bar\nA,MTOR\nA,AKT1\n")) == {"A": ("MTOR", "AKT1")}
    with pytest.raises(FormatError, match=r"a gene a line is \.grp"):
        read(tmp_path, "genes.txt", "MTOR\nAKT1\n")


def test_a_damaged_archive_is_one_error(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"A\tna\tMTOR\tRHEB\n" * 50))
    packed[20] ^= 255
    (tmp_path / "x.gmt.gz").write_bytes(packed)
    with pytest.raises(FormatError, match="cannot be unpacked"):
        SignatureCollection.read(tmp_path / "x.gmt.gz")


def test_a_direction_without_a_gene_is_named_once_and_marked() -> None:
    genes = [f"G{i}" for i in range(40)]
    adata = ad.AnnData(pd.DataFrame(np.random.default_rng(1).random((6, 40)), [f"s{i}" for i in range(6)], genes))
    sets = mt.SignatureCollection([
        mt.Signature(id="BOTH", up=("G1", "G2"), down=("G3",)),
        mt.Signature(id="UP_ONLY", up=("G4", "G5", "G6"), down=("X1",)),
        mt.Signature(id="DOWN_ONLY", up=("X1",), down=("G7", "G8", "G9")),
        mt.Signature(id="UNSIGNED", up=("G1", "X1")),
        mt.Signature(id="NONE", up=("X1",), down=("X2",)),
    ])  # fmt: skip
    for method in ("singscore", "ucell", "mean"):
        with pytest.warns(CoverageWarning, match=r"2 signature\(s\) have genes of one direction only") as caught:
            mt.tl.score(adata, sets, method=method)
        assert len(caught) == 1
        assert "UP_ONLY, DOWN_ONLY" in str(caught[0].message)
        coverage = adata.uns["mtorscore"][method]["coverage"]
        assert coverage["one_direction"].to_dict() == {
            "BOTH": False, "UP_ONLY": True, "DOWN_ONLY": True, "UNSIGNED": False, "NONE": False,
        }  # fmt: skip
        # As the reference scores a set of that direction alone.
        alone = adata.copy()
        mt.tl.score(alone, {"UP_ONLY": {"up": ["G4", "G5", "G6"]}}, method=method)
        if method != "singscore":
            got, want = adata.obsm[f"score_{method}"]["UP_ONLY"], alone.obsm[f"score_{method}"]["UP_ONLY"]
            np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.gmt", "SET\tna\tMTOR\t1-Sep\t02.Mrz\tAKT1\n"),
        ("x.csv", "term,gene\nSET,MTOR\nSET,1-Sep\nSET,2-Mrz\n"),
        ("x.grp", "MTOR\nSep-01\n2023-03-02\n"),
    ],
)
def test_dates_among_the_genes_are_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.warns(DataWarning, match=r"2 gene\(s\) are dates that a spreadsheet made of symbols"):
        mt.SignatureCollection.read(tmp_path / name)
