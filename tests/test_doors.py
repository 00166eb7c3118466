"""A sentence names the option of the door at which the user stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import mtorscore as mt
from mtorscore._doors import COMMAND_LINE, DOOR, RECIPE, at_door, door, option
from mtorscore.cli import main
from mtorscore.errors import FormatError

TIE = "\tMTOR\tAKT1\tPTEN\nRPTOR\t1.5\t2.5\t3.5\nMLST8\t2.5\t1.5\t0.5\nTP53\t3.5\t0.5\t9.5\n"


def test_names_at_each_door(monkeypatch: pytest.MonkeyPatch) -> None:
    assert option("ids", "symbol") == "ids='symbol'"
    with at_door(COMMAND_LINE):
        assert option("ids", "Gene Symbol") == "--ids 'Gene Symbol'"
        with at_door(RECIPE, unless=COMMAND_LINE):
            assert door() == COMMAND_LINE
    with at_door(RECIPE, unless=COMMAND_LINE):
        assert option("ids", "symbol") == "ids: symbol (under expression) in the recipe"
    monkeypatch.setenv(DOOR, COMMAND_LINE)
    assert option("organism") == "--organism"


def test_a_tie_is_told_in_the_words_of_the_door(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(TIE)
    with pytest.raises(FormatError, match=r"Say which: orientation='genes-in-rows' or .* with ids=") as python:
        mt.read(path)
    assert "--" not in str(python.value)
    with pytest.raises(SystemExit):
        main(["score", str(path), "-o", str(tmp_path / "s.tsv")])
    said = capsys.readouterr().err
    assert "--orientation genes-in-rows or samples-in-rows" in said
    assert "--ids" in said
    assert "orientation=" not in said
    recipe = tmp_path / "r.yaml"
    recipe.write_text(yaml.safe_dump({"id": "r", "expression": {"file": "t.tsv"}}))
    with pytest.raises(FormatError, match=r"orientation: genes-in-rows \(under expression\) in the recipe"):
        mt.pp.prepare_cohort(recipe, None)
    recipe.write_text(yaml.safe_dump({"id": "r", "expression": {"file": "t.tsv", "orientation": "genes-in-rows"}}))
    adata = mt.pp.prepare_cohort(recipe, None)
    assert list(adata.obs_names) == ["MTOR", "AKT1", "PTEN"]


def test_scores_of_logarithms_of_declared_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    genes = [g for s in mt.library().signatures for g in s.genes]
    names = list(dict.fromkeys(genes))[:400]
    values = pd.DataFrame(
        rng.gamma(2, 2000, (400, 8)).round(2) * np.linspace(1, 3, 8), names, [f"s{i}" for i in range(8)]
    )
    values.to_csv(tmp_path / "m.tsv", sep="\t")
    logs = np.log2(values / values.sum() * 1e6 + 1)
    logs.to_csv(tmp_path / "l.tsv", sep="\t")
    run = ["-m", "zscore", "-q"]
    for file, out, more in (
        ("m.tsv", "a.tsv", ["--units", "counts", "--log"]),
        ("l.tsv", "b.tsv", ["--units", "log2"]),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["score", str(tmp_path / file), "-o", str(tmp_path / out), *run, *more])
        assert stop.value.code == 0, capsys.readouterr().err
    a, b = (pd.read_csv(tmp_path / f, sep="\t", index_col=0) for f in ("a.tsv", "b.tsv"))
    np.testing.assert_allclose(a, b, atol=1e-9)
    with pytest.raises(SystemExit):
        main(["score", str(tmp_path / "m.tsv"), "-o", str(tmp_path / "a.tsv"), "-m", "zscore"])
    said = [line for line in capsys.readouterr().err.splitlines() if "made for logarithms" in line]
    assert len(said) == 1
    assert said[0].endswith("Score the logarithms instead: --log.")
