"""MuData files without the package mudata: one modality is chosen, and named where there are several."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from anndata.io import write_elem
from scipy import sparse

import mtorscore as mt
from mtorscore import cli
from mtorscore.errors import DataError, FormatError

GENES = ["ALB", "FASN", "SCD", "GLUL"]


def write_h5mu(path: Path, modalities: dict[str, AnnData], obs: pd.DataFrame) -> Path:
    """Write the layout of MuData, as its documentation describes it."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file.attrs["encoding-type"], file.attrs["encoding-version"] = "MuData", "0.1.0"
        write_elem(file, "obs", obs)
        write_elem(file, "var", pd.DataFrame(index=[g for a in modalities.values() for g in a.var_names]))
        file.create_group("mod").attrs["mod-order"] = list(modalities)
        for name, adata in modalities.items():
            write_elem(file["mod"], name, adata)
    with path.open("r+b") as raw:
        raw.write(b"MuData (format-version=0.1.0;creator=muon;creator-version=0.3)")
    return path


def modalities() -> tuple[dict[str, AnnData], pd.DataFrame]:
    rng = np.random.default_rng(5)
    cells = [f"c{i}" for i in range(8)]
    own = pd.DataFrame({"depth": range(8)}, index=cells)
    counts = sparse.csr_matrix(rng.poisson(2.0, (8, 4)).astype(np.float32))
    rna = AnnData(counts, own, pd.DataFrame(index=GENES))
    protein = AnnData(rng.random((7, 2)), pd.DataFrame(index=cells[1:]), pd.DataFrame(index=["CD3", "CD19"]))
    obs = pd.DataFrame({"patient": list("aabbccdd"), "rna:depth": range(8), "depth": 9}, index=cells)
    return {"rna": rna, "prot": protein}, obs


def test_the_modality_is_chosen_and_shared_columns_come_along(tmp_path: Path) -> None:
    found, obs = modalities()
    path = write_h5mu(tmp_path / "x.h5mu", found, obs)
    with pytest.raises(FormatError, match=r"2 modalities \(prot, rna\); choose one, such as modality='prot'"):
        mt.read(path)
    adata = mt.read(path, modality="rna")
    np.testing.assert_array_equal(adata.X.toarray(), found["rna"].X.toarray())
    assert list(adata.obs["patient"]) == list("aabbccdd")
    assert list(adata.obs["depth"]) == list(range(8))
    assert "rna:depth" not in adata.obs
    assert list(mt.read(path, modality="prot").obs["patient"]) == list("abbccdd")
    assert adata.uns["source"]["modalities"] == ["prot", "rna"]
    with pytest.raises(FormatError, match="no modality 'atac'"):
        mt.read(path, modality="atac")
    description = mt.io.describe(path)
    assert (description.kind, description.details["modalities"]) == ("h5mu", "prot, rna")


def test_the_only_modality_needs_no_name(tmp_path: Path) -> None:
    found, obs = modalities()
    path = write_h5mu(tmp_path / "x.h5mu", {"rna": found["rna"]}, obs)
    assert mt.read(path).uns["source"]["modality"] == "rna"


def test_a_damaged_matrix_of_a_modality_is_refused(tmp_path: Path) -> None:
    found, obs = modalities()
    path = write_h5mu(tmp_path / "x.h5mu", found, obs)
    with h5py.File(path, "r+") as file:
        file["mod/rna/X/indices"][0] = 99
    with pytest.raises(FormatError, match="damaged"):
        mt.read(path, modality="rna")
    with pytest.raises(FormatError, match="damaged"):
        mt.io.describe(path)


SETS = {"LIPID": ["FASN", "SCD"], "CENTRAL": ["GLUL", "ALB"]}


