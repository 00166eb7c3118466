"""OncoPrints of cBioPortal: the exported table and the list of the OncoPrinter, written from a truth drawn first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mtorscore import io
from mtorscore.cli.app import app
from mtorscore.errors import DataWarning, FormatError

GENES = ("TP53", "PIK3CA", "PTEN", "MYC", "TERT")
MUTATIONS = {
    "truncating": ("Truncating mutation", "Truncating mutation (putative driver)", "trunc_rec", "splice"),
    "missense": ("Missense Mutation", "Missense Mutation (putative passenger)"),
    "inframe": ("Inframe Mutation (putative driver)", "Inframe Mutation"),
    "promoter": ("Promoter Mutation",),
    "unclassified": ("other", "other_rec"),
}
LEVELS = {
    "amplification": "Amplification", "deep deletion": "Deep Deletion", "gain": "Gain",
    "shallow deletion": "Shallow Deletion",
}  # fmt: skip
PRINTER = {
    "truncating": "TRUNC", "missense": "MISSENSE", "inframe": "INFRAME_DRIVER", "promoter": "PROMOTER",
    "unclassified": "OTHER", "amplification": "AMP", "deep deletion": "HOMDEL", "gain": "GAIN",
    "shallow deletion": "HETLOSS", "structural variant": "FUSION",
}  # fmt: skip


def drawn(rng: np.random.Generator, n: int = 25) -> dict[str, pd.DataFrame]:
    """Return kind of data -> cases x genes of kinds, "" where there is none."""
    names = [f"case {i}" for i in range(n)]
    out = {}
    for data, words in (
        ("MUTATIONS", list(MUTATIONS)),
        ("CNA", list(LEVELS)),
        ("STRUCTURAL_VARIANT", ["structural variant"]),
    ):
        cells = np.where(rng.random((n, len(GENES))) < 0.3, rng.choice(words, (n, len(GENES))), "")
        out[data] = pd.DataFrame(cells, index=names, columns=list(GENES), dtype=object)
    return out


def said(truth: dict[str, pd.DataFrame], case: str, gene: str) -> set[str]:
    return {str(kinds.loc[case, gene]) for kinds in truth.values()} - {""}


def table(truth: dict[str, pd.DataFrame], rng: np.random.Generator) -> list[str]:
    cases = list(truth["CNA"].index)
    lines = ["\t".join(["track_name", "track_type", *cases])]
    lines.append("\t".join(["Mutation Count", "CLINICAL", *map(str, rng.integers(0, 99, len(cases)))]))
    for data, kinds in truth.items():
        for gene in GENES:
            words = {"CNA": LEVELS, "STRUCTURAL_VARIANT": {"structural variant": "Structural Variant"}}.get(data, {})
            cells = [words.get(k) or (str(rng.choice(MUTATIONS[k])) if k else "") for k in kinds[gene]]
            lines.append("\t".join([gene, data, *cells]))
    lines.append("\t".join(["MYC", "MRNA", *["mRNA High"] * len(cases)]))
    lines.append("\t".join(["MTOR", "HEATMAP MRNA_EXPRESSION Z-SCORE", *["0.3"] * len(cases)]))
    return lines


def equals(found: object, truth: dict[str, pd.DataFrame]) -> None:
    kinds = pd.DataFrame(found.layers["kind"], index=found.obs_names, columns=found.var_names)  # type: ignore[attr-defined]
    assert list(kinds.columns) == sorted(GENES)
    for case in truth["CNA"].index:
        for gene in GENES:
            assert set(filter(None, str(kinds.loc[case, gene]).split("; "))) == said(truth, case, gene), (case, gene)


@pytest.mark.parametrize("fixed", [True, False])
def test_the_exported_table_is_read_as_drawn(tmp_path: Path, fixed: bool) -> None:
    seed = 3 if fixed else int(np.random.default_rng().integers(2**31))
    print("seed", seed)
    rng = np.random.default_rng(seed)
    truth = drawn(rng)
    file = tmp_path / "PATIENT_DATA_oncoprint.tsv"
    file.write_text("\n".join(table(truth, rng)) + "\n")
    with pytest.warns(DataWarning, match="leaves a cell blank"):
        found = io.read_alterations(file)
    equals(found, truth)
    assert found.uns["alterations"]["data"] == ["mutations", "copy_number", "structural_variants"]
    assert found.layers["profiled"].all()
    assert set(found.obs_names) == set(truth["CNA"].index)
    with pytest.warns(DataWarning, match="leaves a cell blank"):
        one = io.read_alterations(file, genes=["PTEN", "MTOR"])
    np.testing.assert_array_equal(one[:, "PTEN"].X, found[:, "PTEN"].X)
    assert np.isnan(np.asarray(one[:, "MTOR"].X)).all()


def test_who_was_profiled_is_taken_from_its_track_or_from_the_caller(tmp_path: Path) -> None:
    head = "track_name\ttrack_type\ta\tb\tc"
    body = ["TP53\tMUTATIONS\tMissense Mutation\t\t", "TP53\tCNA\t\t\tundefined"]
    file = tmp_path / "oncoprint.tsv"
    file.write_text("\n".join([head, "Profiled in Mutations\tCLINICAL\tYes\tYes\tNo", *body]) + "\n")
    with pytest.warns(DataWarning, match="leaves a cell blank"):
        found = io.read_alterations(file)
    assert found.layers["profiled_mutations"][:, 0].tolist() == [True, True, False]
    assert found.layers["profiled_copy_number"][:, 0].tolist() == [True, True, False]
    file.write_text("\n".join([head, *body]) + "\n")
    with pytest.warns(DataWarning, match="profiled={'copy_number': names}"):
        io.read_alterations(file, profiled=["a", "b"])
    named = io.read_alterations(file, profiled={"mutations": ["a", "b"], "copy_number": ["a"]})
    assert named.to_df()["TP53"].loc[["a", "b"]].tolist() == [1, 0]
    assert np.isnan(named.to_df().loc["c", "TP53"])


def test_the_list_of_the_oncoprinter_is_read_as_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    truth = drawn(rng)
    cases = list(truth["CNA"].index)
    truth["MUTATIONS"].loc[cases[0]] = truth["CNA"].loc[cases[0]] = truth["STRUCTURAL_VARIANT"].loc[cases[0]] = ""
    lines = ["Sample\tGene\tAlteration\tType", cases[0]]
    for data, kinds in truth.items():
        for case, gene in rng.permutation([(c, g) for c in cases for g in GENES if kinds.loc[c, g]]):
            word = PRINTER[str(kinds.loc[case, gene])]
            lines.append(f"{case}\t{gene}\t" + (f"{word}\tCNA" if data == "CNA" else f"X1X\t{word}"))
    lines += [f"{cases[1]}\tMYC\tHIGH\tEXP", f"{cases[1]}\tMYC\tLOW\tPROT"]
    file = tmp_path / "oncoprinter.txt"
    file.write_text("\n".join(lines) + "\n")
    found = io.read_alterations(file)
    equals(found, truth)
    assert (found[cases[0]].X == 0).all()
    file.write_text("Sample\tGene\tAlteration\tType\nA\tTP53\tR249S\tMISSENSE\n")
    with pytest.warns(DataWarning, match="names no sample without one"):
        hot = io.read_alterations(file)
    assert hot.layers["kind"][0, 0] == "missense hotspot"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("track_name\ttrack_type\ta\ta\nTP53\tCNA\t\t\n", "twice"),
        ("track_name\ttrack_type\nTP53\tCNA\n", "no cases"),
        ("track_name\ttrack_type\ta\nAge\tCLINICAL\t3\n", "without a track"),
        ("track_name\ttrack_type\ta\nTP53\tCNA\tBanana\n", "no alteration that is known"),
        ("track_name\ttrack_type\ta\tb\nTP53\tCNA\tGain\n", "cut off"),
        ("Sample\tGene\tAlteration\tType\nA\tTP53\tX\tBANANA\n", "is not known"),
        ("Sample\tGene\tAlteration\tType\n\tTP53\tX\tTRUNC\n", "without a sample"),
        ("Sample\tGene\tAlteration\tType\nA\nB\n", "without an alteration"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "oncoprint.tsv"
    file.write_text(text)
    with pytest.raises(FormatError, match=words):
        io.read_alterations(file, profiled=["a"])


def test_an_oncoprint_is_refused_by_name_as_a_matrix(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    file = tmp_path / "PATIENT_DATA_oncoprint.tsv"
    file.write_text("\n".join(table(drawn(rng), rng)) + "\n")
    listed = tmp_path / "list.txt"
    listed.write_text("Sample\tGene\tAlteration\tType\nA\tTP53\tR249S\tMISSENSE\nB\tPTEN\tHOMDEL\tCNA\n")
    for each in (file, listed):
        done = CliRunner().invoke(app, ["score", str(each), "--out", str(tmp_path / "s.tsv")])
        assert done.exit_code != 0
        assert "OncoPrint" in str(done.exception) + done.output
        assert "read_alterations" in str(done.exception) + done.output
        assert not (tmp_path / "s.tsv").exists()
