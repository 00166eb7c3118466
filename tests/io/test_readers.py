"""What readers declare is what they do, and a new one is recognised, read and checked without another change."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anndata import AnnData

import mtorscore as mt
from mtorscore.errors import DataError, DataWarning, FormatError
from mtorscore.io import detect
from mtorscore.io.formats import reader as stages
from mtorscore.io.formats.reader import FirstLines, Found, Reader
from mtorscore.io.readers import BY_KIND, READERS
from mtorscore.io.tables.assembly import assemble
from mtorscore.io.tables.orientation import genes_in_rows, is_transposed
from mtorscore.io.tables.per_sample import gene_order, one_unit
from tests.io.fuzz.seeds import GROUPS, READ_AS
from tests.io.test_broken_files import GCT, GOOD, STAR

STAGES = {getattr(stages, n) for n in ("Folder", "Members", "FirstBytes", "Hdf5", "FirstLines", "Rows", "Columns")}
QUANT = "Name\tLength\tEffectiveLength\tTPM\tNumReads\nENST00000269305.9\t9\t8\t1.5\t3\nENST00000295897.1\t9\t8\t2\t4\n"


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.kinds[0])
def test_a_reader_declares_what_it_takes(reader: Reader) -> None:
    path, *others = inspect.signature(reader.read).parameters.values()
    assert path.name == "path"
    named = {p.name for p in others if p.kind is p.KEYWORD_ONLY}
    passed_on = any(p.kind is p.VAR_KEYWORD for p in others)
    assert named == {*(reader.options or ()), *reader.needs}
    assert (reader.options is None) == passed_on
    assert set(reader.detect) <= STAGES
    assert reader.detect
    assert reader.title
    assert reader.origin


def test_a_kind_has_one_reader() -> None:
    kinds = [kind for reader in READERS for kind in reader.kinds]
    assert len(kinds) == len(set(kinds)) == len(BY_KIND)


@pytest.mark.parametrize("group", GROUPS)
def test_a_reader_recognises_its_own_kinds_only(group: str) -> None:
    for text in GROUPS[group].values():
        lines = text.split("\n")
        seen = FirstLines(lines[0], lines)
        for reader in READERS:
            found = reader.detect[FirstLines](seen) if FirstLines in reader.detect else None
            assert found is None or found.kind in reader.kinds


def test_seeds_are_read_as_what_they_are(tmp_path: Path) -> None:
    seeds = {f"{group}/{name}": text for group, texts in GROUPS.items() for name, text in texts.items()}
    assert set(seeds) - set(READ_AS) == {"tables/measures"}
    path = tmp_path / "x.txt"
    for name, expected in READ_AS.items():
        path.write_text(seeds[name])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            adata = mt.read(path)
        values = adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X
        read = (adata.uns["source"]["kind"], adata.n_obs, adata.n_vars, float(np.nansum(values)))
        assert read[:3] == expected[:3], name
        assert read[3] == pytest.approx(expected[3]), name


def toy(path: Path, *, scale: float = 1.0) -> tuple[AnnData, dict[str, Any]]:
    names, values = path.read_text().split("\n")[1:3]
    x = np.array([values.split()], dtype=float) * scale
    return assemble(x, ["a"], names.split()), {"table": "matrix"}


TOY = Reader(
    kinds=("toy",),
    read=toy,
    detect={FirstLines: lambda seen: Found("toy", "its first line") if seen.first == "TOY 1" else None},
    origin="tests",
    title="toy",
    options={"scale": "factor"},
)


def test_a_new_reader_needs_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.txt"
    path.write_text("TOY 1\nTP53 ALB\n1 2\n")
    with pytest.raises(FormatError):
        mt.read(path)
    monkeypatch.setattr(detect, "READERS", (TOY, *READERS))
    monkeypatch.setitem(BY_KIND, "toy", TOY)
    assert (mt.io.describe(path).kind, mt.io.describe(path).evidence) == ("toy", "its first line")
    assert mt.read(path, scale=3).X.tolist() == [[3, 6]]
    assert mt.read(path, kind="toy").uns["source"]["evidence"] == "as asked"
    with pytest.raises(DataError, match="unit: no option of the reader for toy"):
        mt.read(path, unit="tpm")


def test_what_merely_resembles_a_kind_is_not_sure(tmp_path: Path) -> None:
    texts = {"table": GOOD, "gct": GCT, "gdc-star-counts": STAR, "salmon": QUANT, "list": "TP53\nALB\nMYC\n"}
    for kind, text in texts.items():
        (tmp_path / kind).write_text(text)
        found = detect.detect(tmp_path / kind)
        assert (found.kind, found.sure) == (kind, kind not in ("table", "list"))


def test_options_that_a_reader_lacks_are_refused(tmp_path: Path) -> None:
    for name, text in (("x.gct", GCT), ("x.tsv", STAR)):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match="sheet: no option of the reader"):
            mt.read(tmp_path / name, sheet="1")
    # What a table may be told to be says nothing to a format that knows what it is.
    adata = mt.read(tmp_path / "x.gct", kind="clinical")
    assert adata.uns["source"]["table"] == "matrix"
    with pytest.raises(DataError, match="table: no option of the reader for gct"):
        mt.read(tmp_path / "x.gct", table="clinical")


def test_a_folder_is_searched_for_the_kind_that_is_asked_for(tmp_path: Path) -> None:
    for sample in "ab":
        (tmp_path / sample).mkdir()
        (tmp_path / sample / "quant.sf").write_text(QUANT)
    guessed, asked = mt.read(tmp_path), mt.read(tmp_path, kind="salmon")
    np.testing.assert_array_equal(guessed.X, asked.X)
    assert list(asked.obs_names) == ["a", "b"]
    empty = tmp_path / "other"
    empty.mkdir()
    (empty / "notes.md").write_text("# Notes\n")
    with pytest.raises(FormatError, match="no file of a quantifier"):
        mt.read(empty, kind="per-sample")
    with pytest.raises(FormatError, match="no series matrix"):
        mt.read(empty, kind="geo-series")


def test_orientation_is_decided_by_names() -> None:
    genes, samples = ["TP53", "ALB", "MYC", "EGFR"], ["patient_1", "patient_2", "patient_3", "patient_4"]
    assert genes_in_rows(genes) == (True, "100% of the row names look like genes (symbol)")
    assert not genes_in_rows(samples)[0]
    assert is_transposed(genes, samples)
    assert not is_transposed(samples, genes)


def test_samples_of_one_matrix_share_genes_and_units() -> None:
    file, genes = Path("b.tsv"), ["TP53", "ALB", "MYC"]
    values = np.array([1.0, 2.0, 3.0])
    assert values[gene_order(genes, genes, file)].tolist() == [1, 2, 3]
    assert values[gene_order(["MYC", "TP53", "ALB"], genes, file)].tolist() == [2, 3, 1]
    with pytest.raises(DataError, match=r"b.tsv: 2 genes, and 3 .* its table is cut off"):
        gene_order(genes[:2], genes, file)
    with pytest.raises(DataError, match=r"the first file's table is cut off"):
        gene_order(genes, genes[:2], file)
    with pytest.raises(DataError, match=r"\(EGFR, MYC\); the folder mixes annotations"):
        gene_order(["TP53", "ALB", "EGFR"], genes, file)
    assert one_unit(["tpm", "tpm"], file) == "tpm"
    with pytest.raises(DataError, match=r"different units \(counts, tpm\)"):
        one_unit(["tpm", "counts"], file)