def test_a_modality_is_streamed_with_the_bits_of_memory(tmp_path: Path) -> None:
    found, obs = modalities()
    path = write_h5mu(tmp_path / "x.h5mu", found, obs)
    expected = mt.tl.score(found["rna"].copy(), SETS, method="ucell").obsm["score_ucell"]
    with pytest.raises(FormatError, match=r"2 modalities \(prot, rna\); choose one, such as modality="):
        mt.tl.score(path, SETS, method="ucell")
    scored = mt.tl.score(path, SETS, method="ucell", modality="rna")
    pd.testing.assert_frame_equal(scored.obsm["score_ucell"], expected, check_exact=True)
    out = mt.tl.score(path, SETS, method="ucell", modality="rna", out=tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(mt.tl.read_scores(out)[0]["score_ucell"], expected, check_exact=True)
    copy = mt.tl.score(path, SETS, method="ucell", modality="rna", out=tmp_path / "s.h5mu")
    pd.testing.assert_frame_equal(mt.read(copy, modality="rna").obsm["score_ucell"], expected, check_exact=True)
    assert "score_ucell" not in mt.read(copy, modality="prot").obsm


def test_an_object_is_scored_in_the_modality(tmp_path: Path) -> None:
    class MuData:
        def __init__(self, mod: dict[str, AnnData]) -> None:
            self.mod = mod

        def copy(self) -> MuData:
            return MuData({k: v.copy() for k, v in self.mod.items()})

    mdata = MuData(modalities()[0])
    with pytest.raises(FormatError, match="MuData: there are 2 modalities"):
        mt.tl.score(mdata, SETS)
    handed = mt.tl.score(mdata, SETS, modality="rna", copy=True)
    assert "score_singscore" in handed.mod["rna"].obsm
    assert "score_singscore" not in mdata.mod["rna"].obsm
    assert mt.tl.score(mdata, SETS, modality="rna") is mdata
    assert "score_singscore" in mdata.mod["rna"].obsm
    with pytest.raises(DataError, match="and this is AnnData"):
        mt.tl.score(mdata.mod["rna"], SETS, modality="rna")
    path = tmp_path / "x.h5ad"
    mdata.mod["rna"].write_h5ad(path)
    with pytest.raises(FormatError, match="has no modalities"):
        mt.tl.score(path, SETS, modality="rna")


def test_the_command_line_names_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, obs = modalities()
    path = write_h5mu(tmp_path / "x.h5mu", found, obs)
    (tmp_path / "sets.gmt").write_text("LIPID\tx\tFASN\tSCD\n")
    with pytest.raises(SystemExit):
        cli.main(["describe", str(path)])
    assert f"Next: mtorscore score {path} --modality prot --out scores.tsv" in capsys.readouterr().err
    asked = ["score", str(path), "-s", str(tmp_path / "sets.gmt")]
    for out in ("scores.tsv", "scores.h5mu", "-"):
        with pytest.raises(SystemExit) as ended:
            cli.main([*asked, "-o", str(tmp_path / out) if out != "-" else out])
        assert ended.value.code == 2
        assert "2 modalities (prot, rna); choose one, such as --modality prot" in capsys.readouterr().err
        with pytest.raises(SystemExit) as ended:
            cli.main([*asked, "--modality", "rna", "-o", str(tmp_path / out) if out != "-" else out])
        assert not ended.value.code
    assert pd.read_csv(tmp_path / "scores.tsv", sep="\t", index_col=0).shape == (8, 1)
    assert "score_singscore" in mt.read(tmp_path / "scores.h5mu", modality="rna").obsm
    (tmp_path / "t.tsv").write_text("gene\tS1\tS2\nFASN\t1\t2\nSCD\t3\t4\nALB\t5\t6\n")
    with pytest.raises(SystemExit) as ended:
        cli.main(["score", str(tmp_path / "t.tsv"), *asked[2:], "-o", str(tmp_path / "t.h5mu")])
    assert ended.value.code == 2
    assert "is a copy of an .h5mu that is scored" in capsys.readouterr().err
