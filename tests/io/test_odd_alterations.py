"""Files of alterations as people send them: cells of several words, dashes, spreadsheets, downloads of portals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mtorscore import io
from mtorscore.errors import FormatError
from mtorscore.io.alterations.kinds import kinds_of_cell

HEAD = "Hugo_Symbol\tTumor_Sample_Barcode\tVariant_Classification\tHGVSp_Short"


def kinds(file: Path, **options: Any) -> dict[str, dict[str, str | None]]:
    """Return sample -> gene -> kinds, None where it was not looked at."""
    found = io.read_alterations(file, profiled=options.pop("profiled", None), **options)
    seen, words = found.layers["profiled"], found.layers["kind"]
    return {
        s: {g: (str(words[i, j]) if seen[i, j] else None) for j, g in enumerate(found.var_names)}
        for i, s in enumerate(found.obs_names)
    }


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("HOMDEL; FUSION;", ["deep deletion", "structural variant"]),
        ("AMP;TRUNC", ["amplification", "truncating"]),
        ("HETLOSS,INFRAME", ["shallow deletion", "inframe"]),
        ("MUT: R249S;AMP", ["missense hotspot", "amplification"]),
        ("frameshift_variant&splice_region_variant", ["truncating"]),
        ("Splice Site", ["truncating"]),
        ("R249S R175H", ["missense hotspot"]),
        ("AMP;banana", None),
        ("banana", None),
        ("AMP banana", None),
    ],
)
def test_every_word_of_a_cell_counts(cell: str, expected: list[str] | None) -> None:
    """A mutation beside a change of copy number does not hide it, nor the other way round."""
    assert kinds_of_cell("TP53", cell) == expected


def test_a_dash_is_a_blank_cell_where_nothing_else_says_unaltered(tmp_path: Path) -> None:
    file = tmp_path / "calls.tsv"
    file.write_text("sample\tTP53\tPTEN\nA\tR249S\t-\nB\t-\tR130*\n")
    assert kinds(file) == {"A": {"PTEN": "", "TP53": "missense hotspot"}, "B": {"PTEN": "truncating", "TP53": ""}}
    file.write_text("sample\tTP53\tPTEN\nA\tR249S\t-\nB\tWT\tR130*\n")
    assert kinds(file)["A"]["PTEN"] is None
    file.write_text("sample\tTP53\tPTEN\nA\tR249S\t-\nB\t\tR130*\n")
    assert kinds(file)["A"]["PTEN"] is None
    assert kinds(file)["B"]["TP53"] == ""


def test_a_list_by_patient_and_a_row_with_delimiters_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Gene;Patient;Mutation type;Amino acid change\nTP53;A;Missense;R249S\nPTEN;B;Nonsense;R130*;;\n")
    found = kinds(file, profiled=["A", "B", "C"])
    assert found["A"] == {"PTEN": "", "TP53": "missense hotspot"}
    assert found["C"] == {"PTEN": "", "TP53": ""}
    file.write_text("Gene;Patient;Mutation\nTP53;A;R249S\nPTEN;B;Nonsense\n")
    found = kinds(file, profiled=["A", "B", "C"])
    assert found["A"]["TP53"] == "missense hotspot"
    assert found["B"]["PTEN"] == "truncating"


def test_what_a_spreadsheet_made_of_genes(tmp_path: Path) -> None:
    """Dates that one gene alone can have been are that gene; others name none and are counted."""
    file = tmp_path / "x.maf"
    rows = [f"{gene}\tA\tMissense_Mutation\tp.A1B" for gene in ("9-Sep", "1-Mar", "TP53")]
    file.write_text("\n".join([HEAD, *rows]) + "\n")
    found = io.read_alterations(file, profiled=["A"])
    assert list(found.var_names) == ["SEPTIN9", "TP53"]
    assert found.uns["alterations"]["left_out"] == {"no gene": 1}


def test_the_sample_matrix_of_cbioportal_names_samples_behind_their_study(tmp_path: Path) -> None:
    file = tmp_path / "sampleMatrix.txt"
    file.write_text("studyID:sampleId\tTP53\tAltered\nlihc:TCGA-2V-A95S-01\t1\t1\nlihc:TCGA-2Y-A9GS-01\t0\t0\n")
    assert kinds(file) == {"TCGA-2V-A95S-01": {"TP53": "altered"}, "TCGA-2Y-A9GS-01": {"TP53": ""}}


GENES = ["TP53", "CTNNB1", "TERT", "ARID1A"]
TOLD = [("sample", "gene"), ("Patient ID", "Hugo_Symbol"), ("Tumor_Sample_Barcode", "symbol")]
FIELD = [["S1", "S2", "S3"], ["T1", "T2", "T3"], ["HCC1", "HCC2", "CCA3"]]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("samples", "heads"),
    [(["P53", "P21", "C3"], t) for t in TOLD] + [(f, t) for f in FIELD for t in [*TOLD, ("", ""), ("id", "id")]],
)
def test_samples_called_like_genes_are_samples(
    tmp_path: Path, samples: list[str], heads: tuple[str, str], turned: bool
) -> None:
    calls = pd.DataFrame([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1]], samples, GENES, dtype=float)
    table = calls.T if turned else calls
    table.astype(int).rename_axis(heads[turned]).to_csv(tmp_path / "a.tsv", sep="\t")
    found = io.read_alterations(tmp_path / "a.tsv").to_df()
    assert sorted(found.index) == sorted(samples)
    assert found.loc[samples, GENES].to_numpy(dtype=float).tolist() == calls.to_numpy().tolist()


def test_rows_and_columns_that_both_look_like_genes_are_asked_about(tmp_path: Path) -> None:
    table = pd.DataFrame(1, ["TP53", "TERT"], ["CTNNB1", "ARID1A"])
    table.to_csv(tmp_path / "a.tsv", sep="\t")
    with pytest.raises(FormatError, match=r"genes may stand in rows \(TP53, TERT\) or in columns"):
        io.read_alterations(tmp_path / "a.tsv")
